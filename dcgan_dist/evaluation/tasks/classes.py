"""Whether the class numbers of two splits mean the same classes: by names where there are some, else by what numbers
alone can tell; no Ray."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from dcgan_dist.errors import DataError

_TOLD = 8


@dataclass(frozen=True)
class Classes:
    """What is known of the classes of a split.

    Attributes:
        where: the split, for messages.
        numbers: classes that it has images of.
        names: of all classes by number; None where nothing says them.
        stranger: a shard of the split that a `dataset.json` with names of classes lies beside without knowing it.
    """

    where: str
    numbers: Collection[int]
    names: Sequence[str] | None = None
    stranger: str = ""


def compare_classes(train: Classes, test: Classes) -> list[str]:
    """Lines about what cannot be known, or cannot be judged.

    Raises:
        DataError: the numbers mean different classes, or names are known of one split alone.
    """
    for split in (train, test):
        if split.stranger:
            raise DataError(
                f"the dataset.json beside {split.stranger} names classes but does not know that shard, so that nobody "
                "knows whether its class numbers mean the same: prepare all splits in one call (python -m "
                "dcgan_dist.data.prepare --split train,test); or delete dataset.json and index.npz there to trust the "
                "numbers"
            )
    if (train.names is None) != (test.names is None):
        known, other = (train, test) if train.names is not None else (test, train)
        raise DataError(
            f"{known.where} has a dataset.json that names its classes but {other.where} has none, so that nobody knows "
            "whether class numbers mean the same in both: prepare all splits in one call (python -m "
            "dcgan_dist.data.prepare --split train,test); or delete dataset.json and index.npz there to trust the "
            "numbers"
        )
    if train.names is not None and test.names is not None and list(train.names) != list(test.names):
        number = next(
            i for i in range(max(len(train.names), len(test.names))) if train.names[i : i + 1] != test.names[i : i + 1]
        )
        first, second = (
            repr(split.names[number]) if split.names and number < len(split.names) else "no class"
            for split in (train, test)
        )
        raise DataError(
            f"class {number} is {first} in {train.where} but {second} in {test.where}: accuracies would be of other "
            "classes; prepare all splits in one call (python -m dcgan_dist.data.prepare --split train,test), which "
            "gives them one list of classes"
        )
    return _missing(train, test)


def _missing(train: Classes, test: Classes) -> list[str]:
    """A line where the test images lack classes: that may be so, or betray that each split was numbered by itself."""
    lacking = sorted(set(train.numbers) - set(test.numbers))
    if not lacking:
        return []
    if train.names is not None:
        names = [train.names[number] for number in lacking]
        return [
            f"there are no test images of {_some(names)}: no accuracy is known of {'it' if len(names) == 1 else 'them'}"
        ]
    counted = sorted(test.numbers) == list(range(len(test.numbers)))
    sign = f", as 0 to {len(test.numbers) - 1} without a gap suggests" if counted else ""
    return [
        f"there are no test images of class {_some([str(i) for i in lacking])}, and no names of classes to compare: if "
        f"test images were numbered by themselves{sign}, this accuracy is wrong"
    ]


def _some(names: Sequence[str]) -> str:
    more = len(names) - _TOLD
    return ", ".join(names[:_TOLD]) + (f" and {more:,} others" if more > 0 else "")
