"""The newest point of the curves as Ray metrics; Prometheus sees `loss/generator` as `ray_dcgan_loss_generator`."""

import re
from collections.abc import Mapping
from functools import cache

from ray.util.metrics import Gauge

from dcgan_dist.cluster.environment import ascii_name
from dcgan_dist.monitoring.metric_names import describe


def set_gauges(run: str, values: Mapping[str, float]) -> None:
    """Set one gauge for each value, by metric name, with the run's name as tag. Needs a process that Ray runs in."""
    for name, value in values.items():
        _gauge(name).set(value, tags={"run": ascii_name(run)})


# Ray wants one object a name in a process, however many runs there are in it.
@cache
def _gauge(name: str) -> Gauge:
    return Gauge("dcgan_" + re.sub(r"\W", "_", name), description=describe(name) or name, tag_keys=("run",))
