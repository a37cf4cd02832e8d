"""Thumbnails as tests want them: each different, none a copy of another."""

import numpy as np
from PIL import Image

from dcgan_dist.arrays import Pixels


def drawn(number: int, seed: int, coarse: int = 6) -> Pixels:
    """Smooth colored patterns, uint8 [number, 32, 32, 3]."""
    small = np.random.default_rng(seed).integers(0, 256, (number, coarse, coarse, 3), np.uint8)
    return np.stack([np.asarray(Image.fromarray(image).resize((32, 32), Image.Resampling.BICUBIC)) for image in small])


def distances(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Hamming distances of codes, uint8 [..., 16], in bits."""
    return np.bitwise_count(first ^ second).sum(-1, dtype=np.int64)
