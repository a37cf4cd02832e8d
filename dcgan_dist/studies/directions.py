"""Directions of z in which images change most, found without labels: SeFa and GANSpace, beside random ones; no Ray.

SeFa (Shen and Zhou, 2021) takes the eigenvectors of A^T A, where A is the first projection of the generator: unit steps
of z along them move the first layer most. Here A includes the scale of the batch normalization that follows it, which
undoes the scale that a row of the projection has. GANSpace (Härkönen et al., 2020) takes the principal components of
the first activations of random z, and finds directions of z for them by regression.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from torch import Tensor, nn

from dcgan_dist.arrays import Pixels
from dcgan_dist.bounds import Above, AtLeast, shows_bounds
from dcgan_dist.errors import DataError, SettingsError
from dcgan_dist.model.drawing import to_uint8
from dcgan_dist.model.pixels import enlarged, tiled
from dcgan_dist.model.randomness import latents, stream
from dcgan_dist.settings import NetworkSettings
from dcgan_dist.studies.judges.faces import FaceJudge
from dcgan_dist.studies.judges.rooms import RoomJudge
from dcgan_dist.studies.judges.store import judge_of
from dcgan_dist.studies.layout import GAP, joined
from dcgan_dist.studies.moved import in_words, moved, named
from dcgan_dist.studies.moved import numbers as moved_numbers
from dcgan_dist.studies.options import StudyOptions, arg
from dcgan_dist.studies.result import StudyResult
from dcgan_dist.studies.subject import Subject

ACTIVATIONS: Final = 2_048
"""z whose first activations have the principal components; also the side of a matrix whose eigenvectors are found."""
MEASURED: Final = 256
"""z around which the change of the image is measured."""
CONTROLS: Final = 32
"""Random directions that are measured; the figure shows the first few."""
SHOWN_CONTROLS: Final = 2
STEPS: Final = 7
"""Images of a strip; the one in the middle is that of z itself."""
STRIPS: Final = 2
"""z whose strips stand side by side."""
PADDING: Final = 2
"""Pixels between the images of a strip, and between strips; before the figure is enlarged."""
LABEL_WIDTH: Final = 150
NAMED: Final = {"sefa": "SeFa", "ganspace": "GANSpace"}
LEAST: Final = 1e-12
"""A direction with less of the whole comes from rounding: activations are float32, and shares are squares."""
SMALL: Final = 0.1
"""Half the step by which the change is measured, in standard deviations of a component of z."""


@shows_bounds
@dataclass(frozen=True, kw_only=True)
class DirectionsOptions(StudyOptions):
    """Find directions of z in which images change most, and compare them with random ones.

    Example: python -m dcgan_dist.study directions scenes32
    """

    number: Annotated[int, AtLeast(1), arg(aliases=("-n",), metavar="N")] = 6
    """Directions of each method."""
    reach: Annotated[float, Above(0), arg(metavar="X")] = 6.0
    """How far strips go to each side, in standard deviations of a component of z: the length of z is the square root of
    its size, 10 for 100 components."""


@dataclass(frozen=True, eq=False)
class Directions:
    """Directions of z, the strongest first.

    Attributes:
        along: float64 [k, latent_size]: of length 1; the largest component of each is above 0.
        share: float64 [k]: of the squared singular values (SeFa), or of the variance (GANSpace).
    """

    along: Tensor
    share: Tensor


def directions(subject: Subject, options: DirectionsOptions, say: Callable[[str], None]) -> StudyResult:
    """Find the directions by both methods, show strips along them, and measure how they change the image.

    Raises:
        SettingsError: there are not so many directions, or the generator does not begin with a projection.
        DataError: its first layer moves in fewer directions.
    """
    networks, number = subject.about.networks, options.number
    if number > networks.latent_size:
        raise SettingsError(f"number is {number}, but z of {subject.about.run} has {networks.latent_size} components")
    projection, activations = first_layers(subject)
    say("finding directions")
    z = latents(networks, ACTIVATIONS, options.seed, "directions")
    random = stream(options.seed, "random directions").standard_normal((CONTROLS, networks.latent_size))
    found = {
        "sefa": closed_form(linear_part(projection, networks.latent_size), number),
        "ganspace": principal(torch.cat([activations(part).flatten(1) for part in torch.split(z, 256)]), z, number),
    }
    for one in found.values():
        if (moving := int((one.share > LEAST).sum())) < number:
            raise DataError(
                f"number is {number}, but the first layer of {subject.about.run} moves in {moving} directions of z "
                "alone: give a smaller number, or an earlier checkpoint if there are none"
            )
    along = {name: one.along for name, one in found.items()} | {"random": _unit(torch.from_numpy(random))}
    judged = judge_of(subject, say)
    say("measuring how images change")
    changes = {name: _changes(subject, one, options.seed) for name, one in along.items()}
    numbers: dict[str, Any] = {
        name: {"levels_per_sd": changes[name].tolist(), "largest_cosine": _largest_cosine(one)}
        for name, one in along.items()
    }
    for name, one in found.items():
        numbers[name]["share"] = one.share.tolist()
    seen = {} if judged is None else what_moves(subject, judged.judge, along, options.seed)
    for name, some in seen.items():
        numbers[name]["moves"] = some
    say("drawing strips")
    rows = {**along, "random": along["random"][:SHOWN_CONTROLS]}
    middles = latents(networks, STRIPS, options.seed, "directions", 1)
    words = {name: [in_words(one) for one in some] for name, some in seen.items()}
    figure = enlarged(joined([_strips(subject, one, middles, options.reach) for one in rows.values()], axis=0))
    beside = [words[name][: len(one)] for name, one in rows.items()] if words else []
    of_judge = {} if judged is None else {"judge": judged.tested}
    return StudyResult(
        figure=_labeled(figure, beside, networks.image_size) if beside else figure,
        shows=f"A row a direction, {STRIPS} z, from -{options.reach:g} to +{options.reach:g} standard deviations: "
        f"{number} of SeFa, {number} of GANSpace, {SHOWN_CONTROLS} random ones.",
        numbers=numbers | of_judge,
        lines=[_line(name, one.share, changes[name], changes["random"]) for name, one in found.items()]
        + [f"{NAMED[name]} moves, in this order: {', '.join(words[name])}" for name in found if words],
        depends_on={} if judged is None else {"judge_sha256": judged.sha256},
    )


def what_moves(
    subject: Subject, judge: RoomJudge | FaceJudge, along: Mapping[str, Tensor], seed: int
) -> dict[str, list[dict[str, Any]]]:
    """What each direction moves most, by name of the method; those of `random` are what is compared with."""
    networks = subject.about.networks
    z = latents(networks, MEASURED, seed, "directions", 2)
    found = {name: moved(subject, judge, one, z, _sd(networks)) for name, one in along.items()}
    return {name: moved_numbers(one, named(one, found["random"])) for name, one in found.items()}


def first_layers(subject: Subject) -> tuple[nn.Module, nn.Module]:
    """All layers of the generator before its first rectifier, and these with the rectifier.

    Raises:
        SettingsError: it does not begin with a linear layer that a rectifier follows.
    """
    network = subject.generator.network
    layers = list(network) if isinstance(network, nn.Sequential) else []
    end = next((place for place, layer in enumerate(layers) if isinstance(layer, nn.ReLU)), 0)
    kinds = nn.BatchNorm1d | nn.Unflatten
    if not end or not isinstance(layers[0], nn.Linear) or not all(isinstance(one, kinds) for one in layers[1:end]):
        raise SettingsError(
            f"study directions needs a generator whose first layers are nn.Linear and nn.ReLU, in a nn.Sequential, but "
            f"that of {subject.about.run} is another network"
        )
    return nn.Sequential(*layers[:end]), nn.Sequential(*layers[: end + 1])


@torch.no_grad()
def linear_part(affine: nn.Module, size: int) -> Tensor:
    """The matrix, float64 [units, size], of an affine map of rows of so many components."""
    rows = affine(torch.cat([torch.zeros(1, size), torch.eye(size)])).flatten(1).double()
    matrix: Tensor = (rows[1:] - rows[0]).T
    return matrix


def closed_form(projection: Tensor, number: int) -> Directions:
    """SeFa: the first eigenvectors of A^T A, for A of [units, latent_size]."""
    values, vectors = torch.linalg.eigh(projection.T @ projection)
    return Directions(_unit(vectors.T.flip(0)[:number]), values.flip(0)[:number] / values.sum())


def principal(activations: Tensor, z: Tensor, number: int) -> Directions:
    """GANSpace: z as a linear function of the first principal components, float [n, units], of activations.

    Args:
        activations: of each z.
        z: float [n, latent_size].
        number: of components; where fewer vary, the directions of the others are of no use, and have share 0.
    """
    centered = activations.double() - activations.double().mean(0)
    few = centered.shape[1] <= len(centered)
    values, vectors = torch.linalg.eigh(centered.T @ centered if few else centered @ centered.T)
    values, vectors = values.flip(0).clamp(min=0), vectors.flip(1)[:, :number]
    scores = centered @ vectors if few else vectors * values[:number].sqrt()
    # Scores are uncorrelated: the regression of z on all of them is that on each.
    along = scores.T @ (z.double() - z.double().mean(0))
    return Directions(_unit(along), values[:number] / values.sum())


def _unit(rows: Tensor) -> Tensor:
    """Rows of length 1, whose sign, which nothing else settles, makes the largest component positive."""
    largest = rows.gather(1, rows.abs().argmax(1, keepdim=True))
    unit: Tensor = rows / (rows.norm(dim=1, keepdim=True) * torch.where(largest < 0, -1.0, 1.0))
    return unit


def _sd(networks: NetworkSettings) -> float:
    """Standard deviation of a component of z: of the uniform distribution on [-1, 1), or the normal one."""
    return 1.0 if networks.latent == "normal" else 3**-0.5


@torch.no_grad()
def _changes(subject: Subject, along: Tensor, seed: int) -> NDArray[np.float64]:
    """How much images change in each direction, for a standard deviation: float64 [k], levels.

    Mean over z of root mean squares over the pixels, of central differences.
    """
    networks, size = subject.about.networks, subject.about.batch_size
    z, step = latents(networks, MEASURED, seed, "directions", 2), SMALL * _sd(networks)
    found = []
    for one in along.float():
        pairs = (
            (subject.generator(part + step * one), subject.generator(part - step * one))
            for part in torch.split(z, size)
        )
        rms = [((there - here) * 127.5).square().mean(dim=(1, 2, 3)).sqrt() for there, here in pairs]
        found.append(float(torch.cat(rms).double().mean()) / (2 * SMALL))
    return np.array(found)


@torch.no_grad()
def _strips(subject: Subject, along: Tensor, middles: Tensor, reach: float) -> Pixels:
    """A row for each direction, and in it a strip for each z: uint8 [H, W, 3]."""
    where = torch.linspace(-reach, reach, STEPS) * _sd(subject.about.networks)
    moved = middles[:, None, None] + where[:, None] * along.float()[:, None]
    strips = [to_uint8(subject.generator(one.flatten(0, 1))) for one in moved]
    return joined([tiled(images, columns=STEPS, padding=PADDING) for images in strips], axis=1)


def _labeled(figure: Pixels, words: Sequence[Sequence[str]], side: int) -> Pixels:
    """With words beside each row of strips; a group of rows for each method."""
    per_row = side + PADDING
    rows = sum(map(len, words)) * per_row - len(words) * PADDING + (len(words) - 1) * GAP
    factor = len(figure) // rows
    band = Image.new("RGB", (LABEL_WIDTH, len(figure)), "white")
    top = 0
    for group in words:
        for number, one in enumerate(group):
            ImageDraw.Draw(band).text((6, factor * (top + number * per_row + side // 2) - 6), one, fill="black")
        top += len(group) * per_row - PADDING + GAP
    return np.concatenate([figure, np.asarray(band)], axis=1)


def _largest_cosine(along: Tensor) -> float:
    """Between two of the directions; 0 where there is one alone."""
    return float((along @ along.T).fill_diagonal_(0).abs().max())


def _line(name: str, share: Tensor, changes: NDArray[np.float64], random: NDArray[np.float64]) -> str:
    return (
        f"{NAMED[name]}: the first direction has {100 * share[0]:.1f} % of the whole, all {len(share)} have "
        f"{100 * share.sum():.1f} %; images change by {changes.mean():.2f} levels per standard deviation, by "
        f"{random.mean():.2f} (up to {random.max():.2f}) in {len(random)} random directions"
    )
