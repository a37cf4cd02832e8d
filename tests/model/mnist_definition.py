"""The conditional networks for MNIST by their definition (published code, mnist), in NumPy and double precision.

Written with operations that are analytic in every parameter, so that the imaginary part of a loss at p + ih is h times
its derivative, to the last digit: no step size and no second derivation by hand can be wrong.
"""

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.complex128]
Weights = Mapping[str, Array]
STEP = 1e-30


def generator(w: Weights, z: Array, y: Array) -> Array:
    """z [n, nz] and one-hot classes [n, k] -> images [n, 1, 28, 28] in [0, 1]."""
    h = relu(normalized(join(z, y) @ w["dense.linear.weight"].T))
    h = relu(normalized(join(h, y) @ w["first.linear.weight"].T))
    h = h.reshape(len(z), -1, 7, 7)
    h = relu(normalized(deconvolution(join(h, y), w["layers.0.linear.weight"])))
    return sigmoid(deconvolution(join(h, y), w["layers.1.linear.weight"]))


def discriminator(w: Weights, x: Array, y: Array) -> Array:
    """Images [n, 1, 28, 28] in [0, 1] and one-hot classes -> what the sigmoid is taken of, [n]."""
    h = leaky(convolution(join(x, y), w["layers.0.linear.weight"]))
    h = leaky(normalized(convolution(join(h, y), w["layers.1.linear.weight"])))
    h = h.reshape(len(x), -1)
    h = leaky(normalized(join(h, y) @ w["dense.linear.weight"].T))
    return (join(h, y) @ w["head.weight"].T)[:, 0]


def generator_loss(g: Weights, d: Weights, z: Array, y: Array) -> Array:
    """Mean cross-entropy of D's answer to G's images against `real`."""
    return -np.mean(np.log(sigmoid(discriminator(d, generator(g, z, y), y))))


def discriminator_loss(g: Weights, d: Weights, x: Array, z: Array, y: Array) -> Array:
    """Mean cross-entropy of real images against `real`, plus that of G's against `generated`."""
    made = discriminator(d, generator(g, z, y), y)
    return -np.mean(np.log(sigmoid(discriminator(d, x, y)))) - np.mean(np.log(1 - sigmoid(made)))


def slope(loss: Callable[[Weights], Array], weights: Weights, name: str, along: NDArray[np.float64]) -> float:
    """Derivative of a loss with respect to one array of weights, along a direction."""
    return float(loss({**weights, name: weights[name] + 1j * STEP * along}).imag / STEP)


def join(x: Array, y: Array) -> Array:
    """Classes after the channels; there as constant planes where x has height and width."""
    if x.ndim == 4:
        y = np.broadcast_to(y[:, :, None, None], (*y.shape, *x.shape[2:]))
    return np.concatenate([x, y], axis=1)


def normalized(x: Array) -> Array:
    """By the statistics of the batch; without gain and shift."""
    axes = (0, 2, 3) if x.ndim == 4 else (0,)
    away = x - x.mean(axes, keepdims=True)
    return away / np.sqrt((away**2).mean(axes, keepdims=True) + 1e-8)


def convolution(x: Array, w: Array) -> Array:
    """5 x 5, stride 2, two pixels of zeros around; w [out, in, 5, 5]."""
    n, _, height, width = x.shape
    padded = np.pad(x, ((0, 0), (0, 0), (2, 2), (2, 2)))
    out = np.zeros((n, len(w), height // 2, width // 2), complex)
    for row in range(5):
        for column in range(5):
            window = padded[:, :, row : row + height : 2, column : column + width : 2]
            out += np.einsum("nihw,oi->nohw", window, w[:, :, row, column])
    return out


def deconvolution(x: Array, w: Array) -> Array:
    """What leads the gradient of such a convolution back to its image: twice as high and wide; w [in, out, 5, 5]."""
    n, _, height, width = x.shape
    padded = np.zeros((n, w.shape[1], 2 * height + 4, 2 * width + 4), complex)
    for row in range(5):
        for column in range(5):
            part = np.einsum("nihw,io->nohw", x, w[:, :, row, column])
            padded[:, :, row : row + 2 * height : 2, column : column + 2 * width : 2] += part
    return padded[:, :, 2:-2, 2:-2]


def relu(x: Array) -> Array:
    """Positive values."""
    return x * (x.real > 0)


def leaky(x: Array) -> Array:
    """Negative values by a fifth."""
    return np.where(x.real > 0, x, 0.2 * x)


def sigmoid(x: Array) -> Array:
    """From 0 to 1."""
    return 1 / (1 + np.exp(-x))
