"""A probe: how well a classifier does on features of a labeled data set (paper, section 5); no Ray.

The order of the training images is drawn once. The classifier's setting is the one that does best on images that are
held out, the last ones of that order; then it is trained on all of them, and tested once on the test images.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from statistics import fmean, stdev
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from dcgan_dist.data.streaming.plan import Integers
from dcgan_dist.evaluation.classifiers.registry import Classifiers, FittedClassifier
from dcgan_dist.evaluation.encoders.encoder import Encoder, fit
from dcgan_dist.evaluation.results import accuracy_by_class
from dcgan_dist.evaluation.service.evaluator import CHECKSUMS, Evaluators
from dcgan_dist.evaluation.task import FewLabels, Task
from dcgan_dist.intervals import wilson
from dcgan_dist.model.randomness import stream

WORSE = 2
"""Values in a row that do worse than the best, after which no larger one is tried."""
LEAST_VARIANCE = 0.01
"""Added to the variance of features that are standardized."""


def load(evaluators: Evaluators, tasks: Sequence[Task]) -> dict[str, str]:
    """Let the evaluators decode the images of tasks; of each the checksum of their pixels and labels."""
    sums = zip(*evaluators.each("load", tasks), strict=True)
    return {task.name: f"{sum(parts) % CHECKSUMS:032x}" for task, parts in zip(tasks, sums, strict=True)}


def probe(
    evaluators: Evaluators,
    task: Task,
    encoder: Encoder,
    dtype: torch.dtype,
    classifiers: Classifiers,
    say: Callable[[str], None] = lambda text: None,
) -> dict[str, Any]:
    """Evaluate an encoder on a task that the evaluators have loaded; returns the content of a result's file.

    Args:
        dtype: of the features that are kept, float32 or float16.
        classifiers: what is trained on them.
        say: receives a line about each stage.
    """
    began = time.perf_counter()
    say("preparing features")
    encoder = fit(encoder, lambda encoder: evaluators.each("gather", task.name, encoder))
    say("features")
    encoded = evaluators.each("encode", task.name, encoder, dtype)
    features = encoded[0][0]
    if encoder.standardized:
        _standardize(evaluators)
    made = time.perf_counter()
    result: dict[str, Any] = {
        "features": features,
        "feature_bytes": sum(size for _, size in encoded),
        "train_images": len(task.train),
        "test_images": len(task.test),
        "classes": task.classes,
    }
    training, held_out = np.split(np.arange(len(task.train)), [len(task.train) - task.held_out])
    classifiers.begin(evaluators, task, features, training)
    if task.all_labels:
        result["all_labels"] = _all_labels(classifiers, training, held_out, say)
    if task.few is not None:
        result["few_labels"] = _few_labels(classifiers, task, task.few, training, held_out, say)
    return result | {"seconds": {"features": made - began, "classifiers": time.perf_counter() - made}}


def _standardize(evaluators: Evaluators) -> None:
    """Bring each feature to mean 0 and deviation 1 over the training images (Coates, Lee and Ng, 2011)."""
    counts, sums, squares = (list(column) for column in zip(*evaluators.each("moments"), strict=True))
    number, mean = sum(counts), sum(sums[1:], sums[0]) / sum(counts)
    variance = (sum(squares[1:], squares[0]) / number - mean.square()) * number / (number - 1)
    deviation = (variance.clamp(min=0) + LEAST_VARIANCE).sqrt()
    evaluators.each("standardize", mean.float(), deviation.float())


def _all_labels(
    classifiers: Classifiers, training: Integers, held_out: Integers, say: Callable[[str], None]
) -> dict[str, Any]:
    """Choose the setting, train on all images, test on the test images."""
    setting, label = classifiers.setting, classifiers.label
    tried: list[dict[str, Any]] = []
    made: FittedClassifier | None = None
    starts = {}
    for value in classifiers.values:
        say(f"{label} {value:g}, {len(tried) + 1} of at most {len(classifiers.values)} that are tried")
        starts[value] = made = classifiers.learn(training, value, made)
        right = accuracy(classifiers.confusion(made, held_out))
        tried.append({setting: value, "held_out_accuracy": right, **made.record})
        if _past_the_best(tried):
            break
    best = _best(tried, setting)
    say(f"{label} {best:g}, the best, on all images")
    counts = classifiers.confusion(
        classifiers.learn(np.arange(len(training) + len(held_out)), best, starts[best]), None
    )
    right = accuracy(counts)
    low, high = wilson(right, int(counts.sum()))
    return {
        "accuracy": right,
        "low": low,
        "high": high,
        setting: best,
        "tried": tried,
        "held_out_images": len(held_out),
        "accuracy_by_class": accuracy_by_class(counts),
    }


def _few_labels(
    classifiers: Classifiers,
    task: Task,
    few: FewLabels,
    training: Integers,
    held_out: Integers,
    say: Callable[[str], None],
) -> dict[str, Any]:
    """Choose the setting by some draws and the images held out, then test all draws on test images (published code,
    svhn)."""
    setting = classifiers.setting
    labels = task.train.labels[training]
    choosing = [draw_labels(labels, few.per_class, task.seed, draw) for draw in range(few.choosing)]
    rights: list[dict[float, float]] = []
    for draw, places in enumerate(choosing):
        say(f"{few.per_class} labels a class, draw {draw + 1} of {few.choosing} to choose {classifiers.label}")
        made: FittedClassifier | None = None
        of_draw = {}
        for value in classifiers.values:
            made = classifiers.learn(places, value, made)
            of_draw[value] = accuracy(classifiers.confusion(made, held_out))
        rights.append(of_draw)
    tried = [
        {setting: value, "held_out_accuracy": fmean(of_draw[value] for of_draw in rights)}
        for value in classifiers.values
    ]
    best = _best(tried, setting)
    accuracies = []
    for draw in range(few.draws):
        say(f"{few.per_class} labels a class, draw {draw + 1} of {few.draws}")
        made = classifiers.learn(draw_labels(labels, few.per_class, task.seed, draw), best)
        accuracies.append(accuracy(classifiers.confusion(made, None)))
    sd = stdev(accuracies) if len(accuracies) > 1 else 0.0
    return {
        "per_class": few.per_class,
        "accuracy": fmean(accuracies),
        "sd": sd,
        "low": fmean(accuracies) - 1.96 * sd,
        "high": fmean(accuracies) + 1.96 * sd,
        setting: best,
        "tried": tried,
        "choosing_draws": few.choosing,
        "held_out_images": len(held_out),
        "draws": accuracies,
    }


def _best(tried: Sequence[Mapping[str, Any]], setting: str) -> float:
    """The value that did best on the images held out; of equals the least."""
    best: float = max(tried, key=lambda one: one["held_out_accuracy"])[setting]
    return best


def _past_the_best(tried: Sequence[Mapping[str, Any]]) -> bool:
    """Whether the last `WORSE` values did worse than one before them: larger C will not do better, and take longest."""
    rights = [one["held_out_accuracy"] for one in tried]
    return len(rights) > WORSE and max(rights[-WORSE:]) < max(rights[:-WORSE])


def draw_labels(labels: Integers, per_class: int, seed: int, draw: int) -> Integers:
    """int64, sorted: places of so many images of each class, drawn without replacement."""
    random = stream(seed, "few labels", draw)
    classes = range(int(labels.max()) + 1)
    drawn = [random.choice(np.flatnonzero(labels == number), per_class, replace=False) for number in classes]
    return np.sort(np.concatenate(drawn))


def accuracy(counts: NDArray[np.int64]) -> float:
    """Accuracy of a confusion matrix [true, predicted]."""
    return float(np.trace(counts) / counts.sum())


def recipe(task: Task, encoder: Encoder, dtype: torch.dtype, classifiers: Classifiers) -> dict[str, Any]:
    """All that a result depends on but the images and the weights: equal recipes give equal results."""
    return {
        "task": task.name,
        "image_size": task.train.pictures.image_size,
        "data": task.data,
        "features": encoder.recipe,
        "stored_as": str(dtype).removeprefix("torch."),
        "classifier": classifiers.about,
        classifiers.setting: list(classifiers.values),
        "seed": task.seed,
        "held_out_images": task.held_out,
        "all_labels": task.all_labels,
        "few_labels": None if task.few is None else asdict(task.few),
    }
