"""Losses against PyTorch's own, and the places that name them against each other."""

from typing import Any

import pytest
import torch
import torch.nn.functional as F

from dcgan_dist.errors import SettingsError
from dcgan_dist.model.losses import BUILT_IN, make_losses
from dcgan_dist.monitoring.collapse import WON
from dcgan_dist.settings import LOSSES, OptimizationSettings


def test_settings_know_the_losses_that_are_there() -> None:
    assert tuple(BUILT_IN) == LOSSES
    assert set(WON) <= set(LOSSES)


def test_bce_is_the_sum_of_cross_entropies_over_the_images() -> None:
    real, generated = torch.tensor([2.0, -1.0, 40.0]), torch.tensor([0.5, -30.0, 3.0])
    discriminator, generator = make_losses(OptimizationSettings(loss="bce"))
    ones, zeros = torch.ones(3), torch.zeros(3)
    expected = F.binary_cross_entropy_with_logits(real, ones, reduction="sum")
    expected = expected + F.binary_cross_entropy_with_logits(generated, zeros, reduction="sum")
    torch.testing.assert_close(discriminator(real, generated), expected)
    torch.testing.assert_close(
        generator(generated), F.binary_cross_entropy_with_logits(generated, ones, reduction="sum")
    )


@pytest.mark.parametrize("loss", LOSSES)
def test_every_loss_has_gradients_for_both_networks(loss: str) -> None:
    discriminator, generator = make_losses(OptimizationSettings(loss=loss))
    # Between the goals of every loss: beyond them that of least squares leads back.
    real, generated = torch.rand(5, requires_grad=True), torch.rand(5, requires_grad=True)
    discriminator(real, generated).backward()  # type: ignore[no-untyped-call]
    assert real.grad is not None
    assert generated.grad is not None
    # D learns to tell them apart, G to make D take generated images for real ones.
    assert (real.grad <= 0).all()
    assert (generated.grad >= 0).all()
    generated.grad = None
    generator(generated).backward()  # type: ignore[no-untyped-call]
    assert (generated.grad <= 0).all()  # type: ignore[operator]


def own_loss(settings: OptimizationSettings) -> tuple[Any, Any]:
    return lambda real, generated: settings.lr * (2 * real - generated), lambda generated: settings.lr * generated


def test_a_users_own_loss_is_summed_over_the_images_and_knows_the_settings() -> None:
    settings = OptimizationSettings(loss="mine:loss", lr=3.0)
    of_discriminator, of_generator = make_losses(settings, {"mine:loss": own_loss})
    real, generated = torch.tensor([1.0, 2.0, 4.0]), torch.tensor([10.0, 20.0, 40.0])
    assert of_discriminator(real, generated).item() == 3 * (2 * 7 - 70)
    assert of_generator(generated).item() == 3 * 70


@pytest.mark.parametrize(
    ("made", "told"),
    [
        ((lambda real, generated: real.mean(), lambda generated: generated), r"shape \[\] for logits of shape \[3\]"),
        (lambda real, generated: real, "needs to return two functions"),
        ((lambda real, generated: real,), "needs to return two functions"),
        ((lambda real, generated: real, 1), "needs to return two functions"),
    ],
)
def test_a_users_own_loss_that_is_none_is_refused(made: Any, told: str) -> None:
    settings = OptimizationSettings(loss="mine:loss")
    with pytest.raises(SettingsError, match=rf"optimization\.loss is mine:loss, which .*{told}"):
        make_losses(settings, {"mine:loss": lambda settings: made})[0](torch.zeros(3), torch.zeros(3))
