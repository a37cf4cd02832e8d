"""What the paper's networks and loss are compared with, by definition: NumPy, double precision, weights by their names.

Analytic in every parameter, see mnist_definition.py. Where it has to choose (a rectifier, the largest of several), it
goes by the real part.
"""

from collections.abc import Callable, Mapping

import numpy as np

from dcgan_dist.settings import NetworkSettings, OptimizationSettings
from tests.model.mnist_definition import STEP, Array, Weights, leaky, relu, sigmoid


def generator(s: NetworkSettings, w: Weights, z: Array) -> Array:
    """z [n, nz] -> images [n, 3, S, S]."""
    hidden, norm = ACTIVATIONS[s.generator_activations], s.batchnorm in ("prescribed", "everywhere", "generator")
    h = z
    if s.dense_units:
        h = hidden(normalized(w, "dense", h @ w["dense.linear.weight"].T, norm))
    h = hidden(normalized(w, "first", h @ w["first.linear.weight"].T, norm)).reshape(len(z), -1, 4, 4)
    # 16 pixels are two doublings of 4; with two convolutions a size, the first one doubles.
    factors = {"5x5": (2, 2), "3x3": (2, 1, 2, 1)}[s.structure]
    for number, factor in enumerate(factors):
        kernel = w[f"layers.{number}.linear.weight"]
        if s.resampling == "pooling":
            h = convolution(h.repeat(factor, 2).repeat(factor, 3), kernel, 1)
        else:
            h = deconvolution(h, kernel, factor)
        last = number == len(factors) - 1
        h = normalized(w, f"layers.{number}", h, s.batchnorm in ("everywhere", "ends") if last else norm)
        h = OUTPUTS[s.output](h) if last else hidden(h)
    return h


def discriminator(s: NetworkSettings, w: Weights, x: Array) -> Array:
    """Images [n, 3, S, S] in [-1, 1] -> logits [n]."""
    hidden, norm = ACTIVATIONS[s.discriminator_activations], s.batchnorm in ("prescribed", "everywhere")
    h = (x + 1) / 2 if s.output == "sigmoid" else x
    for number, stride in enumerate({"5x5": (2, 2), "3x3": (1, 2, 1, 2)}[s.structure]):
        pools = s.resampling == "pooling" and stride == 2
        h = convolution(h, w[f"layers.{number}.linear.weight"], 1 if pools else stride)
        h = hidden(normalized(w, f"layers.{number}", h, norm if number else s.batchnorm in ("everywhere", "ends")))
        if pools:
            n, c, height, width = h.shape
            windows = h.reshape(n, c, height // 2, 2, width // 2, 2).transpose(0, 1, 2, 4, 3, 5)
            h = largest(windows.reshape(n, c, height // 2, width // 2, 4))
    h = h.reshape(len(x), -1)
    if s.dense_units:
        h = hidden(normalized(w, "dense", h @ w["dense.linear.weight"].T, norm))
    return (h @ w["head.weight"].T)[:, 0]


def discriminator_loss(o: OptimizationSettings, real: Array, generated: Array) -> Array:
    """Of logits of real and generated images, the mean over the images."""
    p, q, one = sigmoid(real), sigmoid(generated), o.real_label
    cross_entropy = -np.mean(one * np.log(p) + (1 - one) * np.log(1 - p)) - np.mean(np.log(1 - q))
    return {
        "bce": cross_entropy,
        "saturating": cross_entropy,
        "hinge": np.mean(relu(1 - real)) + np.mean(relu(1 + generated)),
        "least_squares": np.mean((real - 1) ** 2) / 2 + np.mean(generated**2) / 2,
    }[o.loss]


def generator_loss(o: OptimizationSettings, generated: Array) -> Array:
    """Of logits of generated images, the mean over the images."""
    q = sigmoid(generated)
    return {
        "bce": -np.mean(np.log(q)),
        "saturating": np.mean(np.log(1 - q)),
        "hinge": -np.mean(generated),
        "least_squares": np.mean((generated - 1) ** 2) / 2,
    }[o.loss]


def squared_slope(s: NetworkSettings, w: Weights, x: Array) -> float:
    """Squared length of the gradient of D's logit by the pixels, the mean over the images: one pixel after another."""
    pixels = x[0].size
    moved = x[:, None] + 1j * STEP * np.eye(pixels).reshape(1, pixels, *x.shape[1:])
    slopes = discriminator(s, w, moved.reshape(-1, *x.shape[1:])).imag / STEP
    return float((slopes**2).sum() / len(x))


def normalized(w: Weights, layer: str, x: Array, wanted: bool) -> Array:
    """By the statistics of the batch, with gain and shift, where a layer is to have that."""
    if not wanted:
        return x
    axes, shape = ((0, 2, 3), (1, -1, 1, 1)) if x.ndim == 4 else ((0,), (1, -1))
    away = x - x.mean(axes, keepdims=True)
    gain, shift = (w[f"{layer}.norm.{name}"].reshape(shape) for name in ("weight", "bias"))
    return away / np.sqrt((away**2).mean(axes, keepdims=True) + 1e-8) * gain + shift


def convolution(x: Array, w: Array, stride: int) -> Array:
    """Zeros around, so that each stride has one result; w [out, in, K, K]."""
    n, _, height, width = x.shape
    size, half = w.shape[2], w.shape[2] // 2
    padded = np.pad(x, ((0, 0), (0, 0), (half, half), (half, half)))
    out = np.zeros((n, len(w), height // stride, width // stride), complex)
    for row in range(size):
        for column in range(size):
            window = padded[:, :, row : row + height : stride, column : column + width : stride]
            out += np.einsum("nihw,oi->nohw", window, w[:, :, row, column])
    return out


def deconvolution(x: Array, w: Array, stride: int) -> Array:
    """What leads the gradient of such a convolution back to its image; w [in, out, K, K]."""
    n, _, height, width = x.shape
    size, half = w.shape[2], w.shape[2] // 2
    padded = np.zeros((n, w.shape[1], stride * height + 2 * half, stride * width + 2 * half), complex)
    for row in range(size):
        for column in range(size):
            part = np.einsum("nihw,io->nohw", x, w[:, :, row, column])
            padded[:, :, row : row + stride * height : stride, column : column + stride * width : stride] += part
    return padded[:, :, half : half + stride * height, half : half + stride * width]


def largest(x: Array) -> Array:
    """Of the values along the last axis."""
    return np.take_along_axis(x, x.real.argmax(-1)[..., None], -1)[..., 0]


def maxout(x: Array) -> Array:
    """[n, 2 C, ...] -> [n, C, ...]: the larger one of neighbors."""
    pairs = x.reshape(len(x), -1, 2, *x.shape[2:])
    return largest(np.moveaxis(pairs, 2, -1))


ACTIVATIONS: Mapping[str, Callable[[Array], Array]] = {
    "relu": relu,
    "leaky_relu": leaky,
    "tanh": np.tanh,
    "maxout": maxout,
}
OUTPUTS: Mapping[str, Callable[[Array], Array]] = {
    "tanh": np.tanh,
    "sigmoid": lambda x: 2 * sigmoid(x) - 1,
    "linear": lambda x: x,
}
