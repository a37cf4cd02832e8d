"""Activations of the networks' layers, by the names that settings give them, and as layers of PyTorch."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

SLOPE = 0.2
"""Of the LeakyReLU (paper, section 4)."""
MAXOUT_PIECES = 2
"""Linear maps of a maxout unit (original GAN, convolutions): its layers have twice the weights of others as wide."""


class Activation(NamedTuple):
    """What the units of a hidden layer make of their linear maps.

    Attributes:
        function: `[n, pieces * C, ...]` -> `[n, C, ...]`. It may write into what it is given: what comes before (a
            convolution or batch normalization) does not need its result for the backward pass.
        stock: the same as layers of PyTorch, for vectors `[n, C]` if it is given True, else for maps `[n, C, H, W]`.
        pieces: linear maps of each unit.
    """

    function: Callable[[Tensor], Tensor]
    stock: Callable[[bool], list[nn.Module]]
    pieces: int = 1


def _relu(x: Tensor) -> Tensor:
    return F.relu(x, inplace=True)


def _leaky_relu(x: Tensor) -> Tensor:
    return F.leaky_relu(x, SLOPE, inplace=True)


def _maxout(x: Tensor) -> Tensor:
    # The pieces of a unit lie side by side. Of equal ones the first learns; `amax` would share the gradient out.
    units: Tensor = x.unflatten(1, (-1, MAXOUT_PIECES)).max(2).values  # type: ignore[no-untyped-call]
    return units


def _stock_maxout(of_vectors: bool) -> list[nn.Module]:
    pool = nn.MaxPool1d(MAXOUT_PIECES) if of_vectors else nn.MaxPool3d((MAXOUT_PIECES, 1, 1))
    return [nn.Unflatten(1, (-1, MAXOUT_PIECES)), pool, nn.Flatten(1, 2)]


HIDDEN: Mapping[str, Activation] = {
    "relu": Activation(_relu, lambda _: [nn.ReLU()]),
    "leaky_relu": Activation(_leaky_relu, lambda _: [nn.LeakyReLU(SLOPE)]),
    "tanh": Activation(torch.tanh, lambda _: [nn.Tanh()]),
    "maxout": Activation(_maxout, _stock_maxout, MAXOUT_PIECES),
}
"""Of hidden layers."""


def _half_tanh(x: Tensor) -> Tensor:
    # sigmoid(x) on the scale from -1 to 1, as images have it everywhere outside of the networks.
    return torch.tanh(0.5 * x)


OUTPUT: Mapping[str, Callable[[Tensor], Tensor]] = {"tanh": torch.tanh, "sigmoid": _half_tanh, "linear": lambda x: x}
"""Of G's output, which is in [-1, 1]; of a linear one some values are beyond."""
