"""Networks that learn classes from the images themselves, where others learn from frozen features: the paper's
supervised control, and a discriminator that is fine-tuned; no Ray.

What the images held out choose is how long a network is trained (early stopping).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dcgan_dist.arrays import Pixels
from dcgan_dist.data.streaming.plan import Integers
from dcgan_dist.evaluation.classifiers.registry import Classifiers, FittedClassifier
from dcgan_dist.evaluation.encoders.maps import in_channels
from dcgan_dist.evaluation.service.evaluator import Evaluators
from dcgan_dist.evaluation.task import Task
from dcgan_dist.model.classification import Classifier, Learning

PARTS = 9
"""A network is judged after each ninth of its training, as the trials of a sweep are."""


@dataclass(frozen=True, eq=False)
class _Trained:
    """A network, with the images that it was trained on and what its training goes on from."""

    classifier: Classifier
    places: Integers
    state: dict[str, Any]


class Networks(Classifiers):
    """Networks that are trained on labels, see `model/classification.py`; the setting is the length of training."""

    about = "softmax on the last maps, all layers trained on the labels"
    setting = "trained_images"
    label = "length of training in images"

    def __init__(self, learning: Learning) -> None:
        """`learning.total_steps` is the longest training."""
        self._learning, size = learning, learning.optimization.batch_size
        self.values = [size * step for step in judged_steps(learning.total_steps)]

    def begin(self, evaluators: Evaluators, task: Task, features: int, training: Integers) -> None:
        """See `Classifiers`."""
        self._evaluators, self._task = evaluators, task
        self._read: tuple[Integers, Pixels] | None = None

    def learn(self, places: Integers, value: float, before: FittedClassifier | None = None) -> FittedClassifier:
        """See `Classifiers`. It goes on from `before` where that learned from the same images, and is the same as if it
        had begun anew."""
        if self._read is None or self._read[0] is not places:
            channels = self._learning.networks.channels
            self._read = places, in_channels(self._task.train.read(places), channels)
        goes_on = before is not None and before.state.places is places
        state = before.state.state if before is not None and goes_on else None
        step = int(value) // self._learning.optimization.batch_size
        labels, classes = self._task.train.labels[places], self._task.classes
        found = self._evaluators.each("learn_labels", self._learning, self._read[1], labels, classes, state, step)
        ((state, classifier),) = [one for one in found if one is not None]
        return FittedClassifier(_Trained(classifier, places, state), {"passes": int(value) / len(places)})

    def confusion(self, classifier: FittedClassifier, places: Integers | None) -> NDArray[np.int64]:
        """See `Classifiers`."""
        trained: _Trained = classifier.state
        parts = self._evaluators.each("confusion_of_network", self._task.name, trained.classifier, places)
        counts: NDArray[np.int64] = np.sum(parts, axis=0)
        return counts


def judged_steps(total_steps: int) -> list[int]:
    """Steps after which a network is judged, rising; fewer than nine where there are fewer steps."""
    return sorted({max(1, total_steps * part // PARTS) for part in range(1, PARTS + 1)})
