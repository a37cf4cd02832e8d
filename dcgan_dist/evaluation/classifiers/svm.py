"""One-vs-rest linear support vector machines with the squared hinge loss (L2-SVM), all classes at once; no Ray.

For features x with a 1 appended, and for each class with targets y in {-1, 1}, the weights minimise

    f(w) = |w|^2 / 2 + C * sum over images of max(0, 1 - y * (w . x))^2

which is what `sklearn.svm.LinearSVC` minimises by default: the intercept is part of w, and so is regularised (paper,
section 5; published code, svhn).

The images may lie in several parts, each with its own features; only sums over parts travel. The method is Newton's.
An image whose margin is below 1 has the curvature 2C, the others have none, so that a direction is a linear system. It
is solved by conjugate gradients, which cost one look at the features for each product. Second moments of features of
images lie many orders of magnitude apart, the first one being that of their mean. So the system is solved exactly in
the space of the largest ones, which needs the features in that space only, and the rest is taken for as large as the
least of those. The space depends neither on C nor on the labels: it is found once, from some thousand images (Nyström's
method; Frangella, Tropp and Udell, 2023), and serves a whole path of C. Along a direction the loss is piecewise
quadratic in one number per class, and is minimised exactly from margins alone.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from dcgan_dist.evaluation.actor_state import Stage, makes, reads

BLOCK_BYTES = 8 << 20
"""Features of a block of images as float32: what one product reads, the next one finds in the processor's cache."""
TOLERANCE = 1e-4
"""Relative gain in the loss: training ends with the step that gains no more in any class. What is left is far less."""
MAX_STEPS = 50
ACCURACY = 0.05, 0.3
"""Relative accuracy of a direction: the finest, and the roughest. What the last step leaves is the square of the finest
one of what it gained."""
MAX_LOOKS = 20
"""Most evaluations of the derivatives in one search along a direction."""
MAX_PRODUCTS = 200
"""Most products for the solution of one linear system."""
RANK = 256
"""Dimensions of the space in which the system is solved exactly. 512 save a fifth of the products for C 0.01,
hardly any for 0.0001, and cost more than that."""
SKETCH_IMAGES = 8_192
"""Images, over all parts, that they are estimated from."""


class Reduce(Protocol):
    """Calls a method of every `Part`, and adds up what comes back, tensor by tensor."""

    def __call__(self, name: str, /, *arguments: Any) -> tuple[Tensor, ...]: ...


class Part:
    """Some of the images with their features, which stay here. K classes, F features; weights are [K, F + 1]."""

    def __init__(self, features: Tensor, labels: Tensor, classes: int) -> None:
        """`features`: float32 or float16 [n, F]; `labels`: int64 [n], from 0."""
        self._features, self._labels = features, labels
        self._signs = torch.full((len(labels), classes), -1.0)
        self._signs[torch.arange(len(labels)), labels] = 1.0
        self._rows = max(1, BLOCK_BYTES // (4 * features.shape[1]))
        self._inside: Tensor | None = None

    @reads
    def sketch(self, probes: Tensor, images: int) -> tuple[Tensor, Tensor]:
        """Sum over the first so many images of x x^T, times probes, both [r, F + 1]; and how many they are."""
        out = torch.zeros_like(probes)
        for _, block in self._blocks(images):
            self._add(out, self._times(probes, block), block)
        return out, torch.tensor(min(images, len(self._labels)))

    @makes(Stage.WEIGHTS)
    def begin(self, weights: Tensor, vectors: Tensor) -> tuple[()]:
        """Take weights, and the orthonormal vectors [r, F + 1] of a space, which stay the same for this part."""
        self._margins = self._signs * self._outputs(weights)
        if self._inside is None:
            self._inside = torch.empty(len(self._labels), len(vectors))
            for rows, block in self._blocks():
                self._inside[rows] = self._times(vectors, block).T
        return ()

    @makes(Stage.ITERATION, adds=True)
    def slope(self) -> tuple[Tensor, Tensor, Tensor]:
        """Sum of the squared hinge by class, float64 [K], its gradient [K, F + 1], and images below 1, [K]."""
        missing = (1 - self._margins).clamp_(min=0)
        self._active = (missing > 0).T.float()
        back, outputs = torch.zeros(missing.shape[1], self._features.shape[1] + 1), (-2 * self._signs * missing).T
        for rows, block in self._blocks():
            self._add(back, outputs[:, rows], block)
        return missing.double().square().sum(0), back, self._active.sum(1)

    @reads
    def inside(self) -> tuple[Tensor]:
        """Sum of x x^T in that space over the images with a margin below 1, by class: [K, r, r]."""
        assert self._inside is not None, "begin comes first"
        return (torch.stack([self._inside.T @ (self._inside * active[:, None]) for active in self._active]),)

    @reads
    def curve(self, direction: Tensor) -> tuple[Tensor]:
        """Second derivative of the sum of the squared hinge, times a direction; both [K, F + 1]."""
        out = torch.zeros_like(direction)
        for rows, block in self._blocks():
            self._add(out, self._times(direction, block).mul_(self._active[:, rows]), block)
        return (out.mul_(2),)

    @makes(Stage.ITERATION, adds=True)
    def aim(self, direction: Tensor) -> tuple[()]:
        """Take a direction to look along."""
        self._changes = self._signs * self._outputs(direction)
        return ()

    @reads
    def along(self, steps: Tensor) -> tuple[Tensor]:
        """First two derivatives of the sum of the squared hinge at steps [K] along the direction: float64 [2, K]."""
        missing = (1 - self._margins - steps.float() * self._changes).clamp_(min=0)
        slope = -2 * (missing * self._changes).sum(0, dtype=torch.float64)
        return (torch.stack([slope, 2 * (self._changes.square() * (missing > 0)).sum(0, dtype=torch.float64)]),)

    @makes(Stage.ITERATION, adds=True)
    def move(self, steps: Tensor) -> tuple[()]:
        """Go steps [K] along the direction."""
        self._margins += steps.float() * self._changes
        return ()

    @reads
    def predict(self, weights: Tensor) -> Tensor:
        """int64 [n]: the class that weights give each image."""
        return self._outputs(weights).argmax(1)

    def _outputs(self, weights: Tensor) -> Tensor:
        out = torch.empty_like(self._signs)
        for rows, block in self._blocks():
            out[rows] = self._times(weights, block).T
        return out

    @staticmethod
    def _times(weights: Tensor, block: Tensor) -> Tensor:
        """[k, F + 1], [n, F] -> [k, n]. The classes come first: a product as wide as the features is twice as fast."""
        return torch.addmm(weights[:, -1:], weights[:, :-1], block.T)

    @staticmethod
    def _add(out: Tensor, outputs: Tensor, block: Tensor) -> None:
        out[:, :-1].addmm_(outputs, block)
        out[:, -1] += outputs.sum(1)

    def _blocks(self, images: int | None = None) -> Iterator[tuple[slice, Tensor]]:
        end = len(self._labels) if images is None else min(images, len(self._labels))
        for first in range(0, end, self._rows):
            rows = slice(first, min(first + self._rows, end))
            yield rows, self._features[rows].float()


@dataclass(frozen=True, eq=False)
class Moments:
    """The largest eigenvalues of the mean of x x^T over all images.

    Attributes:
        values: float32 [r], falling.
        vectors: float32 [r, F + 1], orthonormal.
    """

    values: Tensor
    vectors: Tensor


@dataclass(frozen=True, eq=False)
class _Preconditioner:
    """About the inverse of the curvature of each class, 1 + 2C * the sum of x x^T over its images below 1.

    Attributes:
        vectors: [r, F + 1], of the space in which it is exact.
        factors: of the curvature there, [K, r, r], by Cholesky.
        rest: the curvature elsewhere, [K, 1].
    """

    vectors: Tensor
    factors: Tensor
    rest: Tensor

    def __call__(self, right: Tensor) -> Tensor:
        inside = right @ self.vectors.T
        solved = torch.cholesky_solve(inside[:, :, None], self.factors)[:, :, 0]
        return right / self.rest + (solved - inside / self.rest) @ self.vectors


def measure(reduce: Reduce, features: int, rank: int = RANK) -> Moments:
    """Estimate the moments of F features by a randomised Nyström approximation."""
    rank = min(rank, features + 1)
    probes = torch.linalg.qr(torch.randn(features + 1, rank, generator=torch.Generator().manual_seed(0)))[
        0
    ].T.contiguous()
    sketched, used = reduce("sketch", probes, SKETCH_IMAGES)
    sketched = sketched / used
    # A shift, taken away again, keeps the small matrix positive in spite of rounding.
    shift = torch.finfo(torch.float32).eps * sketched.norm() * 10
    sketched += shift * probes
    small = probes.double() @ sketched.double().T
    factor = torch.linalg.cholesky((small + small.T) / 2)
    root = torch.linalg.solve_triangular(factor, sketched.double(), upper=False)
    squares, turned = torch.linalg.eigh(root @ root.T)
    squares, turned = squares.flip(0), turned.flip(1)
    vectors = (turned.T @ root) / squares.clamp(min=1e-300).sqrt()[:, None]
    return Moments((squares - shift).clamp(min=0).float(), vectors.float())


@dataclass(frozen=True, eq=False)
class Machine:
    """The result of training.

    Attributes:
        weights: float32 [K, F + 1], the last column for the intercept.
        losses: float64 [K], of each class, one step before the end.
        steps: of Newton's method.
        products: looks at all features.
    """

    weights: Tensor
    losses: Tensor
    steps: int
    products: int


def train(reduce: Reduce, moments: Moments, classes: int, cost: float, start: Tensor | None = None) -> Machine:
    """The weights that minimise the loss, up to `TOLERANCE` of it.

    Args:
        cost: C.
        start: weights to begin with, for example those for another C; else zeros.
    """
    weights = torch.zeros(classes, moments.vectors.shape[1]) if start is None else start.clone()
    reduce("begin", weights, moments.vectors)
    products, first, number = 1, None, 0
    while number < MAX_STEPS:
        number += 1
        hinge, back, active = reduce("slope")
        losses = _dot(weights, weights) / 2 + cost * hinge
        gradient = weights + cost * back
        size = _dot(gradient, gradient).sqrt()
        first = size if first is None else first
        # Far from the minimum the curvature will change anyway: a rough direction does.
        accuracy = (size / first).sqrt().clamp(*ACCURACY)
        (inside,) = reduce("inside")
        around = _Preconditioner(
            moments.vectors,
            torch.linalg.cholesky(2 * cost * inside + torch.eye(inside.shape[1])),
            1 + 2 * cost * active[:, None] * moments.values[-1],
        )
        direction, used = _solve(reduce, around, cost, -gradient, accuracy)
        gain = -_dot(gradient, direction) / 2
        reduce("aim", direction)
        steps = _search(reduce, cost, weights, direction)
        reduce("move", steps)
        weights += steps.float()[:, None] * direction
        products += used + 2
        if bool((gain <= TOLERANCE * losses).all()):
            break
    return Machine(weights, losses, number, products)


def _solve(reduce: Reduce, around: _Preconditioner, cost: float, right: Tensor, accuracy: Tensor) -> tuple[Tensor, int]:
    """Preconditioned conjugate gradients for all classes at once: the solution, and how many products it took."""
    solution, rest = torch.zeros_like(right), right.clone()
    towards = around(rest)
    size = _dot(rest, towards)
    enough = size * accuracy.square()
    going = torch.ones_like(size, dtype=torch.bool)
    number = 0
    while number < MAX_PRODUCTS:
        number += 1
        (curve,) = reduce("curve", towards)
        curved = towards + cost * curve
        length = torch.where(going, size / _dot(towards, curved), 0.0).float()[:, None]
        solution += length * towards
        rest -= length * curved
        better = around(rest)
        before, size = size, _dot(rest, better)
        going &= size > enough
        if not bool(going.any()):
            break
        towards = better + torch.where(going, size / before, 0.0).float()[:, None] * towards
    return solution, number


def _search(reduce: Reduce, cost: float, weights: Tensor, direction: Tensor) -> Tensor:
    """How far to go along a direction in each class, float64 [K]: there the loss is convex and piecewise quadratic."""
    across, along = _dot(weights, direction), _dot(direction, direction)
    low, high = torch.zeros_like(along), torch.full_like(along, torch.inf)
    steps = torch.ones_like(along)
    for _ in range(MAX_LOOKS):
        (derivatives,) = reduce("along", steps)
        slope = across + steps * along + cost * derivatives[0]
        curve = along + cost * derivatives[1]
        low, high = torch.where(slope < 0, steps, low), torch.where(slope > 0, steps, high)
        change = slope / curve
        following = steps - change
        outside = (following <= low) | (following >= high)
        following = torch.where(outside & high.isfinite(), (low + high) / 2, following)
        if bool((change.abs() <= 1e-4 * steps).all()):
            break
        steps = following
    return steps


def _dot(one: Tensor, other: Tensor) -> Tensor:
    """Dot products of the rows, float64 [K]."""
    return (one * other).sum(1, dtype=torch.float64)


def together(parts: Sequence[Part]) -> Reduce:
    """`Reduce` over parts in this process."""

    def reduce(name: str, /, *arguments: Any) -> tuple[Tensor, ...]:
        results = [getattr(part, name)(*arguments) for part in parts]
        return tuple(sum(tensors[1:], tensors[0]) for tensors in zip(*results, strict=True))

    return reduce
