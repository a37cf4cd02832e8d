"""A turn of pose (paper, section 6.3.2, figure 8): the vector from samples that look one way to those that look the
other way, added to random samples; no Ray."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

import numpy as np
import torch

from dcgan_dist.bounds import AtLeast, shows_bounds
from dcgan_dist.errors import SettingsError
from dcgan_dist.model.pixels import grid
from dcgan_dist.storage import place
from dcgan_dist.studies.arithmetic import draw
from dcgan_dist.studies.exemplars import load, strip
from dcgan_dist.studies.options import StudyOptions, arg
from dcgan_dist.studies.result import StudyResult
from dcgan_dist.studies.subject import Subject


@shows_bounds
@dataclass(frozen=True, kw_only=True)
class TurnOptions(StudyOptions):
    """Turn random samples from one way to the other, by the vector between exemplars of both (paper, figure 8).

    Example: python -m dcgan_dist.study turn faces --exemplars faces.yaml --from "looks left" --to "looks right"
    """

    exemplars: Annotated[str, arg(metavar="FILE")]
    """YAML file that says which samples show what: see `study pick`."""
    from_: Annotated[str, arg(name="from", metavar="CONCEPT")]
    """What the vector leads away from."""
    to: Annotated[str, arg(metavar="CONCEPT")]
    """What it leads to."""
    exemplars_each: Annotated[int, AtLeast(1), arg(metavar="N")] = 4
    """Exemplars of each concept whose mean is taken, the first ones of the file (paper: 4)."""
    rows: Annotated[int, AtLeast(1), arg(metavar="N")] = 5
    """Random samples that are turned."""
    steps: Annotated[int, AtLeast(3), arg(metavar="N")] = 11
    """Images of each, an odd number: the sample itself is in the middle."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.steps % 2 == 0:
            raise SettingsError(f"steps is {self.steps} but needs to be odd: the sample itself is in the middle")


def turn(subject: Subject, options: TurnOptions, say: Callable[[str], None]) -> StudyResult:
    """Draw each sample on the way from minus half the vector to plus half of it."""
    exemplars = load(place(options.exemplars), subject)
    if options.from_ == options.to:
        raise SettingsError(f"from and to are both {options.to}: give two concepts")
    (_, away), (_, there) = (
        exemplars.mean(subject, concept, options.exemplars_each) for concept in (options.from_, options.to)
    )
    vector = there - away
    say("drawing samples that are turned")
    samples = subject.generator.latents(options.rows, options.seed)
    z = torch.cat([strip(options.steps, one - vector / 2, one + vector / 2) for one in samples])
    images = draw(subject, z)
    change = np.sqrt((np.diff(images.reshape(options.rows, options.steps, -1).astype(float), axis=1) ** 2).mean(-1))
    return StudyResult(
        figure=grid(images, columns=options.steps),
        shows=f"From {options.from_} to {options.to}: {options.rows} random samples, each in the middle of its row.",
        numbers={
            "length_of_vector": float(vector.norm()),
            "step_mean": float(change.mean()),
            "step_largest": float(change.max()),
        },
        lines=[
            f"from {options.from_} to {options.to}: a step changes pixels by {change.mean():.1f} levels in the mean"
        ],
        depends_on=exemplars.used((options.from_, options.to), options.exemplars_each),
    )
