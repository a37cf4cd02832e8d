"""Whether the class numbers of two splits mean the same classes: by class names if there are some, else by the numbers
alone; no Ray."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from dcgan_dist.errors import DataError

_MOST_NAMED = 8
_REMEDY = "prepare all splits in one call (python -m dcgan_dist.data.prepare FOLDER OUT), which gives them one list"
_TRUST = "or delete dataset.json and index.npz there to trust the numbers"


@dataclass(frozen=True)
class Classes:
    """What is known of the classes of a split.

    Attributes:
        where: the split, for messages.
        numbers: numbers of the classes that the split has images of.
        names: names of all classes by number, from a `dataset.json`; None if there is none.
        names_in_samples: names of some classes by number, from the samples themselves.
        stranger: a shard of the split that is not listed in the `dataset.json` beside it, which names classes.
    """

    where: str
    numbers: Collection[int]
    names: Sequence[str] | None = None
    names_in_samples: Mapping[int, str] = field(default_factory=dict)
    stranger: str = ""

    @property
    def by_number(self) -> Mapping[int, str]:
        """All class names that are known, by number."""
        return self.names_in_samples if self.names is None else dict(enumerate(self.names))


def compare_classes(train: Classes, test: Classes) -> list[str]:
    """Compare the classes of two splits; return lines about what cannot be measured or compared.

    Raises:
        DataError: the numbers mean different classes, or class names are known for one split only.
    """
    first, second = train.by_number, test.by_number
    both_lists = train.names is not None and test.names is not None
    compared = sorted(first.keys() | second.keys() if both_lists else first.keys() & second.keys())
    for number in compared:
        if first.get(number) != second.get(number):
            one, other = (repr(names[number]) if number in names else "no class" for names in (first, second))
            raise DataError(
                f"class {number} is {one} in {train.where} but {other} in {test.where}: accuracies would be those of "
                f"other classes; {_REMEDY}"
            )
    if not compared:
        _require_both(train, test)
    lacking = sorted(set(train.numbers) - set(test.numbers))
    if not lacking:
        return []
    if compared:
        names = [first.get(number, str(number)) for number in lacking]
        return [
            f"there are no test images of {_some(names)}: the accuracy says nothing about "
            f"{'it' if len(names) == 1 else 'them'}"
        ]
    # Either the data has none, or each split was numbered separately.
    counted = sorted(test.numbers) == list(range(len(test.numbers)))
    sign = f", as 0 to {len(test.numbers) - 1} without a gap suggests" if counted else ""
    return [
        f"there are no test images of class {_some([str(i) for i in lacking])}, and no class names to compare: if the "
        f"splits were numbered separately{sign}, this accuracy is wrong"
    ]


def _require_both(train: Classes, test: Classes) -> None:
    """Refuse two splits if only one of them has class names."""
    for split in (train, test):
        if split.stranger:
            raise DataError(
                f"the dataset.json beside {split.stranger} names classes but does not list that shard, so its "
                f"class numbers may mean something else: {_REMEDY}; {_TRUST}"
            )
    if (train.names is None) != (test.names is None):
        known, other = (train, test) if train.names is not None else (test, train)
        raise DataError(
            f"{known.where} has a dataset.json that names its classes but {other.where} has none, so class numbers may "
            f"mean different classes in the two: {_REMEDY}; {_TRUST}"
        )


def _some(names: Sequence[str]) -> str:
    more = len(names) - _MOST_NAMED
    return ", ".join(names[:_MOST_NAMED]) + (f" and {more:,} others" if more > 0 else "")
