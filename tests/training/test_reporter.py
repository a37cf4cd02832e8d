"""Messages of a rank: each with the position that it is about, as the driver takes it."""

from typing import Any
from unittest.mock import Mock

import numpy as np
import pytest

from dcgan_dist.monitoring.mailbox import Sender
from dcgan_dist.monitoring.messages import WorkerInfo
from dcgan_dist.run_folder.attempts import Attempt
from dcgan_dist.training.reporter import FLUSH_S, Reporter

ATTEMPT = Attempt(number=3, checkpoint="000000000036", step=6, images=35, workers=2, started=0.0)
WORKERS: list[WorkerInfo] = [{"rank": 1, "node": "ab", "host": "one", "device": "cpu, 2 threads"}]
ARRAY = np.zeros((2, 4, 4, 3), np.uint8)


@pytest.mark.parametrize(
    ("report", "message"),
    [
        (lambda one: one.event(7, "well"), {"kind": "event", "text": "well", "step": 7, "images": 42}),
        (
            lambda one: one.started(WORKERS),
            {
                "kind": "started",
                "attempt": 3,
                "step": 6,
                "images": 35,
                "checkpoint": "000000000036",
                "workers": WORKERS,
            },
        ),
        (lambda one: one.bad_images(8, [5, 2]), {"kind": "bad_images", "samples": [5, 2], "step": 8, "images": 48}),
        (
            lambda one: one.scalars(9, {"loss/generator": 0.5}),
            {"kind": "scalars", "attempt": 3, "step": 9, "images": 54, "values": {"loss/generator": 0.5}},
        ),
        (
            lambda one: one.pictures(10, "walk", "averaged", ARRAY, 3),
            {
                "kind": "pictures",
                "name": "walk",
                "step": 10,
                "images": 60,
                "generator": "averaged",
                "array": ARRAY,
                "columns": 3,
            },
        ),
        (
            lambda one: one.checkpoint(11, "000000000066", 0.5),
            {"kind": "checkpoint", "name": "000000000066", "step": 11, "images": 66, "seconds": 0.5},
        ),
    ],
)
def test_a_message_says_what_it_is_about(report: Any, message: dict[str, Any]) -> None:
    sender = Mock(Sender)
    report(Reporter(sender, ATTEMPT, batch_size=6))
    sender.send.assert_called_once_with(message)


def test_no_bad_images_are_no_message() -> None:
    sender = Mock(Sender)
    Reporter(sender, ATTEMPT, batch_size=6).bad_images(8, [])
    sender.send.assert_not_called()


def test_the_last_messages_are_waited_for_within_a_limit() -> None:
    sender = Mock(Sender)
    Reporter(sender, ATTEMPT, batch_size=6).flush()
    sender.flush.assert_called_once_with(FLUSH_S)
