"""A sheet of numbered samples, from which a person chooses exemplars for other studies; no Ray."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from PIL import Image, ImageDraw

from dcgan_dist.arrays import Pixels
from dcgan_dist.bounds import From, shows_bounds
from dcgan_dist.model.pixels import tiled
from dcgan_dist.studies.exemplars import template
from dcgan_dist.studies.options import StudyOptions, arg
from dcgan_dist.studies.result import StudyResult
from dcgan_dist.studies.subject import Subject

COLUMNS, LEAST_SIDE, LABEL = 10, 64, 14
"""Of the sheet; pixels of a side that a person sees well; pixels above each sample, for its number."""


@shows_bounds
@dataclass(frozen=True, kw_only=True)
class PickOptions(StudyOptions):
    """Draw a sheet of numbered samples, and a YAML file in which to say what some of them show.

    Example: python -m dcgan_dist.study pick scenes32
    """

    number: Annotated[int, From(1, 1_000), arg(aliases=("-n",), metavar="N")] = 100
    """Samples on the sheet: the first ones of the seed, as `dcgan_dist.sample` draws them."""


def pick(subject: Subject, options: PickOptions, say: Callable[[str], None]) -> StudyResult:
    """Draw the sheet."""
    say("drawing samples")
    images = np.concatenate(list(subject.generator.draw(options.number, options.seed)))
    return StudyResult(
        figure=numbered(images),
        shows=f"Samples 0 to {options.number - 1} of seed {options.seed}, each below its number.",
        numbers={},
        lines=["say in the YAML file beside the sheet what samples show, and give it by --exemplars to other studies"],
        to_edit={".yaml": template(subject, options.seed)},
    )


def numbered(images: Pixels) -> Pixels:
    """uint8 [n, S, S, 3] -> a picture of all, enlarged, each below its number."""
    factor = max(1, -(-LEAST_SIDE // images.shape[1]))
    large = images.repeat(factor, 1).repeat(factor, 2)
    cells = np.full((len(large), large.shape[1] + LABEL, *large.shape[2:]), 255, np.uint8)
    cells[:, LABEL:] = large
    for number, cell in enumerate(cells):
        label = Image.new("RGB", (large.shape[2], LABEL), "white")
        ImageDraw.Draw(label).text((2, 1), str(number), fill="black")
        cell[:LABEL] = np.asarray(label)
    return tiled(cells, COLUMNS)
