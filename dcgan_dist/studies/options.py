"""What all studies of a generator have in common: what they are made of, and where their results go."""

from dataclasses import dataclass, fields
from typing import Annotated

import tyro

from dcgan_dist.bounds import check_bounds, shows_bounds
from dcgan_dist.evaluation.service.actor_options import ActorOptions
from dcgan_dist.model.generate import Which

arg = tyro.conf.arg


@shows_bounds
@dataclass(frozen=True, kw_only=True)
class StudyOptions:
    """A study of a generator."""

    run: Annotated[str, tyro.conf.Positional, arg(metavar="RUN")]
    """The run: its name in the storage, its folder on a disk or in an object store, or one of its checkpoints; or a
    generator that `sample --export` wrote as .safetensors; or `published-svhn`, the authors'."""
    storage: Annotated[str, arg(metavar="ADDRESS")] = "runs"
    """Where to look for a run that is given by name."""
    checkpoint: Annotated[str, arg(metavar="NAME")] = ""
    """Name of a folder in RUN/checkpoints, `latest`, or `best`, the one with the best probe accuracy. Empty: the one
    that RUN names, otherwise the latest."""
    generator: Which = "auto"
    """Which generator draws the samples: see `dcgan_dist.sample`."""
    label: Annotated[int | None, arg(name="class", metavar="NUMBER")] = None
    """The class of all samples, of a run that knows classes (networks.classes): the study is one of that class."""
    seed: Annotated[int, arg(metavar="NUMBER")] = 0
    """Random seed of z, and of all else that is drawn at random."""
    out: Annotated[str, arg(metavar="FOLDER")] = ""
    """Folder for the results. Empty: `studies` in the run's folder, or in this one where RUN is no run."""
    published: Annotated[str, arg(metavar="FOLDER")] = "$DCGAN_DIST_DATA/published"
    """Folder of the authors' networks, which holds svhn/ and imagenet/."""
    trust_code: bool = False
    """Import your own networks that the run's settings name, which runs their code."""

    def __post_init__(self) -> None:
        check_bounds(self)


COMMON = frozenset({"run", "storage", "checkpoint", "generator", "out", "published", "trust_code", "exemplars"}) | {
    one.name for one in fields(ActorOptions)
}
"""Fields that no result depends on, but by the networks and files that they lead to."""
