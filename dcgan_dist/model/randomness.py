"""Random numbers as a function of (run seed, purpose, step): no random state is kept, so none has to be saved.

They come from NumPy's Philox with a 128-bit key: a CPU `torch.Generator` keeps only the lower 32 bits of its seed, so
that two steps of a long run would sooner or later share their numbers.
"""

import hashlib

import numpy as np
import torch
from torch import Tensor

from dcgan_dist.settings import NetworkSettings

EVERY_ROW = slice(None)


def stream(seed: int, purpose: str, step: int = 0) -> np.random.Generator:
    """The random numbers of one purpose (a word or two, such as `latents`) at one step, always from their beginning."""
    digest = hashlib.sha256(f"{seed}/{purpose}/{step}".encode()).digest()
    return np.random.Generator(np.random.Philox(key=int.from_bytes(digest[:16], "little")))


def latents(
    settings: NetworkSettings, n_total: int, seed: int, purpose: str, step: int = 0, rows: slice = EVERY_ROW
) -> Tensor:
    """The latent vectors z of one batch: float32 `[n, latent_size]` on the CPU.

    They are uniform on [-1, 1) or standard normal, as `networks.latent` says. `n_total` is the size of the batch over
    all workers and `rows` a worker's part of it: put together, the parts are the same for any number of workers.
    """
    numbers, shape = stream(seed, purpose, step), (n_total, settings.latent_size)
    if settings.latent == "normal":
        z = numbers.standard_normal(shape, dtype=np.float32)
    else:
        z = numbers.random(shape, dtype=np.float32) * np.float32(2) - np.float32(1)
    return torch.from_numpy(z[rows])


def class_numbers(settings: NetworkSettings, n_total: int, seed: int, purpose: str, step: int = 0) -> Tensor:
    """Classes of samples, beside the latent vectors of the same arguments: int64 `[n_total]` on the CPU, each class
    equally probable (as the published code, mnist, draws its labeled samples)."""
    return torch.from_numpy(stream(seed, f"classes of {purpose}", step).integers(0, settings.classes, n_total))
