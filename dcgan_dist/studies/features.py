"""What the features of the discriminator's last convolution respond to (paper, section 6.2, figure 5); no Ray.

The images with the largest responses are searched for in all that the run was trained on, and the responses are led
back to their pixels, beside those of a discriminator with initial weights. On the embedded scenes, whose objects are
known, it is measured how much of that lies on which objects.
"""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, fields
from functools import cache
from typing import Annotated, Any, Final, get_args

import numpy as np
import simplejpeg
import torch
from PIL import Image, ImageDraw
from torch import Tensor

from dcgan_dist.arrays import Pixels
from dcgan_dist.bounds import AtLeast, shows_bounds
from dcgan_dist.data.scenes import truth
from dcgan_dist.data.scenes.builtin import EMBEDDED, SEED, embedded_image
from dcgan_dist.errors import DataError, SettingsError
from dcgan_dist.evaluation.encoders.discriminator import features_of, of_random, require_maps
from dcgan_dist.evaluation.encoders.encoder import fit
from dcgan_dist.evaluation.encoders.maps import to_float
from dcgan_dist.evaluation.service.actor_options import ActorOptions
from dcgan_dist.evaluation.service.evaluator import Evaluator, Evaluators, ThisProcess
from dcgan_dist.evaluation.task import Labeled
from dcgan_dist.extensions import NO_CODE
from dcgan_dist.model.original_gan import OriginalDiscriminator
from dcgan_dist.model.pixels import enlarged, png, tiled
from dcgan_dist.settings import DataSettings, Settings
from dcgan_dist.studies.guided_backprop import Maps, Method, Rule, back_to_pixels
from dcgan_dist.studies.object_energy import chance, edges, on_objects, what_it_is
from dcgan_dist.studies.options import StudyOptions, arg
from dcgan_dist.studies.responses import Fitted, Responder, find_responses, fixed_maps, read
from dcgan_dist.studies.result import StudyResult
from dcgan_dist.studies.strongest import Strongest
from dcgan_dist.studies.subject import Subject
from dcgan_dist.studies.training_images import other_images, own_images

FEATURES: Final = 6
"""Shown of each kind: the first ones, and the strongest."""
SHOWN: Final = 5
"""Images of a feature in the figure."""
MEASURED: Final = 100
"""Images of a feature whose energy on objects is measured."""
STATISTICS_IMAGES: Final = 1_024
"""For the statistics of batch normalization."""
CONTROLS: Final = 10
"""Other networks with initial weights, whose strongest features tell what lies on objects by chance."""
GAP: Final = 12
"""Pixels between the two networks, and between the two kinds of features."""
LABEL: Final = 60
"""Pixels beside a row, for the number of its feature and what it is; not enlarged."""
GRAY: Final = 127.5
BRIGHTEST: Final = 0.995
"""Share of a guided image's values that are shown without clipping."""
CPU: Final = torch.device("cpu")
TRAINED: Final = "trained"
INITIAL: Final = "initial weights"


@shows_bounds
@dataclass(frozen=True, kw_only=True)
class FeaturesOptions(StudyOptions, ActorOptions):
    """Show what the features of the discriminator's last convolution respond to (paper, figure 5).

    Example: python -m dcgan_dist.study features scenes32
    """

    data: Annotated[str, arg(metavar="FOLDER")] = ""
    """Where images lie as `train-*.tar`. Empty: those that the run was trained on."""
    rule: Rule = "as-relu"
    """What guided back-propagation passes through a LeakyReLU whose input was not above 0: nothing, as for ReLU, or
    positive gradients times its slope."""
    actors: Annotated[int, AtLeast(0), arg(metavar="N")] = 0
    """Evaluation actors, which divide the images among them; 0: this process looks at all of them, without Ray."""

    def __post_init__(self) -> None:
        ActorOptions.__post_init__(self)
        for one in fields(ActorOptions) if not self.actors else ():
            if one.name not in ("actors", "trust_code") and getattr(self, one.name) != one.default:
                raise SettingsError(
                    f"{one.name} is {getattr(self, one.name)} but actors is 0, and no actor is started: give --actors "
                    f"too, or leave --{one.name.replace('_', '-')} out"
                )


Opens = Callable[[type[Evaluator]], AbstractContextManager[Evaluators]]
"""Opens evaluators of a kind."""


@dataclass(frozen=True, eq=False)
class Look:
    """What was found of one network.

    Attributes:
        maps: its own, with fixed statistics.
        top: the images to which each of its features responds most.
        first: numbers of features that are shown, the first ones.
        strongest: those of which the largest response is largest.
    """

    maps: Maps
    top: Strongest
    first: list[int]
    strongest: list[int]


@dataclass(frozen=True, eq=False)
class Material:
    """What is looked at.

    Attributes:
        images: in their order.
        data: what tells them from others.
        notes: lines about what is doubtful in them.
        scenes: of which kind, where they are the embedded scenes, so that the truth about each is known.
    """

    images: Labeled
    data: str
    notes: list[str]
    scenes: DataSettings | None


def features(
    subject: Subject,
    options: FeaturesOptions,
    say: Callable[[str], None],
    evaluators: Opens = lambda kind: nullcontext(ThisProcess(kind)),
) -> StudyResult:
    """Find the strongest responses, lead them back to the pixels, and measure what they lie on.

    Args:
        evaluators: opens those that look at all images, once it is known that these are there.
    """
    discriminator = subject.require_discriminator("features")
    networks = subject.about.networks
    code = subject.checkpoint.code if subject.checkpoint else NO_CODE
    require_maps(discriminator, networks.factory)
    if isinstance(discriminator, OriginalDiscriminator):
        raise SettingsError(
            "study features leads the responses of convolutions back to the pixels through rectifiers, but the "
            f"discriminator of {subject.about.run} (networks.structure {networks.structure}) has none"
        )
    material = _material(subject, options)
    images, notes = material.images, material.notes
    encoders: dict[str, Fitted] = {TRAINED: features_of(discriminator, networks, code)}
    for number in range(1 + (CONTROLS if material.scenes else 0)):
        encoders[f"control {number}" if number else INITIAL] = of_random(networks, options.seed + number, code)
    looks, seen = _look(images, encoders, evaluators, say)
    if bad := len(images) - seen:
        notes = [*notes, f"{bad:,} of {len(images):,} images cannot be decoded, and are left out"]
    say("leading responses back to pixels")
    shown_of = {name: looks[name] for name in (TRAINED, INITIAL)}
    numbers = {name: _numbers(images, look) for name, look in shown_of.items()}
    if material.scenes:
        _say_what_they_are(numbers, images, looks, material.scenes, options)
    figures = {method: _figure(images, shown_of, numbers, method, options.rule) for method in get_args(Method)}
    side = f"{SHOWN} images with the largest responses, and beside each what the response goes back to"
    return StudyResult(
        figure=figures["guided"],
        shows=f"Each row is a feature of D's last convolution, the first {FEATURES}, then the {FEATURES} strongest: "
        f"{side} by guided back-propagation ({options.rule}). Left: trained; right: with initial weights.",
        numbers={"images": seen, "bad_images": bad, "notes": notes, **numbers},
        lines=[*_lines(numbers), *notes],
        files={f"-{method}.png": png(one) for method, one in figures.items() if method != "guided"},
        depends_on={"data_checksum": material.data},
    )


def _material(subject: Subject, options: FeaturesOptions) -> Material:
    """What is looked at; raises `SettingsError` where that has to be said."""
    if subject.run is None or subject.checkpoint is None:
        name = subject.about.run
        if not options.data:
            raise SettingsError(
                f"study features looks at the images that a discriminator was trained on, which {name} comes without: "
                "give --data FOLDER, where they, or others, lie as train-*.tar"
            )
        images, data, notes = other_images(options.data, subject.about.networks.image_size)
        return Material(images, data, [f"it is not known whether {name} was trained on {options.data}", *notes], None)
    settings = subject.checkpoint.settings
    images, data, notes = own_images(subject.run, settings, options.data)
    scenes = not options.data and _are_scenes(images, settings)
    return Material(images, data, notes, settings.data if scenes else None)


def _look(
    images: Labeled, encoders: Mapping[str, Fitted], evaluators: Opens, say: Callable[[str], None]
) -> tuple[dict[str, Look], int]:
    """Look at all images once, by all networks; returns what was found, and how many images can be decoded."""
    say(f"fitting {len(encoders)} networks")
    places = np.unique(np.linspace(0, len(images) - 1, STATISTICS_IMAGES).astype(np.int64))
    some = [batch for _, batch in read(images, places)]
    if not some:
        example = images.pictures.names(int(images.samples[0]))
        raise DataError(f"none of {len(places):,} images can be decoded, for example {example}")
    fitted = {name: fit(one, lambda one: [one.gather(some)]) for name, one in encoders.items()}
    with evaluators(Responder) as all_parts:
        found = find_responses(all_parts, images, fitted, MEASURED, say)
    if not all(np.isfinite(one.responses).all() for one in found.strongest.values()):
        raise DataError("the discriminator's responses are not finite: give an earlier checkpoint")
    looks = {}
    for name, top in found.strongest.items():
        first = list(range(min(FEATURES, len(top.responses))))
        looks[name] = Look(fixed_maps(fitted[name], CPU), top, first, top.features(FEATURES))
    return looks, found.seen


def _back(images: Labeled, look: Look, feature: int, count: int, method: Method, rule: Rule) -> tuple[Pixels, Tensor]:
    """The images to which a feature responds most, and what the responses go back to, float [n, 3, S, S]."""
    pixels = images.read(look.top.numbers[feature, :count])
    return pixels, back_to_pixels(look.maps, to_float(pixels, CPU), feature, method, rule)


def _figure(
    images: Labeled, looks: Mapping[str, Look], numbers: Mapping[str, dict[str, Any]], method: Method, rule: Rule
) -> Pixels:
    sides = []
    for name, look in looks.items():
        kinds = (look.first, look.strongest)
        blocks = []
        for kind in kinds:
            rows = [_row(images, look, feature, method, rule) for feature in kind]
            blocks.append(tiled(np.concatenate(rows), len(rows[0])))
        pictures = np.concatenate([blocks[0], _white(GAP, blocks[0].shape[1]), blocks[1]])
        large = enlarged(pictures)
        factor = large.shape[0] // pictures.shape[0]
        tops = [
            factor * (block * (blocks[0].shape[0] + GAP) + row * (images.pictures.image_size + 2))
            for block, kind in enumerate(kinds)
            for row in range(len(kind))
        ]
        of = numbers[name]["features"]
        labels = [f"{feature}\n{of[str(feature)].get('is', '')}" for kind in kinds for feature in kind]
        sides.append(np.concatenate([_labels(large.shape[0], tops, labels), large], axis=1))
    return np.concatenate([sides[0], _white(len(sides[0]), GAP), sides[1]], axis=1)


def _row(images: Labeled, look: Look, feature: int, method: Method, rule: Rule) -> Pixels:
    """Images, and what the response goes back to beside each: uint8 [2 * n, S, S, 3]."""
    pixels, led = _back(images, look, feature, SHOWN, method, rule)
    return np.stack([pixels, shown(led)], 1).reshape(-1, *pixels.shape[1:])


def _labels(height: int, tops: list[int], labels: list[str]) -> Pixels:
    """A column of texts, each below its top."""
    column = Image.new("RGB", (LABEL, height), "white")
    for top, label in zip(tops, labels, strict=True):
        ImageDraw.Draw(column).text((4, top + 4), label, fill="black")
    return np.asarray(column)


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


def _numbers(images: Labeled, look: Look) -> dict[str, Any]:
    """What was found of one network, by the number of the feature."""
    return {
        "first": look.first,
        "strongest": look.strongest,
        "features": {
            str(feature): {
                "responses": look.top.responses[feature, :SHOWN].tolist(),
                "images": [int(images.samples[place]) for place in look.top.numbers[feature, :SHOWN]],
            }
            for feature in dict.fromkeys([*look.first, *look.strongest])
        },
    }


def _say_what_they_are(
    numbers: dict[str, dict[str, Any]],
    images: Labeled,
    looks: Mapping[str, Look],
    scenes: DataSettings,
    options: FeaturesOptions,
) -> None:
    """Add to what was found of each network on which objects its features lie, and what they are."""

    shows = cache(lambda place: truth(scenes.scenes, SEED, place)["objects"])

    def measured(look: Look, feature: int) -> dict[str, dict[str, Any]]:
        pixels, led = _back(images, look, feature, MEASURED, "guided", options.rule)
        energies = led.double().square().sum(1).numpy()
        truths = [shows(place) for place in look.top.numbers[feature].tolist()]
        return on_objects(energies, edges(pixels), truths, options.seed)

    controls = [look for name, look in looks.items() if name not in numbers]
    by_chance = chance([measured(look, feature) for look in controls for feature in look.strongest])
    for name, found in numbers.items():
        for feature, one in found["features"].items():
            one["on_objects"] = measured(looks[name], int(feature))
            one |= what_it_is(one["on_objects"], by_chance)
        found["objects_among_strongest"] = sum(
            found["features"][str(feature)]["is"] != "nothing" for feature in found["strongest"]
        )
    numbers[INITIAL]["by_chance"] = {
        "networks": len(controls),
        "features": len(by_chance.largest),
        "means": dict(by_chance.means),
        "deviations": dict(by_chance.deviations),
    }


def _lines(numbers: Mapping[str, dict[str, Any]]) -> list[str]:
    lines = []
    for name, found in numbers.items():
        said = [_line(feature, found["features"][str(feature)]) for feature in found["strongest"]]
        objects = found.get("objects_among_strongest")
        of = "" if objects is None else f" ({objects} of {len(said)} on objects, more than by chance)"
        lines.append(f"strongest, {name}{of}: {'; '.join(said)}")
    return lines


def _line(feature: int, found: Mapping[str, Any]) -> str:
    """Of one feature: its response, and what it is, with the shares of that object."""
    line = f"{feature} ({found['responses'][0]:.3g})"
    what = found.get("is", "")
    if what in ("", "nothing"):
        return f"{line} {what}".rstrip()
    one = found["on_objects"][what]
    shares = f"{one['energy']:.0%} of the energy on {one['edges']:.0%} of the edges, {one['area']:.0%} of the area"
    return f"{line} {what}, {shares}"
