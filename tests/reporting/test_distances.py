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


FIDELITY: dict[str, Any] = {
    "images": 900,
    "samples": 1_500,
    "held_out_images": 1_200,
    "recipe": {"images": "held out"},
    "measures": {"lite/kernel": {"value": 0.5, "low": 0.25, "high": 0.75}, "lite/recall": {"value": 0.125}},
}


def test_measures_of_fidelity_stand_beside_them_with_the_name_of_their_features() -> None:
    found = distances({"a": RESULT, "b": FIDELITY, "c": FIDELITY | {"images": 500}})
    assert [fact.name for fact in found] == [
        "lite/kernel at 900 images",
        "lite/recall at 900 images",
        "Nearest of 1,000 samples at 640 images",
        "Nearest of 10,000 samples at 640 images",
        "lite/kernel at 500 images",
        "lite/recall at 500 images",
    ]
    assert (found[0].value, found[0].low, found[0].high, found[0].shown) == (0.5, 0.25, 0.75, "0.5 (0.25 to 0.75)")
    assert found[0].source == "b: measures.lite/kernel.value"
    assert "1,500 samples and 1,200 images (held out); lower is better" in found[0].note
    assert (found[1].shown, found[1].low) == ("0.125", None)


ERRORS: dict[str, Any] = {
    "images": 700,
    "test_images": 60,
    "errors": [{"samples": 10_000, "error": 0.0325, "low": 0.02, "high": 0.05}],
    "real": {"images": 120, "error": 0, "low": 0, "high": 0.0625},
}


def test_errors_by_the_nearest_sample_stand_beside_those_by_real_images() -> None:
    found = distances({"a": RESULT, "b": ERRORS})
    assert [(fact.name, fact.value, fact.shown, fact.source) for fact in found[:2]] == [
        (
            "Class by the nearest of 10,000 samples at 700 images",
            0.0325,
            "3.25 % wrong (2.00 to 5.00)",
            "b: errors[0].error",
        ),
        ("Class by the nearest of 120 real images", 0, "0.00 % wrong (0.00 to 6.25)", "b: real.error"),
    ]
    assert "60 test images; lower is better" in found[0].note
    assert len(found) == 4


@pytest.mark.parametrize(
    "broken",
    [{"errors": {"samples": 3}}, {"errors": [{"samples": 3}]}, {"real": None}, {"real": {"images": 3}}, {"images": ""}],
)
def test_errors_that_are_not_whole_are_none(broken: dict[str, Any]) -> None:
    assert distances({"a": ERRORS | broken}) == []


@pytest.mark.parametrize(
    "broken",
    [
        {"measures": [1]},
        {"measures": {"a": {"low": 1}}},
        {"measures": {"a": {"value": 1, "low": "x"}}},
        {"samples": None},
        {"recipe": {}},
    ],
)
def test_measures_that_are_not_whole_are_none(broken: dict[str, Any]) -> None:
    assert distances({"a": FIDELITY | broken}) == []
