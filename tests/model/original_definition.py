"""The original GAN by its definition (goodfeli/adversarial and Pylearn2), in NumPy and double precision.

Written with operations that are analytic in every parameter, see mnist_definition.py.
"""

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from tests.model.mnist_definition import STEP, Array, Weights, relu, sigmoid

Floats = NDArray[np.float64]
ACTIVATIONS: Mapping[str, Callable[[Array], Array]] = {"relu": relu, "sigmoid": sigmoid, "linear": lambda x: x}


def generator(w: Weights, z: Array, activations: str, output: str) -> Array:
    """z [n, nz] -> images [n, pixels] on the scale of the output."""
    h = z
    for number, activation in enumerate(activations.split(",")):
        h = ACTIVATIONS[activation](h @ w[f"layers.{number}.weight"].T + w[f"layers.{number}.bias"])
    return ACTIVATIONS[output](h @ w["output.weight"].T + w["output.bias"])


def discriminator(w: Weights, x: Array, masks: list[Floats], pieces: int) -> Array:
    """Images [n, pixels] and what is kept of the inputs of each layer -> what the sigmoid is taken of, [n]."""
    h = x * masks[0] * 1.25
    for number, mask in enumerate(masks[1:]):
        h = h @ w[f"layers.{number}.weight"].T + w[f"layers.{number}.bias"]
        h = h.reshape(len(x), -1, pieces)
        h = np.take_along_axis(h, h.real.argmax(2)[:, :, None], 2)[:, :, 0] * mask * 2
    return (h @ w["head.weight"].T + w["head.bias"])[:, 0]


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
