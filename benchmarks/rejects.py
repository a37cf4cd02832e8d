"""What the learning check has to reject: sets of pictures that nobody would call the work of a trained generator."""

import math
from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F

from dcgan_dist.arrays import Pixels
from dcgan_dist.model.dcgan import Generator, initialize
from dcgan_dist.model.drawing import to_uint8
from dcgan_dist.model.randomness import latents, stream
from dcgan_dist.settings import NetworkSettings

REPLAYED = 1_000
"""How many training images the G that learned by heart knows."""
COPIES = 64


def uniform_noise(real: Pixels, number: int) -> Pixels:
    """Every value drawn from 0 to 255."""
    return stream(0, "uniform noise").integers(0, 256, (number, *real.shape[1:]), dtype=np.uint8)


def gaussian_noise(real: Pixels, number: int) -> Pixels:
    """Every value drawn from the normal distribution of its place and color in the data."""
    pixels = real.astype(np.float32)
    values = stream(0, "gaussian noise").normal(pixels.mean(0), pixels.std(0), (number, *real.shape[1:]))
    noise: Pixels = values.round().clip(0, 255).astype(np.uint8)
    return noise


def mean_image(real: Pixels, number: int) -> Pixels:
    """The mean of the data, again and again."""
    return np.repeat(real.mean(0, keepdims=True).round().astype(np.uint8), number, axis=0)


def untrained(networks: NetworkSettings, number: int) -> Pixels:
    """What G draws with its initial weights, in batches of 128."""
    generator = Generator(networks)
    initialize(generator, seed=0)
    batches = range(-(-number // 128))
    with torch.no_grad():
        drawn = [to_uint8(generator(latents(networks, 128, 0, "untrained", batch))) for batch in batches]
    return np.concatenate(drawn)[:number]


def blurred(real: Pixels, number: int, sd: float = 1.0) -> Pixels:
    """Training images after a Gaussian blur of so many pixels."""
    reach = math.ceil(4 * sd)
    kernel = torch.exp(-(torch.arange(-reach, reach + 1).float() ** 2) / (2 * sd**2))
    kernel = (kernel / kernel.sum()).expand(3, 1, -1)
    images = torch.from_numpy(real[:number]).permute(0, 3, 1, 2).float()
    images = F.conv2d(F.pad(images, (reach, reach, 0, 0), mode="reflect"), kernel[:, :, None, :], groups=3)
    images = F.conv2d(F.pad(images, (0, 0, reach, reach), mode="reflect"), kernel[:, :, :, None], groups=3)
    pixels: Pixels = images.round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1).contiguous().numpy()
    return pixels


def copies_of_one(real: Pixels) -> Pixels:
    """64 copies of one training image."""
    return np.repeat(real[:1], COPIES, axis=0)


def replay(real: Pixels, number: int) -> Pixels:
    """What a G that knows 1,000 training images, and nothing else, draws."""
    random = stream(0, "replay")
    known = random.choice(len(real), REPLAYED, replace=False)
    drawn: Pixels = real[random.choice(known, number)]
    return drawn


def rejects(real: Pixels, networks: NetworkSettings, number: int) -> dict[str, Pixels]:
    """All of them by name: uint8 [n, S, S, 3], n = `number` but for the 64 copies."""
    makers: dict[str, Callable[[], Pixels]] = {
        "uniform noise": lambda: uniform_noise(real, number),
        "Gaussian noise": lambda: gaussian_noise(real, number),
        "mean image": lambda: mean_image(real, number),
        "untrained G": lambda: untrained(networks, number),
        "blurred training images": lambda: blurred(real, number),
        "64 copies of one image": lambda: copies_of_one(real),
        "1,000 training images replayed": lambda: replay(real, number),
    }
    return {name: make() for name, make in makers.items()}
