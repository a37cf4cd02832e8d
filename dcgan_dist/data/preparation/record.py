"""What a call leaves behind in the target: what was asked for, so that the next one continues, and what came of it."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from dcgan_dist.errors import DataError, SettingsError
from dcgan_dist.storage import Place

RECORD_FILE = "prepare.json"
FORMAT = "dcgan-dist prepare 3"
KEEP = "keep"
"""Of the arguments: the SHA-256 of the keep-list, where there is one."""


@dataclass(frozen=True)
class Record:
    """What the shards of a target are made of; it stays as their history.

    How far the work has come is not in it: what is done are the pieces and shards that are there.

    Attributes:
        arguments: what the bytes of the shards depend on, besides the pictures.
        listing: SHA-256 over keys, places, sizes, splits and labels of the samples.
        pictures: how many there are.
        complete: whether all shards and their index are there.
        shards: name, SHA-256 and number of images of each, once it is complete.
        bad: key and split of a picture that was left out, and why, once it is complete.
        without_face: how many photographs show no face that is large enough, once it is complete; None where faces are
            not asked for.
        without_room: how many other photographs give no image since the square around each face is larger than the
            picture.
        files: address and version of each file that holds samples; None where samples are files themselves, whose names
            and sizes are in the listing.
    """

    arguments: dict[str, str | int | float]
    listing: str
    pictures: int
    complete: bool = False
    shards: tuple[tuple[str, str, int], ...] = ()
    bad: tuple[tuple[str, str, str], ...] = ()
    without_face: int | None = None
    files: dict[str, str] | None = None
    without_room: int | None = None

    def save(self, folder: Place) -> None:
        content = {name: value for name, value in asdict(self).items() if value is not None}
        (folder / RECORD_FILE).write_bytes(json.dumps({"format": FORMAT} | content, indent=1).encode() + b"\n")

    @staticmethod
    def load(folder: Place) -> "Record":
        """Raises `MissingFile`, or `DataError` where it is none of ours."""
        try:
            content = json.loads((folder / RECORD_FILE).read_bytes())
            if content.pop("format") != FORMAT:
                raise ValueError("another version of this program wrote it, or none did")
            if not isinstance(content["arguments"], dict) or not isinstance(content.get("files", {}), dict):
                raise ValueError("it does not say with which arguments, and of which files, it was written")
            content["shards"] = tuple((str(file), str(digest), int(n)) for file, digest, n in content["shards"])
            content["bad"] = tuple((str(key), str(split), str(reason)) for key, split, reason in content["bad"])
            return Record(**content)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise DataError(
                f"cannot continue from {folder / RECORD_FILE} ({error}): choose another target, or delete "
                f"{folder} and start again"
            ) from error


def identity(record: Record, versions: Mapping[str, str]) -> str:
    """Stands for what pieces are: 16 hex digits that change with all that they depend on.

    Args:
        record: of what is wanted.
        versions: of the packages that make images.
    """
    content = json.dumps([record.arguments, record.listing, versions], sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()[:16]


def earlier(target: Place, wanted: Record) -> Record:
    """The record of an earlier call that wanted the same shards.

    Raises:
        SettingsError: it was called with other arguments.
        DataError: the pictures have changed since, or a file that holds some was written again; or the record cannot be
            read.
    """
    record = Record.load(target)
    for name in [*wanted.arguments, *record.arguments]:  # those of faces are there only where faces are asked for
        value, first = wanted.arguments.get(name, False), record.arguments.get(name, False)
        if value != first and name == KEEP:
            raise SettingsError(
                f"{target} was started {'with another' if first else 'without a'} keep-list: give --keep as then, or "
                f"choose another target, or delete {target}"
            )
        if value != first:
            said = "the format" if name == "reader" else name
            raise SettingsError(
                f"{said} is {value!r} but {target} was started with {first!r}: give {_as_typed(name, first)}, choose "
                f"another target, or delete {target}"
            )
    if (record.listing, record.pictures) != (wanted.listing, wanted.pictures):
        raise DataError(
            f"the pictures have changed since {target} was started ({record.pictures:,} then, "
            f"{wanted.pictures:,} now): choose another target, or delete {target}"
        )
    for file, version in (wanted.files or {}).items():
        # Not of a copy elsewhere, nor of what an earlier version of this program has begun.
        if (record.files or {}).get(file, version) != version:
            raise DataError(
                f"{file} has been written again since {target} was started, so that other pictures may be in it: "
                "choose another target"
            )
    return record


def _as_typed(name: str, value: str | float) -> str:
    """An argument of a record as it is given to the command."""
    if name == "reader":
        return f"{value} before the addresses"
    if name == "faces":
        return "faces as the first word" if value else "no faces as the first word"
    if name == "faces.model_sha256":
        return "the same file by --faces.model"
    option = f"--{name.replace('_', '-')}"
    return f"{option} {value}" if value != "" else f"no {option}"


def split_of_shard(file: str) -> str:
    """The split of a shard that was written here, by its name."""
    return file.rpartition("-")[0]
