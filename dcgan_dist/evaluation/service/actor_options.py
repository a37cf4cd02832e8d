"""Options of commands that compute on evaluation actors; no Ray."""

from dataclasses import dataclass
from typing import Annotated

import tyro

from dcgan_dist.bounds import Above, AtLeast, check_bounds, shows_bounds
from dcgan_dist.errors import SettingsError
from dcgan_dist.settings import RAYS_OWN, require_countable

arg = tyro.conf.arg


@shows_bounds
@dataclass(frozen=True, kw_only=True)
class ActorOptions:
    """Evaluation actors of a command."""

    trust_code: bool = False
    """Import your own networks that the run's settings name, which runs their code."""
    actors: Annotated[int, AtLeast(1), arg(metavar="N")] = 1
    """Evaluation actors, which divide the images among them."""
    cpus: Annotated[float, AtLeast(0), arg(metavar="CPUS")] = 1.0
    """Logical CPUs that Ray reserves for each actor."""
    gpus: Annotated[float, AtLeast(0), arg(metavar="GPUS")] = 0.0
    """GPUs per actor; may be a fraction."""
    resource: Annotated[str, arg(metavar="RESOURCE")] = ""
    """Custom Ray resource of which each actor takes one, so that it runs on machines that offer it, and an
    autoscaler starts such machines: `evaluator` in the cluster files. Empty: `evaluator` if the cluster already
    offers it."""
    threads: Annotated[int, AtLeast(0), arg(metavar="THREADS")] = 0
    """PyTorch threads per actor; 0: the cores of its host divided by the actors."""
    address: Annotated[str, arg(metavar="HOST:PORT")] = ""
    """Ray cluster to join; empty: `$RAY_ADDRESS`, or if that is unset, one started on this machine."""
    wait_s: Annotated[float, Above(0), arg(metavar="SECONDS")] = 60.0
    """How long to wait if that cluster has too few machines; longer while some are being started."""

    def __post_init__(self) -> None:
        check_bounds(self)
        require_countable(self.cpus, self.gpus)
        if self.resource in RAYS_OWN:
            raise SettingsError(
                f"resource is {self.resource} but needs to be one that machines offer by --resources; use cpus "
                "for CPUs, gpus for GPUs"
            )
