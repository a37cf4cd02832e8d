"""The adversarial step: the update of discriminator and generator on one batch. Plain PyTorch.

Generated images are made once a step. D learns from them and the real ones in one forward and one backward pass. G's
gradient is taken in two parts, from the loss to the images through D and from the images to the weights through G, so
that no gradient of D's weights is computed and nothing is switched off and on. Under DDP each network therefore has one
forward, one backward and one reduction a step.
"""

from collections.abc import Mapping
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from dcgan_dist.errors import CheckpointError
from dcgan_dist.extensions import NO_CODE, Code
from dcgan_dist.model.losses import make_losses
from dcgan_dist.model.momentum import Momentum
from dcgan_dist.model.original_gan import OriginalDiscriminator
from dcgan_dist.model.precision import resolve_precision
from dcgan_dist.settings import OptimizationSettings

Updates = Literal["both", "simultaneous", "generator", "discriminator"]
"""Which networks a step updates; `simultaneous`: both, from the gradients of both."""


class AdversarialStep:
    """Updates a generator and a discriminator, each bare or in DDP, and keeps their optimizers and averages."""

    def __init__(
        self,
        generator: nn.Module,
        discriminator: nn.Module,
        settings: OptimizationSettings,
        total_steps: int,
        code: Code = NO_CODE,
        workers: int | None = None,
    ) -> None:
        """
        Args:
            total_steps: length of the run, over the last part of which the learning rate may fall.
            code: holds the loss, where it is not one of ours.
            workers: that share each batch; None: those that DDP knows of.
        """
        self.settings, self.total_steps = settings, total_steps
        self._discriminator_loss, self._generator_loss = make_losses(settings, code)
        self.generator, self.discriminator = generator, discriminator
        self.bare_generator, self.bare_discriminator = _bare(generator), _bare(discriminator)
        weight = next(generator.parameters())
        self.device, self.precision = weight.device, resolve_precision(settings.precision, weight.device)
        self.generator_optimizer = _optimizer(generator, settings)
        self.discriminator_optimizer = _optimizer(discriminator, settings)
        self.has_dropout = isinstance(self.bare_discriminator, OriginalDiscriminator)
        self.averaged = _copy(self.bare_generator) if settings.average_images else None
        self.averaged_discriminator = _copy(self.bare_discriminator) if settings.average_discriminator_images else None
        # Each loss is a sum over a worker's images, and DDP takes the mean over workers: unequal shares count right.
        self.loss_scale = (workers or _workers(generator)) / settings.batch_size

    def __call__(
        self, real: Tensor, z: Tensor, step: int, labels: Tensor | None = None, kept: Tensor | None = None
    ) -> dict[str, Tensor]:
        """Update the networks on this worker's part of the batch of step `step` of the run, counted from 0.

        `real`: uint8 `[n, channels, S, S]`; `z`: floating point `[n, latent_size]`; `labels`: int64 `[n]`, the classes
        of the real images, where the networks know classes; `kept`: bool `[2 * n, inputs]`, what D's dropout keeps of
        the real and then of the generated images (`original_gan.dropout_masks`), where D has dropout; all on any
        device. Images are generated of the same classes (published code, mnist). Returns scalars that stay on the
        device of the networks. The mean over all workers of a loss or score is that of the whole batch; the norm of a
        gradient is that of the whole batch on every worker.
        """
        self.set_learning_rate(step)
        return self.update(real, z, self.updates(step), labels, kept)

    def updates(self, step: int) -> Updates:
        """What step `step` of the run updates."""
        if self.settings.schedule != "alternate":
            return self.settings.schedule
        return "discriminator" if step % 2 else "generator"  # published code: G first

    def update(
        self, real: Tensor, z: Tensor, updates: Updates, labels: Tensor | None = None, kept: Tensor | None = None
    ) -> dict[str, Tensor]:
        """The update alone, at the learning rate that is set; see `__call__`."""
        if self.has_dropout != (kept is not None):
            raise ValueError("masks of dropout are needed where D has dropout, and nowhere else")
        z = z.to(self.device, self.precision.compute)
        # Networks that know no classes take no class numbers: a user's own need no such argument.
        known = {} if labels is None else {"labels": labels.to(self.device)}
        # Of both halves, and of the generated images alone, for which G meets the same masks as D.
        masks = {} if kept is None else {"kept": kept.to(self.device)}
        of_generated = {name: one[len(real) :] for name, one in masks.items()}
        if updates == "generator":
            metrics = self._learn_generator(self.generator(z, **known), known, of_generated)
            del metrics["score/generated_after"]
            self.generator_optimizer.step()
        elif updates == "discriminator":
            with torch.no_grad():
                images = self.bare_generator(z, **known)
            metrics = self._learn_discriminator(real, images, known, masks)
            self.discriminator_optimizer.step()
        else:
            images = self.generator(z, **known)
            metrics = self._learn_discriminator(real, images.detach(), known, masks)
            if updates == "both":
                self.discriminator_optimizer.step()
            metrics |= self._learn_generator(images, known, of_generated)
            if updates == "simultaneous":
                del metrics["score/generated_after"]
                self.discriminator_optimizer.step()
            self.generator_optimizer.step()
        self._average()
        return metrics

    def _learn_discriminator(
        self, real: Tensor, images: Tensor, known: Mapping[str, Tensor], masks: Mapping[str, Tensor]
    ) -> dict[str, Tensor]:
        """Compute D's gradient."""
        # Statistics of the real and of the generated half are kept apart (published code), hence the two groups.
        batch, twice = torch.cat([scale(real, images), images]), {name: one.repeat(2) for name, one in known.items()}
        batch.requires_grad_(self.settings.r1 > 0)
        of_real, of_generated = self.discriminator(batch, groups=2, **twice, **masks).chunk(2)
        loss = self.loss_scale * self._discriminator_loss(of_real, of_generated)
        objective, penalty = self.settings.discriminator_weight * loss, {}
        if self.settings.r1:
            (slopes,) = torch.autograd.grad(of_real.sum(), batch, create_graph=True)
            squares = slopes.to(torch.promote_types(slopes.dtype, torch.float32)).square().sum()
            r1 = self.loss_scale * 0.5 * self.settings.r1 * squares
            objective, penalty = objective + r1, {"loss/r1": r1.detach()}
        self.discriminator_optimizer.zero_grad()
        torch.autograd.backward(objective)
        return penalty | {
            "loss/discriminator": loss.detach(),
            "score/real": self._score(of_real),
            "score/generated_before": self._score(of_generated),
            "gradient/discriminator": _gradient_norm(self.discriminator),
        }

    def _learn_generator(
        self, images: Tensor, known: Mapping[str, Tensor], masks: Mapping[str, Tensor]
    ) -> dict[str, Tensor]:
        """Compute G's gradient."""
        seen = images.detach().requires_grad_()
        logits = self.bare_discriminator(seen, **known, **masks)
        loss = self.loss_scale * self._generator_loss(logits)
        (gradient,) = torch.autograd.grad(loss, seen)
        self.generator_optimizer.zero_grad()
        torch.autograd.backward(images, gradient)
        return {
            "loss/generator": loss.detach(),
            "score/generated_after": self._score(logits),
            "gradient/generator": _gradient_norm(self.generator),
        }

    def _score(self, logits: Tensor) -> Tensor:
        """This worker's part of the mean of what D takes for the probability that an image is real."""
        return self.loss_scale * logits.detach().sigmoid().sum()

    def set_learning_rate(self, step: int) -> None:
        """Give both optimizers the learning rate, and the momentum, of step `step`; a rate that is a tensor is changed
        in place."""
        rate = learning_rate(self.settings, step, self.total_steps)
        for optimizer in (self.generator_optimizer, self.discriminator_optimizer):
            for group in optimizer.param_groups:
                if isinstance(group["lr"], Tensor):
                    group["lr"].fill_(rate)
                else:
                    group["lr"] = rate
                if isinstance(optimizer, Momentum):
                    group["momentum"] = momentum(self.settings, step)

    def _average(self) -> None:
        batch, settings = self.settings.batch_size, self.settings
        if self.averaged is not None:
            _move_average(self.averaged, self.bare_generator, batch, settings.average_images)
        if self.averaged_discriminator is not None:
            _move_average(
                self.averaged_discriminator, self.bare_discriminator, batch, settings.average_discriminator_images
            )

    def state_dict(self) -> dict[str, Any]:
        """All that the next step depends on, as live tensors: copy them before the next step changes them.

        `generator`, `discriminator` and, where they are kept, the averages `averaged` of G and
        `averaged_discriminator` are for the `load_state_dict` of a network.
        """
        state = {
            "generator": self.bare_generator.state_dict(),
            "discriminator": self.bare_discriminator.state_dict(),
            "generator_optimizer": self.generator_optimizer.state_dict()["state"],
            "discriminator_optimizer": self.discriminator_optimizer.state_dict()["state"],
        }
        averages = {"averaged": self.averaged, "averaged_discriminator": self.averaged_discriminator}
        return state | {name: average for name, average in averages.items() if average is not None}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a state, from any device and memory layout. Rates and the like stay those of the settings.

        Raises `CheckpointError` where the state is of other networks, or lacks an average that is to be kept.
        """
        load_weights(self.bare_generator, state["generator"], "generator")
        load_weights(self.bare_discriminator, state["discriminator"], "discriminator")
        load_moments(self.generator_optimizer, state["generator_optimizer"])
        load_moments(self.discriminator_optimizer, state["discriminator_optimizer"])
        for average, name, of, setting in (
            (self.averaged, "averaged", "generator", "average_images"),
            (self.averaged_discriminator, "averaged_discriminator", "discriminator", "average_discriminator_images"),
        ):
            if average is None:
                continue
            if name not in state:
                raise CheckpointError(
                    f"the checkpoint holds no averaged {of} but optimization.{setting} is "
                    f"{getattr(self.settings, setting)}: set it to 0, or start a new run"
                )
            for key, weight in state[name].items():
                average[key].copy_(weight)


def scale(images: Tensor, like: Tensor) -> Tensor:
    """uint8 images to [-1, 1] as `x / 127.5 - 1` (published code), on the device and in the dtype of `like`."""
    return images.to(like.device, torch.promote_types(like.dtype, torch.float32)).div_(127.5).sub_(1).to(like.dtype)


def learning_rate(settings: OptimizationSettings, step: int, total_steps: int) -> float:
    """Of a step counted from 0: constant, or divided by `lr_divisor` at each step; then falling in a line that would
    reach 0 at `total_steps`; nowhere below `lr_floor`."""
    rate = settings.lr * settings.lr_divisor**-step
    if settings.decay:
        rate *= min(1.0, max(0.0, (total_steps - step) / (settings.decay * total_steps)))
    return max(settings.lr_floor, rate)


def momentum(settings: OptimizationSettings, step: int) -> float:
    """Of a step counted from 0. The original GAN's changes once in an epoch, from 0.5 in the first two to 0.7 in the
    251st; here it changes at each step."""
    if settings.momentum_images == 0:
        return settings.final_momentum
    part = min(1.0, step * settings.batch_size / settings.momentum_images)
    return settings.momentum + part * (settings.final_momentum - settings.momentum)


def load_weights(network: nn.Module, weights: Mapping[str, Tensor], name: str) -> None:
    """Copy `weights` into a network; `CheckpointError` where names or shapes differ."""
    own = {key: tuple(value.shape) for key, value in network.state_dict().items()}
    theirs = {key: tuple(value.shape) for key, value in weights.items()}
    for key in [*own, *theirs]:
        if own.get(key) != theirs.get(key):
            raise CheckpointError(
                f"the checkpoint's {name} does not fit the settings: {key} is {_shape(theirs.get(key))} but needs to "
                f"be {_shape(own.get(key))}; give the networks.* settings of the run that wrote it"
            )
    network.load_state_dict(weights)


def _shape(shape: tuple[int, ...] | None) -> str:
    return "absent" if shape is None else "x".join(map(str, shape))


def _gradient_norm(network: nn.Module) -> Tensor:
    return nn.utils.get_total_norm([p.grad for p in network.parameters() if p.grad is not None])


def _optimizer(network: nn.Module, settings: OptimizationSettings) -> torch.optim.Optimizer:
    """Adam, or momentum with the same weight decay."""
    if settings.optimizer == "momentum":
        return Momentum(network.parameters(), settings.lr, settings.momentum, settings.weight_decay)
    return adam(network, settings)


def adam(network: nn.Module, settings: OptimizationSettings) -> torch.optim.Adam:
    """Adam with coupled weight decay on all parameters, gains and shifts among them (published code)."""
    return torch.optim.Adam(
        network.parameters(),
        lr=settings.lr,
        betas=(settings.beta1, settings.beta2),
        eps=settings.eps,
        weight_decay=settings.weight_decay,
        fused=True,
    )


def load_moments(optimizer: torch.optim.Optimizer, moments: dict[int, dict[str, Tensor]]) -> None:
    optimizer.load_state_dict({"state": moments, "param_groups": optimizer.state_dict()["param_groups"]})
    # The fused kernel walks weights and moments side by side in memory: they need the same layout.
    for weight, state in optimizer.state.items():
        for name, value in state.items():
            if value.shape == weight.shape:
                state[name] = torch.empty_like(weight).copy_(value)


def _bare(network: nn.Module) -> nn.Module:
    return network.module if isinstance(network, DistributedDataParallel) else network


def _copy(network: nn.Module) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in network.state_dict().items()}


def _move_average(average: Mapping[str, Tensor], network: nn.Module, batch_size: int, half_life: int) -> None:
    """Move an average of a network's weights by one step; `half_life`: in images."""
    share = 1 - 0.5 ** (batch_size / half_life)
    parameters = {name for name, _ in network.named_parameters(remove_duplicate=False)}
    with torch.no_grad():
        for name, value in network.state_dict().items():
            if name in parameters:
                average[name].lerp_(value, share)
            else:  # statistics of a user's own networks, which are averages already
                average[name].copy_(value)


def _workers(network: nn.Module) -> int:
    return network.process_group.size() if isinstance(network, DistributedDataParallel) else 1
