"""The autoencoder of the paper (section 4.1): 3072-128-3072, de-noising, with dropout and ReLU, trained by Adam.

Pixels go from -1 to 1, as everywhere in the paper: from 0 to 1 most units would soon be off for all images. A bit of
the code is whether a unit is on, as in Srivastava et al., Understanding Locally Competitive Networks (2014).
"""

from collections.abc import Callable, Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional as F

from dcgan_dist.arrays import Pixels
from dcgan_dist.data.deduplication.encoder import BITS, LARGEST_WEIGHT, Encoder
from dcgan_dist.data.deduplication.recipes import PaperRecipe
from dcgan_dist.model.randomness import stream

HALF_WHITE = 127.5

_TOLD_EVERY = 50


def fit_paper(thumbnails: Pixels, recipe: PaperRecipe, progress: Callable[[float], None]) -> Encoder:
    """Fit to thumbnails, uint8 [n, 32, 32, 3], one or more; `progress` is told the share that is done."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # the order of the sums, and so the weights, would depend on how many there are
    try:
        encode = _train(torch.from_numpy(thumbnails.reshape(len(thumbnails), -1)), recipe, progress)
    finally:
        torch.set_num_threads(threads)
    weights, biases = (tensor.detach().double().numpy() for tensor in (encode.weight, encode.bias))
    factors = LARGEST_WEIGHT / np.maximum(np.abs(weights).max(1), np.finfo(np.float64).tiny)
    return Encoder(
        weights=np.rint(weights * factors[:, None]).astype(np.int16)[None],
        slopes=np.zeros(BITS),
        # weights · (x / 127.5 - 1) + bias > 0, in units of x and of the whole-number weights.
        offsets=(weights.sum(1) - biases) * factors * HALF_WHITE,
        flat_below=0.0,
    )


def _train(pixels: torch.Tensor, recipe: PaperRecipe, progress: Callable[[float], None]) -> nn.Linear:
    number, size = pixels.shape
    random = stream(recipe.seed, "paper autoencoder")
    encode, decode = nn.Linear(size, BITS), nn.Linear(BITS, size)
    with torch.no_grad():
        for layer in (encode, decode):
            bound = layer.in_features**-0.5
            for parameter in layer.parameters():
                parameter.copy_(torch.from_numpy(random.uniform(-bound, bound, parameter.shape)))
    optimizer = torch.optim.Adam([*encode.parameters(), *decode.parameters()], recipe.learning_rate)
    for step, rows in enumerate(_batches(number, recipe, random), 1):
        images = pixels[torch.from_numpy(rows)].float() / HALF_WHITE - 1
        noisy = images + recipe.noise * torch.from_numpy(random.standard_normal(images.shape, np.float32))
        kept = torch.from_numpy(random.random((len(rows), BITS), np.float32) >= recipe.dropout)
        code = F.relu(encode(noisy)) * kept / (1 - recipe.dropout)
        optimizer.zero_grad()
        F.mse_loss(decode(code), images).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        if step % _TOLD_EVERY == 0 or step == recipe.steps:
            progress(step / recipe.steps)
    return encode


def _batches(number: int, recipe: PaperRecipe, random: np.random.Generator) -> Iterator[NDArray[np.int64]]:
    """Rows of each step; every pass has each thumbnail once, in an order of its own."""
    made = 0
    while made < recipe.steps:
        for rows in np.array_split(random.permutation(number), -(-number // recipe.batch))[: recipe.steps - made]:
            yield rows
            made += 1
