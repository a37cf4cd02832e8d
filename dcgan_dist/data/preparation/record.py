"""How far a call has come: what it leaves behind in the target, so that the next one can continue."""

import json
from dataclasses import asdict, dataclass

from dcgan_dist.errors import DataError, SettingsError
from dcgan_dist.storage import Place

RECORD_FILE = "prepare.json"
FORMAT = "dcgan-dist prepare 2"


@dataclass(frozen=True)
class Record:
    """How far the work has come; lies in the target, so that the next call can go on, and stays as its history.

    Attributes:
        arguments: what the bytes of the shards depend on, besides the pictures.
        listing: SHA-256 over names, sizes and splits of the pictures.
        pictures: how many there are.
        done: how many of them, in order, are in complete shards or were bad.
        shards: name, SHA-256 and number of images of the complete shards.
        bad: name of a picture that was left out, and why.
    """

    arguments: dict[str, str | int]
    listing: str
    pictures: int
    done: int = 0
    shards: tuple[tuple[str, str, int], ...] = ()
    bad: tuple[tuple[str, str], ...] = ()

    @property
    def is_complete(self) -> bool:
        """Whether no picture is left to convert."""
        return self.done == self.pictures

    def save(self, folder: Place) -> None:
        (folder / RECORD_FILE).write_bytes(json.dumps({"format": FORMAT} | asdict(self), indent=1).encode() + b"\n")

    @staticmethod
    def load(folder: Place) -> "Record":
        """Raises `MissingFile`, or `DataError` where it is none of ours."""
        try:
            content = json.loads((folder / RECORD_FILE).read_bytes())
            if content.pop("format") != FORMAT:
                raise ValueError("another version of this program wrote it, or none did")
            content["shards"] = tuple((str(file), str(digest), int(n)) for file, digest, n in content["shards"])
            content["bad"] = tuple((str(name), str(reason)) for name, reason in content["bad"])
            return Record(**content)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise DataError(
                f"cannot continue from {folder / RECORD_FILE} ({error}): choose another target, or delete "
                f"{folder} and start again"
            ) from error


def earlier(target: Place, wanted: Record) -> Record:
    """The record of an earlier call that wanted the same shards.

    Raises:
        SettingsError: it was called with other arguments.
        DataError: the pictures have changed since, or the record cannot be read.
    """
    record = Record.load(target)
    for name, value in wanted.arguments.items():
        if record.arguments.get(name) != value:
            raise SettingsError(
                f"{name} is {value!r} but {target} was started with {record.arguments.get(name)!r}: give that, "
                "or choose another target"
            )
    if (record.listing, record.pictures) != (wanted.listing, wanted.pictures):
        raise DataError(
            f"the pictures have changed since {target} was started ({record.pictures:,} then, "
            f"{wanted.pictures:,} now): choose another target"
        )
    return record


def split_of_shard(file: str) -> str:
    """The split of a shard that was written here, by its name."""
    return file.rpartition("-")[0]
