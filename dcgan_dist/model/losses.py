"""The losses of discriminator and generator, chosen by `optimization.loss`: built in, or a user's own.

To add one, write a function like `bce`, and enter it in `BUILT_IN` and `settings.LOSSES`; in `collapse.WON` once it
is measured what a discriminator that has won does to it.
"""

from collections.abc import Callable, Mapping

import torch.nn.functional as F
from torch import Tensor

from dcgan_dist.errors import SettingsError
from dcgan_dist.extensions import NO_CODE, Code
from dcgan_dist.settings import OptimizationSettings

DiscriminatorLoss = Callable[[Tensor, Tensor], Tensor]
"""Logits `[n]` of real and of generated images -> their loss, a sum over the images."""
GeneratorLoss = Callable[[Tensor], Tensor]
"""Logits `[n]` of generated images -> their loss, a sum over the images."""
Losses = tuple[DiscriminatorLoss, GeneratorLoss]


def bce(settings: OptimizationSettings) -> Losses:
    """Binary cross-entropy of real images against `real` and generated ones against `generated` (paper, section 2);
    for G, of generated images against `real` (published code)."""

    def discriminator(real: Tensor, generated: Tensor) -> Tensor:
        return -F.logsigmoid(real).sum() - F.logsigmoid(-generated).sum()

    def generator(generated: Tensor) -> Tensor:
        return -F.logsigmoid(generated).sum()

    return discriminator, generator


BUILT_IN: Mapping[str, Callable[[OptimizationSettings], Losses]] = {"bce": bce}
"""By name. Each sums over the images by itself; a user's own gives one value per image, which is summed here."""


def make_losses(settings: OptimizationSettings, code: Code = NO_CODE) -> Losses:
    """Both losses of these settings.

    Args:
        code: holds the user's own function, where `settings.loss` is one.

    Raises:
        SettingsError: a user's own function returns something else than two functions.
    """
    if settings.loss in BUILT_IN:
        return BUILT_IN[settings.loss](settings)
    made = code[settings.loss](settings)
    if not isinstance(made, tuple) or len(made) != 2 or not all(callable(loss) for loss in made):
        raise SettingsError(
            f"optimization.loss is {settings.loss}, which returns {made!r} but needs to return two functions, the loss "
            "of the discriminator and that of the generator"
        )
    of_discriminator, of_generator = made
    return (
        lambda real, generated: _sum(of_discriminator(real, generated), real, settings.loss),
        lambda generated: _sum(of_generator(generated), generated, settings.loss),
    )


def _sum(losses: Tensor, logits: Tensor, path: str) -> Tensor:
    """Sum a user's losses over the images. They come one by one: a mean over one worker's images would count wrong."""
    if losses.shape != logits.shape:
        raise SettingsError(
            f"optimization.loss is {path}, which gives a loss of shape {list(losses.shape)} for logits of shape "
            f"{list(logits.shape)} but needs to give one number for each image: leave the mean or sum out"
        )
    return losses.sum()
