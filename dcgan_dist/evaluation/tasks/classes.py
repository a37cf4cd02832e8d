"""Whether the class numbers of two splits mean the same classes: by names where there are some, else by what numbers
alone can tell; no Ray."""

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
        numbers: classes that it has images of.
        names: of all classes by number, as a `dataset.json` says them; None where none does.
        names_in_samples: names of some classes by number, as samples themselves say them.
        stranger: a shard of the split that a `dataset.json` with names of classes lies beside without knowing it.
    """

    where: str
    numbers: Collection[int]
    names: Sequence[str] | None = None
    names_in_samples: Mapping[int, str] = field(default_factory=dict)
    stranger: str = ""

    @property
    def by_number(self) -> Mapping[int, str]:
        """All names that are known."""
        return self.names_in_samples if self.names is None else dict(enumerate(self.names))


def compare_classes(train: Classes, test: Classes) -> list[str]:
    """Lines about what cannot be known, or cannot be compared.

    Raises:
        DataError: the numbers mean different classes, or names are known of one split alone.
    """
    first, second = train.by_number, test.by_number
    both_lists = train.names is not None and test.names is not None
    compared = sorted(first.keys() | second.keys() if both_lists else first.keys() & second.keys())
    for number in compared:
        if first.get(number) != second.get(number):
            one, other = (repr(names[number]) if number in names else "no class" for names in (first, second))
            raise DataError(
                f"class {number} is {one} in {train.where} but {other} in {test.where}: accuracies would be of other "
                f"classes; {_REMEDY}"
            )
    if not compared:
        _require_both(train, test)
    lacking = sorted(set(train.numbers) - set(test.numbers))
    if not lacking:
        return []
    if compared:
        names = [first.get(number, str(number)) for number in lacking]
        return [
            f"there are no test images of {_some(names)}: no accuracy is known of {'it' if len(names) == 1 else 'them'}"
        ]
    # That may be so in the data, or betray that each split was numbered by itself.
    counted = sorted(test.numbers) == list(range(len(test.numbers)))
    sign = f", as 0 to {len(test.numbers) - 1} without a gap suggests" if counted else ""
    return [
        f"there are no test images of class {_some([str(i) for i in lacking])}, and no names of classes to compare: if "
        f"test images were numbered by themselves{sign}, this accuracy is wrong"
    ]


def _require_both(train: Classes, test: Classes) -> None:
    """Refuse splits of which one has names that nothing can be compared with."""
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
