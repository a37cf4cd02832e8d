from typing import Any

import pytest

from dcgan_dist.reporting.distances import distances

RESULT: dict[str, Any] = {
    "images": 640,
    "validation_images": 250,
    "recipe": {"images": "held out", "generator": "averaged"},
    "distances": [{"samples": samples, "mean": 5.0, "low": 4.5, "high": 5.25} for samples in (1_000, 10_000)],
}


def test_distances_are_facts_newest_first() -> None:
    found = distances({"a": RESULT, "b": RESULT | {"images": 1_280}})
    assert [fact.name for fact in found][1:3] == [
        "Nearest of 10,000 samples of the averaged generator at 1,280 images",
        "Nearest of 1,000 samples of the averaged generator at 640 images",
    ]
    assert found[1].source == "b: distances[1].mean"
    assert (found[0].value, found[0].shown) == (5.0, "5.000 (4.500 to 5.250)")
    assert "250 images (held out); lower is better" in found[0].note


@pytest.mark.parametrize(
    "broken", [{"distances": [{"samples": 1}]}, {"recipe": 3}, {"images": None}, {"distances": {"samples": 1}}]
)
def test_what_is_not_whole_is_none(broken: dict[str, Any]) -> None:
    assert distances({"a": RESULT | broken}) == []


ERRORS: dict[str, Any] = {
    "images": 700,
    "test_images": 60,
    "errors": [{"samples": 10_000, "error": 0.0325, "low": 0.02, "high": 0.05}],
    "recipe": {"generator": "raw"},
    "real": {"images": 120, "error": 0, "low": 0, "high": 0.0625},
}


def test_errors_by_the_nearest_sample_stand_beside_those_by_real_images() -> None:
    found = distances({"a": RESULT, "b": ERRORS})
    assert [(fact.name, fact.value, fact.shown, fact.source) for fact in found[:2]] == [
        (
            "Error of the nearest of 10,000 samples of the raw generator at 700 images",
            0.0325,
            "3.25 % (2.00 to 5.00)",
            "b: errors[0].error",
        ),
        ("Error of the nearest of 120 real images", 0, "0.00 % (0.00 to 6.25)", "b: real.error"),
    ]
    # With the value before it, a sentence.
    assert found[0].note == "of 60 test images have a nearest sample of another class; lower is better"
    assert found[1].note.startswith("of 60 test images have a nearest real image of another class")
    assert len(found) == 4
    older = distances({"b": {name: part for name, part in ERRORS.items() if name != "recipe"}})
    assert older[0].name == "Error of the nearest of 10,000 samples at 700 images"


@pytest.mark.parametrize(
    "broken",
    [{"errors": {"samples": 3}}, {"errors": [{"samples": 3}]}, {"real": None}, {"real": {"images": 3}}, {"images": ""}],
)
def test_errors_that_are_not_whole_are_none(broken: dict[str, Any]) -> None:
    assert distances({"a": ERRORS | broken}) == []
