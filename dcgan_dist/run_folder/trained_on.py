"""What the networks of a run were trained on, so that images that are said to be held out can be compared with it.

`run.json` names the shards by whole addresses and by their content: neither depends on the folder in which a command is
given, and a copy elsewhere under another name is found. Whoever repacks the same pictures into other shards makes other
content, which is not found. No Ray.
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from dcgan_dist.data import keep_list
from dcgan_dist.data.scenes.builtin import EMBEDDED
from dcgan_dist.data.shards.addresses import expand
from dcgan_dist.data.shards.build_index import index_shard
from dcgan_dist.data.shards.index import Index, concatenate, find_index, fingerprint, layout_sha256
from dcgan_dist.errors import DataError, DcganDistError
from dcgan_dist.run_folder.naming import SETTINGS_FILE, find_run
from dcgan_dist.run_folder.record import NoRecord, find_record, read_record
from dcgan_dist.settings import Settings, from_yaml
from dcgan_dist.storage import Place

FIELD = "trained_on"
"""Of `run.json`."""
ENDS_BYTES = 64 << 10
"""At each end of a shard, which stand for it: all of it would be read for minutes, and other shards of the same length
differ there too."""
TOGETHER = 16
"""Shards that are looked at at a time: on an object store each costs some round trips."""


def content(shard: Place) -> str:
    """Stands for the content of a shard wherever it lies: 32 hex digits, from its length and both its ends.

    Raises `MissingFile` where it is not there.
    """
    length = shard.info().size
    digest = hashlib.sha256(str(length).encode())
    if length <= 2 * ENDS_BYTES:
        digest.update(shard.read_range(0, length))
    else:
        digest.update(shard.read_range(0, ENDS_BYTES))
        digest.update(shard.read_range(length - ENDS_BYTES, ENDS_BYTES))
    return digest.hexdigest()[:32]


def contents(shards: Iterable[str]) -> dict[str, str]:
    """`content` of the shards at these addresses, by address, in their order."""
    addresses = list(shards)
    with ThreadPoolExecutor(TOGETHER) as threads:
        return dict(zip(addresses, threads.map(lambda address: content(Place(address)), addresses), strict=True))


@dataclass(frozen=True)
class Kept:
    """The keep-list that said which images of its shards a run was trained on.

    Attributes:
        file: its address.
        sha256: of its bytes, which tell it from others wherever it lies; "" where no record says it.
    """

    file: str
    sha256: str


@dataclass(frozen=True)
class TrainedOn:
    """What the networks of a run were trained on.

    Attributes:
        shards: content of the run's own shards by address, in the order of its images.
        before: the same of what else was trained on: by runs whose networks it began with, or at other addresses.
        unknown: why there may be more than these, in a sentence without its end; "" where this is all.
        is_recorded: whether `run.json` says it; else it was found anew.
        layout: `layout_sha256` of the run's own images; "" where nothing says it.
        keep: of the run's own shards; None: it was trained on all their images. Those that were left out count as seen
            all the same: they are near copies of others that were not.
    """

    shards: Mapping[str, str] = field(default_factory=dict)
    before: Mapping[str, str] = field(default_factory=dict)
    unknown: str = ""
    is_recorded: bool = False
    layout: str = ""
    keep: Kept | None = None

    def record(self) -> dict[str, Any]:
        """What stands of it in `run.json`."""
        found: dict[str, Any] = {"shards": dict(self.shards)}
        if self.before:
            found["before"] = dict(self.before)
        if self.unknown:
            found["unknown"] = self.unknown
        if self.keep is not None:
            found["keep"] = asdict(self.keep)
        return found

    def seen(self, shards: Mapping[str, str]) -> dict[str, str]:
        """Which of these shards the networks were trained on, by address, each with the address that it had then.

        Args:
            shards: content by address, as `contents` gives it.
        """
        every = {**self.before, **self.shards}
        by_content = {digest: address for address, digest in reversed(every.items())}
        found = {}
        for address, digest in shards.items():
            # One that has been changed since then is still taken for what it was.
            theirs = address if address in every else by_content.get(digest)
            if theirs is not None:
                found[address] = theirs
        return found

    def is_own(self, index: Index) -> bool | None:
        """Whether these are the images that the run was trained on; None where nothing says what those were."""
        if self.is_recorded:
            return sorted(contents(index.shards).values()) == sorted(self.shards.values())
        return layout_sha256(index) == self.layout if self.layout else None

    def kept(self, index: Index, say: Callable[[str], None] = lambda line: None) -> Index:
        """The images of the run's own shards that it was trained on.

        Args:
            index: of those shards.
            say: is told how many images are left out, if there is a keep-list.

        Raises:
            DataError: the keep-list is missing, or has changed since.
        """
        if self.keep is None:
            return index
        found = keep_list.load(Place(self.keep.file))
        if self.keep.sha256 not in ("", found.sha256):
            raise DataError(
                f"{found.file} is not the keep-list that the run was trained with, whose SHA-256 began with "
                f"{self.keep.sha256[:16]}: put that back"
            )
        return found.apply(index, say)

    def after(self, earlier: "TrainedOn") -> "TrainedOn":
        """This, with all that the networks had been trained on before."""
        own = set(self.shards.values())
        before = {
            address: digest
            for address, digest in {**earlier.before, **earlier.shards, **self.before}.items()
            if digest not in own
        }
        unknown = self.unknown or earlier.unknown
        return replace(self, before=before, unknown=unknown)


def from_record(record: Mapping[str, Any] | None) -> TrainedOn | None:
    """What a run's record says; None where it says nothing, as those of older versions."""
    found = record.get(FIELD) if record is not None else None
    if record is None or not isinstance(found, dict):
        return None
    tables = [found.get("shards"), found.get("before", {})]
    of_text = [{str(a): str(d) for a, d in table.items()} for table in tables if isinstance(table, dict)]
    if len(of_text) < len(tables):
        return None
    shards, before = of_text
    keep = found.get("keep")
    return TrainedOn(
        shards,
        before,
        str(found.get("unknown", "")),
        True,
        str(record.get("data_sha256", "")),
        Kept(str(keep.get("file")), str(keep.get("sha256"))) if isinstance(keep, dict) else None,
    )


def find_trained_on(run: Place, settings: Settings) -> TrainedOn:
    """What a run was trained on: as its record says it, else as its settings lead to it from here.

    Args:
        run: its folder.
        settings: its own.

    Raises:
        DataError: a store cannot be reached.
    """
    try:
        record = read_record(run)
    except NoRecord as error:
        found = _unrecorded(run, settings, {}, str(error).partition(":")[0])
    else:
        recorded = from_record(record)
        if recorded is not None:
            return recorded
        found = _unrecorded(
            run, settings, record, f"run.json of {run} is of an older version, without the training shards"
        )
    began = (find_record(run) or {}).get("init_from")
    return found.after(inherited(str(began))) if began else found


def inherited(begun_with: str) -> TrainedOn:
    """What the networks were trained on that a run began with.

    Args:
        begun_with: address of that run, or of its checkpoint.
    """
    try:
        run = find_run(begun_with).place
        settings = from_yaml((run / SETTINGS_FILE).read_bytes().decode(), str(run / SETTINGS_FILE))
        found = find_trained_on(run, settings)
    except DcganDistError:  # it is gone, damaged, or in a store that cannot be reached from here
        return TrainedOn(unknown=f"the run began with the networks of {begun_with}, which cannot be read from here")
    unknown = f"the run began with the networks of {run}, and {found.unknown}" if found.unknown else ""
    return TrainedOn({}, {**found.before, **found.shards}, unknown)


def _unrecorded(run: Place, settings: Settings, record: Mapping[str, Any], why: str) -> TrainedOn:
    """What the settings lead to, which counts as known only where the record knows its layout."""
    keep = Kept(settings.data.keep, "") if settings.data.keep else None
    return replace(_led_to(run, settings, record, why), keep=keep)


def _led_to(run: Place, settings: Settings, record: Mapping[str, Any], why: str) -> TrainedOn:
    layout = str(record.get("data_sha256", ""))
    if settings.data.path == EMBEDDED:
        return TrainedOn(layout=layout)  # it drew them for itself
    try:
        shards = expand(settings.data.path)
        index = kept_index(shards, run.parent) if layout else None
    except DataError:
        return TrainedOn(unknown=f"{why}, and {settings.data.path} is not found from here", layout=layout)
    if index is not None and layout_sha256(index) != layout:
        return TrainedOn(unknown=f"{why}, and {settings.data.path} holds other data here", layout=layout)
    return TrainedOn(contents(shard.address for shard in shards), {}, "" if layout else why, layout=layout)


def kept_index(shards: Sequence[Place], storage: Place) -> Index:
    """The index of shards: what lies beside them, else what a run has left in its storage, else from their headers."""
    found = find_index(shards)
    if found is not None:
        return found
    try:
        return Index.load(storage / "indexes" / fingerprint(shards))
    except DataError:
        return concatenate([index_shard(shard) for shard in shards])
