"""The original GAN by its definition (goodfeli/adversarial and Pylearn2), in NumPy and double precision.

Written with operations that are analytic in every parameter, see mnist_definition.py.
"""

import math
from collections.abc import Callable, Mapping

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from tests.model.mnist_definition import STEP, Array, Weights, relu, sigmoid

Floats = NDArray[np.float64]
ACTIVATIONS: Mapping[str, Callable[[Array], Array]] = {"relu": relu, "sigmoid": sigmoid, "linear": lambda x: x}


def generator(w: Weights, z: Array, activations: str, output: str) -> Array:
    """z [n, nz] -> images [n, pixels] on the scale of the output."""
    return ACTIVATIONS[output](hidden(w, z, activations) @ w["output.weight"].T + w["output.bias"])


def hidden(w: Weights, z: Array, activations: str) -> Array:
    """What G's last hidden layer gives."""
    h = z
    for number, activation in enumerate(activations.split(",")):
        h = ACTIVATIONS[activation](h @ w[f"layers.{number}.weight"].T + w[f"layers.{number}.bias"])
    return h


def discriminator(w: Weights, x: Array, masks: list[Floats], pieces: int) -> Array:
    """Images [n, pixels] and what is kept of the inputs of each layer -> what the sigmoid is taken of, [n]."""
    h = x.reshape(len(x), -1) * masks[0] * 1.25
    for number, mask in enumerate(masks[1:]):
        h = maxout(w, number, h, pieces) * mask * 2
    return (h @ w["head.weight"].T + w["head.bias"])[:, 0]


def maxout(w: Weights, number: int, h: Array, pieces: int) -> Array:
    """A fully connected layer of D."""
    h = h @ w[f"layers.{number}.weight"].T + w[f"layers.{number}.bias"]
    return largest(h.reshape(len(h), -1, pieces), 2)


def convolutional_generator(w: Weights, z: Array, activations: str, output: str, side: int) -> Array:
    """z [n, nz] -> images [n, channels, 3 side + 2, 3 side + 2] (cifar10_convolutional.yaml, Deconv)."""
    h = hidden(w, z, activations).reshape(len(z), -1, side, side)
    images = np.tile(w["output.bias"], (len(z), 1, 1, 1))
    for row, column in np.ndindex(5, 5):
        part = np.einsum("nihw,io->nohw", h, w["output.weight"][:, :, row, column])
        images[:, :, row : row + 3 * side : 3, column : column + 3 * side : 3] += part
    return ACTIVATIONS[output](images)


def convolutional_discriminator(w: Weights, x: Array, masks: list[Floats], pieces: int) -> Array:
    """Images [n, channels, S, S] -> as `discriminator` (cifar10_convolutional.yaml, MaxoutConvC01B)."""
    h = x * masks[0].reshape(x.shape) * 1.25
    for number, (pad, pool) in enumerate(((4, 4), (3, 4), (3, 2))):
        weight = w[f"layers.{number}.weight"]
        padded = np.pad(h, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
        patches = sliding_window_view(padded, weight.shape[2:], (2, 3))
        h = np.moveaxis(np.tensordot(patches, weight, ((1, 4, 5), (1, 2, 3))), 3, 1)
        h = h + w[f"layers.{number}.bias"][:, None, None]
        h = pooled(largest(h.reshape(len(x), -1, 2, *h.shape[2:]), 2), pool)
        h = h * masks[number + 1].reshape(h.shape) * 2
    h = maxout(w, 3, h.reshape(len(x), -1), pieces) * masks[4] * 2
    return (h @ w["head.weight"].T + w["head.bias"])[:, 0]


def pooled(x: Array, pool: int) -> Array:
    """The largest of squares, two apart, of which the last one covers the last row (cuda-convnet, MaxPool)."""
    last = 2 * math.ceil((x.shape[2] - pool) / 2)
    beyond = last + pool - x.shape[2]
    padded = np.pad(x, ((0, 0), (0, 0), (0, beyond), (0, beyond)), constant_values=-np.inf)
    squares = sliding_window_view(padded, (pool, pool), (2, 3))[:, :, ::2, ::2]
    return largest(squares.reshape(*squares.shape[:4], -1), 4)


def largest(x: Array, axis: int) -> Array:
    """The number whose real part is the largest."""
    return np.take_along_axis(x, x.real.argmax(axis, keepdims=True), axis).squeeze(axis)


def discriminator_loss(of_real: Array, of_generated: Array) -> Array:
    """Half the sum of both means of the cross-entropy."""
    return -0.5 * (np.mean(np.log(sigmoid(of_real))) + np.mean(np.log(1 - sigmoid(of_generated))))


def generator_loss(of_generated: Array) -> Array:
    """Mean cross-entropy of D's answer to G's images against `real`."""
    return -np.mean(np.log(sigmoid(of_generated)))


def gradient(loss: Callable[[Weights], Array], weights: Weights) -> dict[str, Floats]:
    """Derivative of a loss with respect to each weight."""
    found = {}
    for name, value in weights.items():
        found[name] = np.zeros(value.shape)
        for place in np.ndindex(value.shape):
            changed = value.copy()
            changed[place] += 1j * STEP
            found[name][place] = loss({**weights, name: changed}).imag / STEP
    return found
