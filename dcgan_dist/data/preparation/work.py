"""What is to be done: the pictures of a source in their order, and what of them an earlier call has done."""

import hashlib
from dataclasses import asdict, dataclass

from dcgan_dist.data.preparation.arrange import arrange
from dcgan_dist.data.preparation.options import PrepareOptions
from dcgan_dist.data.preparation.record import RECORD_FILE, Record, earlier
from dcgan_dist.data.readers.source import Item, Reader
from dcgan_dist.data.splits import parse_splits
from dcgan_dist.errors import SettingsError
from dcgan_dist.storage import Place, place, require_lasting


@dataclass(frozen=True)
class Work:
    """What is to be done, checked and begun.

    Attributes:
        options: of the call.
        source: address of the pictures.
        target: folder of the shards.
        splits: in the order in which they are written.
        items: the pictures in the order of the shards, split after split.
        classes: names of the classes by number, None where there are none.
        record: how far an earlier call has come.
        told: lines for people: how the source was understood, and what was passed over.
    """

    options: PrepareOptions
    source: Place
    target: Place
    splits: tuple[str, ...]
    items: list[Item]
    classes: tuple[str, ...] | None
    record: Record
    told: tuple[str, ...]


def begin(options: PrepareOptions, reader: Reader) -> Work:
    """Find the pictures that a reader sees in the source, and what an earlier call has done of them.

    Raises:
        SettingsError: the target holds something else, or was begun with other arguments; or the source can be
            understood in two ways.
        DataError: there are no pictures, or they changed since the earlier call.
    """
    where, target = place(options.source), place(options.out)
    require_lasting(target, "the target")
    if target == where or target.address.startswith(f"{where.address.rstrip('/')}/"):
        raise SettingsError(f"the target {target} is in the folder of the pictures: choose one outside of it")
    children = target.children()
    if children and RECORD_FILE not in children:
        raise SettingsError(f"the target {target} is not empty, it holds {min(children)}: choose a new folder")
    source = reader(where, parse_splits(options.split))
    splits, items, told = arrange(source, holdout=options.holdout, seed=options.seed)
    arguments = {name: value for name, value in asdict(options).items() if name not in ("source", "out", "processes")}
    listing = hashlib.sha256()
    for item in items:
        listing.update(f"{item.key}\0{item.size}\0{item.split}\0".encode())
    record = Record(arguments, listing.hexdigest(), len(items))
    if children:
        record = earlier(target, record)
    else:
        target.make_folder()
        record.save(target)
    return Work(options, where, target, splits, items, source.classes, record, told)
