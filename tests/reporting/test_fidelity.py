from typing import Any

import pytest

from dcgan_dist.evaluation.fidelity.measure import LOWER_IS_BETTER, MEASURES
from dcgan_dist.reporting.fidelity import WORDS, fidelity_tables

FIDELITY: dict[str, Any] = {
    "images": 900,
    "samples": 1_500,
    "held_out_images": 1_200,
    "recipe": {"images": "held out", "generator": "averaged"},
    "measures": {"lite/kernel": {"value": 0.5, "low": 0.25, "high": 0.75}, "lite/recall": {"value": 0.125}},
}


def test_every_measure_has_words_and_its_better_end() -> None:
    assert tuple(WORDS) == MEASURES
    assert tuple(measure for measure, (_, better) in WORDS.items() if better == "lower") == LOWER_IS_BETTER


def test_a_result_is_a_table_that_says_once_what_was_compared() -> None:
    older, newer = fidelity_tables({"a": FIDELITY | {"images": 500}, "b": FIDELITY})[::-1]
    assert (older.images, newer.images) == (500, 900)
    assert newer.source == "b: measures"
    assert newer.about == (
        "1,500 samples of the averaged generator after 900 images, beside 1,200 held-out images (held out), by "
        "features of lite. A second draw of as many samples lies in the interval in 95 % of cases."
    )
    kernel, recall = newer.rows
    assert (kernel.name, kernel.better, recall.name, recall.better) == (
        "kernel distance, squared", "lower", "recall", "higher"
    )  # fmt: skip
    assert (kernel.fact.value, kernel.fact.low, kernel.fact.high) == (0.5, 0.25, 0.75)
    assert (kernel.fact.shown, kernel.fact.source) == ("0.5 (0.25 to 0.75)", "b: measures.lite/kernel.value")
    assert kernel.fact.name == "kernel distance, squared, by lite, at 900 images"
    assert (recall.fact.shown, recall.fact.low) == ("0.125", None)


def test_intervals_of_few_samples_are_not_said_to_hold() -> None:
    (few,) = fidelity_tables({"a": FIDELITY | {"features": 1_501}})
    assert few.about.endswith(
        "by features of lite. Of fewer samples than the 1,501 features, the intervals are too narrow."
    )
    (enough,) = fidelity_tables({"a": FIDELITY | {"features": 1_500}})
    assert enough.about.endswith("lies in the interval in 95 % of cases.")


def test_each_kind_of_features_has_a_table_and_what_nobody_knows_its_own_name() -> None:
    measures = {"one/recall": {"value": 0.25}, "some/other/recall": {"value": 0.5}, "one/mine": {"value": 3}}
    first, second = fidelity_tables({"a": FIDELITY | {"measures": measures, "recipe": {"images": "held out"}}})
    assert [(row.name, row.better) for row in first.rows] == [("recall", "higher"), ("mine", "")]
    assert [row.fact.value for row in second.rows] == [0.5]
    assert second.about.endswith("by features of some/other.")  # no interval, so nothing of one
    assert second.about.startswith("1,500 samples after")


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
    assert fidelity_tables({"a": FIDELITY | broken}) == []
