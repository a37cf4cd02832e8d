"""How near a generator can come to given pictures, by the z found for them (`latent_search.py`); no Ray.

Three kinds of pictures are compared: training images, images held out, and the generator's own samples. Samples are the
control: they can be made exactly, so what is left of them is what the search misses. A generator that repeats training
images comes nearer to these than to others; one that covers little of the data comes near to neither.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final

import numpy as np
from numpy.typing import NDArray

from dcgan_dist.arrays import Pixels
from dcgan_dist.bounds import AtLeast, From, shows_bounds
from dcgan_dist.errors import DataError
from dcgan_dist.intervals import median_interval
from dcgan_dist.model.pixels import enlarged, tiled
from dcgan_dist.model.randomness import stream
from dcgan_dist.studies.copies import compare
from dcgan_dist.studies.latent_search import ROWS, search_latents
from dcgan_dist.studies.layout import joined
from dcgan_dist.studies.nearest_training import near_duplicates, nearest_training
from dcgan_dist.studies.options import StudyOptions, arg
from dcgan_dist.studies.result import StudyResult
from dcgan_dist.studies.subject import Subject
from dcgan_dist.studies.training_images import ComparedImages, training_images

Floats = NDArray[np.float64]

CHANCE: Final = 0.01
"""p-value below which the generator is said to come nearer to training images."""
PAIRS: Final = 16
"""Pictures of each kind in the figure, the first ones."""
COLUMNS: Final = 16
TRAINING, HELD_OUT, SAMPLES = "training images", "held-out images", "own samples"


@shows_bounds
@dataclass(frozen=True, kw_only=True)
class InvertOptions(StudyOptions):
    """Find the z nearest to training images, to images held out, and to the generator's own samples.

    Example: python -m dcgan_dist.study invert scenes32
    """

    data: Annotated[str, arg(metavar="FOLDER")] = ""
    """Where the run's training images lie as `train-*.tar`, and images that it has not seen as `test-*.tar`. Empty: the
    folder that the run was trained from. For the embedded data set more scenes are drawn."""
    keep: Annotated[str, arg(metavar="FILE")] = ""
    """Take training images from those alone that this keep-list of `dcgan_dist.data.dedup` keeps."""
    number: Annotated[int, AtLeast(6), arg(aliases=("-n",), metavar="N")] = 64
    """Pictures of each kind; of those held out, the most."""
    steps: Annotated[int, AtLeast(1), arg(metavar="N")] = 200
    """Steps of the optimization."""
    starts: Annotated[int, From(1, ROWS), arg(metavar="N")] = 2
    """z from which the search for each picture starts; the best result counts."""


def invert(subject: Subject, options: InvertOptions, say: Callable[[str], None]) -> StudyResult:
    """Compare how near the generator comes to the three kinds of pictures.

    Raises:
        SettingsError: there is no run, or nobody says where its images are.
        DataError: images are not there, or not those that the run was trained on; or those that are held out are.
    """
    run, checkpoint = subject.require_run("invert", "needs images that the generator has learned from")
    compared = training_images(run, checkpoint.settings, options.data, options.number, options.keep)
    notes, places = list(compared.notes), chosen(len(compared.train), options.number, options.seed)

    def compared_with(done: int) -> None:
        say(f"looking for near duplicates among training images: {done:,} of {len(compared.train):,}")

    places, held_out = without_duplicates(compared, places, compared_with, notes.append)
    own = np.concatenate(list(subject.generator.draw(options.number, options.seed)))
    pictures = {TRAINING: compared.train.read(places), HELD_OUT: held_out, SAMPLES: own}
    found = {}
    for name, images in pictures.items():

        def told(done: int, name: str = name, number: int = len(images)) -> None:
            say(f"looking for z of {name}: {done} of {number}")

        found[name] = search_latents(subject.generator, images, options.steps, options.starts, options.seed, told)
    errors = {name: one.errors for name, one in found.items()}
    return StudyResult(
        figure=_figure([(pictures[name], one.images) for name, one in found.items()]),
        shows=f"Pictures, each beside what the generator draws from the z found for it: {', '.join(found)}.",
        numbers={
            "notes": notes,
            "training_images": compared.train.samples[places].tolist(),
            **numbers_of(errors),
        },
        lines=[*lines_of(errors), *(f"note: {note}" for note in notes)],
        depends_on={"data_checksum": compared.data},
    )


def chosen(images: int, number: int, seed: int) -> NDArray[np.int64]:
    """Places of so many of the training images, at random, or of all of them."""
    return stream(seed, "invert").choice(images, min(number, images), replace=False)


def without_duplicates(
    compared: ComparedImages,
    places: NDArray[np.int64],
    tell: Callable[[int], None],
    note: Callable[[str], None],
) -> tuple[NDArray[np.int64], Pixels]:
    """Those places of training images, and those images held out, which no other training image nearly repeats.

    What a training image nearly repeats the generator has learned, though it is held out. From both kinds such images
    are left out: they are often plain ones, which any generator comes near to, and would be missing in one kind alone.

    Raises:
        DataError: no images of a kind are left.
    """
    learned = compared.train.read(places)
    both = np.concatenate([learned, compared.held_out])
    own = np.concatenate([places, np.full(len(compared.held_out), -1)])
    repeated = near_duplicates(both, nearest_training(compared.train, both, own, tell).images)
    for name, some in ((TRAINING, repeated[: len(places)]), (HELD_OUT, repeated[len(places) :])):
        if some.all():
            raise DataError(
                f"all {len(some):,} {name} that were looked at are near duplicates of other training images: give the "
                "keep-list of `dcgan-dist dedup` by --keep, and hold out images that it finds no copies of"
            )
        if some.any():
            note(f"{some.sum():,} of {len(some):,} {name} are near duplicates of other training images: left out")
    return places[~repeated[: len(places)]], compared.held_out[~repeated[len(places) :]]


def numbers_of(errors: Mapping[str, Floats]) -> dict[str, Any]:
    """For the record, from the errors of each kind."""
    kinds = {
        name: {
            "number": len(one),
            "median": float(np.median(one)),
            "interval": list(median_interval(one)),
            "errors": one.tolist(),
        }
        for name, one in errors.items()
    }
    test = compare(errors[TRAINING], errors[HELD_OUT])
    return {"levels": kinds, "training_against_held_out": {"z": test.z, "p_value": test.p_value}}


def lines_of(errors: Mapping[str, Floats]) -> list[str]:
    """For people."""
    test = compare(errors[TRAINING], errors[HELD_OUT])
    told = [
        f"{name:<16} {len(one)}: median error {np.median(one):.2f} levels, from {low:.2f} to {high:.2f} at 95 %"
        for name, one in errors.items()
        for low, high in [median_interval(one)]
    ]
    nearer = "the generator comes nearer to training images than to others" if test.p_value < CHANCE else (
        "no sign that the generator comes nearer to training images than to others"
    )  # fmt: skip
    return [*told, f"{nearer} (rank test p {test.p_value:.2g}, score {test.z:+.1f})"]


def _figure(kinds: list[tuple[Pixels, Pixels]]) -> Pixels:
    pairs = [np.stack([images[:PAIRS], made[:PAIRS]], 1).reshape(-1, *images.shape[1:]) for images, made in kinds]
    return enlarged(joined([tiled(one, columns=COLUMNS) for one in pairs], axis=0))
