"""Numbers as people write and read them."""

import math

import pytest

from dcgan_dist.numerals import count, duration, real, whole


def test_one_is_one_and_all_others_are_many() -> None:
    assert [count(number, "shard") for number in (0, 1, 2, 4_096)] == [
        "0 shards",
        "1 shard",
        "2 shards",
        "4,096 shards",
    ]
    assert [count(number, "CPU") for number in (1.0, 0.5, 2.0)] == ["1 CPU", "0.5 CPUs", "2 CPUs"]
    assert [count(number, "class", "classes") for number in (1, 3)] == ["1 class", "3 classes"]


@pytest.mark.parametrize(
    ("text", "number"),
    [("7", 7), ("240_000", 240_000), ("1e5", 100_000), ("2.4e5", 240_000), ("-3", -3), (" 12 ", 12), ("64.0", 64)],
)
def test_whole_numbers_may_be_written_as_people_do(text: str, number: int) -> None:
    found = whole(text)
    assert (found, type(found)) == (number, int)


@pytest.mark.parametrize(
    ("text", "needed"),
    [
        ("1k", "needs a whole number: write 1000"),
        ("2.5M", "needs a whole number: write 2500000"),
        ("240,000", "needs a whole number: write 240000, or 240_000"),
        ("1,234,567", "needs a whole number: write 1234567, or 1_234_567"),
        ("240 000", "needs a whole number: write 240000, or 240_000"),
        ("1.0001k", "needs a whole number, such as 64, 240_000 or 2.4e5"),
        ("3.5", "needs a whole number, such as 64, 240_000 or 2.4e5"),
        ("abc", "needs a whole number, such as 64, 240_000 or 2.4e5"),
        ("", "needs a whole number, such as 64, 240_000 or 2.4e5"),
        ("inf", "needs a whole number, such as 64, 240_000 or 2.4e5"),
        ("nan", "needs a whole number, such as 64, 240_000 or 2.4e5"),
        ("1e400", "needs a whole number, such as 64, 240_000 or 2.4e5"),
    ],
)
def test_what_is_no_whole_number_is_refused_with_what_was_meant(text: str, needed: str) -> None:
    with pytest.raises(ValueError, match=r"^needs a whole number") as caught:
        whole(text)
    assert str(caught.value) == needed


def test_numbers_with_a_point() -> None:
    assert [real(text) for text in ("2e-4", "0.0002", "1_000", "3")] == [2e-4, 2e-4, 1e3, 3.0]
    assert real("inf") == math.inf


@pytest.mark.parametrize(
    ("text", "needed"),
    [
        ("0,0004", "needs a number: write 0.0004"),
        ("fast", "needs a number, such as 0.0002 or 2e-4"),
        ("nan", "needs a number, such as 0.0002 or 2e-4"),
        ("", "needs a number, such as 0.0002 or 2e-4"),
        ("3k", "needs a number: write 3000"),
    ],
)
def test_what_is_no_number_is_refused_with_what_was_meant(text: str, needed: str) -> None:
    with pytest.raises(ValueError, match=r"^needs a number") as caught:
        real(text)
    assert str(caught.value) == needed


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.2, "0 s"),
        (59.4, "59 s"),
        (59.6, "1 min 00 s"),
        (68, "1 min 08 s"),
        (3599.7, "1 h 00 min"),
        (7500, "2 h 05 min"),
        (86_399, "1 d 00 h"),
        (273_600, "3 d 04 h"),
    ],
)
def test_a_duration_has_its_two_largest_units(seconds: float, text: str) -> None:
    assert duration(seconds) == text
