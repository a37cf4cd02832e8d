"""A walk through the latent space (paper, section 6.1, figure 4), and whether anything jumps on the way; no Ray.

The paper looks for sharp transitions as signs of memorization. Here they are measured: each step between two images of
the figure is walked in parts, and a transition is sharp where most of what changes changes within one of them. A
generator that replays its training images changes nothing for a while, and then everything at once. Where the training
images of the run are at hand, those nearest to the images of the walk are shown beside it (`nearest_along.py`).
"""

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from dcgan_dist.arrays import Pixels
from dcgan_dist.bounds import AtLeast, shows_bounds
from dcgan_dist.errors import DataError, SettingsError
from dcgan_dist.evaluation.encoders.discriminator import features_of
from dcgan_dist.evaluation.encoders.encoder import Encoder, fit
from dcgan_dist.model.drawing import interpolate, to_uint8
from dcgan_dist.model.pixels import grid, png
from dcgan_dist.model.randomness import latents, stream
from dcgan_dist.studies.nearest_along import HELD_OUT, figure_of, line_of, nearest_along, numbers_of
from dcgan_dist.studies.options import StudyOptions, arg
from dcgan_dist.studies.result import StudyResult
from dcgan_dist.studies.subject import Subject
from dcgan_dist.studies.training_images import ComparedImages, training_images

Floats = NDArray[np.float64]

PARTS: Final = 10
"""Of each step between two images of the figure."""
SHARP: Final = 0.5
"""A transition is sharp where more than this share of what changes in it changes in one part."""
LEAST_STEP: Final = 0.5
"""Of the mean step: where less changes than that, nothing much does, sharply or not."""
COLUMNS: Final = 10
"""Of the figure."""
BESIDE: Final = "The walk, row by row, and below each image the training image nearest to it, by pixels."
FRAME_MS: Final = 40
FRAME_SIDE: Final = 192
"""Most pixels of a side of the animation."""
ENDS, APART = 1_000, 1e-2
"""For the path length: pairs of z, and which part of the way between two z lies between those of a pair."""


@shows_bounds
@dataclass(frozen=True, kw_only=True)
class WalkOptions(StudyOptions):
    """Walk through the latent space, and tell whether anything jumps on the way (paper, figure 4).

    Example: python -m dcgan_dist.study walk scenes32
    """

    points: Annotated[int, AtLeast(2), arg(metavar="N")] = 9
    """Random z that the path leads through."""
    number: Annotated[int, AtLeast(3), arg(aliases=("-n",), metavar="N")] = 100
    """Images of the figure."""
    path: Literal["linear", "spherical"] = "linear"
    """Straight lines between the points, or arcs, on which the length of z changes evenly from one to the next."""
    data: Annotated[str, arg(metavar="FOLDER")] = ""
    """Where the run's training images lie as `train-*.tar`, and images that it has not seen as `test-*.tar`. Empty: the
    folder that the run was trained from; where that is not at hand, the walk is not compared with training images."""


@dataclass(frozen=True, eq=False)
class Steps:
    """What changes along a path, by one measure.

    Attributes:
        length: float [k]: of each step between two images of the figure, the sum of its parts.
        share: float [k]: of each step, the largest part, as a share of the sum; 0 where nothing changes.
    """

    length: Floats
    share: Floats

    @property
    def sharp(self) -> NDArray[np.intp]:
        """Numbers of the steps that are sharp transitions."""
        return np.flatnonzero((self.length >= LEAST_STEP * self.length.mean()) & (self.share > SHARP))

    @property
    def largest_over_median(self) -> float | None:
        """None where more than half of the steps change nothing."""
        median = float(np.median(self.length))
        return float(self.length.max() / median) if median else None


def steps_of(distances: Floats) -> Steps:
    """From the distances between neighbors, float [k * PARTS], the steps of the figure."""
    parts = distances.reshape(-1, PARTS)
    length = parts.sum(axis=1)
    share = np.divide(parts.max(axis=1), length, out=np.zeros(len(parts)), where=length > 0)
    return Steps(length, share)


def spherical(points: Tensor, steps: int) -> Tensor:
    """[k, nz] -> [steps, nz]: as `interpolate`, but on arcs around the origin (Shoemake, 1985)."""
    where = torch.linspace(0, len(points) - 1, steps, dtype=torch.float64)
    start = where.floor().clamp(max=len(points) - 2).long()
    part = (where - start)[:, None]
    first, last = points[start].double(), points[start + 1].double()
    lengths = [one.norm(dim=1, keepdim=True) for one in (first, last)]
    cosine = (first * last).sum(1, keepdim=True) / (lengths[0] * lengths[1])
    angle = torch.acos(cosine.clamp(-1, 1)).clamp(min=1e-7)
    turned = (torch.sin((1 - part) * angle) * first / lengths[0] + torch.sin(part * angle) * last / lengths[1]) / (
        torch.sin(angle)
    )
    path: Tensor = turned * torch.lerp(lengths[0], lengths[1], part)
    return path.to(points)


def walk(subject: Subject, options: WalkOptions, say: Callable[[str], None]) -> StudyResult:
    """Draw the walk, and measure it by pixels and, where there is a discriminator, by its features; and compare it with
    training images where these are at hand.

    Raises:
        SettingsError: the subject is no run, but a folder of training images is given.
        DataError: a folder is given, but images are not there, or not those that the run was trained on; or those that
            are held out are.
    """
    compared = _training_images(subject, options.data)
    networks = subject.about.networks
    points = latents(networks, options.points, options.seed, "walk")
    between = spherical if options.path == "spherical" else interpolate
    path = between(points, (options.number - 1) * PARTS + 1)
    say("drawing the walk")
    images = np.concatenate(list(_draw(subject, path)))
    measured = {"pixels": steps_of(_pixel_distances(images))}
    encoder = _encoder(subject)
    if encoder is not None:
        features = torch.cat([encoder.features(images[i : i + 256]) for i in range(0, len(images), 256)])
        measured["features of D"] = steps_of((features[1:] - features[:-1]).norm(dim=1).double().numpy())
    say("measuring the length of paths")
    length = _path_length(subject, options.seed)
    shown, sharp = images[::PARTS], measured["pixels"].sharp
    numbers: dict[str, Any] = {"path_length": length, **{name: _numbers(steps) for name, steps in measured.items()}}
    lines, notes = [_line(name, steps) for name, steps in measured.items()], list[str]()
    files, depends_on = {".webp": animated(images[:: PARTS // 2])}, {}
    if isinstance(compared, str):
        notes.append(f"not compared with training images: {compared}")
    else:
        found = nearest_along(compared, shown, say)
        numbers["nearest training images"] = numbers_of(found, compared, sharp)
        lines.append(line_of(found, sharp))
        notes += compared.notes
        files["-nearest.png"] = png(figure_of(found, shown, COLUMNS), BESIDE)
        depends_on["data_checksum"] = compared.data
    return StudyResult(
        figure=grid(shown, columns=COLUMNS),
        shows=f"{options.number} images on a {options.path} path through {options.points} random z, row by row.",
        numbers={**numbers, "notes": notes},
        lines=[*lines, *(f"note: {note}" for note in notes)],
        files=files,
        depends_on=depends_on,
    )


def _training_images(subject: Subject, data: str) -> ComparedImages | str:
    """What the walk is compared with; or why it is not, in words."""
    if data:
        run, checkpoint = subject.require_run("walk", f"compares a run's walk with the training images in {data}")
        return training_images(run, checkpoint.settings, data, HELD_OUT)
    if subject.run is None or subject.checkpoint is None:
        return f"{subject.about.run} comes without them"
    try:
        return training_images(subject.run, subject.checkpoint.settings, "", HELD_OUT)
    except (DataError, SettingsError) as error:  # the walk needs no images, which may lie on another machine
        return str(error)


def _numbers(steps: Steps) -> dict[str, Any]:
    return {
        "step_median": float(np.median(steps.length)),
        "step_largest": float(steps.length.max()),
        "largest_over_median": steps.largest_over_median,
        "largest_share_of_a_part": float(steps.share.max()),
        "sharp": steps.sharp.tolist(),
    }


def _line(name: str, steps: Steps) -> str:
    ratio = steps.largest_over_median
    largest = f"the largest step is {ratio:.1f} times the median" if ratio else "most steps change nothing"
    at = ", ".join(f"{step + 1} to {step + 2}" for step in steps.sharp[:10].tolist())
    more = f" and {len(steps.sharp) - 10} more" if len(steps.sharp) > 10 else ""
    jumps = f"{len(steps.sharp)} sharp transitions: images {at}{more}" if len(steps.sharp) else "no sharp transition"
    return f"by {name}: {largest}; {jumps}"


def animated(images: Pixels) -> bytes:
    """Images as a WebP that runs for ever, enlarged by a whole factor to at most `FRAME_SIDE` pixels."""
    file, factor = io.BytesIO(), max(1, FRAME_SIDE // images.shape[1])
    first, *others = (Image.fromarray(image.repeat(factor, 0).repeat(factor, 1)) for image in images)
    first.save(file, "WEBP", save_all=True, append_images=others, duration=FRAME_MS, loop=0, quality=80)
    return file.getvalue()


def _draw(subject: Subject, z: Tensor) -> Iterator[Pixels]:
    size = subject.about.batch_size
    with torch.no_grad():
        for first in range(0, len(z), size):
            yield to_uint8(subject.generator(z[first : first + size]))


def _pixel_distances(images: Pixels) -> Floats:
    """Root mean squares, in levels, of what differs between neighbors: float [n - 1]."""
    changes = [np.diff(images[i : i + 257].astype(np.float32), axis=0) for i in range(0, len(images) - 1, 256)]
    return np.concatenate([np.sqrt((change**2).mean(axis=(1, 2, 3))) for change in changes]).astype(np.float64)


def _encoder(subject: Subject) -> Encoder | None:
    """Features of the discriminator, whose statistics are those of samples; None where there is no discriminator."""
    if subject.discriminator is None:
        return None
    encoder: Encoder = features_of(subject.discriminator)
    return fit(encoder, lambda one: [one.gather(subject.generator.draw(1_024, seed=1))])


@torch.no_grad()
def _path_length(subject: Subject, seed: int) -> float:
    """The mean change of the image, root mean square in levels, for the whole way between two z at the speed that it
    has at a random place of it: as Karras et al. (2019), by pixels in place of a network's features."""
    networks = subject.about.networks
    first, last = (latents(networks, ENDS, seed, "path", end) for end in (0, 1))
    where = torch.from_numpy(stream(seed, "path").random((ENDS, 1), np.float32)) * (1 - APART)
    total = 0.0
    for i in range(0, ENDS, subject.about.batch_size):
        rows = slice(i, i + subject.about.batch_size)
        here, there = (
            subject.generator(torch.lerp(first[rows], last[rows], where[rows] + away)) for away in (0, APART)
        )
        total += float(((there - here) * 127.5).square().mean(dim=(1, 2, 3)).sqrt().sum())
    return total / ENDS / APART
