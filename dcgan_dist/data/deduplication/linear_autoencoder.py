"""The default autoencoder: linear, so that the best one is computed instead of trained.

Of all linear codes of k units, that which keeps most of an image in spite of a corruption spans the k directions in
which images differ most, relative to what the corruption does to them: generalized eigenvectors of the covariance of
images and that of the corruption's changes. The 128 bits are projections on directions in that space.

What the brightness and the contrast of the whole image are is taken out before: mean 0 and standard deviation 1.
"""

import numpy as np
import torch
from numpy.typing import NDArray

from dcgan_dist.arrays import Pixels
from dcgan_dist.data.deduplication.corruption import corrupted
from dcgan_dist.data.deduplication.encoder import BITS, LARGEST_WEIGHT, SIDE, Encoder, is_flat, spreads, values
from dcgan_dist.data.deduplication.recipes import DefaultRecipe
from dcgan_dist.model.randomness import stream

POOLED_SIDE = SIDE // 2
POOLED = POOLED_SIDE * POOLED_SIDE * 3

# White noise that is added to the corruption, as a share of it: no direction is taken for one that nothing changes.
_RIDGE = 1e-3

Floats = NDArray[np.float64]


def fit_linear(thumbnails: Pixels, recipe: DefaultRecipe) -> Encoder:
    """Fit to thumbnails, uint8 [n, 32, 32, 3]; flat ones are passed over.

    Images, or two different images, can be as few as none: then bits carry little, but codes are defined.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # the order of the sums, and so the last digits, would depend on how many there are
    try:
        return _fit(thumbnails, recipe)
    finally:
        torch.set_num_threads(threads)


def _fit(thumbnails: Pixels, recipe: DefaultRecipe) -> Encoder:
    used = thumbnails[~is_flat(values(thumbnails, POOLED), recipe.flat_below)]
    images = standardized(used)
    changed = standardized(
        corrupted(used, stream(recipe.seed, "corruption"), shift=recipe.shift, zoom=recipe.zoom) if len(used) else used
    )
    units = _units(images, changed - images, recipe)
    projections = _product(units, _directions(recipe))
    projections -= projections.mean(0)  # so that brightness drops out
    medians = np.median(_product(images, projections), axis=0) if len(used) else np.zeros(BITS)
    moved = [projections.T, *(_moved(projections, *view) for view in recipe.views)]
    weights = np.stack(moved)
    # The same factor for all rows of a bit, so that a view has the threshold of the bit.
    factors = LARGEST_WEIGHT / np.abs(weights).max((0, 2))
    return Encoder(
        weights=np.rint(weights * factors[:, None]).astype(np.int16),
        # spreads() are standard deviations times the number of values.
        slopes=medians * factors / POOLED,
        offsets=np.zeros(BITS),
        flat_below=recipe.flat_below,
    )


def standardized(thumbnails: Pixels) -> Floats:
    """uint8 [n, 32, 32, 3] -> float64 [n, 768]: sums of 2 x 2 pixels, with mean 0 and standard deviation 1 a row."""
    x = values(thumbnails, POOLED)
    scaled: Floats = (x - x.mean(1, keepdims=True)) * (POOLED / np.maximum(spreads(x), 1))[:, None]
    return scaled


def _units(images: Floats, changes: Floats, recipe: DefaultRecipe) -> Floats:
    """Directions of the units, [768, units], the most telling first."""
    number = max(1, len(images))
    centered = images - images.mean(0) if len(images) else images
    signal, noise = _product(centered.T, centered) / number, _product(changes.T, changes) / number
    # More than nothing also where nothing changed, as between images that are all the same.
    noise += (_RIDGE * np.trace(noise) / POOLED + 1e-9) * np.eye(POOLED)
    whitener = torch.linalg.inv(torch.linalg.cholesky(torch.from_numpy(noise)))
    found = torch.linalg.eigh(whitener @ torch.from_numpy(signal) @ whitener.T)
    ratios, vectors = (array.numpy()[..., ::-1][..., : recipe.units] for array in found)
    # Beyond the number of images there is no signal: no unit is enlarged for having none.
    units: Floats = _product(whitener.numpy().T, vectors) * np.maximum(ratios, 1) ** (-recipe.whitening / 2)
    return units


def _product(first: Floats, second: Floats) -> Floats:
    """Matrix product by PyTorch, whose threads are one here; NumPy's cannot be told how many."""
    product: Floats = torch.matmul(*(torch.from_numpy(np.ascontiguousarray(each)) for each in (first, second))).numpy()
    return product


def _directions(recipe: DefaultRecipe) -> Floats:
    """Directions of the bits among the units, [units, 128]: orthogonal within each block of as many as there are."""
    random = stream(recipe.seed, "directions")
    blocks = [np.linalg.qr(random.standard_normal((recipe.units,) * 2))[0] for _ in range(-(-BITS // recipe.units))]
    return np.concatenate(blocks, axis=1)[:, :BITS]


def _moved(projections: Floats, down: float, right: float, scale: float) -> Floats:
    """Projections [768, 128] that find in an image what `projections` finds in a moved one: [128, 768]."""
    rows, columns = (_resampling(shift / 2, scale) for shift in (down, right))
    maps = projections.T.reshape(BITS, POOLED_SIDE, POOLED_SIDE, 3)
    moved = torch.einsum("byxc,yi,xj->bijc", *(torch.from_numpy(each.copy()) for each in (maps, rows, columns)))
    return moved.reshape(BITS, POOLED).numpy()


def _resampling(shift: float, scale: float) -> Floats:
    """Cubic interpolation along one axis: [16, 16], times a column of pixels is the column moved and enlarged.

    Pixel p of the result is what was at center + (p - center) / scale - shift; beyond the edge it is repeated. Linear
    interpolation would blur a shift by half a pixel, which is one of the thumbnail.
    """
    center = (POOLED_SIDE - 1) / 2
    at = center + (np.arange(POOLED_SIDE) - center) / scale - shift
    matrix = np.zeros((POOLED_SIDE, POOLED_SIDE))
    for away in (-1, 0, 1, 2):
        pixel = np.floor(at).astype(np.int64) + away
        np.add.at(matrix, (np.arange(POOLED_SIDE), np.clip(pixel, 0, POOLED_SIDE - 1)), _cubic(np.abs(at - pixel)))
    return matrix


def _cubic(distance: Floats) -> Floats:
    """Weight of a pixel so far away, 0 to 2 (Keys, "Cubic Convolution Interpolation", 1981)."""
    near = 1.5 * distance**3 - 2.5 * distance**2 + 1
    far = -0.5 * distance**3 + 2.5 * distance**2 - 4 * distance + 2
    weight: Floats = np.where(distance < 1, near, far)
    return weight
