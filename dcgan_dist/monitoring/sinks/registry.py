"""The sinks that a run has."""

from collections.abc import Callable

from dcgan_dist.monitoring.sinks.prometheus import Prometheus
from dcgan_dist.monitoring.sinks.sink import Sink
from dcgan_dist.monitoring.sinks.trackers import Trackers
from dcgan_dist.settings import Settings
from dcgan_dist.storage import Place


def open_sinks(run: Place, settings: Settings, say: Callable[[str], None]) -> list[Sink]:
    """Open all sinks of a run; `say` prints a line for people."""
    return [Prometheus(run.name), Trackers(run, settings, say)]
