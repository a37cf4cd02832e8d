"""A number that an independent program found: features of the published ImageNet discriminator on CIFAR-10."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from dcgan_dist.evaluation.classifiers import svm
from dcgan_dist.evaluation.encoders.discriminator import DiscriminatorFeatures
from dcgan_dist.evaluation.probe import accuracy, load
from dcgan_dist.evaluation.task import Task
from dcgan_dist.evaluation.tasks.labeled import open_labeled
from dcgan_dist.model.published_weights import load_published
from dcgan_dist.storage import Place

KNOWN, COST = 0.6805, 1e-4
"""Test accuracy of `LinearSVC(C=1e-4)` on 12,288 features (four layers), 4,000 training and 2,000 test images."""


def first(task: Task, train: int, test: int) -> Task:
    """The first images of each split, in the order of the shards."""
    counts = {"train": train, "test": test}
    splits = {}
    for name, number in counts.items():
        labeled = getattr(task, name)
        back = np.argsort(labeled.samples)[:number]
        splits[name] = replace(labeled, samples=labeled.samples[back], labels=labeled.labels[back])
    return replace(task, **splits)


def test_published_features_are_worth_what_another_program_found(
    published: Path, shared_data: Callable[[str], Path], here: Callable[..., Any]
) -> None:
    task = open_labeled("cifar10", Place(str(shared_data("cifar10"))), 32, resize=False, seed=0)
    task = first(task, 4_000, 2_000)
    assert task.train.samples.tolist() == list(range(4_000))
    evaluators = here(1)
    load(evaluators, [task])
    encoder: Any = DiscriminatorFeatures(load_published(published).imagenet_discriminator)
    encoder = encoder.combine(evaluators.each("gather", task.name, encoder))
    ((features, _),) = evaluators.each("encode", task.name, encoder, torch.float32)
    assert features == 12_288
    evaluators.each("pose", np.arange(4_000))
    weights = svm.train(evaluators.svm, svm.measure(evaluators.svm, features), 10, COST).weights
    (counts,) = evaluators.each("confusion", weights, None)
    assert counts.sum() == 2_000
    assert abs(accuracy(counts) - KNOWN) <= 0.003
