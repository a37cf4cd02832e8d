"""Whether filters of a generator oscillate: their responses to the same z while training goes on for a while (paper,
section 7: "as models are trained longer they sometimes collapse a subset of filters to a single oscillating mode").

A filter that oscillates gives, from update to update, now more and now less at the same places of the same samples, at
one frequency. Filters of a generator that merely learns change at all frequencies, the more the lower: those below
`LONGEST` count as learning.
"""

from copy import deepcopy

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d

from dcgan_dist.errors import SettingsError
from dcgan_dist.evaluation.task import Labeled
from dcgan_dist.model.adversarial_step import AdversarialStep
from dcgan_dist.model.dcgan import Generator, new_networks, smallest
from dcgan_dist.model.precision import of_networks
from dcgan_dist.model.randomness import latents, stream
from dcgan_dist.run_folder.checkpoint import Checkpoint

UPDATES = 128
"""Of G that are watched."""
LONGEST = 32
"""Updates of the longest period that counts as oscillation; the share of slower change is not of one frequency."""
WATCHED = 32
"""Samples whose maps are watched."""
GRID = 4
"""Maps are watched at so many places in each direction: the means of the cells of this grid."""
TENTH = 0.1
"""Of the filters, those that oscillate most: the paper speaks of a subset."""


def oscillation(checkpoint: Checkpoint, images: Labeled) -> float:
    """Of the tenth of the filters that oscillate most, the mean of `one_frequency`.

    Args:
        checkpoint: of a run without classes, with networks of ours; training goes on from a copy, in this process.
        images: it goes on with, in an order drawn by its seed; they come again when all were there.

    Raises:
        SettingsError: the networks are not of `dcgan.Generator`.
    """
    shares = np.sort(one_frequency(responses(checkpoint, images, UPDATES)))
    most = max(1, round(TENTH * len(shares)))
    return float(shares[-most:].mean())


def responses(checkpoint: Checkpoint, images: Labeled, updates: int) -> NDArray[np.float32]:
    """Of the filters of all hidden layers of G, what they give after each of its next updates.

    Returns:
        float32 [updates, filters, WATCHED * places]; a layer has at most GRID x GRID places.
    """
    threads = torch.get_num_threads()
    # The order of sums depends on how many there are, and after some updates networks are others by the last digit.
    torch.set_num_threads(1)
    try:
        return _watched(checkpoint, images, updates)
    finally:
        torch.set_num_threads(threads)


def _watched(checkpoint: Checkpoint, images: Labeled, updates: int) -> NDArray[np.float32]:
    settings = checkpoint.settings
    batch, seed = settings.optimization.batch_size, settings.seed
    generator, discriminator = new_networks(settings.networks, checkpoint.code)
    if not isinstance(generator, Generator):
        raise SettingsError(f"filters of networks.structure {settings.networks.structure} are not watched")
    step = AdversarialStep(generator, discriminator, of_networks(settings), checkpoint.step, checkpoint.code)
    step.load_state_dict(deepcopy(checkpoint.state))  # whose arrays it would change
    step.set_learning_rate(max(0, checkpoint.step - 1))
    z = latents(settings.networks, max(batch, WATCHED), seed, "watched")
    found: list[NDArray[np.float32]] = []
    number = checkpoint.step
    while len(found) < updates:
        places = stream(seed, "batches of a watched run", number).integers(0, len(images), batch)
        real = torch.from_numpy(images.read(np.sort(places))).permute(0, 3, 1, 2)
        of_step = step.updates(number)
        step.update(
            real[:, : settings.networks.channels],
            latents(settings.networks, batch, seed, "latents of a watched run", number),
            of_step,
        )
        number += 1
        if of_step != "discriminator":
            found.append(_hidden(generator, z))
    return np.stack(found)


def one_frequency(series: NDArray[np.float32]) -> NDArray[np.float64]:
    """Of each filter, the largest share of the power of its responses that lies at one frequency, from 0 to 1.

    The power is that around the straight line through each response, by a Hann window, which spreads a frequency over
    three bins, so that three count together; the sum over all samples and places. A filter whose responses do not
    change has 0.

    Args:
        series: [updates, filters, samples and places].
    """
    length = len(series)
    time = np.arange(length) - (length - 1) / 2
    centered = series - series.mean(axis=0)
    slope = np.tensordot(time, centered, axes=(0, 0)) / (time @ time)
    around = centered - time[:, None, None] * slope
    power = (np.abs(np.fft.rfft(around * np.hanning(length)[:, None, None], axis=0)) ** 2).sum(axis=2)
    # The ends are of one bin: none lies beyond them.
    together = power + np.pad(power[1:], ((0, 1), (0, 0))) + np.pad(power[:-1], ((1, 0), (0, 0)))
    fast = np.fft.rfftfreq(length) >= 1 / LONGEST
    total = power.sum(axis=0)
    share: NDArray[np.float64] = np.divide(together[fast].max(axis=0), total, out=np.zeros_like(total), where=total > 0)
    return share


def _hidden(generator: Generator, z: Tensor) -> NDArray[np.float32]:
    """[filters, WATCHED * places]: maps of the hidden layers, as they are in training."""
    side = smallest(generator.settings.image_size)
    maps: list[Tensor] = []

    def keep(layer: nn.Module, given: object, found: Tensor) -> None:
        cells = adaptive_avg_pool2d(found[:WATCHED].reshape(WATCHED, -1, *(found.shape[2:] or (side, side))), GRID)
        maps.append(cells.transpose(0, 1).flatten(1))

    handles = [layer.register_forward_hook(keep) for layer in (generator.first, *list(generator.layers)[:-1])]
    try:
        with torch.no_grad():
            generator(z)
    finally:
        for handle in handles:
            handle.remove()
    return torch.cat(maps).float().numpy()
