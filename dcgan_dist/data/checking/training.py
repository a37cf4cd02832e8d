"""What a run would be trained on, and what `train --data` would say of it."""

from collections.abc import Sequence
from dataclasses import dataclass

from dcgan_dist.cli.invocation import command_line
from dcgan_dist.data import unprepared
from dcgan_dist.data.readers.shard_splits import in_order, said_split
from dcgan_dist.data.shards.addresses import expand, pattern_of
from dcgan_dist.data.shards.index import find_index
from dcgan_dist.data.splits import trains_on_held_out
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
    """

    data: str
    shards: tuple[Place, ...]

    @property
    def doubt(self) -> str:
        """A sentence where images that are to be held out are among them; "" where not."""
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
    split = in_order(set(by_split))[0]
    chosen = by_split[split]
    folder = chosen[0].parent
    names = {
        said: [shard.name for shard in its if shard.parent == folder]
        for said, its in by_split.items()
        if any(shard.parent == folder for shard in its)
    }
    candidates = (folder.address, f"{folder}/{pattern_of(split, names)}")
    data = next((one for one in candidates if _meaning(one) == set(chosen)), ",".join(map(str, chosen)))
    return TrainedOn(data, tuple(chosen))


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


def train_line(trained_on: TrainedOn, image_size: int | None) -> str:
    """A shell line that trains a run on the shards.

    Args:
        trained_on: the shards.
        image_size: height and width of all images in pixels, where networks can have it; None: that of the preset.
    """
    size = [] if image_size in (None, _OWN_SIZE) else ["--networks.image-size", str(image_size)]
    return command_line("train", "--preset", "own64", *size, "--data", trained_on.data, "--name", "mine")
