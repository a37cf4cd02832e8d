"""What Ray tells beyond its documented interface, as far as no Ray is needed to read it."""

import json
from typing import Any

import pytest

from dcgan_dist.cluster.ray_internals import under_way_of

PENDING = {"pending_launches": {"gpu": 2}, "pending_nodes": [["10.0.0.2", "gpu", "setting-up"]]}


@pytest.mark.parametrize(
    ("told", "number"),
    [
        (None, 0),
        ({}, 0),
        ({"autoscaler_report": {"pending_launches": {}, "pending_nodes": []}}, 0),
        ({"autoscaler_report": PENDING}, 3),
    ],
)
def test_the_older_autoscaler_tells_what_it_brings(told: dict[str, Any] | None, number: int) -> None:
    assert under_way_of(None if told is None else json.dumps(told).encode()) == number
