"""Workers that step on their own, and average their weights now and then (local SGD). Plain PyTorch.

Between two exchanges a worker knows only its own part of each batch. An exchange takes all of them to the same weights,
those from which the next one starts:

    theta <- theta - outer_lr * (d + outer_momentum * m),   m <- outer_momentum * m + d,   d = mean of (theta - theta_i)

where theta are the weights after the last exchange and theta_i those of worker i now: Nesterov's momentum on the mean
of what the workers have moved (DiLoCo, Douillard et al., 2023). At a rate of 1 without momentum theta becomes the mean
of all theta_i. The moments of the optimizers go on by themselves and are averaged more rarely (`align`), with all else
that a checkpoint holds.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from dcgan_dist.errors import CheckpointError
from dcgan_dist.model.adversarial_step import AdversarialStep
from dcgan_dist.settings import WorkerSettings

OUTER = "outer"
"""In the state of a checkpoint: the momentum of exchanges."""


def exchange_weights(settings: WorkerSettings, number: int) -> bool:
    """Whether so many workers average weights in place of gradients. One alone has nothing to average, but its group
    may have been larger, and the rate and momentum of exchanges are for it, too."""
    plain = settings.outer_lr == 1 and settings.outer_momentum == 0
    return settings.exchange_steps > 1 and (number > 1 or not plain)


class LocalSteps:
    """Averages what the workers of a group have learned on their own."""

    def __init__(
        self, adversarial: AdversarialStep, group: dist.ProcessGroup, *, lr: float, momentum: float, bf16: bool
    ) -> None:
        """Give all workers the networks of the first one, and the averages of their weights.

        Args:
            adversarial: with bare networks.
            group: of all workers.
            lr: `outer_lr`, see above.
            momentum: `outer_momentum`, likewise.
            bf16: send the differences of weights rounded to bfloat16.
        """
        self._adversarial, self._group = adversarial, group
        self._lr, self._momentum, self._bf16 = lr, momentum, bf16
        self._weights = [
            weight.detach()
            for network in (adversarial.bare_generator, adversarial.bare_discriminator)
            for weight in network.parameters()
        ]
        for tensors in _by_dtype([*self._weights, *self._buffers(), *self._averages()]):
            flat = _flat(tensors)
            dist.broadcast(flat, group_src=0, group=group)
            _spread(flat, tensors)
        self._start = [weight.clone() for weight in self._weights]
        self._moved = [torch.zeros_like(weight) for weight in self._weights] if momentum else []

    def exchange(self) -> None:
        """Take the weights of all workers to the same ones."""
        moved = [start - weight for start, weight in zip(self._start, self._weights, strict=True)]
        self._mean(moved, torch.bfloat16 if self._bf16 else None)
        if self._moved:
            for before, now in zip(self._moved, moved, strict=True):
                before.mul_(self._momentum).add_(now)
                now.add_(before, alpha=self._momentum)
        for weight, start, change in zip(self._weights, self._start, moved, strict=True):
            start.sub_(change, alpha=self._lr)
            weight.copy_(start)

    def align(self) -> None:
        """Average all else that a checkpoint holds, after an exchange: moments, averages of weights, and buffers of a
        user's own networks. All workers are then the same."""
        adversarial = self._adversarial
        optimizers = adversarial.generator_optimizer, adversarial.discriminator_optimizer
        moments = [value for optimizer in optimizers for value in _moments(optimizer)]
        self._mean([*moments, *self._averages(), *self._buffers()])

    def state_dict(self) -> dict[str, dict[int, Tensor]]:
        """What exchanges keep besides the weights, as live tensors; empty without momentum."""
        return {OUTER: dict(enumerate(self._moved))} if self._moved else {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a state; one without momentum begins with none.

        Raises:
            CheckpointError: it is of other networks.
        """
        if OUTER not in state or not self._moved:
            return
        saved = list(state[OUTER].values())
        if [value.shape for value in saved] != [value.shape for value in self._moved]:
            raise CheckpointError("the checkpoint's outer momentum is of other networks: start a new run")
        for own, value in zip(self._moved, saved, strict=True):
            own.copy_(value)

    def _buffers(self) -> list[Tensor]:
        networks = self._adversarial.bare_generator, self._adversarial.bare_discriminator
        return [value for network in networks for value in network.buffers() if value.is_floating_point()]

    def _averages(self) -> list[Tensor]:
        averages = self._adversarial.averaged, self._adversarial.averaged_discriminator
        return [value for average in averages for value in (average or {}).values() if value.is_floating_point()]

    def _mean(self, tensors: Sequence[Tensor], dtype: torch.dtype | None = None) -> None:
        """Replace each tensor by its mean over all workers, sent as `dtype`."""
        for alike in _by_dtype(tensors):
            flat = _flat(alike)
            sent = flat.div_(self._group.size()).to(dtype or flat.dtype)
            dist.all_reduce(sent, group=self._group)
            _spread(sent.to(flat.dtype), alike)


def _moments(optimizer: torch.optim.Optimizer) -> Iterable[Tensor]:
    """All that has the shape of a weight: steps are counted alike everywhere."""
    for weight, state in optimizer.state.items():
        for value in state.values():
            if isinstance(value, Tensor) and value.shape == weight.shape and value.is_floating_point():
                yield value


def _by_dtype(tensors: Iterable[Tensor]) -> list[list[Tensor]]:
    groups: dict[torch.dtype, list[Tensor]] = {}
    for tensor in tensors:
        groups.setdefault(tensor.dtype, []).append(tensor)
    return list(groups.values())


def _flat(tensors: Sequence[Tensor]) -> Tensor:
    return torch.cat([tensor.reshape(-1) for tensor in tensors])


def _spread(flat: Tensor, tensors: Sequence[Tensor]) -> None:
    for part, tensor in zip(torch.split(flat, [tensor.numel() for tensor in tensors]), tensors, strict=True):
        tensor.copy_(part.view(tensor.shape))
