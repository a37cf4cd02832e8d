"""What is measured of a run of a claim, once it has ended: from its curves, and of samples of its last checkpoint."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from itertools import pairwise
from math import log10, nan
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dcgan_dist.arrays import Pixels
from dcgan_dist.data.scenes import draw
from dcgan_dist.data.scenes.builtin import EMBEDDED
from dcgan_dist.data.shards.addresses import split_addresses
from dcgan_dist.errors import CheckpointError, DcganDistError
from dcgan_dist.evaluation.classifiers.registry import Linear
from dcgan_dist.evaluation.coverage import sampler_of
from dcgan_dist.evaluation.encoders import efficientnet
from dcgan_dist.evaluation.encoders.discriminator import of_discriminator
from dcgan_dist.evaluation.fidelity import pairs
from dcgan_dist.evaluation.fidelity.features import open_features
from dcgan_dist.evaluation.fidelity.measure import measure
from dcgan_dist.evaluation.fidelity.pairs import between, within
from dcgan_dist.evaluation.probe import load, probe
from dcgan_dist.evaluation.service.evaluator import Evaluator, ThisProcess
from dcgan_dist.evaluation.task import Task
from dcgan_dist.evaluation.tasks.fidelity import FidelityTask, open_fidelity
from dcgan_dist.evaluation.tasks.registry import parse_tasks
from dcgan_dist.monitoring.collapse import Health
from dcgan_dist.monitoring.sinks.curves import Point, read_points
from dcgan_dist.numerals import count
from dcgan_dist.run_folder.checkpoint import load_checkpoint, manifests
from dcgan_dist.run_folder.load_generator import load_frozen
from dcgan_dist.settings import Settings
from dcgan_dist.storage import Place, place
from dcgan_dist.studies.judges.learning import HELD_OUT, SIZE
from dcgan_dist.studies.judges.rooms import OBJECTS, RoomJudge
from dcgan_dist.studies.judges.store import load_or_learn
from dcgan_dist.training.schedule import ends_a_quarter
from tuning.claim_data import copies
from tuning.oscillation import oscillation
from tuning.verdicts import Better

VERSION = 4
"""Raised when something is measured in another way, so that no number of before is taken for one of now."""
SAMPLES = 2_000
"""Drawn of each run: the rates of attributes are then known to about one point."""
ROOMS = 2_000
"""Rooms that no run is trained on, with which samples are compared."""
MOST_DRIFT = 2.0
"""Of one look."""
QUARTERS = 4
"""Of a run, whose checkpoints are kept."""
FARTHEST = 2.5
"""Largest logarithm of a distance, of a failed run too: pictures of one gray have 2.1, black ones would have 3."""
NEAREST = 1e-3
"""Distance below which sets of 2,000 cannot be told apart: the logarithm ends there."""
QUALITY = 0.0
"""Logarithm of the distance that is to be reached."""
NEVER = 2.0
"""Share of a run that stands for a distance that it never reaches."""
FEATURES = efficientnet.NAME
"""By which the kernel distance is measured: an extra brings them."""
KERNEL = "kernel"
"""Name of the measure that needs images held out, and first word of others that do."""
PROBE = "probe"
"""Name of the measure that needs labeled images."""
PROBED = "cifar10"
"""Task on which features are probed."""
PROBE_IMAGES = 5_000
"""Of its training images; a fifth of them chooses C."""
FEWEST_POINTS = 8
"""Points of a curve that say how much it swings."""
OF_STABILITY = ("drift", "swings", "oscillation")
"""Measures by which a G that no longer learns would be the most stable one."""
STUCK = ("D wins", "G repeats itself")
"""What the health rule says of such a G, in its first words: it then has the worst value of these measures."""
COMBINED = ("bed", "window", "door")
"""Objects whose eight combinations are counted."""


@dataclass(frozen=True, eq=False)
class Judging:
    """Compares samples with rooms that no run is trained on, both as a judge sees them.

    Attributes:
        judge: sees objects on pictures.
        rooms: uint8 [n, S, S, 3].
        sha256: tells the judge from others.
        known: all distances of checkpoints that were looked at before: several measures need them.
    """

    judge: RoomJudge
    rooms: Pixels
    sha256: str
    known: dict[tuple[Place, str], dict[str, float]] = field(default_factory=dict)

    @classmethod
    def beside(cls, folder: Place, say: Callable[[str], None]) -> Self:
        """With the judge that lies in a folder, where it learns if it is not there."""
        judged = load_or_learn("rooms", folder, say)
        assert isinstance(judged.judge, RoomJudge)
        rooms = np.stack([draw("rooms", SIZE, HELD_OUT, number).image for number in range(ROOMS)])
        return cls(judged.judge, rooms, judged.sha256)

    def attributes(self, run: Place, checkpoint: str) -> float:
        """How far the combinations of objects on samples of a checkpoint are from those on the rooms."""
        return self._found(run, checkpoint, "attributes")

    def colors(self, run: Place, checkpoint: str) -> float:
        """How far the colors on samples of a checkpoint are from those on the rooms."""
        return self._found(run, checkpoint, "colors")

    def rooms_distance(self, run: Place, checkpoint: str) -> float:
        """How far the features of samples of a checkpoint are from those of the rooms, see `MEASURES`."""
        return self._found(run, checkpoint, "rooms")

    def _found(self, run: Place, checkpoint: str, name: str) -> float:
        if (run, checkpoint) not in self.known:
            samples = samples_of(run, checkpoint)
            self.known[run, checkpoint] = {
                "attributes": distance(rates(samples, self.judge), self._rates),
                "colors": distance(color_shares(samples), self._color_shares),
                "rooms": log_distance(self._standardized(samples), self._real),
            }
        return self.known[run, checkpoint][name]

    def _standardized(self, images: Pixels) -> Tensor:
        mean, deviation = self._moments
        return (self.judge.features(images) - mean) / deviation

    @cached_property
    def _rates(self) -> NDArray[np.float64]:
        return rates(self.rooms, self.judge)

    @cached_property
    def _color_shares(self) -> NDArray[np.float64]:
        return color_shares(self.rooms)

    @cached_property
    def _moments(self) -> tuple[Tensor, Tensor]:
        seen = self.judge.features(self.rooms)
        return seen.mean(0), seen.std(0).clamp(min=1e-6)

    @cached_property
    def _real(self) -> Tensor:
        return self._standardized(self.rooms)


@dataclass(frozen=True, eq=False)
class Ended:
    """A run that has come to its end with numbers in its curves.

    Attributes:
        place: its folder.
        points: of its curves.
        health: what the health rule finds in them, in words.
        judging: of what its samples show; called where that is wanted, since a judge may have to learn first.
    """

    place: Place
    points: Sequence[Point]
    health: Sequence[str]
    judging: Callable[[], Judging]

    @property
    def stuck(self) -> bool:
        """Whether its G no longer learns, as the health rule says."""
        return any(reason.startswith(STUCK) for reason in self.health)


@dataclass(frozen=True)
class Measure:
    """A number of a run, by which arms are compared.

    Attributes:
        what: in words, with its unit.
        better: which end is the better one.
        worst: that stands for a run that has failed.
        of: measures a run.
        by_judge: whether it is what a judge sees, which another judge might see otherwise.
    """

    what: str
    better: Better
    worst: float
    of: Callable[[Ended], float]
    by_judge: bool = False


MEASURES: Mapping[str, Measure] = {
    "attributes": Measure(
        "distance between the combinations of bed, window and door on 2,000 samples and on 2,000 rooms (half of the "
        "sum of the absolute differences of their rates), from 0 to 1",
        "min",
        1.0,
        lambda run: run.judging().attributes(run.place, max(manifests(run.place))),
        by_judge=True,
    ),
    "rooms": Measure(
        "decimal logarithm of the squared kernel distance between 2,000 samples and 2,000 rooms that no run is trained "
        "on, by features of a network that has learned to find what rooms show",
        "min",
        FARTHEST,
        lambda run: run.judging().rooms_distance(run.place, max(manifests(run.place))),
        by_judge=True,
    ),
    "sooner": Measure(
        "mean of `rooms` over the checkpoints of each quarter of the run",
        "min",
        FARTHEST,
        lambda run: float(np.mean([run.judging().rooms_distance(run.place, name) for name in of_quarters(run.place)])),
        by_judge=True,
    ),
    "reached": Measure(
        f"after which share of the run `rooms` has fallen to {QUALITY:g}, read off straight lines between the "
        "checkpoints of each quarter; 2 where it never has",
        "min",
        NEVER,
        lambda run: reached([run.judging().rooms_distance(run.place, name) for name in of_quarters(run.place)]),
        by_judge=True,
    ),
    "colors": Measure(
        "distance between the colors of all pixels of samples and of rooms (half of the sum of the absolute "
        "differences of the shares of 512 colors), its mean over the checkpoints of each quarter of the run, from 0 "
        "to 1",
        "min",
        1.0,
        lambda run: float(np.mean([run.judging().colors(run.place, name) for name in of_quarters(run.place)])),
        by_judge=True,
    ),
    "spread": Measure(
        "how far samples of a fixed set of z lie from their mean image, over the same for real images, in the last "
        "third of the run; more than 1, as of noise, counts as 1",
        "max",
        0.0,
        lambda run: last_third(run.points, "samples/spread", 1.0),
    ),
    "drift": Measure(
        "how far samples of the same z move from one measurement to the next, relative to the distance between "
        "unrelated ones, in the last third of the run; more than 2 counts as 2, as where all z give one changing image",
        "min",
        MOST_DRIFT,
        lambda run: last_third(run.points, "samples/drift", MOST_DRIFT),
    ),
    KERNEL: Measure(
        "decimal logarithm of the squared kernel distance between 2,000 samples and as many images that no run is "
        "trained on, by features of efficientnet_lite0",
        "min",
        FARTHEST,
        lambda run: kernel_distance(run.place),
    ),
    "kernel-sooner": Measure(
        "mean of `kernel` over the checkpoints of each quarter of the run",
        "min",
        FARTHEST,
        lambda run: float(np.mean([kernel_distance(run.place, name) for name in of_quarters(run.place)])),
    ),
    "swings": Measure(
        "how much G's loss goes up and down in the last third of the run: its standard deviation around the straight "
        "line through it, over the sum of that and its mean, from 0 to 1",
        "min",
        1.0,
        lambda run: swings(run.points),
    ),
    "oscillation": Measure(
        "of the tenth of G's hidden filters that oscillate most, the share of the power of their responses that lies "
        "at one frequency, over 128 updates of G after the end of the run, from 0 to 1",
        "min",
        1.0,
        lambda run: oscillation_of(run.place),
    ),
    PROBE: Measure(
        "accuracy on the 10,000 test images of CIFAR-10 of a linear SVM on D's features, trained on 5,000 images",
        "max",
        0.1,
        lambda run: probe_accuracy(run.place),
    ),
    "copies": Measure(
        "share of 2,000 samples that are nearer, by pixels, to one of the 200 rooms that are repeated than 99 of 100 "
        "rooms are that were not trained on",
        "min",
        1.0,
        lambda run: copies(samples_of(run.place)),
    ),
    "condemned": Measure(
        "share of the runs that the health rule finds going wrong",
        "min",
        1.0,
        lambda run: float(bool(run.health)),
    ),
}
"""By name."""


def measured(
    run: Place, names: Iterable[str], judging: Callable[[], Judging], loss: str = "bce"
) -> dict[str, float | None]:
    """Measures of a run that has ended; None: it has failed, its curves being not of numbers.

    Args:
        run: its folder.
        names: of the measures that are wanted.
        judging: see `Ended`.
        loss: of the run, see `reasons`.

    Raises:
        DcganDistError: curves or checkpoints are no longer there, data for the measure are not, or it was not logged:
            none of these says that the run has failed.
    """
    ended = _ended(run, judging, loss)
    if ended is None:
        return dict.fromkeys(names)
    replaced = OF_STABILITY if ended.stuck else ()
    return {name: MEASURES[name].worst if name in replaced else MEASURES[name].of(ended) for name in names}


def replaced_by_worst(
    run: Place, names: Iterable[str], judging: Callable[[], Judging], loss: str = "bce"
) -> dict[str, float]:
    """What those measures are for which `measured` gives the worst value, since G no longer learns; its arguments. One
    that cannot be taken is left out."""
    ended = _ended(run, judging, loss)
    if ended is None or not ended.stuck:
        return {}
    found = {}
    for name in names:
        if name in OF_STABILITY:
            # The worst value stands in any case, so that a run which lacks this is not lost.
            with suppress(DcganDistError):
                found[name] = MEASURES[name].of(ended)
    return found


def _ended(run: Place, judging: Callable[[], Judging], loss: str) -> Ended | None:
    points = read_points(run)
    if not points:
        raise CheckpointError(f"{run} has no curves any more, so that it cannot be measured")
    if any(value is None for point in points for value in point["values"].values()):
        return None
    return Ended(run, points, reasons(points, loss), judging)


def kernel_distance(run: Place, name: str | None = None) -> float:
    """Logarithm of that of a checkpoint of a run, the newest if it is None, from images held out
    (evaluation/fidelity/measure.py)."""
    checkpoint = load_checkpoint(run, name)
    task = held_out(checkpoint.settings)
    assert task.by.encoder is not None
    sampler = sampler_of(checkpoint, "raw", seed=0)
    key = f"{task.data}, {len(task.images)} of {task.images.pictures.image_size} pixels"
    found = measure(_evaluators(), task.images, sampler, SAMPLES, task.by.encoder, key)
    return _bounded(float(found["measures"]["kernel"]["value"]))


@cache
def _evaluators() -> ThisProcess:
    """Keeps the features of the held-out images for the next run that is measured."""
    return ThisProcess(Evaluator)


def oscillation_of(run: Place) -> float:
    """Of the newest checkpoint of a run, which goes on with images that it was not trained on (oscillation.py)."""
    checkpoint = load_checkpoint(run)
    return oscillation(checkpoint, held_out(checkpoint.settings).images)


def probe_accuracy(run: Place) -> float:
    """Of the newest checkpoint of a run (evaluation/probe.py), C being chosen on the last 1,000 of the 5,000 images.

    Raises:
        SettingsError: $DCGAN_DIST_DATA names no folder.
        DataError: there are no such images in it.
    """
    checkpoint = load_checkpoint(run)
    task = open_probed(checkpoint.settings.networks.image_size)
    evaluators = ThisProcess(Evaluator)
    load(evaluators, [task])
    found = probe(evaluators, task, of_discriminator(checkpoint), torch.float32, Linear(task.costs))
    return float(found["all_labels"]["accuracy"])


def open_probed(size: int) -> Task:
    """The task, with few of its training images: features of all of them would take longer than the run."""
    (named,) = parse_tasks(PROBED)
    task = named.open(size, resize=False, seed=0)
    train = replace(task.train, samples=task.train.samples[:PROBE_IMAGES], labels=task.train.labels[:PROBE_IMAGES])
    return replace(task, train=train, held_out=PROBE_IMAGES // 5, few=None)


def held_out(settings: Settings) -> FidelityTask:
    """Images that a run of these settings is not trained on: scenes, or `test-*.tar` or `val-*.tar` beside its
    shards."""
    path = settings.data.path
    beside = None if path == EMBEDDED else place(split_addresses(path)[0]).parent
    by = open_features(FEATURES, settings.networks.image_size, "")
    return open_fidelity(beside, settings, None, by, SAMPLES, resize=False)


def samples_of(run: Place, checkpoint: str | None = None) -> Pixels:
    """Of a checkpoint of a run, the newest if it is None: uint8 [SAMPLES, S, S, 3]."""
    generator = load_frozen(load_checkpoint(run, checkpoint), run.name, "raw", torch.device("cpu"))
    return np.concatenate(list(generator.draw(SAMPLES)))


def swings(points: Sequence[Point]) -> float:
    """Of G's loss, over the last third of a run.

    Raises:
        CheckpointError: it was logged there fewer than `FEWEST_POINTS` times.
    """
    end = points[-1]["images"]
    late = [
        (point["images"], loss)
        for point in points
        if 3 * point["images"] > 2 * end and (loss := point["values"].get("loss/generator")) is not None
    ]
    if len(late) < FEWEST_POINTS:
        raise CheckpointError(
            f"loss/generator was logged {count(len(late), 'time')} in the last third of the run, but {FEWEST_POINTS} "
            "are needed: lower monitoring.steps of its setup"
        )
    images, losses = np.array(late, np.float64).T
    around = losses - np.polyval(np.polyfit(images - end, losses, 1), images - end)
    deviation = float(around.std(ddof=2))
    mean = float(np.abs(losses).mean())
    return deviation / (deviation + mean) if deviation else 0.0


def reasons(points: Sequence[Point], loss: str) -> list[str]:
    """What the health rule finds in the curves of a run, in words: the rule of today, so that runs of all days are
    judged alike, also where the run itself was told something else.

    Args:
        loss: of the run, as `optimization.loss` names it.
    """
    health = Health(loss)
    values = [{name: nan if value is None else value for name, value in point["values"].items()} for point in points]
    found = [health.add(point["images"], each) for point, each in zip(points, values, strict=True)]
    return [str(one) for one in found if one is not None]


def of_quarters(run: Place) -> list[str]:
    """The checkpoints at the end of each quarter of a run that has ended.

    Raises:
        CheckpointError: not all of them are there.
    """
    found = manifests(run)
    total = max((manifest["step"] for manifest in found.values()), default=0)
    names = [name for name, manifest in found.items() if ends_a_quarter(manifest["step"], total)]
    if len(names) != QUARTERS:
        raise CheckpointError(f"{run} has {count(len(names), 'checkpoint')} of its quarters but needs {QUARTERS}")
    return names


def reached(distances: Sequence[float]) -> float:
    """After which share of a run a distance has fallen to `QUALITY`, from what it was at the end of each quarter; it
    began with `FARTHEST`."""
    for quarter, (before, after) in enumerate(pairwise([FARTHEST, *distances])):
        if after <= QUALITY:
            return (quarter + (before - QUALITY) / (before - after)) / QUARTERS
    return NEVER


def last_third(points: Sequence[Point], metric: str, most: float) -> float:
    """Mean of a metric over the last third of a run, values above `most` being that.

    Raises:
        CheckpointError: it was not logged there.
    """
    end = points[-1]["images"]
    late = [point["values"].get(metric) for point in points if 3 * point["images"] > 2 * end]
    values = [min(value, most) for value in late if value is not None]
    if not values:
        raise CheckpointError(
            f"{metric} was not logged in the last third of the run: lower monitoring.measure_images of its setup"
        )
    return float(np.mean(values))


def rates(images: Pixels, judge: RoomJudge) -> NDArray[np.float64]:
    """Of the images, uint8 [n, S, S, 3], the share that shows each combination of `COMBINED`: [8]."""
    present = judge.see(images).present
    numbers = sum(present[:, OBJECTS.index(name)].astype(np.int64) << bit for bit, name in enumerate(COMBINED))
    found: NDArray[np.float64] = np.bincount(numbers, minlength=1 << len(COMBINED)) / len(images)
    return found


def color_shares(images: Pixels) -> NDArray[np.float64]:
    """Of all pixels of images, uint8 [n, S, S, 3], the share that has each of 8 x 8 x 8 colors: [512]."""
    red, green, blue = (images.reshape(-1, 3) >> 5).astype(np.int64).T
    found: NDArray[np.float64] = np.bincount(red * 64 + green * 8 + blue, minlength=512) / len(red)
    return found


def log_distance(samples: Tensor, images: Tensor) -> float:
    """Decimal logarithm of the squared kernel distance of two sets of features, float32 [n, d] and [m, d]
    (evaluation/fidelity/pairs.py)."""
    of_samples, of_images = within(samples, 0, 1), within(images, 0, 1)
    both = between(samples, images, of_samples.radii, of_images.radii, 0, 1)
    return _bounded(pairs.kernel_distance(of_samples, of_images, both).value)


def _bounded(squared: float) -> float:
    """The logarithm of a distance: no run that has not failed is worse than one that has."""
    return min(log10(max(squared, NEAREST)), FARTHEST)


def distance(ours: NDArray[np.float64], theirs: NDArray[np.float64]) -> float:
    """Total variation distance of two distributions over the same cases."""
    return float(np.abs(ours - theirs).sum() / 2)
