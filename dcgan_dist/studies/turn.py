"""A turn of pose (paper, section 6.3.2, figure 8): the vector from samples that look one way to those that look the
other way, added to random samples; no Ray."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Final

import numpy as np
import torch
from torch import Tensor

from dcgan_dist.bounds import AtLeast, From, shows_bounds
from dcgan_dist.errors import SettingsError
from dcgan_dist.model.pixels import grid
from dcgan_dist.storage import place
from dcgan_dist.studies.exemplars import load, strip
from dcgan_dist.studies.judges.faces import FaceJudge
from dcgan_dist.studies.judges.store import judge_of
from dcgan_dist.studies.options import StudyOptions, arg
from dcgan_dist.studies.result import StudyResult
from dcgan_dist.studies.subject import Subject
from dcgan_dist.studies.sums import draw
from dcgan_dist.studies.turned_faces import extreme, measure_turn

LOOKS: Final = ("looks left", "looks right")
POOL: Final = 2_000
"""Samples among which exemplars are sought; none of them is turned."""
MEASURED: Final = 200
"""Samples that are turned where it is measured how they turn: the first ones of the seed."""


@shows_bounds
@dataclass(frozen=True, kw_only=True)
class TurnOptions(StudyOptions):
    """Turn random samples from one way to the other, by the vector between exemplars of both (paper, figure 8).

    Example: python -m dcgan_dist.study turn faces --exemplars faces.yaml --from "looks left" --to "looks right"
    """

    exemplars: Annotated[str, arg(metavar="FILE")] = ""
    """YAML file that says which samples show what: see `study pick`. Empty: on samples of drawn faces those that look
    furthest to the left and to the right are taken, and it is measured how samples turn."""
    from_: Annotated[str, arg(name="from", metavar="CONCEPT")] = ""
    """What the vector leads away from, by its name in the file."""
    to: Annotated[str, arg(metavar="CONCEPT")] = ""
    """What it leads to."""
    exemplars_each: Annotated[int, From(1, 100), arg(metavar="N")] = 4
    """Exemplars of each concept whose mean is taken, the first ones of the file (paper: 4)."""
    rows: Annotated[int, AtLeast(1), arg(metavar="N")] = 5
    """Random samples that are turned."""
    steps: Annotated[int, AtLeast(3), arg(metavar="N")] = 11
    """Images of each, an odd number: the sample itself is in the middle."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.steps % 2 == 0:
            raise SettingsError(f"steps is {self.steps} but needs to be odd: the sample itself is in the middle")


@dataclass(frozen=True, eq=False)
class _Vector:
    """Along which samples are turned, [latent_size]; what was measured of it, and what it depends on."""

    z: Tensor
    concepts: tuple[str, str]
    depends_on: Mapping[str, Any]
    numbers: Mapping[str, Any] = field(default_factory=dict)
    lines: Sequence[str] = ()


def turn(subject: Subject, options: TurnOptions, say: Callable[[str], None]) -> StudyResult:
    """Draw each sample on the way from minus half the vector to plus half of it; of drawn faces, measure the turn."""
    found = _given(subject, options) if options.exemplars else _judged(subject, options, say)
    vector, (from_, to) = found.z, found.concepts
    say("drawing samples that are turned")
    samples = subject.generator.latents(options.rows, options.seed)
    z = torch.cat([strip(options.steps, one - vector / 2, one + vector / 2) for one in samples])
    images = draw(subject, z)
    change = np.sqrt((np.diff(images.reshape(options.rows, options.steps, -1).astype(float), axis=1) ** 2).mean(-1))
    return StudyResult(
        figure=grid(images, columns=options.steps),
        shows=f"From {from_} to {to}: {options.rows} random samples, each in the middle of its row.",
        numbers={
            "length_of_vector": float(vector.norm()),
            "step_mean": float(change.mean()),
            "step_largest": float(change.max()),
            **found.numbers,
        },
        lines=[f"from {from_} to {to}: a step changes pixels by {change.mean():.1f} levels in the mean", *found.lines],
        depends_on=found.depends_on,
    )


def _given(subject: Subject, options: TurnOptions) -> _Vector:
    """Between exemplars that a person has chosen."""
    exemplars = load(place(options.exemplars), subject)
    if options.from_ == options.to:
        raise SettingsError(f"from and to are both {options.to!r}: give two concepts")
    concepts = (options.from_, options.to)
    away, there = (exemplars.mean(subject, concept, options.exemplars_each)[1] for concept in concepts)
    return _Vector(there - away, concepts, exemplars.used(concepts, options.exemplars_each))


def _judged(subject: Subject, options: TurnOptions, say: Callable[[str], None]) -> _Vector:
    """Between samples that look furthest to the left and to the right, as a judge sees them."""
    if options.from_ or options.to:
        raise SettingsError("from and to name exemplars of a file: give --exemplars FILE too, or leave them out")
    judged = judge_of(subject, say, only="faces")
    if judged is None or not isinstance(judged.judge, FaceJudge):
        raise SettingsError(
            f"study turn needs --exemplars FILE, --from and --to for {subject.about.run}: it finds exemplars itself "
            "only on samples of a run that was trained on drawn faces of at least 32 pixels"
        )
    say("looking for exemplars")
    measured = max(options.rows, MEASURED)
    z = subject.generator.latents(measured + POOL, options.seed)
    samples, pool = z[:measured], z[measured:]
    judge = judged.judge
    yaw = judge.see(draw(subject, pool)).yaw
    left, right = extreme(yaw, options.exemplars_each)
    vector = pool[right].mean(0) - pool[left].mean(0)
    say(f"measuring how {measured} samples turn")
    numbers = measure_turn(subject, judge, samples, vector, options.steps, options.seed)
    exemplars = {
        name: {"samples": [measured + one for one in chosen], "yaw": yaw[chosen].tolist()}
        for name, chosen in zip(LOOKS, (left, right), strict=True)
    }
    return _Vector(
        vector,
        LOOKS,
        {"judge_sha256": judged.sha256},
        {**numbers, "exemplars": exemplars, "judge": judged.tested},
        [_line("the vector", numbers["turned"]), _line("as long random ones", numbers["random"])],
    )


def _line(name: str, one: Mapping[str, Any]) -> str:
    within = one["correlation_within_rows"]
    stays = ", ".join(f"{what} {share['share']:.0%}" for what, share in one["stays"].items())
    return (
        f"{name}: the yaw correlates by {within['value']:.2f} ({within['low']:.2f} to {within['high']:.2f}) with the "
        f"step within rows, by {one['correlation']['value']:.2f} in all; {one['degrees_per_step']:.1f} degrees a step, "
        f"{one['monotone']['share']:.0%} of {one['faces']} rows turn at each step; the same at "
        f"both ends: {stays}"
    )
