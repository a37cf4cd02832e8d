"""Kinds of classifiers that a probe trains on features, each with one setting that images held out choose; no Ray."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from dcgan_dist.data.streaming.plan import Integers
from dcgan_dist.evaluation.classifiers import svm
from dcgan_dist.evaluation.classifiers.nearest import merge
from dcgan_dist.evaluation.service.evaluator import Evaluators
from dcgan_dist.evaluation.task import Task

NEIGHBOURS = (1, 2, 5, 10, 20, 50)
"""K that are tried."""


@dataclass(frozen=True, eq=False)
class FittedClassifier:
    """A classifier.

    Attributes:
        state: what it is, for the kind that made it.
        record: what stands of its making in a result.
    """

    state: Any
    record: dict[str, Any] = field(default_factory=dict)


class Classifiers(Protocol):
    """A kind of classifier. It learns and is tested on features that the evaluators hold.

    Attributes:
        about: for the record.
        setting: name of its setting, as it stands in results.
        label: its name for people.
        values: of the setting that are tried, rising.
    """

    about: str
    setting: str
    label: str
    values: Sequence[float]

    def begin(self, evaluators: Evaluators, task: Task, features: int, training: Integers) -> None:
        """Evaluators have so many features of each image of a task: what comes speaks of them.

        Args:
            training: places of the training images that are not held out.
        """
        ...

    def learn(self, places: Integers, value: float, before: FittedClassifier | None = None) -> FittedClassifier:
        """A classifier from the training images at these places; `before`: for a smaller value, to start from."""
        ...

    def confusion(self, classifier: FittedClassifier, places: Integers | None) -> NDArray[np.int64]:
        """Confusion matrix [true, predicted] on the training images at these places; None: on all test images."""
        ...


class Linear(Classifiers):
    """Linear support vector machines, see `svm.py`; the setting is C."""

    about = "one-vs-rest L2-SVM, squared hinge, intercept regularised"
    setting = "c"
    label = "C (inverse of regularization)"

    def __init__(self, values: Sequence[float]) -> None:
        self.values = sorted(values)

    def begin(self, evaluators: Evaluators, task: Task, features: int, training: Integers) -> None:
        """See `Classifiers`."""
        self._evaluators, self._task = evaluators, task
        self._pose(training)
        self._moments = svm.measure(evaluators.svm, features)  # which serve all places and all C

    def learn(self, places: Integers, value: float, before: FittedClassifier | None = None) -> FittedClassifier:
        """See `Classifiers`."""
        if self._posed is not places:
            self._pose(places)
        start = None if before is None else before.state
        made = svm.train(self._evaluators.svm, self._moments, self._task.classes, value, start)
        return FittedClassifier(made.weights, {"steps": made.steps, "products": made.products})

    def confusion(self, classifier: FittedClassifier, places: Integers | None) -> NDArray[np.int64]:
        """See `Classifiers`."""
        counts: NDArray[np.int64] = np.sum(self._evaluators.each("confusion", classifier.state, places), axis=0)
        return counts

    def _pose(self, places: Integers) -> None:
        """What the parts find of these images serves all C."""
        self._evaluators.each("pose", places)
        self._posed = places


class Nearest(Classifiers):
    """The class that most of the K nearest training images have; of equals the one whose first image is nearer."""

    about = "most of the K nearest training images, Euclidean"
    setting = "k"
    label = "K (neighbors that vote)"

    def __init__(self, values: Sequence[int] = NEIGHBOURS) -> None:
        self.values = sorted(values)

    def begin(self, evaluators: Evaluators, task: Task, features: int, training: Integers) -> None:
        """See `Classifiers`."""
        self._evaluators, self._task = evaluators, task
        self._looked: tuple[Integers, Integers | None, Integers] | None = None

    def learn(self, places: Integers, value: float, before: FittedClassifier | None = None) -> FittedClassifier:
        """See `Classifiers`."""
        return FittedClassifier((places, int(value)))

    def confusion(self, classifier: FittedClassifier, places: Integers | None) -> NDArray[np.int64]:
        """See `Classifiers`."""
        among, number = classifier.state
        labels = self._task.test.labels if places is None else self._task.train.labels[places]
        predicted = vote(self._neighbours(among, places)[:, :number], self._task.classes)
        counts = np.zeros((self._task.classes, self._task.classes), np.int64)
        np.add.at(counts, (labels, predicted), 1)
        return counts

    def _neighbours(self, among: Integers, places: Integers | None) -> Integers:
        """Classes of the nearest training images, nearest first: int64 [n, largest K]; one look serves all K."""
        if self._looked is None or self._looked[0] is not among or self._looked[1] is not places:
            queries = self._task.test if places is None else self._task.train
            images = queries.read(np.arange(len(queries)) if places is None else places)
            kept = min(int(max(self.values)), len(among))
            parts = self._evaluators.each("nearest", images, kept, among)
            nearest_places = merge(parts, kept)[1].numpy()
            self._looked = among, places, self._task.train.labels[nearest_places]
        return self._looked[2]


def vote(classes: Integers, number: int) -> Integers:
    """The class that is there most often in each row of classes [n, k]; of equals the one that comes first."""
    # All that nearness adds is less than one vote, and each place adds more than all that follow.
    weights = 1 + 0.5 ** np.arange(1, classes.shape[1] + 1)
    votes = np.zeros((len(classes), number))
    np.add.at(votes, (np.arange(len(classes))[:, None], classes), weights)
    winner: Integers = votes.argmax(1)
    return winner
