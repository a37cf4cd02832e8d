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
    """Sets one gauge for each metric, tagged with the run's name; without Ray in this process it does nothing."""

    name = "Prometheus"

    def __init__(self, run: str) -> None:
        self._run = ascii_name(run)

    def scalars(self, images: int, values: Mapping[str, float]) -> None:
        if ray.is_initialized():
            for name, value in values.items():
                _gauge(name).set(value, tags={"run": self._run})


# Ray wants one object a name in a process, however many runs there are in it.
@cache
def _gauge(name: str) -> Gauge:
    return Gauge("dcgan_" + re.sub(r"\W", "_", name), description=describe(name) or name, tag_keys=("run",))
