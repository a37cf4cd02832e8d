"""The newest point of the curves as Ray metrics; Prometheus sees `loss/generator` as `ray_dcgan_loss_generator`."""

import re
from collections.abc import Mapping
from functools import cache

import ray
from ray.util.metrics import Gauge

from dcgan_dist.cluster.environment import ascii_name
from dcgan_dist.monitoring.metric_names import describe
from dcgan_dist.monitoring.sinks.sink import Sink


class Prometheus(Sink):
    """Sets one gauge for each metric, tagged with the run's name; none of single ranks, and none without Ray."""

    name = "Prometheus"

    def __init__(self, run: str) -> None:
        self._run = ascii_name(run)

    def scalars(self, images: int, values: Mapping[str, float]) -> None:
        if ray.is_initialized():
            for name, value in values.items():
                # A gauge keeps its last value: that of a rank would stay when the run goes on without the rank.
                if not name.startswith("worker/"):
                    _gauge(name).set(value, tags={"run": self._run})


# Ray wants one object a name in a process, however many runs there are in it.
@cache
def _gauge(name: str) -> Gauge:
    # Ray discards a name with other letters than ASCII's, as a task may have.
    return Gauge(
        "dcgan_" + re.sub(r"\W", "_", name, flags=re.ASCII), description=describe(name) or name, tag_keys=("run",)
    )
