"""What a rank reports to the driver: one method a message, with the position that every message carries."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt

from dcgan_dist.model.generate import Kind
from dcgan_dist.monitoring.mailbox import Sender
from dcgan_dist.monitoring.messages import WorkerInfo
from dcgan_dist.run_folder.attempts import Attempt

FLUSH_S = 10.0
"""How long a rank that is done waits for the driver to take its last messages."""


class Reporter:
    """Sends messages of one rank. `step` counts the steps that are done; positions in images follow from it."""

    def __init__(self, sender: Sender, attempt: Attempt, batch_size: int) -> None:
        self._sender, self._attempt, self._batch_size = sender, attempt, batch_size

    def event(self, step: int, text: str) -> None:
        """Report something that a person should read, in one line."""
        self._sender.send({"kind": "event", "text": text, "step": step, "images": step * self._batch_size})

    def started(self, workers: list[WorkerInfo]) -> None:
        """Report that the group is complete; `workers` are in rank order."""
        self._sender.send(
            {
                "kind": "started",
                "attempt": self._attempt.number,
                "step": self._attempt.step,
                "images": self._attempt.images,
                "checkpoint": self._attempt.checkpoint,
                "workers": workers,
            }
        )

    def bad_images(self, step: int, samples: Sequence[int]) -> None:
        """Report images of the data set that could not be decoded, by their numbers."""
        if samples:
            self._sender.send(
                {"kind": "bad_images", "samples": list(samples), "step": step, "images": step * self._batch_size}
            )

    def scalars(self, step: int, values: dict[str, float]) -> None:
        """Report a point of the curves, by metric name."""
        self._sender.send(
            {
                "kind": "scalars",
                "attempt": self._attempt.number,
                "step": step,
                "images": step * self._batch_size,
                "values": values,
            }
        )

    def pictures(
        self,
        step: int,
        name: Literal["samples", "walk"],
        generator: Kind,
        array: npt.NDArray[np.uint8],
        columns: int | None,
    ) -> None:
        """Report generated images, uint8 [n, S, S, 3], with the generator that drew them, and how they are laid out."""
        self._sender.send(
            {
                "kind": "pictures",
                "name": name,
                "step": step,
                "images": step * self._batch_size,
                "generator": generator,
                "array": array,
                "columns": columns,
            }
        )

    def checkpoint(self, step: int, name: str, seconds: float) -> None:
        """Report a complete checkpoint, and how long it took from the copy of the state to the manifest."""
        self._sender.send(
            {"kind": "checkpoint", "name": name, "step": step, "images": step * self._batch_size, "seconds": seconds}
        )

    def flush(self) -> None:
        """Wait until the driver has taken everything, for a limited time."""
        self._sender.flush(FLUSH_S)
