"""Which shards an address means to the check, and what is on record about them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dcgan_dist.data import unprepared
from dcgan_dist.data.preparation.naming import FACES
from dcgan_dist.data.preparation.record import RECORD_FILE, Record
from dcgan_dist.data.readers.shard_listing import shards_in
from dcgan_dist.data.shards.addresses import split_addresses
from dcgan_dist.data.shards.index import DATASET_FILE, Index, checksums_in, read_description
from dcgan_dist.errors import DataError, SettingsError
from dcgan_dist.numerals import count
from dcgan_dist.storage import Place, place, require_writable


@dataclass(frozen=True, eq=False)
class Given:
    """What is to be checked.

    Attributes:
        shards: in order, each once.
        record: the index that lies beside shards of ours; None where there is none.
        checksums: SHA-256 of each shard of ours by its address, also where there is no index; None where nobody wrote
            any down.
        word: the format that shards of ours were prepared from, or `faces`; "" where nobody knows.
        problems: a sentence for each shard that is on record but not there, or for a record that cannot be read.
        notes: lines for people.
    """

    shards: tuple[Place, ...]
    record: Index | None = None
    checksums: Mapping[str, str] | None = None
    word: str = ""
    problems: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def find_given(addresses: str) -> Given:
    """What addresses mean, as in `--data`, but that a folder means all its shards, of whatever split, also where each
    split has a folder of its own in it. Hidden files of a folder are none, such as the `._NAME` that macOS leaves.

    Raises:
        DataError: they mean nothing, or something that is no shard.
    """
    shards: set[Place] = set()
    folders, hidden = [], list[Place]()
    for address in split_addresses(addresses):
        where = place(address)
        if unfinished := _unfinished(where):
            raise DataError(unfinished)
        here = shards_in(where) if where.is_folder() else []
        shards.update(here or unprepared.find(address))
        if here:
            folders.append(where)
            hidden += [where / name for name in where.names() if name.startswith(".") and name.endswith(".tar")]
    if not shards:
        raise DataError(f"{addresses!r} names no shards: give a folder, a file, or a pattern of files")
    ordered = tuple(sorted(shards))
    description = _description(ordered)
    record, problem = _record(ordered[0].parent) if description is not None else (None, "")
    checksums = checksums_in(description or {}, ordered[0].parent)
    problems = [problem] if problem else []
    if checksums is not None:
        on_record = [Place(shard) for shard in checksums]
        gone = [shard for shard in on_record if shard not in shards and shard.parent in folders]
        problems += [f"{shard} is missing, but {DATASET_FILE} names it: copy it again" for shard in gone]
    notes = [f"odd: {count(len(hidden), 'hidden file')} beside the shards, such as {hidden[0]}"] if hidden else []
    return Given(ordered, record, checksums, _word(description or {}), tuple(problems), tuple(notes))


def find_sheets_folder(address: str) -> Place:
    """Where contact sheets are to be written; nothing is overwritten, also not the sheet that `prepare` wrote.

    Raises:
        SettingsError: something is there already.
        DataError: nothing can be written there.
    """
    folder = place(address)
    if folder.names():
        raise SettingsError(f"sheets is {folder}, which is not empty: give a new one, so that nothing is overwritten")
    require_writable(folder, "--sheets")
    return folder


def _unfinished(folder: Place) -> str:
    """A sentence where `prepare` has begun in a folder and is not done; "" where not."""
    if not folder.is_folder() or RECORD_FILE not in folder.names() or Record.load(folder).complete:
        return ""
    return (
        f"prepare has begun to write shards into {folder} and is not done: wait until it is, or give its command "
        "again, which continues where it was stopped"
    )


def _description(shards: Sequence[Place]) -> Mapping[str, Any] | None:
    """What is on record beside shards; None where nothing is, or a file of that name is somebody else's."""
    folder = shards[0].parent
    if any(shard.parent != folder for shard in shards) or DATASET_FILE not in folder.names():
        return None
    return read_description(folder)


def _word(description: Mapping[str, Any]) -> str:
    try:
        options = description["prepared"]["options"]
        return FACES if options.get(FACES) else str(options.get("reader", ""))
    except (KeyError, TypeError, AttributeError):
        return ""


def _record(folder: Place) -> tuple[Index | None, str]:
    """The index of the shards in a folder, and what is wrong with it."""
    try:
        return Index.load(folder), ""
    except DataError as error:
        return None, str(error)
