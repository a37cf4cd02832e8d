"""What the features of the discriminator's last convolution respond to (paper, section 6.2, figure 5); no Ray.

The images with the largest responses are searched for in all that the run was trained on, and the responses are led
back to their pixels, beside those of a discriminator with initial weights. On the embedded scenes, whose objects are
known, it is measured how much of that lies on which objects.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, Final, get_args

import numpy as np
import simplejpeg
import torch
from torch import Tensor, nn

from dcgan_dist.arrays import Pixels
from dcgan_dist.bounds import shows_bounds
from dcgan_dist.data.scenes import truth
from dcgan_dist.data.scenes.builtin import EMBEDDED, SEED, embedded_image
from dcgan_dist.data.streaming.plan import Integers
from dcgan_dist.errors import DataError
from dcgan_dist.evaluation.encoders.discriminator import features_of, require_maps
from dcgan_dist.evaluation.encoders.encoder import Encoder, fit
from dcgan_dist.evaluation.encoders.maps import to_float
from dcgan_dist.evaluation.task import STATISTICS_BATCH, Labeled
from dcgan_dist.model.batchnorm import with_statistics
from dcgan_dist.model.dcgan import build_networks
from dcgan_dist.model.pixels import enlarged, png, tiled
from dcgan_dist.settings import Settings
from dcgan_dist.studies.guided_backprop import Maps, Method, Rule, back_to_pixels
from dcgan_dist.studies.object_energy import on_objects
from dcgan_dist.studies.options import StudyOptions, arg
from dcgan_dist.studies.result import StudyResult
from dcgan_dist.studies.strongest import Strongest, merge, strongest
from dcgan_dist.studies.subject import Subject
from dcgan_dist.studies.training_images import own_images

FEATURES: Final = 6
"""Shown of each kind: the first ones, and the strongest."""
SHOWN: Final = 5
"""Images of a feature in the figure."""
MEASURED: Final = 100
"""Images of a feature whose energy on objects is measured."""
STATISTICS_IMAGES: Final = 1_024
"""For the statistics of batch normalization."""
GAP: Final = 12
"""Pixels between the two networks, and between the two kinds of features."""
GRAY: Final = 127.5
BRIGHTEST: Final = 0.995
"""Share of a guided image's values that are shown without clipping."""


@shows_bounds
@dataclass(frozen=True, kw_only=True)
class FeaturesOptions(StudyOptions):
    """Show what the features of the discriminator's last convolution respond to (paper, figure 5).

    Example: python -m dcgan_dist.study features scenes32
    """

    data: Annotated[str, arg(metavar="FOLDER")] = ""
    """Where images lie as `train-*.tar`. Empty: those that the run was trained on."""
    rule: Rule = "as-relu"
    """What guided back-propagation passes through a LeakyReLU whose input was not above 0: nothing, as for ReLU, or
    positive gradients times its slope."""


@dataclass(frozen=True, eq=False)
class Look:
    """What was found of one network.

    Attributes:
        maps: its own, with fixed statistics.
        top: the images to which each of its features responds most.
        features: numbers of those that are shown: the first, then the strongest.
    """

    maps: Maps
    top: Strongest
    features: list[int]


def features(subject: Subject, options: FeaturesOptions, say: Callable[[str], None]) -> StudyResult:
    """Find the strongest responses, lead them back to the pixels, and measure what they lie on."""
    discriminator = subject.require_discriminator("features")
    run, checkpoint = subject.require_run("features", "looks at the images that a run was trained on")
    settings = checkpoint.settings
    require_maps(discriminator, settings.networks.factory)
    images, data, notes = own_images(run, settings, options.data)
    _, untrained = build_networks(
        settings.networks, options.seed, torch.device("cpu"), torch.float32, True, checkpoint.code
    )
    say(f"reading {len(images):,} images")
    looks, bad = _look(images, {"trained": discriminator, "initial weights": untrained})
    if bad:
        notes = [*notes, f"{bad:,} of {len(images):,} images cannot be decoded, and are left out"]
    say("leading responses back to pixels")
    figures = {method: _figure(images, looks, method, options.rule) for method in get_args(Method)}
    scenes = not options.data and _are_scenes(images, settings)
    numbers = {name: _numbers(images, look, settings if scenes else None, options) for name, look in looks.items()}
    side = f"{SHOWN} images with the largest responses, and beside each what the response goes back to"
    return StudyResult(
        figure=figures["guided"],
        shows=f"Each row is a feature of D's last convolution, the first {FEATURES}, then the {FEATURES} strongest: "
        f"{side} by guided back-propagation ({options.rule}). Left: trained; right: with initial weights.",
        numbers={"images": len(images) - bad, "bad_images": bad, "notes": notes, **numbers},
        lines=[*_lines(numbers), *notes],
        files={f"-{method}.png": png(one) for method, one in figures.items() if method != "guided"},
        depends_on={"data_checksum": data},
    )


def _look(images: Labeled, networks: dict[str, nn.Module]) -> tuple[dict[str, Look], int]:
    """Look at all images once, by all networks; returns what was found, and how many images cannot be decoded."""
    places = np.unique(np.linspace(0, len(images) - 1, STATISTICS_IMAGES).astype(np.int64))
    some = [batch for _, batch in _read(images, places)]
    if not some:
        example = images.pictures.names(int(images.samples[0]))
        raise DataError(f"none of {len(places):,} images can be decoded, for example {example}")
    maps = {name: _fixed_maps(network, some) for name, network in networks.items()}
    found: dict[str, Strongest] = {}
    seen = 0
    for numbers, pixels in _read(images, np.arange(len(images))):
        seen += len(numbers)
        for name, one in maps.items():
            batch = strongest([(numbers, responses_of(one, to_float(pixels, torch.device("cpu"))))], MEASURED)
            parts = [part for part in (found.get(name), batch) if part is not None]
            found[name] = merge(parts, MEASURED)
    if not all(np.isfinite(one.responses).all() for one in found.values()):
        raise DataError("the discriminator's responses are not finite: give an earlier checkpoint")
    first = range(min(FEATURES, len(found["trained"].responses)))
    looks = {name: Look(maps[name], top, [*first, *top.features(FEATURES)]) for name, top in found.items()}
    return looks, len(images) - seen


def _fixed_maps(network: nn.Module, batches: list[Pixels]) -> Maps:
    """The maps of a network, in which images do not change each other."""
    encoder = fit(_encoder(network), lambda one: [one.gather(batches)])
    fixed: Maps = with_statistics(network, encoder.statistics).eval().maps  # type: ignore[attr-defined, assignment]
    return fixed


def _encoder(network: nn.Module) -> Encoder:
    return features_of(network)


@torch.no_grad()
def responses_of(maps: Maps, images: Tensor) -> Any:
    """The largest response of each feature of the last layer, over all positions: float32 array [n, C]."""
    return maps(images)[-1].flatten(2).amax(2).float().numpy()


def _read(images: Labeled, places: Integers) -> Iterator[tuple[Integers, Pixels]]:
    """Places of images and the images, uint8 [n, S, S, 3], batch by batch, without those that cannot be decoded."""
    size = images.pictures.image_size
    for first in range(0, len(places), STATISTICS_BATCH):
        batch = places[first : first + STATISTICS_BATCH]
        pixels = np.empty((len(batch), size, size, 3), np.uint8)
        bad = images.pictures.read(images.samples[batch], pixels, np.arange(len(batch)))
        if not bad.all():
            yield batch[~bad], pixels[~bad]


def _back(images: Labeled, look: Look, feature: int, count: int, method: Method, rule: Rule) -> tuple[Pixels, Tensor]:
    """The images to which a feature responds most, and what the responses go back to, float [n, 3, S, S]."""
    pixels = images.read(look.top.numbers[feature, :count])
    return pixels, back_to_pixels(look.maps, to_float(pixels, torch.device("cpu")), feature, method, rule)


def _figure(images: Labeled, looks: dict[str, Look], method: Method, rule: Rule) -> Pixels:
    sides = []
    for look in looks.values():
        rows = []
        for feature in look.features:
            pixels, led = _back(images, look, feature, SHOWN, method, rule)
            rows.append(np.stack([pixels, shown(led)], 1).reshape(-1, *pixels.shape[1:]))
        columns, kinds = len(rows[0]), (rows[:-FEATURES], rows[-FEATURES:])
        blocks = [tiled(np.concatenate(kind), columns) for kind in kinds]
        sides.append(np.concatenate([blocks[0], _white(GAP, blocks[0].shape[1]), blocks[1]]))
    return enlarged(np.concatenate([sides[0], _white(len(sides[0]), GAP), sides[1]], axis=1))


def _white(height: int, width: int) -> Pixels:
    return np.full((height, width, 3), 255, np.uint8)


def shown(led: Tensor) -> Pixels:
    """What responses go back to, float [n, 3, S, S], for people: uint8 [n, S, S, 3], 0 as gray, each scaled."""
    scale = led.abs().flatten(1).quantile(BRIGHTEST, dim=1).clamp(min=torch.finfo(led.dtype).tiny)
    levels = (led / scale[:, None, None, None]).clamp(-1, 1) * GRAY + GRAY
    return levels.round().byte().permute(0, 2, 3, 1).contiguous().numpy()


def _are_scenes(images: Labeled, settings: Settings) -> bool:
    """Whether the images are the embedded scenes, in their order, so that the truth about each is known."""
    data = settings.data
    if data.path != EMBEDDED or len(images) != data.scenes_images:
        return False
    some = np.unique([0, len(images) // 2, len(images) - 1])
    drawn = (embedded_image(data.scenes, images.pictures.image_size, place)[0] for place in some.tolist())
    return np.array_equal(images.read(some), np.stack([simplejpeg.decode_jpeg(jpeg) for jpeg in drawn]))


def _numbers(images: Labeled, look: Look, scenes: Settings | None, options: FeaturesOptions) -> dict[str, Any]:
    """What was found of one network, by the number of the feature."""
    measure = partial(_on_objects, images, look, scenes, options) if scenes else None
    return {
        "first": look.features[:-FEATURES],
        "strongest": look.features[-FEATURES:],
        "features": {
            str(feature): {
                "responses": look.top.responses[feature, :SHOWN].tolist(),
                "images": [int(images.samples[place]) for place in look.top.numbers[feature, :SHOWN]],
                **({"on_objects": measure(feature)} if measure else {}),
            }
            for feature in dict.fromkeys(look.features)
        },
    }


def _on_objects(
    images: Labeled, look: Look, scenes: Settings, options: FeaturesOptions, feature: int
) -> dict[str, dict[str, Any]]:
    _, led = _back(images, look, feature, MEASURED, "guided", options.rule)
    energies = led.double().square().sum(1).numpy()
    places = look.top.numbers[feature].tolist()
    return on_objects(energies, [truth(scenes.data.scenes, SEED, place)["objects"] for place in places], options.seed)


def _lines(numbers: dict[str, dict[str, Any]]) -> list[str]:
    lines = []
    for name, found in numbers.items():
        said = [_line(feature, found["features"][str(feature)]) for feature in found["strongest"]]
        lines.append(f"strongest, {name}: {'; '.join(said)}")
    return lines


def _line(feature: int, found: dict[str, Any]) -> str:
    """Of one feature: its response, and the object on which its energy is densest, if surely more than by area."""
    above = {name: one for name, one in found.get("on_objects", {}).items() if one["low"] > 0}
    line = f"{feature} ({found['responses'][0]:.3g})"
    if not above:
        return line
    name, one = max(above.items(), key=lambda item: item[1]["energy"] / item[1]["area"])
    return f"{line} {name}, {one['energy']:.0%} of the energy on {one['area']:.0%} of the area"
