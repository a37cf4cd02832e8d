"""Kinds of classifiers: what is learned from which images, and nearest neighbours against scikit-learn's."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.neighbors import KNeighborsClassifier

from dcgan_dist.evaluation.classifiers.registry import Classifiers, Linear, Nearest, vote
from dcgan_dist.evaluation.encoders.pixels import PixelFeatures
from dcgan_dist.evaluation.probe import load
from dcgan_dist.evaluation.task import Task


def ready(here: Callable[..., Any], task: Task, classifiers: Classifiers, parts: int) -> Classifiers:
    evaluators = here(parts)
    load(evaluators, [task])
    features = evaluators.each("encode", task.name, PixelFeatures(), torch.float32)[0][0]
    classifiers.begin(evaluators, task, features, np.arange(700))
    return classifiers


def pixels(task: Task, split: str) -> np.ndarray:
    labeled = getattr(task, split)
    return labeled.read(np.arange(len(labeled))).reshape(len(labeled), -1).astype(np.float64) / 127.5 - 1


@pytest.mark.parametrize("k", [1, 5])
@pytest.mark.parametrize("parts", [1, 3])
def test_neighbours_vote_as_those_of_scikit_learn(k: int, parts: int, bands: Task, here: Callable[..., Any]) -> None:
    places = np.sort(np.random.default_rng(0).choice(900, 300, replace=False))
    nearest = ready(here, bands, Nearest(), parts)
    learned = nearest.learn(places, k)
    others = KNeighborsClassifier(k, algorithm="brute").fit(pixels(bands, "train")[places], bands.train.labels[places])
    asked = np.array([3, 400, 899, *range(500, 600)])
    for places, images, labels in (
        (None, pixels(bands, "test"), bands.test.labels),
        (asked, pixels(bands, "train")[asked], bands.train.labels[asked]),
    ):
        counts = nearest.confusion(learned, places)
        told = others.predict(images)
        expected = np.zeros((3, 3), np.int64)
        np.add.at(expected, (labels, told), 1)
        # scikit-learn breaks ties by the smaller class.
        assert np.abs(counts - expected).sum() <= (0 if k == 1 else 0.1 * len(labels))
        assert (counts.sum(1) == expected.sum(1)).all()


def test_of_classes_that_are_equally_often_there_the_nearer_one_wins() -> None:
    classes = np.array([[2, 0, 0, 2], [0, 2, 2, 0], [1, 0, 0, 2], [0, 1, 1, 1], [1, 2, 0, 2]])
    assert vote(classes, 3).tolist() == [2, 0, 0, 1, 2]


def test_a_second_set_of_images_is_learned_for_itself(bands: Task, here: Callable[..., Any]) -> None:
    for classifiers, value in ((Linear([1e-2]), 1e-2), (Nearest(), 1)):
        ready(here, bands, classifiers, 2)
        few, many = np.arange(3), np.arange(900)
        fresh = classifiers.confusion(classifiers.learn(many, value), None)
        assert np.trace(classifiers.confusion(classifiers.learn(few, value), None)) < np.trace(fresh)
        again = classifiers.confusion(classifiers.learn(many, value), None)
        assert (again == fresh).all()


def test_settings_are_tried_from_the_least() -> None:
    assert list(Linear((1e-2, 1e-4)).values) == [1e-4, 1e-2]
    assert list(Nearest((5, 1)).values) == [1, 5]
