"""The classifier against scikit-learn's, over parts, and in half precision."""

from collections import Counter
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.svm import LinearSVC

from dcgan_dist.evaluation.classifiers import svm
from dcgan_dist.evaluation.classifiers.svm import Part, measure, together, train

CLASSES = 10


def data(images: int, features: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Features as layers give them: correlated, of unequal size, mostly above 0."""
    random = torch.Generator().manual_seed(seed)
    labels = torch.randint(0, CLASSES, (images,), generator=random)
    centers, mixed = torch.randn(CLASSES, 64, generator=random), torch.randn(64, features, generator=random)
    hidden = torch.randn(images, 64, generator=random) + 0.7 * centers[labels]
    noise = torch.randn(images, features, generator=random)
    found = torch.nn.functional.leaky_relu(hidden @ mixed / 8 + 0.5 * noise + 0.3, 0.2)
    return found * torch.logspace(-1, 0.5, features), labels


def losses(weights: np.ndarray, features: torch.Tensor, labels: torch.Tensor, cost: float) -> np.ndarray:
    """Of each class, float64, written from the definition."""
    signs = np.where(labels.numpy()[:, None] == np.arange(CLASSES), 1, -1)
    outputs = features.double().numpy() @ weights[:, :-1].T + weights[:, -1]
    hinge = (np.maximum(0, 1 - signs * outputs) ** 2).sum(0)
    found: np.ndarray = (weights**2).sum(1) / 2 + cost * hinge
    return found


def trained(parts: list[Part], features: int, cost: float) -> np.ndarray:
    reduce = together(parts)
    weights: np.ndarray = train(reduce, measure(reduce, features), CLASSES, cost).weights.double().numpy()
    return weights


def right(weights: np.ndarray, features: torch.Tensor, labels: torch.Tensor) -> float:
    told = (features.double().numpy() @ weights[:, :-1].T + weights[:, -1]).argmax(1)
    return float((told == labels.numpy()).mean())


@pytest.mark.parametrize("cost", [1e-4, 1e-2])
def test_it_finds_the_minimum_that_scikit_learn_finds(cost: float) -> None:
    features, labels = data(6_000, 1_024)
    learned, others = (features[:5_000], labels[:5_000]), (features[5_000:], labels[5_000:])
    theirs = LinearSVC(C=cost, tol=1e-8, max_iter=1_000_000).fit(learned[0].double().numpy(), learned[1].numpy())
    theirs = np.hstack([theirs.coef_, theirs.intercept_[:, None]])
    ours = trained([Part(*learned, CLASSES)], 1_024, cost)
    assert losses(ours, *learned, cost).sum() <= losses(theirs, *learned, cost).sum() * (1 + 1e-4)
    assert (losses(ours, *learned, cost) <= losses(theirs, *learned, cost) * (1 + 1e-3)).all()
    assert abs(right(ours, *others) - right(theirs, *others)) <= 0.001


def test_it_does_not_matter_how_images_lie_in_parts() -> None:
    features, labels = data(1_000, 200)
    whole = trained([Part(features, labels, CLASSES)], 200, 1e-3)
    bounds = [(0, 100), (100, 100), (100, 1_000)]
    parts = trained([Part(features[a:b], labels[a:b], CLASSES) for a, b in bounds], 200, 1e-3)
    assert losses(parts, features, labels, 1e-3) == pytest.approx(losses(whole, features, labels, 1e-3), rel=1e-5)


def test_features_in_half_precision_give_nearly_the_same() -> None:
    features, labels = data(1_000, 200)
    full = trained([Part(features, labels, CLASSES)], 200, 1e-3)
    half = trained([Part(features.half(), labels, CLASSES)], 200, 1e-3)
    assert losses(half, features, labels, 1e-3) == pytest.approx(losses(full, features, labels, 1e-3), rel=1e-3)


def test_where_it_begins_changes_the_way_and_not_the_end() -> None:
    features, labels = data(1_000, 200)
    reduce = together([Part(features, labels, CLASSES)])
    moments = measure(reduce, 200)
    near = train(reduce, moments, CLASSES, 1e-3)
    cold, warm = (train(reduce, moments, CLASSES, 2e-3, start) for start in (None, near.weights))
    assert warm.products < cold.products
    ends = [losses(machine.weights.double().numpy(), features, labels, 2e-3) for machine in (cold, warm)]
    assert ends[0] == pytest.approx(ends[1], rel=1e-5)


def test_at_the_end_there_is_no_slope_left() -> None:
    features, labels = data(500, 50)
    reduce = together([Part(features, labels, CLASSES)])
    weights = train(reduce, measure(reduce, 50), CLASSES, 1e-2).weights.double()
    signs = torch.where(labels[:, None] == torch.arange(CLASSES), 1.0, -1.0).double()
    with_one = torch.cat([features.double(), torch.ones(500, 1)], 1)
    missing = (1 - signs * (with_one @ weights.T)).clamp(min=0)
    slope = weights - 2e-2 * (signs * missing).T @ with_one
    begun = 2e-2 * (signs.T @ with_one).norm(dim=1)
    assert float((slope.norm(dim=1) / begun).max()) < 1e-3


def test_the_preconditioner_is_the_inverse_where_it_knows_the_whole_space() -> None:
    features, labels = data(400, 40)
    reduce = together([Part(features[:100], labels[:100], CLASSES), Part(features[100:], labels[100:], CLASSES)])
    moments = measure(reduce, 40)
    with_one = torch.cat([features, torch.ones(400, 1)], 1)
    torch.testing.assert_close(moments.vectors @ moments.vectors.T, torch.eye(41), rtol=0, atol=1e-4)
    mean = moments.vectors.T @ (moments.values[:, None] * moments.vectors)
    torch.testing.assert_close(mean, with_one.T @ with_one / 400, rtol=1e-3, atol=1e-3)

    weights = torch.randn(CLASSES, 41, generator=torch.Generator().manual_seed(3)) * 0.1
    reduce("begin", weights, moments.vectors)
    reduce("slope")
    (inside,) = reduce("inside")
    right_side = torch.randn(CLASSES, 41, generator=torch.Generator().manual_seed(0))
    factors = torch.linalg.cholesky(torch.eye(41) + 0.02 * inside)
    found = svm._Preconditioner(moments.vectors, factors, torch.ones(CLASSES, 1))(right_side)
    signs = torch.where(labels[:, None] == torch.arange(CLASSES), 1.0, -1.0)
    for number in range(CLASSES):
        below = with_one[signs[:, number] * (with_one @ weights[number]) < 1]
        exact = torch.linalg.solve(torch.eye(41) + 0.02 * below.T @ below, right_side[number])
        torch.testing.assert_close(found[number], exact, rtol=1e-2, atol=1e-3)


def test_a_search_along_a_direction_finds_its_lowest_point() -> None:
    features, labels = data(300, 20)
    reduce = together([Part(features, labels, CLASSES)])
    weights = torch.zeros(CLASSES, 21)
    direction = torch.randn(CLASSES, 21, generator=torch.Generator().manual_seed(5)) * 0.1
    reduce("begin", weights, torch.eye(1, 21))
    _, back, _ = reduce("slope")
    direction *= -torch.sign((direction * back).sum(1, keepdim=True))
    reduce("aim", direction)
    steps = svm._search(reduce, 1e-2, weights, direction)
    at = [losses((steps[:, None] * factor * direction).numpy(), features, labels, 1e-2) for factor in (0.99, 1, 1.01)]
    assert (at[1] <= at[0]).all()
    assert (at[1] <= at[2]).all()


class Counted:
    """`Reduce` over one part that counts what looks at all features."""

    def __init__(self, part: Part) -> None:
        self._reduce = together([part])
        self.looks: Counter[str] = Counter()

    def __call__(self, name: str, /, *arguments: Any) -> tuple[torch.Tensor, ...]:
        if name in ("begin", "slope", "curve", "aim"):
            self.looks[name] += 1
        return self._reduce(name, *arguments)


def test_training_takes_few_looks_at_the_features_and_says_how_many() -> None:
    features, labels = data(1_000, 200)
    reduce = Counted(Part(features, labels, CLASSES))
    machine = train(reduce, measure(reduce, 200, rank=50), CLASSES, 1e-2)
    assert machine.products == sum(reduce.looks.values())
    assert machine.steps == reduce.looks["slope"] <= 8
    assert machine.products <= 57, "51 where this was written"
    end = losses(machine.weights.double().numpy(), features, labels, 1e-2)
    assert machine.losses.numpy() == pytest.approx(end, rel=2 * svm.TOLERANCE)


def test_training_ends_after_the_most_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    features, labels = data(500, 50)
    reduce = Counted(Part(features, labels, CLASSES))
    monkeypatch.setattr(svm, "MAX_STEPS", 2)
    assert train(reduce, measure(reduce, 50), CLASSES, 1e-2).steps == reduce.looks["aim"] == 2


@pytest.mark.parametrize(("accuracy", "most"), [(0.3, 3), (1e-3, 11)])
def test_a_direction_is_as_exact_as_it_has_to_be_in_each_class(
    accuracy: float, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    features, labels = data(400, 60)
    reduce = Counted(Part(features, labels, CLASSES))
    moments = measure(reduce, 60, rank=20)
    weights = torch.randn(CLASSES, 61, generator=torch.Generator().manual_seed(3)) * 0.1
    reduce("begin", weights, moments.vectors)
    _, back, active = reduce("slope")
    (inside,) = reduce("inside")
    factors = torch.linalg.cholesky(2e-2 * inside + torch.eye(20))
    around = svm._Preconditioner(moments.vectors, factors, 1 + 2e-2 * active[:, None] * moments.values[-1])
    right_side = -(weights + 1e-2 * back)
    wanted = torch.full((CLASSES,), accuracy, dtype=torch.float64)
    found, products = svm._solve(reduce, around, 1e-2, right_side, wanted)
    assert products == reduce.looks["curve"] <= most
    (curved,) = reduce("curve", found)
    rest = right_side - found - 1e-2 * curved
    left = (rest * around(rest)).sum(1) / (right_side * around(right_side)).sum(1)
    assert (left.sqrt() <= 1.1 * accuracy).all()
    monkeypatch.setattr(svm, "MAX_PRODUCTS", 2)
    assert svm._solve(reduce, around, 1e-2, right_side, wanted / 1e3)[1] == 2
