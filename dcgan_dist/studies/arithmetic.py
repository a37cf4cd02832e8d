"""Vector arithmetic on concepts (paper, section 6.3.2, figure 7): A - B + C by the means of exemplars; no Ray.

The paper finds that single samples are unstable, and means of three are not, and that arithmetic on pixels gives a
blurred overlap; both are on the figure.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Final

import numpy as np
import torch
from torch import Tensor

from dcgan_dist.arrays import Pixels
from dcgan_dist.bounds import From, shows_bounds
from dcgan_dist.errors import SettingsError
from dcgan_dist.storage import place
from dcgan_dist.studies.concepts import Concept, concept_of, wanted_of, words
from dcgan_dist.studies.exemplars import load
from dcgan_dist.studies.judges.attributes import names_of
from dcgan_dist.studies.judges.faces import FaceJudge
from dcgan_dist.studies.judges.rooms import RoomJudge
from dcgan_dist.studies.judges.store import Judges, judge_of
from dcgan_dist.studies.layout import LABEL, labeled_row, large
from dcgan_dist.studies.measured_sums import COUNTS, SUMS, Pool, measure_sums
from dcgan_dist.studies.options import StudyOptions, arg
from dcgan_dist.studies.result import StudyResult
from dcgan_dist.studies.subject import Subject
from dcgan_dist.studies.sums import around, combine, draw, of_pixels

DEFAULTS: Final[dict[Judges, tuple[str, str, str]]] = {
    FaceJudge: ("smile, long_hair", "no smile, long_hair", "no smile, no long_hair"),
    RoomJudge: ("night, no bed", "no night, no bed", "no night, bed"),
}
"""A, B and C on scenes, where a judge sees what samples show; of faces those nearest to the first ones of figure 7:
smiling woman, neutral woman, neutral man."""


@shows_bounds
@dataclass(frozen=True, kw_only=True)
class ArithmeticOptions(StudyOptions):
    """Add and subtract what samples show, by the means of their z (paper, figure 7).

    Example: python -m dcgan_dist.study arithmetic faces --exemplars faces.yaml
    --a "smiling woman" --b "neutral woman" --c "neutral man"
    """

    exemplars: Annotated[str, arg(metavar="FILE")] = ""
    """YAML file that says which samples show what: see `study pick`. Empty: on samples of scenes they are found, and it
    is measured how often sums show what they should."""
    a: Annotated[str, arg(metavar="CONCEPT")] = ""
    """What is begun with: A of A - B + C. Where exemplars are found, attributes, as "glasses, no long_hair": of faces
    smile, glasses, long_hair and bald, of rooms bed, window, door, lamp, picture, night and lamp_lit."""
    b: Annotated[str, arg(metavar="CONCEPT")] = ""
    """What is taken away."""
    c: Annotated[str, arg(metavar="CONCEPT")] = ""
    """What is added."""
    exemplars_each: Annotated[int, From(1, 100), arg(metavar="N")] = 3
    """Exemplars of each concept whose mean is taken in the figure, the first ones of the file (paper: 3)."""


@dataclass(frozen=True, eq=False)
class _Sum:
    """What a figure is made of.

    Attributes:
        concepts: A, B and C, in words.
        z: of the exemplars of each, [k, latent_size].
        numbers: what was measured, beside what can be measured of any sum.
        lines: the same for people.
        depends_on: beside the options.
    """

    concepts: tuple[str, str, str]
    z: Sequence[Tensor]
    depends_on: Mapping[str, Any]
    numbers: Mapping[str, Any] = field(default_factory=dict)
    lines: Sequence[str] = ()


def arithmetic(subject: Subject, options: ArithmeticOptions, say: Callable[[str], None]) -> StudyResult:
    """Draw the exemplars, the result with its neighbors, and what the same sum of pixels gives; on scenes, measure."""
    found = _given(subject, options) if options.exemplars else _judged(subject, options, say)
    say("drawing what comes of the sum")
    shown = [draw(subject, torch.cat([z, z.mean(0)[None]])) for z in found.z]
    a, b, c = (z.mean(0) for z in found.z)
    rows = [
        *shown,
        draw(subject, around(combine(a, b, c), options.seed)),
        of_pixels([images[:-1] for images in shown])[None],
    ]
    named = "{} - {} + {}".format(*(f"({one})" if "," in one else one for one in found.concepts))
    return StudyResult(
        figure=_figure(rows, found.concepts),
        shows=f"{named}: three rows of {options.exemplars_each} exemplars and their mean; then the result in the "
        "middle of eight neighbors; last, the same sum of the exemplars' pixels.",
        numbers={
            "length_of_z": float(combine(a, b, c).norm()),
            "mean_length_of_z": float(subject.generator.latents(256, options.seed).norm(dim=1).mean()),
            **found.numbers,
        },
        lines=[f"{named}, by means of {options.exemplars_each}", *found.lines],
        depends_on=found.depends_on,
    )


def _given(subject: Subject, options: ArithmeticOptions) -> _Sum:
    """Of exemplars that a person has chosen."""
    exemplars = load(place(options.exemplars), subject)
    concepts = (options.a, options.b, options.c)
    if len({*concepts, ""}) < 4:
        raise SettingsError(f"a, b and c are {', '.join(map(repr, concepts))} but need to be three concepts")
    z = [exemplars.mean(subject, concept, options.exemplars_each)[0] for concept in concepts]
    return _Sum(concepts, z, exemplars.used(concepts, options.exemplars_each))


def _judged(subject: Subject, options: ArithmeticOptions, say: Callable[[str], None]) -> _Sum:
    """Of samples that a judge says show the concepts; how often such sums show what they should is measured."""
    judged = judge_of(subject, say, check=lambda judge: _concepts(options, judge))
    if judged is None:
        raise SettingsError(
            f"study arithmetic needs --exemplars FILE for {subject.about.run}: it finds some itself only on samples of "
            "a run that was trained on drawn rooms or faces of at least 32 pixels"
        )
    a, b, c, wanted = _concepts(options, type(judged.judge))
    say("looking for exemplars")
    pool = Pool.of(subject, judged.judge, options.seed)
    size = max(*COUNTS, options.exemplars_each)
    sets = [pool.sets(one, SUMS, size, options.seed) for one in (a, b, c)]
    say(f"measuring {SUMS} sums")
    measured = measure_sums(subject, pool, sets, wanted, options.seed)
    return _Sum(
        (words(a), words(b), words(c)),
        [pool.z[torch.from_numpy(one[0, : options.exemplars_each])] for one in sets],
        {"judge_sha256": judged.sha256},
        {"measured": measured, "judge": judged.tested},
        _lines(measured),
    )


def _concepts(options: ArithmeticOptions, judge: Judges) -> tuple[Concept, Concept, Concept, Concept]:
    """A, B and C by the attributes that a judge knows, and what their sum should show."""
    texts = [getattr(options, name) for name in "abc"]
    if not any(texts):
        texts = list(DEFAULTS[judge])
    a, b, c = (concept_of(text, option, names_of(judge)) for text, option in zip(texts, "abc", strict=True))
    return a, b, c, wanted_of(a, b, c)


def _lines(measured: Mapping[str, Any]) -> list[str]:
    named = {"z": "sums of z", "neighbors": "their neighbors", "pixels": "sums of pixels"}
    lines = [f"how often {measured['sums']} sums show '{measured['wanted']}', by exemplars of each concept:"]
    for kind, text in named.items():
        counts = "; ".join(f"{one['exemplars']}: {_percent(one)}" for one in measured[kind])
        both = "; ".join(f"{one['exemplars']}: {_percent(one['both'])}" for one in measured[kind])
        lines += [f"  {text}: {counts}", f"    and look like samples: {both}"]
    return [*lines, f"  any samples: {_percent(measured['by_chance'])}"]


def _percent(one: Mapping[str, float]) -> str:
    return f"{one['share']:.1%} ({one['low']:.1%} to {one['high']:.1%})"


def _figure(rows: list[Pixels], concepts: Sequence[str]) -> Pixels:
    """Rows of exemplars, each with its mean last; the nine results as 3 by 3; the sum of pixels; with words."""
    *exemplars, results, pixels = ([large(image) for image in images] for images in rows)
    left = np.concatenate(
        [
            labeled_row(np.stack(images), f"{letter}, and its mean: {concept}")
            for letter, images, concept in zip("ABC", exemplars, concepts, strict=True)
        ]
    )
    parts = [left, labeled_row(np.stack(results), "A - B + C in the middle", columns=3)]
    parts.append(labeled_row(np.stack(pixels), "by pixels"))
    height = max(map(len, parts))
    gap = np.full((height, LABEL, 3), 255, np.uint8)
    first, second, third = (_tall(part, height) for part in parts)
    return np.concatenate([first, gap, second, gap, third], axis=1)


def _tall(picture: Pixels, height: int) -> Pixels:
    out = np.full((height, *picture.shape[1:]), 255, np.uint8)
    out[: len(picture)] = picture
    return out
