"""Vector arithmetic on concepts (paper, section 6.3.2, figure 7): A - B + C by the means of exemplars; no Ray.

The paper finds that single samples are unstable, and means of three are not, and that arithmetic on pixels gives a
blurred overlap; both are on the figure.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Final

import numpy as np
import torch
from torch import Tensor

from dcgan_dist.arrays import Pixels
from dcgan_dist.bounds import AtLeast, shows_bounds
from dcgan_dist.errors import SettingsError
from dcgan_dist.model.drawing import to_uint8
from dcgan_dist.model.pixels import enlarged, tiled
from dcgan_dist.model.randomness import stream
from dcgan_dist.storage import place
from dcgan_dist.studies.exemplars import load
from dcgan_dist.studies.options import StudyOptions, arg
from dcgan_dist.studies.result import StudyResult
from dcgan_dist.studies.subject import Subject

NOISE: Final = 0.25
"""Of the neighbors: uniform, at most so much each way (paper)."""
NEIGHBORS: Final = 8


@shows_bounds
@dataclass(frozen=True, kw_only=True)
class ArithmeticOptions(StudyOptions):
    """Add and subtract what samples show, by the means of their z (paper, figure 7).

    Example: python -m dcgan_dist.study arithmetic faces --exemplars faces.yaml
    --a "smiling woman" --b "neutral woman" --c "neutral man"
    """

    exemplars: Annotated[str, arg(metavar="FILE")]
    """YAML file that says which samples show what: see `study pick`."""
    a: Annotated[str, arg(metavar="CONCEPT")]
    """What is begun with: A of A - B + C."""
    b: Annotated[str, arg(metavar="CONCEPT")]
    """What is taken away."""
    c: Annotated[str, arg(metavar="CONCEPT")]
    """What is added."""
    exemplars_each: Annotated[int, AtLeast(1), arg(metavar="N")] = 3
    """Exemplars of each concept whose mean is taken, the first ones of the file (paper: 3)."""


def arithmetic(subject: Subject, options: ArithmeticOptions, say: Callable[[str], None]) -> StudyResult:
    """Draw the exemplars, the result with its neighbors, and what the same sum of pixels gives."""
    exemplars = load(place(options.exemplars), subject)
    concepts = (options.a, options.b, options.c)
    if len(set(concepts)) < 3:
        raise SettingsError(f"a, b and c are {', '.join(concepts)} but need to be three concepts")
    found = [exemplars.mean(subject, concept, options.exemplars_each) for concept in concepts]
    say("drawing what comes of the sum")
    shown = [draw(subject, torch.cat([z, mean[None]])) for z, mean in found]
    (_, a), (_, b), (_, c) = found
    result = around(combine(a, b, c), options.seed)
    of_pixels = _of_pixels([images[:-1] for images in shown])
    rows = [*shown, draw(subject, result), of_pixels[None]]
    numbers = {
        "length_of_z": float(combine(a, b, c).norm()),
        "mean_length_of_z": float(subject.generator.latents(256, options.seed).norm(dim=1).mean()),
    }
    return StudyResult(
        figure=_figure(rows),
        shows=f"{options.a} - {options.b} + {options.c}: three rows of {options.exemplars_each} exemplars and their "
        "mean; then the result in the middle of eight neighbors; last, the same sum of the exemplars' pixels.",
        numbers=numbers,
        lines=[f"{options.a} - {options.b} + {options.c}, by means of {options.exemplars_each}"],
        depends_on=exemplars.used(concepts, options.exemplars_each),
    )


def combine(a: Tensor, b: Tensor, c: Tensor) -> Tensor:
    """A - B + C, [latent_size] each."""
    return a - b + c


def around(z: Tensor, seed: int) -> Tensor:
    """[nz] -> [9, nz]: z in the middle, and neighbors that differ by uniform noise."""
    noise = stream(seed, "neighbors").random((NEIGHBORS + 1, len(z)), np.float32) * 2 * NOISE - NOISE
    noise[NEIGHBORS // 2] = 0
    return z + torch.from_numpy(noise)


@torch.no_grad()
def draw(subject: Subject, z: Tensor) -> Pixels:
    """[n, nz] -> uint8 [n, S, S, 3]."""
    return to_uint8(subject.generator(z))


def _of_pixels(shown: list[Pixels]) -> Pixels:
    a, b, c = (images.astype(np.float32).mean(axis=0) for images in shown)
    found: Pixels = (a - b + c).round().clip(0, 255).astype(np.uint8)
    return found


def _figure(rows: list[Pixels]) -> Pixels:
    """Rows of exemplars, each with its mean last; the nine results as 3 by 3; the sum of pixels."""
    *exemplars, results, of_pixels = rows
    side = results.shape[1]
    left = tiled(np.concatenate(exemplars), columns=len(exemplars[0]))
    right = tiled(results, columns=3)
    height = max(len(left), len(right))
    gap = np.full((height, side // 2, 3), 255, np.uint8)
    parts = [_tall(left, height), gap, _tall(right, height), gap, _tall(of_pixels[0], height)]
    return enlarged(np.concatenate(parts, axis=1))


def _tall(picture: Pixels, height: int) -> Pixels:
    above = (height - len(picture)) // 2
    out = np.full((height, *picture.shape[1:]), 255, np.uint8)
    out[above : above + len(picture)] = picture
    return out
