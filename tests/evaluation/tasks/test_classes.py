"""What is said where class numbers of two splits may mean different classes: a table."""

import re

import pytest

from dcgan_dist.errors import DataError
from dcgan_dist.evaluation.tasks.classes import Classes, compare_classes

ALL, TWO = [0, 1, 2], [0, 1]
AB, ABC, ACB = ["ant", "bee"], ["ant", "bee", "cat"], ["ant", "cat", "bee"]


def train(numbers: list[int], names: list[str] | None = None, said: dict[int, str] | None = None) -> Classes:
    return Classes("F/train-*.tar", numbers, names, said or {})


def held(
    numbers: list[int], names: list[str] | None = None, stranger: str = "", said: dict[int, str] | None = None
) -> Classes:
    return Classes("F/test-*.tar", numbers, names, said or {}, stranger)


@pytest.mark.parametrize(
    ("first", "second", "note"),
    [
        (train(ALL, ABC), held(ALL, ABC), ""),
        (train(ALL), held(ALL), ""),
        # What samples say of themselves is enough, also where no dataset.json knows them.
        (train(ALL, ABC), held(TWO, None, "F/test-0.tar", {0: "ant", 1: "bee"}), "no test images of cat: the accuracy"),
        (train(ALL, None, {0: "ant"}), held(ALL, None, "", {0: "ant", 2: "cat"}), ""),
        (train(ALL, ABC), held([0, 2], ABC), "no test images of bee: the accuracy says nothing about it"),
        (train(ALL, ABC), held([2], ABC), "no test images of ant, bee: the accuracy says nothing about them"),
        (train(ALL), held(TWO), "class 2, .* numbered separately, as 0 to 1 without a gap suggests, this"),
        (train(ALL), held([0, 2]), "class 1, .* were numbered separately, this accuracy is wrong"),
        (train(list(range(20))), held([3]), "class 0, 1, 2, 4, 5, 6, 7, 8 and 11 others, and no class names"),
    ],
)  # fmt: skip
def test_what_cannot_be_known_is_told(first: Classes, second: Classes, note: str) -> None:
    notes = compare_classes(first, second)
    assert len(notes) == bool(note)
    assert not note or re.search(note, notes[0])


@pytest.mark.parametrize(
    ("first", "second", "sentence"),
    [
        (train(ALL, ABC), held(ALL, ACB), r"class 1 is 'bee' in F/train-\*\.tar but 'cat' in F/test-"),
        (train(ALL, ABC), held(TWO, AB), r"class 2 is 'cat' in F/train-\*\.tar but no class in F/test-"),
        (train(TWO, AB), held(TWO, ABC), r"class 2 is no class in F/train-\*\.tar but 'cat' in F/test-"),
        (train(ALL, ABC), held(ALL), r"F/train-\*\.tar has a dataset.json that names .* F/test-.* has none"),
        (train(ALL), held(ALL, ABC), r"F/test-\*\.tar has a dataset.json that names .* F/train-.* has none"),
        (train(ALL, ABC), held(TWO, None, "F/0.tar", {0: "ant", 1: "cat"}), r"class 1 is 'bee' in .* but 'cat'"),
        (train(ALL, None, {1: "bee"}), held(TWO, None, "", {1: "cat"}), r"class 1 is 'bee' in .* but 'cat' in F/t"),
        (train(TWO, AB), held(TWO, None, "F/test-000000.tar"), r"beside F/test-000000\.tar .* does not list that"),
    ],
)  # fmt: skip
def test_numbers_that_mean_other_classes_are_refused(first: Classes, second: Classes, sentence: str) -> None:
    with pytest.raises(DataError, match=sentence):
        compare_classes(first, second)
