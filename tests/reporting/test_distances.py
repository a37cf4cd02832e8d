from typing import Any

import pytest

from dcgan_dist.reporting.distances import distances

RESULT: dict[str, Any] = {
    "images": 640,
    "validation_images": 250,
    "recipe": {"images": "held out"},
    "distances": [{"samples": samples, "mean": 5.0, "low": 4.5, "high": 5.25} for samples in (1_000, 10_000)],
}


def test_distances_are_facts_newest_first() -> None:
    found = distances({"a": RESULT, "b": RESULT | {"images": 1_280}})
    assert [fact.name for fact in found][1:3] == [
        "Nearest of 10,000 samples at 1,280 images",
        "Nearest of 1,000 samples at 640 images",
    ]
    assert found[1].source == "b: distances[1].mean"
    assert (found[0].value, found[0].shown) == (5.0, "5.000 (4.500 to 5.250)")
    assert "250 images (held out); lower is better" in found[0].note


@pytest.mark.parametrize(
    "broken", [{"distances": [{"samples": 1}]}, {"recipe": 3}, {"images": None}, {"distances": {"samples": 1}}]
)
def test_what_is_not_whole_is_none(broken: dict[str, Any]) -> None:
    assert distances({"a": RESULT | broken}) == []
