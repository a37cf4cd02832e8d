"""What a sink of metrics is: a service that gets what a run logs, besides the run's own files.

To add one, write a file with a `Sink` like `prometheus.py`, and enter it in `registry.py`.
"""

from collections.abc import Mapping
from typing import Literal

from dcgan_dist.arrays import Pixels

Status = Literal["finished", "stopped", "failed"]
"""How a run ended."""


class Sink:
    """Gets what counts of a run, from one thread, in order; of what a sink has no use for it overrides nothing.

    What a method raises is reported once, and training continues. The run's settings are given where a sink is opened.
    """

    name = ""
    """For people."""

    def scalars(self, images: int, values: Mapping[str, float]) -> None:
        """Take values by metric name (`metric_names.py`); those of probes come later than others of more images."""

    def picture(self, images: int, name: str, picture: Pixels) -> None:
        """Take a picture, uint8 [H, W, 3]."""

    def text(self, name: str, words: str) -> None:
        """Take a text; the newest of its name counts."""

    def close(self, status: Status) -> None:
        """End the run; whatever is still to be sent is sent, for a limited time."""
