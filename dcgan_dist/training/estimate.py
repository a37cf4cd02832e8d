"""What a run is going to take: time, GPU hours, storage; and whether workers share cores. Pure."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from dcgan_dist.numerals import count, duration
from dcgan_dist.settings import CheckpointSettings

SPEED = "speed/images_per_second"
LOOK_S = 30.0
"""How long the speed is measured before it is reported: well within the first minute of training."""
LONG_S = 6 * 3600.0
"""A run that processors need longer for is hardly meant for them: `own64` takes two cores less than half an hour."""
QUARTERS = 3
"""Checkpoints of quarters of a run that stay besides the newest: its last one is among those."""
OWN_MAPS = 32
"""Base maps of `own64`: wider networks can be made narrower."""


@dataclass(frozen=True)
class Budget:
    """The time after which a run stops (`minutes`).

    Attributes:
        seconds: from when its workers are started.
        left_s: seconds of these that are left.
        images: that the run has seen so far.
    """

    seconds: float
    left_s: float
    images: int


@dataclass(frozen=True)
class Expected:
    """What the rest of a run is going to take.

    Attributes:
        images: that are left.
        images_per_second: of all workers.
        source: where the speed is from, for people: `measured over 30 s`.
        gpus: that the run takes.
        maps: base maps of the wider network; 0: it has none.
        checkpoint_bytes: of one checkpoint.
        checkpoints: how many are kept at most.
        budget: of time; None: the run is trained to its end.
    """

    images: int
    images_per_second: float
    source: str
    gpus: int
    maps: int
    checkpoint_bytes: int
    checkpoints: int
    budget: Budget | None = None

    @property
    def seconds(self) -> float:
        """Seconds until the run is done, or stops."""
        seconds = self.images / self.images_per_second
        return seconds if self.budget is None else min(seconds, self.budget.left_s)

    def lines(self, least_s: float = 0.0) -> list[str]:
        """For people: what it takes, and a warning where that is too much for processors and nobody gave a budget;
        nothing for less than `least_s` seconds."""
        if self.seconds < least_s:
            return []
        hours = f", {self.gpus * self.seconds / 3600:,.3g} GPU hours" if self.gpus else ""
        told = [
            f"expected: {_three(self.images_per_second)} images/s ({self.source}), {self._length()}{hours}; "
            f"up to {self.checkpoints} checkpoints of {_size(self.checkpoint_bytes)}, "
            f"{_size(self.checkpoints * self.checkpoint_bytes)} in all"
        ]
        if not self.gpus and self.budget is None and self.seconds > LONG_S:
            way = "--preset own64 has networks for processors" if self.maps > OWN_MAPS else "give fewer --images"
            told.append(f"warning: {duration(self.seconds)} are too long for these processors: {way}, or train on GPUs")
        return told

    def _length(self) -> str:
        """How long it takes, or how far it comes until it stops."""
        budget = self.budget
        if budget is None or self.images <= budget.left_s * self.images_per_second:
            return f"{duration(self.seconds)} for {self.images:,} images"
        reached = budget.images + float(f"{budget.left_s * self.images_per_second:.2g}")
        return (
            f"stops after {duration(budget.seconds)}, at about {reached:,.0f} of {budget.images + self.images:,} images"
        )


def checkpoint_bytes(
    generator: int, discriminator: int, *, moments: int, averaged: int = 0, weight_bytes: int = 4
) -> int:
    """Size of `state.pt`: weights and moments of both networks, and the averages that are kept.

    Args:
        generator: its parameters.
        discriminator: its parameters.
        moments: that the optimizer keeps of each weight: two of Adam, one of momentum.
        averaged: parameters of which an average is kept.
        weight_bytes: of one number.
    """
    return weight_bytes * ((1 + moments) * (generator + discriminator) + averaged)


def moments_kept(optimizer: str, outer_momentum: float) -> int:
    """How many numbers besides itself a checkpoint holds of each weight: two of Adam, one of momentum; one more where
    exchanges of weights have a momentum."""
    return (2 if optimizer == "adam" else 1) + (1 if outer_momentum else 0)


def checkpoints_kept(settings: CheckpointSettings) -> int:
    """How many checkpoints a run keeps at most, besides those that a probe or a finding holds."""
    return settings.keep + QUARTERS


def shared_cores(workers: int, cores: int) -> str | None:
    """A warning where so many workers on a machine that compute on its processors have less than a core each."""
    if workers <= cores:
        return None
    return (
        f"{workers} workers share the {count(cores, 'core')} of a machine and are no faster than "
        f"{cores}: give --workers {cores}, or add machines"
    )


class FirstMinute:
    """Reports once what a run is going to take, from the speed of its first points."""

    def __init__(self, tell: Callable[[int, float, float], None]) -> None:
        """
        Args:
            tell: is given the images so far, images per second, and over how many seconds they were measured.
        """
        self._tell = tell
        self._newest: int | None = None
        self._images, self._seconds = 0, 0.0
        self._reported = False

    def __call__(self, images: int, values: Mapping[str, float]) -> None:
        """Take a point of the curves; those without a speed are passed over."""
        if self._reported or SPEED not in values:
            return
        before, self._newest = self._newest, images
        if before is None or images <= before:
            # The first point is left out, also after a rollback: threads and memory settle in it.
            self._images, self._seconds = 0, 0.0
            return
        # What a point took by its own account: the time in which a group is started again does not count.
        self._images += images - before
        self._seconds += (images - before) / values[SPEED]
        if self._seconds >= LOOK_S:
            self._reported = True
            self._tell(images, self._images / self._seconds, self._seconds)


def _three(number: float) -> str:
    return f"{number:,.0f}" if number >= 100 else f"{number:.3g}"


def _size(size: float) -> str:
    return f"{size / 1e9:.2g} GB" if size >= 1e8 else f"{size / 1e6:.2g} MB"
