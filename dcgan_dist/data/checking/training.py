"""What a run would be trained on, and what `train --data` would say of it."""

from collections.abc import Sequence
from dataclasses import dataclass

from dcgan_dist.data import unprepared
from dcgan_dist.data.readers.shard_splits import in_order, said_split
from dcgan_dist.data.shards.addresses import expand, pattern_of
from dcgan_dist.data.shards.index import find_index
from dcgan_dist.data.splits import FOLDERS, trains_on_held_out
from dcgan_dist.errors import DataError
from dcgan_dist.settings import DataSettings
from dcgan_dist.storage import Place

_OWN_SIZE = 64


@dataclass(frozen=True)
class TrainedOn:
    """A part of the shards that are checked, or all of them.

    Attributes:
        data: what `train --data` takes to read these shards, and no others.
        shards: in order.
        names: what the names of all shards say, that of these first, where none of them is known to be a split, so that
            it is open whether the others belong to these.
    """

    data: str
    shards: tuple[Place, ...]
    names: tuple[str, ...] = ()

    @property
    def doubt(self) -> str:
        """A sentence where held-out images are among them, or others may belong to them; "" where not."""
        if self.names:
            return (
                f"the names of the shards say {', '.join(self.names)}, none of them a known split: the line below "
                f"trains on {self.names[0]} alone; to train on the others too, name them after a comma"
            )
        return trains_on_held_out(shard.name for shard in self.shards)


def find_trained_on(addresses: str, shards: Sequence[Place]) -> TrainedOn:
    """All shards, where `train --data` takes the addresses as they are, else those of the training split.

    Args:
        addresses: as they were given.
        shards: that they mean to the check: of a folder, those of all splits.
    """
    if _meaning(addresses) == set(shards):
        return TrainedOn(addresses, tuple(shards))
    by_split: dict[str, list[Place]] = {}
    for shard in shards:
        by_split.setdefault(said_split(shard), []).append(shard)
    said = in_order(set(by_split))
    split = said[0]
    chosen = by_split[split]
    folder = chosen[0].parent
    names = {
        name: [shard.name for shard in its if shard.parent == folder]
        for name, its in by_split.items()
        if any(shard.parent == folder for shard in its)
    }
    candidates = (folder.address, f"{folder}/{pattern_of(split, names)}")
    data = next((one for one in candidates if _meaning(one) == set(chosen)), ",".join(map(str, chosen)))
    unknown = set(FOLDERS.values()).isdisjoint(said)
    return TrainedOn(data, tuple(chosen), tuple(name or "no name" for name in said) if unknown else ())


def _meaning(addresses: str) -> set[Place]:
    """The shards that `train --data` reads; none where it refuses."""
    try:
        return set(expand(addresses))
    except DataError:
        return set()


def refusal(trained_on: TrainedOn) -> str:
    """What `train` says before it starts, where it does not; "" where it does. It reads only the first images."""
    try:
        shards = unprepared.find(trained_on.data)
        unprepared.look_at_first(shards, DataSettings(), _OWN_SIZE)
        find_index(shards)
    except DataError as error:
        return str(error)
    return ""
