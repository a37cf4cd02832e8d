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
    """Binary cross-entropy of real images against `real_label` and generated ones against 0 (paper, section 2); for G,
    of generated images against 1 (published code)."""
    smooth = 1 - settings.real_label

    def discriminator(real: Tensor, generated: Tensor) -> Tensor:
        loss = -F.logsigmoid(real).sum() - F.logsigmoid(-generated).sum()
        # -log(1 - p) is -log(p) + logit.
        return loss + smooth * real.sum() if smooth else loss

    def generator(generated: Tensor) -> Tensor:
        return -F.logsigmoid(generated).sum()

    return discriminator, generator


def saturating(settings: OptimizationSettings) -> Losses:
    """D's is that of `bce`. G's is the mean of log(1 - D), whose slope goes to 0 where D is sure (Goodfellow et al.
    2014, equation 1 and the remark below it)."""
    discriminator, _ = bce(settings)
    return discriminator, lambda generated: F.logsigmoid(-generated).sum()


def hinge(settings: OptimizationSettings) -> Losses:
    """D's logits are to be above 1 for real images and below -1 for generated ones; G's images are to have high ones
    (Lim and Ye 2017, arXiv 1705.02894)."""

    def discriminator(real: Tensor, generated: Tensor) -> Tensor:
        return F.relu(1 - real).sum() + F.relu(1 + generated).sum()

    return discriminator, lambda generated: -generated.sum()


def least_squares(settings: OptimizationSettings) -> Losses:
    """Half the squared distance of D's logits to 1 for real images and to 0 for generated ones; for G, to 1 (Mao et al.
    2017, arXiv 1611.04076, equation 9)."""

    def discriminator(real: Tensor, generated: Tensor) -> Tensor:
        return 0.5 * ((real - 1).square().sum() + generated.square().sum())

    return discriminator, lambda generated: 0.5 * (generated - 1).square().sum()


BUILT_IN: Mapping[str, Callable[[OptimizationSettings], Losses]] = {
    "bce": bce,
    "saturating": saturating,
    "hinge": hinge,
    "least_squares": least_squares,
}
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
