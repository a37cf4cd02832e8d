"""The whole of a probe, with evaluators in this process."""

import json
from collections.abc import Callable
from dataclasses import replace
from statistics import fmean, stdev
from typing import Any

import numpy as np
import pytest
import torch

from dcgan_dist.errors import DataError
from dcgan_dist.evaluation.classifiers.registry import Linear, Nearest
from dcgan_dist.evaluation.encoders.discriminator import DiscriminatorFeatures
from dcgan_dist.evaluation.encoders.pixels import PixelFeatures
from dcgan_dist.evaluation.probe import _past_the_best, accuracy, draw_labels, load, probe, recipe
from dcgan_dist.evaluation.results import encode
from dcgan_dist.evaluation.task import FewLabels, Task, order
from dcgan_dist.model.dcgan import Discriminator, initialize
from dcgan_dist.settings import NetworkSettings

COSTS = (1e-4, 1e-3, 1e-2)


def evaluated(here: Callable[..., Any], task: Task, parts: int = 1, encoder: Any = None) -> dict[str, Any]:
    evaluators = here(parts)
    load(evaluators, [task])
    return probe(evaluators, task, encoder or PixelFeatures(), torch.float32, Linear(COSTS))


def test_a_probe_tells_classes_apart_and_says_how(bands: Task, here: Callable[..., Any]) -> None:
    result = evaluated(here, bands)
    every, few = result["all_labels"], result["few_labels"]
    assert 0.75 < every["accuracy"] < 1
    assert every["low"] < every["accuracy"] < every["high"]
    assert every["accuracy"] == pytest.approx(
        np.average(every["accuracy_by_class"], weights=np.bincount(bands.test.labels))
    )
    best = max(every["tried"], key=lambda one: one["held_out_accuracy"])
    assert every["c"] == best["c"]
    assert [one["c"] for one in every["tried"]] == list(COSTS)[: len(every["tried"])]
    assert 1 / 3 < few["accuracy"] < every["accuracy"]
    assert few["accuracy"] == pytest.approx(fmean(few["draws"]))
    assert few["high"] - few["low"] == pytest.approx(2 * 1.96 * stdev(few["draws"]))
    assert (result["features"], result["train_images"], result["test_images"]) == (768, 900, 400)


def test_accuracies_are_those_on_test_images_and_none_that_chose_the_setting(
    bands: Task, here: Callable[..., Any]
) -> None:
    # Accuracy on held-out training images would be high; here no test image has the label that it should have.
    wrong = replace(bands, test=replace(bands.test, labels=(bands.test.labels + 1) % bands.classes))
    result = evaluated(here, wrong)
    for part in (result["all_labels"], result["few_labels"]):
        assert part["accuracy"] < 0.3
        assert max(one["held_out_accuracy"] for one in part["tried"]) > 0.5
    assert max(result["few_labels"]["draws"]) < 0.4


@pytest.mark.filterwarnings("error")
def test_a_class_without_test_images_has_no_accuracy_and_the_result_is_json(
    bands: Task, here: Callable[..., Any]
) -> None:
    places = np.flatnonzero(bands.test.labels != 1)
    without = replace(bands.test, samples=bands.test.samples[places], labels=bands.test.labels[places])
    result = evaluated(here, replace(bands, test=without, few=None))
    by_class = result["all_labels"]["accuracy_by_class"]
    assert [one is None for one in by_class] == [False, True, False]
    assert json.loads(encode(result, "it"))["all_labels"]["accuracy_by_class"] == by_class


def test_features_that_are_not_finite_are_told_before_anything_is_learned(
    bands: Task, here: Callable[..., Any]
) -> None:
    network = Discriminator(NetworkSettings(image_size=16, discriminator_maps=4))
    initialize(network, 0)
    with torch.no_grad():
        next(network.parameters())[0] = torch.nan
    with pytest.raises(DataError, match="features of task bands are not finite: the network has diverged"):
        evaluated(here, bands, 2, DiscriminatorFeatures(network))


def test_progress_says_what_the_setting_is(bands: Task, here: Callable[..., Any]) -> None:
    told: list[str] = []
    evaluators = here(1)
    load(evaluators, [bands])
    for classifiers in (Linear((1e-3,)), Nearest((7,))):
        probe(evaluators, bands, PixelFeatures(), torch.float32, classifiers, told.append)
    assert "C (inverse of regularization) 0.001, 1 of at most 1 that are tried" in told
    assert "20 labels a class, draw 2 of 2 to choose C (inverse of regularization)" in told
    assert "K (neighbors that vote) 7, the best, on all images" in told


def test_the_number_of_parts_changes_nothing(bands: Task, here: Callable[..., Any]) -> None:
    network = Discriminator(NetworkSettings(image_size=16, discriminator_maps=4))
    initialize(network, 0)
    one, three = (evaluated(here, bands, parts, DiscriminatorFeatures(network)) for parts in (1, 3))
    assert one["features"] == three["features"] == 16 * 12
    assert one["all_labels"]["accuracy"] == pytest.approx(three["all_labels"]["accuracy"], abs=0.006)
    assert one["few_labels"]["draws"] == pytest.approx(three["few_labels"]["draws"], abs=0.006)


def test_labels_that_mean_nothing_give_chance(bands: Task, here: Callable[..., Any]) -> None:
    random = np.random.default_rng(0)
    train, test = (replace(labeled, labels=random.permutation(labeled.labels)) for labeled in (bands.train, bands.test))
    result = evaluated(here, replace(bands, train=train, test=test, few=None))
    assert abs(result["all_labels"]["accuracy"] - 1 / 3) < 0.1


def test_the_images_held_out_are_not_learned_from_while_c_is_chosen(bands: Task, here: Callable[..., Any]) -> None:
    """With wrong labels on them, C that fits them worst would do best if they were learned from."""
    labels = bands.train.labels.copy()
    labels[-200:] = (labels[-200:] + 1) % 3
    wrong = replace(bands, train=replace(bands.train, labels=labels), few=None)
    tried = evaluated(here, wrong)["all_labels"]["tried"]
    assert all(one["held_out_accuracy"] < 0.25 for one in tried)


@pytest.mark.parametrize("draws", [1, 2])
def test_a_single_draw_has_no_deviation(draws: int, bands: Task, here: Callable[..., Any]) -> None:
    told: list[str] = []
    task = replace(bands, all_labels=False, few=FewLabels(per_class=20, choosing=1, draws=draws))
    evaluators = here(1)
    load(evaluators, [task])
    result = probe(evaluators, task, PixelFeatures(), torch.float32, Linear((1e-3,)), told.append)
    few = result["few_labels"]
    assert few["sd"] == (0 if draws == 1 else pytest.approx(stdev(few["draws"])))
    assert (few["sd"] > 0) == (few["low"] < few["accuracy"] < few["high"]) == (draws == 2)
    assert told[-1] == f"20 labels a class, draw {draws} of {draws}"
    assert "all_labels" not in result


def test_few_labels_are_drawn_evenly_and_the_same_for_a_seed() -> None:
    labels = np.random.default_rng(0).integers(0, 5, 1_000)
    places = draw_labels(labels, 30, seed=1, draw=0)
    assert np.bincount(labels[places]).tolist() == [30] * 5
    assert len(set(places.tolist())) == 150
    assert (np.diff(places) > 0).all()
    assert (places == draw_labels(labels, 30, seed=1, draw=0)).all()
    assert (places != draw_labels(labels, 30, seed=1, draw=1)).any()
    assert (places != draw_labels(labels, 30, seed=2, draw=0)).any()


def test_an_order_holds_each_image_once_and_depends_on_the_seed() -> None:
    assert sorted(order(100, 3)) == list(range(100))
    assert (order(100, 3) != order(100, 4)).any()


def test_accuracy_is_the_share_on_the_diagonal() -> None:
    assert accuracy(np.array([[3, 1], [0, 4]])) == 7 / 8


def test_a_recipe_tells_apart_what_gives_other_results(bands: Task) -> None:
    network = Discriminator(NetworkSettings(image_size=16, discriminator_maps=4))
    base = recipe(bands, PixelFeatures(), torch.float32, Linear(COSTS))
    assert base == recipe(bands, PixelFeatures(), torch.float32, Linear(COSTS))
    others = [
        recipe(bands, DiscriminatorFeatures(network), torch.float32, Linear(COSTS)),
        recipe(bands, PixelFeatures(), torch.float16, Linear(COSTS)),
        recipe(bands, PixelFeatures(), torch.float32, Linear((1.0,))),
        recipe(bands, PixelFeatures(), torch.float32, Nearest()),
        recipe(replace(bands, seed=1), PixelFeatures(), torch.float32, Linear(COSTS)),
        recipe(replace(bands, data="others"), PixelFeatures(), torch.float32, Linear(COSTS)),
        recipe(replace(bands, few=None), PixelFeatures(), torch.float32, Linear(COSTS)),
    ]
    assert all(other != base for other in others)
    assert (base["stored_as"], others[1]["stored_as"]) == ("float32", "float16")
    assert (base["few_labels"], others[-1]["few_labels"]) == ({"per_class": 20, "choosing": 2, "draws": 3}, None)


def test_no_larger_c_is_tried_after_two_that_do_worse() -> None:
    def past(*rights: float) -> bool:
        return _past_the_best([{"held_out_accuracy": right} for right in rights])

    assert not past(0.5, 0.4)
    assert past(0.5, 0.4, 0.45)
    assert not past(0.5, 0.4, 0.5)
    assert not past(0.4, 0.5, 0.45)
    assert past(0.4, 0.5, 0.45, 0.49)
