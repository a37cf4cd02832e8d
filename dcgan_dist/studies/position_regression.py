"""Which hidden maps are large where an object is: a logistic regression over the positions of the maps (paper, section
6.3.1); no Ray."""

from collections.abc import Sequence
from typing import Final

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from dcgan_dist.model.randomness import stream
from dcgan_dist.studies.judges.boxes import Box

PENALTIES: Final = (1.0, 10.0, 100.0, 1_000.0, 10_000.0)
"""On half the squares of the weights of standardized maps; the paper names none."""
_FOLDS: Final = 5


def inside(boxes: Sequence[Box], side: int) -> NDArray[np.bool_]:
    """The positions of maps whose centers lie in one of the boxes: bool [side, side]."""
    centers = (np.arange(side) + 0.5) / side
    found = np.zeros((side, side), bool)
    for left, top, right, bottom in boxes:
        rows, columns = (centers >= top) & (centers < bottom), (centers >= left) & (centers < right)
        found |= rows[:, None] & columns
    return found


def weights_of(maps: Tensor, where: NDArray[np.bool_], seed: int) -> Tensor:
    """The weight of each map: above 0 where it speaks for the object; float64 [C], for standardized maps.

    Positive examples are all positions inside; negative ones as many others, at random, of the same samples.

    Args:
        maps: [n, C, s, s] of samples that show the object.
        where: bool [n, s, s], positions inside; at least one in each sample.
        seed: of what is drawn at random.
    """
    random = stream(seed, "positions")
    rows, answers, samples = [], [], []
    for number, (one, mask) in enumerate(zip(maps, where, strict=True)):
        positions = one.flatten(1).T.double()
        inner, outer = np.flatnonzero(mask), np.flatnonzero(~mask)
        others = random.choice(outer, min(len(inner), len(outer)), replace=False)
        rows += [positions[inner], positions[others]]
        answers += [torch.ones(len(inner)), torch.zeros(len(others))]
        samples += [number] * (len(inner) + len(others))
    x, y, sample = torch.cat(rows), torch.cat(answers).double(), torch.tensor(samples)
    x = (x - x.mean(0)) / x.std(0).clamp(min=1e-6)
    fold = torch.from_numpy(random.permutation(len(maps)) % _FOLDS)[sample]
    losses = [_held_out_losses(x, y, fold, penalty) for penalty in PENALTIES]
    return _fit(x, y, PENALTIES[simplest(losses)])[:-1]


def simplest(losses: Sequence[Sequence[float]]) -> int:
    """Number of the strongest penalty that is as good as the best one within a standard error.

    Weights of a weak penalty tell held-out positions as well, but of two maps that draw an object together they may
    give one a weight below 0 (the rule is that of Breiman et al., 1984).

    Args:
        losses: of each penalty, in rising order, on each of the held-out parts.
    """
    means, found = [float(np.mean(one)) for one in losses], np.array(losses)
    best = int(np.argmin(means))
    error = float(found[best].std(ddof=1)) / found.shape[1] ** 0.5
    return max(number for number, mean in enumerate(means) if mean <= means[best] + error)


def _held_out_losses(x: Tensor, y: Tensor, fold: Tensor, penalty: float) -> list[float]:
    losses = []
    for number in range(_FOLDS):
        out = fold == number
        w = _fit(x[~out], y[~out], penalty)
        losses.append(float(F.binary_cross_entropy_with_logits(x[out] @ w[:-1] + w[-1], y[out])))
    return losses


def _fit(x: Tensor, y: Tensor, penalty: float) -> Tensor:
    """Weights, and the constant last."""
    w = torch.zeros(x.shape[1] + 1, dtype=torch.float64, requires_grad=True)
    search = torch.optim.LBFGS([w], max_iter=200, tolerance_grad=1e-7, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        search.zero_grad()
        told = F.binary_cross_entropy_with_logits(x @ w[:-1] + w[-1], y, reduction="sum")
        value = told + 0.5 * penalty * w[:-1].square().sum()
        torch.autograd.backward(value)
        return value

    with torch.enable_grad():
        search.step(loss)  # type: ignore[no-untyped-call]
    return w.detach()
