"""The classifier of probes against scikit-learn's, on real features.

python -m benchmarks.svm --data FOLDER --published FOLDER [--json benchmarks/results/svm.json]

20,000 CIFAR-10 images, 7,168 features of the published SVHN discriminator each. Every solver has both cores. Ours runs
on evaluation actors as in a probe: what is timed holds all that travels.
"""

import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.linear_model import SGDClassifier
from sklearn.svm import LinearSVC

from benchmarks.report import Bar, Cell, Report, Table, parser, publish
from dcgan_dist.cluster.connect import connected, set_environment
from dcgan_dist.evaluation.classifiers import svm
from dcgan_dist.evaluation.encoders.discriminator import DiscriminatorFeatures
from dcgan_dist.evaluation.encoders.encoder import fit
from dcgan_dist.evaluation.service.evaluator import Evaluator
from dcgan_dist.evaluation.task import PUBLISHED_COSTS, Task
from dcgan_dist.evaluation.tasks.labeled import open_labeled
from dcgan_dist.model.published_weights import load_published
from dcgan_dist.storage import place

IMAGES, SIZE, CLASSES = 20_000, 32, 10
COST, OTHER_COST = 1e-3, 1e-4
"""C of the comparison: the middle of the grid; and its least, which does best on these features."""
RUNS = 3
SGD_EPOCHS = 50
MIN_SPEEDUP, MAX_PATH = 15.0, 2.5


def losses(weights: np.ndarray, features: torch.Tensor, labels: torch.Tensor, cost: float) -> float:
    """Of all classes together, float64, from the definition."""
    wide, total = torch.from_numpy(weights).double(), 0.0
    for rows in torch.split(torch.arange(len(labels)), 1_000):
        signs = torch.where(labels[rows, None] == torch.arange(CLASSES), 1.0, -1.0).double()
        outputs = features[rows].double() @ wide[:, :-1].T + wide[:, -1]
        total += float((1 - signs * outputs).clamp(min=0).square().sum())
    return float(wide.square().sum()) / 2 + cost * total


def accuracy(weights: np.ndarray, features: torch.Tensor, labels: torch.Tensor) -> float:
    """In percent."""
    wide = torch.from_numpy(weights).float()
    told = (features @ wide[:, :-1].T + wide[:, -1]).argmax(1)
    return 100 * float((told == labels).double().mean())


def timed(act: Callable[[], Any]) -> tuple[float, Any]:
    """Seconds, and what came of it."""
    start = time.perf_counter()
    result = act()
    return time.perf_counter() - start, result


def repeated(act: Callable[[], np.ndarray]) -> tuple[list[float], np.ndarray]:
    """Seconds of several calls, and what came of the last one."""
    runs = [timed(act) for _ in range(RUNS)]
    return [seconds for seconds, _ in runs], runs[-1][1]


class Actors:
    """Evaluation actors with features, ready to learn."""

    def __init__(self, number: int, task: Task, encoder: DiscriminatorFeatures) -> None:
        from dcgan_dist.evaluation.service.pool import Pool

        self._pool = Pool(number, cpus=1, gpus=0, threads=0)
        self._pool.each("load", [task])
        encoded = fit(encoder, lambda encoder: self._pool.each("gather", task.name, encoder))
        self.features = self._pool.each("encode", task.name, encoded, torch.float32)[0][0]
        self._pool.each("pose", np.arange(len(task.train)))

    def one(self, cost: float) -> np.ndarray:
        """A classifier from nothing, its preconditioner too."""
        moments = svm.measure(self._pool.svm, self.features)
        weights: np.ndarray = svm.train(self._pool.svm, moments, CLASSES, cost).weights.numpy()
        return weights

    def path(self) -> None:
        """Classifiers for all C of the grid, each from the one before."""
        moments, weights = svm.measure(self._pool.svm, self.features), None
        for cost in PUBLISHED_COSTS:
            weights = svm.train(self._pool.svm, moments, CLASSES, cost, weights).weights

    def close(self) -> None:
        """End them."""
        self._pool.close()


def measure(data: str, published: Path) -> Report:
    """All solvers, one after the other."""
    task = open_labeled("cifar10", place(data), SIZE, resize=False, seed=0)
    train = replace(task.train, samples=task.train.samples[:IMAGES], labels=task.train.labels[:IMAGES])
    task = replace(task, train=train)
    network = load_published(published).svhn_discriminator.to(memory_format=torch.channels_last)
    encoder = DiscriminatorFeatures(network)

    here = Evaluator(0, 1, 0)
    here.load([task])
    here.encode(task.name, fit(encoder, lambda encoder: [here.gather(task.name, encoder)]), torch.float32)
    features, test = here._features(here._train), here._features(here._test)
    labels, test_labels = here._train.labels, here._test.labels

    found: dict[tuple[str, float], tuple[list[float], np.ndarray]] = {}
    paths: list[float] = []
    singles: list[float] = []
    set_environment("")
    with connected("", 4):
        for number in (1, 2):
            actors = Actors(number, task, encoder)
            for cost in (OTHER_COST, COST):
                name = f"ours, {number} actor{'' if number == 1 else 's'}"
                found[name, cost] = repeated(partial(actors.one, cost))
            if number == 1:
                singles = [timed(partial(actors.one, cost))[0] for cost in PUBLISHED_COSTS]
                paths = [timed(actors.path)[0] for _ in range(RUNS)]
            actors.close()
    wide, truth = features.numpy(), labels.numpy()
    others: dict[str, Callable[[float], Any]] = {
        "LinearSVC, as it is by default": lambda cost: LinearSVC(C=cost).fit(wide, truth),
        # By default it makes 1,000 epochs, and is no nearer after them.
        f"SGDClassifier, {SGD_EPOCHS} epochs": lambda cost: SGDClassifier(
            loss="squared_hinge", alpha=1 / (2 * cost * IMAGES), max_iter=SGD_EPOCHS, n_jobs=2, random_state=0
        ).fit(wide, truth),
    }
    for name, learn in others.items():
        for cost in (OTHER_COST, COST):
            seconds, made = timed(partial(learn, cost))
            found[name, cost] = [seconds], np.hstack([made.coef_, made.intercept_[:, None]])

    rows: list[list[Cell]] = []
    ratios: dict[str, float] = {}
    bars = []
    for cost in (OTHER_COST, COST):
        ours, mine = found["ours, 1 actor", cost]
        objective = losses(mine, features, labels, cost)
        for (name, of), (runs, weights) in found.items():
            if of != cost:
                continue
            over = losses(weights, features, labels, cost) / objective
            slower = statistics.median(runs) / statistics.median(ours)
            right = accuracy(weights, test, test_labels)
            rows.append([name, f"{cost:g}", statistics.median(runs), f"{over:.8g}", right])
            ratios[f"{name}, C {cost:g}: seconds over ours"] = slower
            if name.startswith("LinearSVC"):
                bars += [
                    Bar(f"C {cost:g}: times faster than LinearSVC", slower, MIN_SPEEDUP),
                    Bar(f"C {cost:g}: objective over LinearSVC's", 1 / over, at_most=1.0),
                ]
    path = statistics.median(paths) / max(singles)
    bars.append(Bar("a path of 7 C over the slowest single one", path, at_most=MAX_PATH))
    return Report(
        command="python -m benchmarks.svm --data FOLDER --published FOLDER --json benchmarks/results/svm.json",
        tables={
            "svm": Table(["solver", "C", "s", "objective over ours", "% of 10,000 test images right"], rows),
            "svm-path": Table(
                ["what", "s"],
                [
                    *((f"C {cost:g} alone", seconds) for cost, seconds in zip(PUBLISHED_COSTS, singles, strict=True)),
                    ("all of them, each from the one before", statistics.median(paths)),
                ],
            ),
        },
        ratios=ratios | {"path": path},
        samples={f"{name}, C {cost:g}": runs for (name, cost), (runs, _) in found.items()} | {"path": paths},
        bars=bars,
    )


def main() -> None:
    """The command."""
    options = parser("the classifier of probes against scikit-learn's")
    options.add_argument("--data", required=True, metavar="FOLDER", help="CIFAR-10, as train-*.tar and test-*.tar")
    options.add_argument("--published", required=True, type=Path, metavar="FOLDER", help="the authors' weights")
    given = options.parse_args()
    publish(measure(given.data, given.published), given.json)


if __name__ == "__main__":
    main()
