"""Batch normalization over the batch of a step, however many workers share it, on any device.

As in the published code, the statistics are always those of the current batch: there are no running averages, so a
network has no buffers, and what it gives for an image depends on the images beside it. Where that must not be, when
samples are drawn and features are made, statistics are averaged over many batches first and then fixed
(`with_statistics`).

The variance is the biased one and eps is 1e-8. At such an eps E[x^2] - E[x]^2 would lose everything in float32, so
workers exchange (count, mean, centered sum of squares) and combine them by Chan, Golub and LeVeque's formula.
`torch.nn.SyncBatchNorm` does not run on CPUs.
"""

from collections.abc import Callable, Iterable, Sequence
from copy import deepcopy
from dataclasses import dataclass

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import FunctionCtx, once_differentiable
from torch.nn.modules.batchnorm import _BatchNorm as _TorchBatchNorm

NO_LAYERS = "no layers of batch normalization"
EPS = 1e-8
"""Added to the variance (published code; the default of PyTorch is 1e-5)."""


class BatchNorm(nn.Module):
    """`(x - mean) / sqrt(var + eps) * weight + bias` for every channel of `x`, `[n, C]` or `[n, C, H, W]`.

    `x` may be bfloat16 while weight and bias are float32: the statistics are then float32. Weight and bias are NaN
    until `networks.initialize` or `load_state_dict` sets them; without `gain` there are none, as if they were 1 and 0.
    """

    weight: nn.Parameter | None
    bias: nn.Parameter | None

    def __init__(self, channels: int, gain: bool = True) -> None:
        super().__init__()
        self.channels = channels
        for name in ("weight", "bias"):
            self.register_parameter(name, nn.Parameter(torch.full((channels,), torch.nan)) if gain else None)
        self.process_group: dist.ProcessGroup | None = None

    def forward(self, x: Tensor, groups: int = 1) -> Tensor:
        """Normalize each of `groups` equal parts of the batch by its own statistics."""
        weight, bias = self._gain_and_shift(x)
        if self.process_group is not None:
            return _Shared.apply(x, weight, bias, groups, self.process_group)  # type: ignore[no-any-return]
        if groups == 1:
            return F.batch_norm(x, None, None, weight, bias, training=True, momentum=0.0, eps=EPS)
        return _Parts.apply(x, weight, bias, groups)  # type: ignore[no-any-return]

    def _gain_and_shift(self, x: Tensor) -> tuple[Tensor, Tensor]:
        if self.weight is not None and self.bias is not None:
            return self.weight, self.bias
        like = torch.empty(self.channels, dtype=exact(x), device=x.device)  # in the dtype of the statistics
        return torch.ones_like(like), torch.zeros_like(like)


def exact(x: Tensor) -> torch.dtype:
    """In which statistics of `x` are computed: float32 of bfloat16, else as it is."""
    return torch.promote_types(x.dtype, torch.float32)


def set_process_group(network: nn.Module, group: dist.ProcessGroup | None) -> None:
    """Take the statistics of every `BatchNorm` of `network` over all members of `group`; None: each worker for itself.

    The members must then call the network together; their numbers of rows may differ. Give it a group of its own
    (`torch.distributed.new_group()`): the sums of DDP run at the same time in theirs.
    """
    for module in network.modules():
        if isinstance(module, BatchNorm):
            module.process_group = group


@dataclass(frozen=True)
class Statistics:
    """Fixed statistics of the layers of a network that have batch normalization, first layer first.

    Attributes:
        means: float64 [C] of each.
        variances: float64 [C] of each, biased.
        batches: over how many batches they are averages.
    """

    means: tuple[Tensor, ...]
    variances: tuple[Tensor, ...]
    batches: int


def average(parts: Sequence[Statistics]) -> Statistics:
    """Statistics over the batches of all parts, each batch with the same weight."""
    batches = sum(part.batches for part in parts)

    def mean(columns: Sequence[tuple[Tensor, ...]]) -> tuple[Tensor, ...]:
        weighted = zip(
            *([tensor * part.batches for tensor in column] for part, column in zip(parts, columns, strict=True)),
            strict=True,
        )
        return tuple(torch.stack(layer).sum(0) / batches for layer in weighted)

    return Statistics(mean([part.means for part in parts]), mean([part.variances for part in parts]), batches)


def average_of_batches(found: Iterable[Statistics]) -> Statistics | None:
    """Statistics over batches that come one after the other; None where there are none.

    None of them is kept: among the large tensors that come and go, small ones that stay would hold whole pages each.
    """
    sums: list[Tensor] = []
    batches = 0
    for one in found:
        tensors = [*one.means, *one.variances]
        sums = sums or [torch.zeros_like(tensor) for tensor in tensors]
        for total, tensor in zip(sums, tensors, strict=True):
            total += tensor
        batches += 1
    if not batches:
        return None
    means = [total / batches for total in sums]
    return Statistics(tuple(means[: len(means) // 2]), tuple(means[len(means) // 2 :]), batches)


@torch.no_grad()
def input_statistics(network: nn.Module, forward: Callable[[Tensor], object], x: Tensor) -> Statistics:
    """Statistics of what each `BatchNorm` of a network is given for one batch, while the batch's own are in use.

    Args:
        forward: the network, or one of its methods; a layer that it does not use gets mean 0 and variance 1.
        x: the batch.
    """
    layers = _normalizing(network)
    moments = {name: (torch.zeros(one.channels).double(), torch.ones(one.channels).double()) for name, one in layers}

    def note(name: str, x: Tensor) -> None:
        dims = [d for d in range(x.dim()) if d != 1]
        x = x.to(exact(x))
        mean = x.mean(dims, keepdim=True)
        # torch.var_mean took ten times as long as this on a CPU (64 x 32 maps of 16 px).
        moments[name] = mean.flatten().double().cpu(), (x - mean).square().mean(dims).double().cpu()

    hooks = [one.register_forward_pre_hook(lambda _, inputs, name=name: note(name, inputs[0])) for name, one in layers]
    try:
        forward(x)
    finally:
        for hook in hooks:
            hook.remove()
    return Statistics(tuple(mean for mean, _ in moments.values()), tuple(var for _, var in moments.values()), 1)


class FixedBatchNorm(nn.Module):
    """A `BatchNorm` whose statistics do not change; its buffers are called as those of `torch.nn.BatchNorm2d`."""

    def __init__(self, norm: BatchNorm, mean: Tensor, variance: Tensor, like: Tensor) -> None:
        """`like`: weights of its network, whose dtype and device the statistics get."""
        super().__init__()
        self.weight, self.bias = norm.weight, norm.bias
        self.register_buffer("running_mean", mean.to(like))
        self.register_buffer("running_var", variance.to(like))

    def forward(self, x: Tensor, groups: int = 1) -> Tensor:
        """`x` normalized, whatever rows it has; `groups` changes nothing."""
        mean, variance = self.get_buffer("running_mean"), self.get_buffer("running_var")
        return F.batch_norm(x, mean, variance, self.weight, self.bias, training=False, eps=EPS)


def with_statistics(network: nn.Module, statistics: Statistics) -> nn.Module:
    """A copy of a network whose `BatchNorm` layers use these statistics, as `input_statistics` lists them."""
    copy = deepcopy(network)
    like = next(network.parameters())
    for (name, norm), mean, variance in zip(_normalizing(copy), statistics.means, statistics.variances, strict=True):
        copy.set_submodule(name, FixedBatchNorm(norm, mean, variance, like))
    return copy


def _normalizing(network: nn.Module) -> list[tuple[str, BatchNorm]]:
    return [(name, module) for name, module in network.named_modules() if isinstance(module, BatchNorm)]


def describe_statistics(network: nn.Module, *, ours: str, of_batch: str) -> str:
    """By what statistics the layers of a network in eval mode normalize, in words.

    Args:
        ours: said of `BatchNorm`, whose statistics whoever uses the network chooses.
        of_batch: said of PyTorch's layers that keep no running statistics.
    """
    kinds: list[str] = []
    for module in network.modules():
        if isinstance(module, BatchNorm):
            kinds.append(ours)
        elif isinstance(module, _TorchBatchNorm):
            kinds.append(of_batch if module.running_mean is None else "running statistics of the training batches")
    return " and ".join(dict.fromkeys(kinds)) or NO_LAYERS


class _Parts(torch.autograd.Function):
    """Several parts of a batch in one process.

    The kernel writes each part to its place in the result: `torch.cat` of two F.batch_norm took 1.2 times as long,
    forward and backward (256 x 128 maps of 32 px, bf16 and fp32, CPU).
    """

    @staticmethod
    def forward(ctx: FunctionCtx, x: Tensor, weight: Tensor, bias: Tensor, groups: int) -> Tensor:
        out = torch.empty_like(x)
        means, scales = weight.new_empty(2, groups, len(weight))
        for part, normalized, mean, scale in zip(x.chunk(groups), out.chunk(groups), means, scales, strict=True):
            torch.native_batch_norm(part, weight, bias, None, None, True, 0.0, EPS, out=(normalized, mean, scale))
        ctx.save_for_backward(x, weight, means, scales)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: FunctionCtx, gradient: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        x, weight, means, scales = ctx.saved_tensors  # type: ignore[attr-defined]
        parts = zip(gradient.chunk(len(means)), x.chunk(len(means)), means, scales, strict=True)
        of_x, of_weight, of_bias = zip(
            *(
                torch.ops.aten.native_batch_norm_backward(
                    part_gradient, part, weight, None, None, mean, scale, True, EPS, [True, True, True]
                )
                for part_gradient, part, mean, scale in parts
            ),
            strict=True,
        )
        return torch.cat(of_x), torch.stack(of_weight).sum(0), torch.stack(of_bias).sum(0), None


class _Shared(torch.autograd.Function):
    """Parts of a batch whose rows are spread over a process group: one collective forward, one backward."""

    @staticmethod
    def forward(
        ctx: FunctionCtx, x: Tensor, weight: Tensor, bias: Tensor, groups: int, process_group: dist.ProcessGroup
    ) -> Tensor:
        count, means, variances = _gather_statistics(x, groups, weight.dtype, process_group)
        out = torch.empty_like(x)
        for part, normalized, mean, variance in zip(x.chunk(groups), out.chunk(groups), means, variances, strict=True):
            unused = mean.new_empty(0), mean.new_empty(0)
            torch.native_batch_norm(part, weight, bias, mean, variance, False, 0.0, EPS, out=(normalized, *unused))
        ctx.save_for_backward(x, weight, count, means, variances)
        ctx.process_group = process_group  # type: ignore[attr-defined]
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: FunctionCtx, gradient: Tensor) -> tuple[Tensor, Tensor, Tensor, None, None]:
        x, weight, count, means, variances = ctx.saved_tensors  # type: ignore[attr-defined]
        groups, of_x, of_weight, of_bias = len(means), [], [], []
        # With fixed statistics the kernel gives the gradients of weight and bias, and that part of the gradient of x
        # which does not go through the statistics.
        for part_gradient, part, mean, variance in zip(
            gradient.chunk(groups), x.chunk(groups), means, variances, strict=True
        ):
            direct, by_weight, by_bias = torch.ops.aten.native_batch_norm_backward(
                part_gradient, part, weight, mean, variance, None, None, False, EPS, [True, True, True]
            )
            of_x.append(direct)
            of_weight.append(by_weight)
            of_bias.append(by_bias)
        sums = torch.stack([torch.stack(of_weight), torch.stack(of_bias)])  # [2, groups, C]
        everywhere = sums.clone()
        dist.all_reduce(everywhere, group=ctx.process_group)  # type: ignore[attr-defined]
        inverse = (variances + EPS).rsqrt()
        slopes, shifts = everywhere / count * weight * inverse  # each [groups, C]
        slopes = slopes * inverse
        for direct, part, mean, slope, shift in zip(of_x, x.chunk(groups), means, slopes, shifts, strict=True):
            through = part - _per_channel(mean, part)
            direct -= through.mul_(_per_channel(slope, part)).add_(_per_channel(shift, part))
        return torch.cat(of_x), sums[0].sum(0), sums[1].sum(0), None, None


def _gather_statistics(
    x: Tensor, groups: int, dtype: torch.dtype, process_group: dist.ProcessGroup
) -> tuple[Tensor, Tensor, Tensor]:
    """Of each part, over all workers: values per channel (a scalar), mean and biased variance `[groups, C]`."""
    parts = x.chunk(groups)
    dims = [d for d in range(x.dim()) if d != 1]
    local = [torch.var_mean(part.to(dtype), dims, correction=0) for part in parts]
    count = parts[0].numel() // x.shape[1]
    mine = torch.cat(
        [local[0][0].new_tensor([count]), *(mean for _, mean in local), *(var * count for var, _ in local)]
    )
    workers = mine.new_empty(dist.get_world_size(process_group) * len(mine))
    dist.all_gather_single(workers, mine, group=process_group)
    workers = workers.view(-1, len(mine))
    counts = workers[:, 0].view(-1, 1, 1)
    means, squares = workers[:, 1:].view(len(workers), 2, groups, -1).unbind(1)  # each [workers, groups, C]
    total = counts.sum()
    mean = (means * (counts / total)).sum(0)
    variance = (squares + counts * (means - mean) ** 2).sum(0) / total
    return total, mean, variance


def _per_channel(values: Tensor, x: Tensor) -> Tensor:
    return values.view(-1, *[1] * (x.dim() - 2))
