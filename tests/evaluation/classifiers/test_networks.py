"""Networks that learn from images, by the protocol of a probe."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from dcgan_dist.evaluation.classifiers.networks import Networks, judged_steps
from dcgan_dist.evaluation.encoders.nothing import NoFeatures
from dcgan_dist.evaluation.probe import accuracy, load, probe
from dcgan_dist.evaluation.task import Task
from dcgan_dist.model.classification import LabelLearner, Learning
from dcgan_dist.settings import NetworkSettings, OptimizationSettings

LEARNING = Learning(
    NetworkSettings(image_size=16, discriminator_maps=4),
    OptimizationSettings(batch_size=30, lr=4e-3, precision="fp32"),
    dropout=0.1,
    seed=5,
    total_steps=27,
)


def test_a_network_is_chosen_by_the_images_held_out_and_tested_once(bands: Task, here: Callable[..., Any]) -> None:
    evaluators = here(2)
    load(evaluators, [bands])
    result = probe(evaluators, bands, NoFeatures({"it": 1}), torch.float32, Networks(LEARNING))
    assert (result["features"], result["feature_bytes"]) == (0, 0)
    every, few = result["all_labels"], result["few_labels"]
    tried = every["tried"]
    assert [one["trained_images"] for one in tried] == [90 * part for part in range(1, len(tried) + 1)]
    assert tried[0]["passes"] == 90 / 700
    best = max(tried, key=lambda one: one["held_out_accuracy"])
    assert every["trained_images"] == best["trained_images"]
    assert len(few["draws"]) == 3
    # What is tested is a network that was trained anew, on all training images, for that long.
    learner = LabelLearner(
        LEARNING, bands.train.read(np.arange(900)), bands.train.labels, bands.classes, torch.device("cpu")
    )
    learner.train_to(every["trained_images"] // 30)
    test = bands.test.read(np.arange(400))
    counts = learner.frozen(128).confusion(test, bands.test.labels, bands.classes, torch.device("cpu"))
    assert every["accuracy"] == accuracy(counts)
    assert min(every["accuracy"], few["accuracy"]) > 0.6


def test_training_goes_on_only_from_the_same_images(bands: Task, here: Callable[..., Any]) -> None:
    evaluators = here(1)
    load(evaluators, [bands])
    networks = Networks(LEARNING)
    some, others = np.arange(0, 400), np.arange(400, 800)
    networks.begin(evaluators, bands, 0, some)

    def weights(places: np.ndarray, *values: float) -> torch.Tensor:
        made = None
        for value in values:
            made = networks.learn(places, value, made)
        assert made is not None
        found: torch.Tensor = made.state.state["network"]["discriminator.head.weight"]
        return found

    assert torch.equal(weights(some, 90, 240), weights(some, 240))
    before = networks.learn(some, 90)
    anew = networks.learn(others, 240, before).state.state["network"]["discriminator.head.weight"]
    assert torch.equal(anew, weights(others, 240))


def test_one_of_several_evaluators_trains_and_all_test(bands: Task, here: Callable[..., Any]) -> None:
    found = []
    for parts in (1, 3):
        evaluators = here(parts)
        load(evaluators, [bands])
        networks = Networks(replace(LEARNING, total_steps=9))
        networks.begin(evaluators, bands, 0, np.arange(700))
        made = networks.learn(np.arange(700), 180)
        found.append([networks.confusion(made, places) for places in (None, np.arange(700, 900))])
    assert [counts.sum() for counts in found[0]] == [400, 200]
    for one, two in zip(*found, strict=True):
        assert np.array_equal(one, two)


@pytest.mark.parametrize(("total", "steps"), [(27, [*range(3, 28, 3)]), (4, [1, 2, 3, 4]), (1, [1])])
def test_a_network_is_judged_after_each_ninth_of_its_training(total: int, steps: list[int]) -> None:
    assert judged_steps(total) == steps


def test_networks_of_one_channel_see_shades_of_gray(bands: Task, here: Callable[..., Any]) -> None:
    evaluators = here(2)
    load(evaluators, [bands])
    networks = Networks(replace(LEARNING, networks=replace(LEARNING.networks, channels=1)))
    networks.begin(evaluators, bands, 0, np.arange(700))
    made = networks.learn(np.arange(700), 810)
    assert made.state.state["network"]["discriminator.layers.0.linear.weight"].shape == (4, 1, 5, 5)
    assert accuracy(networks.confusion(made, None)) > 0.6
