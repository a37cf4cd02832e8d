"""Batch normalisation in one process; the same over several workers is in test_workers.py."""

from collections.abc import Iterator

import pytest
import torch
import torch.distributed as dist
from torch import Tensor

from dcgan_dist.batchnorm import EPS, BatchNorm, set_process_group

SHAPES = [(12, 5), (12, 5, 4, 4)]


@pytest.fixture
def alone() -> Iterator[dist.ProcessGroup]:
    """A process group of this process: the path that workers share, without others."""
    dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
    yield dist.group.WORLD  # type: ignore[misc]
    dist.destroy_process_group()


def batchnorm(channels: int, dtype: torch.dtype, group: dist.ProcessGroup | None = None) -> BatchNorm:
    module = BatchNorm(channels).to(dtype)
    numbers = torch.Generator().manual_seed(1)
    with torch.no_grad():
        module.weight.copy_(torch.randn(channels, generator=numbers))
        module.bias.copy_(torch.randn(channels, generator=numbers))
    set_process_group(module, group)
    return module


def definition(x: Tensor, module: BatchNorm, groups: int = 1) -> Tensor:
    """Written out, in float64."""
    dims = [d for d in range(x.dim()) if d != 1]
    shape = [1, -1, *[1] * (x.dim() - 2)]
    gain, shift = module.weight.double().view(shape), module.bias.double().view(shape)
    parts = []
    for part in x.double().chunk(groups):
        centred = part - part.mean(dims, keepdim=True)
        parts.append(centred / ((centred**2).mean(dims, keepdim=True) + EPS).sqrt() * gain + shift)
    return torch.cat(parts)


def batch(shape: tuple[int, ...], dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(2), dtype=torch.float64).to(dtype)


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("groups", [1, 2, 3])
@pytest.mark.parametrize("shape", SHAPES)
def test_values_and_gradients_are_those_of_the_definition(
    shape: tuple[int, ...], groups: int, shared: bool, alone: dist.ProcessGroup
) -> None:
    module = batchnorm(5, torch.float64, alone if shared else None)
    x, weights = batch(shape).requires_grad_(), torch.rand(shape, dtype=torch.float64)
    found, expected = module(x, groups), definition(x, module, groups)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-13)
    inputs = [x, module.weight, module.bias]
    for ours, theirs in zip(
        torch.autograd.grad((found * weights).sum(), inputs),
        torch.autograd.grad((expected * weights).sum(), inputs),
        strict=True,
    ):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-12)


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("shape", [(4, 2), (4, 2, 2, 2)])
def test_gradients_pass_gradcheck(shape: tuple[int, ...], shared: bool, alone: dist.ProcessGroup) -> None:
    module = batchnorm(2, torch.float64, alone if shared else None)

    def of(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        parameters = {"weight": weight, "bias": bias}
        return torch.func.functional_call(module, parameters, (x, 2))  # type: ignore[no-any-return]

    inputs = batch(shape).requires_grad_(), module.weight, module.bias
    assert torch.autograd.gradcheck(of, inputs, fast_mode=False)


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_small_spread_around_a_large_mean_survives_float32(
    layout: torch.memory_format, shared: bool, alone: dist.ProcessGroup
) -> None:
    module = batchnorm(5, torch.float32, alone if shared else None)
    x = (batch((24, 5, 8, 8)) * 0.01 + 100).float().contiguous(memory_format=layout)
    found = module(x, 2)
    # x / sd is 1e4, of which float32 keeps 1e-3, and PyTorch's kernel for channels-last maps on a CPU adds up one place
    # after the other (off by 6e-3 here, by 1e-4 at a mean of 1 sd). E[x^2] - E[x]^2 would be wrong by 10 and more.
    torch.testing.assert_close(found.double(), definition(x, module, 2), rtol=0, atol=2e-2)
    assert found.is_contiguous(memory_format=layout)


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("groups", [1, 2])
def test_bfloat16_maps_have_float32_statistics(groups: int, shared: bool, alone: dist.ProcessGroup) -> None:
    module = batchnorm(5, torch.float32, alone if shared else None)
    x = (batch((64, 5, 8, 8)) + 3).bfloat16().requires_grad_()
    found, expected = module(x, groups), definition(x, module, groups)
    assert found.dtype == torch.bfloat16
    torch.testing.assert_close(found.double(), expected, rtol=2**-8, atol=1e-2)
    found.sum().backward()
    assert x.grad is not None
    assert x.grad.dtype == torch.bfloat16
    assert module.weight.grad is not None
    assert module.weight.grad.dtype == torch.float32


def test_every_batchnorm_of_a_network_gets_the_group(alone: dist.ProcessGroup) -> None:
    network = torch.nn.Sequential(BatchNorm(2), torch.nn.Sequential(BatchNorm(3)))
    set_process_group(network, alone)
    assert [m.process_group for m in network.modules() if isinstance(m, BatchNorm)] == [alone, alone]
    set_process_group(network, None)
    assert [m.process_group for m in network.modules() if isinstance(m, BatchNorm)] == [None, None]
