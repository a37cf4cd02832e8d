import json
import math

import pytest

from dcgan_dist.reporting.facts import Fact, accuracy, leaves, number, percent, shown


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (0, "0"),
        (71_744, "71,744"),
        (71_744.0, "71,744"),
        (-3, "-3"),
        (0.123456, "0.1235"),
        (5.551e-16, "5.551e-16"),
        (12_345.678, "12,345.7"),
        (math.inf, "inf"),
        (math.nan, "nan"),
    ],
)
def test_numbers_have_the_digits_that_count(value: float, words: str) -> None:
    assert number(value) == words


def test_other_values_are_words() -> None:
    assert [shown(value) for value in (None, True, False, "a <b>", 2.5)] == ["none", "yes", "no", "a <b>", "2.5"]


def test_a_record_leaves_out_what_a_fact_lacks_and_what_json_cannot_say() -> None:
    plain = Fact("Steps", 7, "7", "run.json", "step")
    assert plain.record() == {"name": "Steps", "value": 7, "shown": "7", "file": "run.json", "key": "step"}
    whole = Fact("A", math.nan, "nan", "f", "k", 0.1, 0.2, "why")
    assert whole.record() | {"value": 1} == {
        "name": "A", "value": 1, "shown": "nan", "file": "f", "key": "k", "low": 0.1, "high": 0.2, "note": "why"
    }  # fmt: skip
    assert json.loads(json.dumps(whole.record(), allow_nan=False))["value"] is None


def test_an_accuracy_has_its_interval_and_its_key() -> None:
    fact = accuracy("probe", {"accuracy": 0.8935, "low": 0.8792, "high": 0.9063}, "evaluation/a.json", "all_labels")
    assert (fact.value, fact.low, fact.high) == (0.8935, 0.8792, 0.9063)
    assert fact.shown == percent(0.8935, 0.8792, 0.9063) == "89.3 % (87.9 to 90.6)"
    assert fact.source == "evaluation/a.json: all_labels.accuracy"


def test_leaves_of_nested_content_have_keys_that_lead_to_them() -> None:
    content = {"a": 1, "b": {"c": [2.5, {"d": "x"}], "e": {}}, "f": None, "g": True}
    assert list(leaves(content)) == [("a", 1), ("b.c[0]", 2.5), ("b.c[1].d", "x"), ("f", None), ("g", True)]
