"""Concepts in words, and what their sum should show."""

import numpy as np
import pytest

from dcgan_dist.errors import SettingsError
from dcgan_dist.studies.concepts import concept_of, shows, wanted_of, words

NAMES = ("smile", "glasses", "long_hair")


@pytest.mark.parametrize(
    ("text", "concept"),
    [
        ("smile", {"smile": True}),
        ("no smile", {"smile": False}),
        (" no  smile ,long_hair", {"smile": False, "long_hair": True}),
        ("glasses, smile, no long_hair", {"glasses": True, "smile": True, "long_hair": False}),
    ],
)
def test_a_concept_is_read_and_said(text: str, concept: dict[str, bool]) -> None:
    found = concept_of(text, "a", NAMES)
    assert (found, list(found)) == (concept, list(concept))
    assert concept_of(words(found), "a", NAMES) == concept


@pytest.mark.parametrize("text", ["", "smiles", "no", "no no smile", "smile, no smile", "smile,", "nosmile"])
def test_what_is_no_concept_is_one_sentence(text: str) -> None:
    with pytest.raises(
        SettingsError, match=r"^b is .* as in 'smile, no glasses'; there are smile, glasses, long_hair$"
    ):
        concept_of(text, "b", NAMES)


@pytest.mark.parametrize(
    ("a", "b", "c", "wanted"),
    [
        ("smile, glasses", "no smile, glasses", "no smile, no glasses", "smile, no glasses"),
        ("no smile, glasses", "smile, glasses", "smile, no glasses", "no smile, no glasses"),
        ("smile, glasses, long_hair", "no smile, no glasses, long_hair", "no smile, no glasses, no long_hair",
         "smile, glasses, no long_hair"),
        ("glasses, smile", "glasses, no smile", "no smile, no glasses", "glasses: no"),
    ],
)  # fmt: skip
def test_a_sum_should_show_what_a_has_over_b_and_else_what_c_has(a: str, b: str, c: str, wanted: str) -> None:
    found = wanted_of(*(concept_of(text, "x", NAMES) for text in (a, b, c)))
    assert dict(found) == ({"smile": True, "glasses": False} if ":" in wanted else concept_of(wanted, "x", NAMES))


@pytest.mark.parametrize(
    ("a", "b", "c", "sentence"),
    [
        ("smile", "no smile, glasses", "no smile, no glasses", "need to name the same attributes"),
        ("smile, glasses", "smile, glasses", "no smile, glasses", "each need to differ from b"),
        ("smile, glasses", "no smile, glasses", "no smile, glasses", "each need to differ from b"),
        ("smile, glasses", "no smile, glasses", "smile, no glasses", "b and c differ in smile, which is what a - b"),
    ],
)
def test_sums_that_say_nothing_new_are_one_sentence(a: str, b: str, c: str, sentence: str) -> None:
    with pytest.raises(SettingsError, match=sentence):
        wanted_of(*(concept_of(text, "x", NAMES) for text in (a, b, c)))


def test_a_picture_shows_a_concept_if_it_has_all_that_is_named() -> None:
    seen = {"smile": np.array([1, 1, 0, 0], bool), "glasses": np.array([1, 0, 1, 0], bool)}
    assert shows({"smile": True}, seen).tolist() == [True, True, False, False]
    assert shows({"smile": True, "glasses": False}, seen).tolist() == [False, True, False, False]
    assert shows({"smile": False, "glasses": False}, seen).tolist() == [False, False, False, True]
