"""Batch normalization in one process; the same over several workers is in test_workers.py."""

import weakref
from collections.abc import Iterator

import pytest
import torch
import torch.distributed as dist
from torch import Tensor, nn

from dcgan_dist.model.batchnorm import (
    EPS,
    BatchNorm,
    Statistics,
    average,
    average_of_batches,
    input_statistics,
    set_process_group,
    with_statistics,
)

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
        centered = part - part.mean(dims, keepdim=True)
        parts.append(centered / ((centered**2).mean(dims, keepdim=True) + EPS).sqrt() * gain + shift)
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
@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize("kind", [torch.float64, torch.bfloat16])
def test_without_gain_it_is_as_with_gains_of_1_and_shifts_of_0(
    kind: torch.dtype, groups: int, shared: bool, alone: dist.ProcessGroup
) -> None:
    module, other = BatchNorm(5, gain=False), BatchNorm(5).to(torch.promote_types(kind, torch.float32))
    assert not list(module.parameters())
    assert not module.state_dict()
    for one in (module, other):
        set_process_group(one, alone if shared else None)
    torch.nn.init.ones_(other.weight)
    torch.nn.init.zeros_(other.bias)
    x = batch((12, 5, 4, 4)).to(kind).requires_grad_()
    found, expected = module(x, groups), other(x, groups)
    assert torch.equal(found, expected)
    gradients = [torch.autograd.grad(one.square().sum(), x)[0] for one in (found, expected)]
    assert torch.equal(*gradients)


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
    network = nn.Sequential(BatchNorm(2), nn.Sequential(BatchNorm(3)))
    set_process_group(network, alone)
    assert [m.process_group for m in network.modules() if isinstance(m, BatchNorm)] == [alone, alone]
    set_process_group(network, None)
    assert [m.process_group for m in network.modules() if isinstance(m, BatchNorm)] == [None, None]


def test_statistics_of_batches_are_averaged_and_none_of_them_is_kept() -> None:
    found = [Statistics((torch.rand(3).double(),), (torch.rand(3).double(),), 1) for _ in range(5)]
    kept: list[weakref.ref[Statistics]] = []

    def batches() -> Iterator[Statistics]:
        for one in found:
            assert not any(reference() for reference in kept[:-1])
            copy = Statistics(tuple(map(torch.clone, one.means)), tuple(map(torch.clone, one.variances)), 1)
            kept.append(weakref.ref(copy))
            yield copy
            del copy

    averaged, expected = average_of_batches(batches()), average(found)
    assert averaged is not None
    assert averaged.batches == 5
    for one, other in ((averaged.means, expected.means), (averaged.variances, expected.variances)):
        torch.testing.assert_close(one[0], other[0], rtol=1e-15, atol=0)
    assert average_of_batches(iter(())) is None


def test_what_each_layer_is_given_is_measured_while_the_batch_rules() -> None:
    first, second = batchnorm(5, torch.float64), batchnorm(5, torch.float64)
    network, x = nn.Sequential(first, nn.Tanh(), second), batch((12, 5, 4, 4))
    found = input_statistics(network, network, x)
    given = definition(x, first).tanh()
    for mean, variance, maps in zip(found.means, found.variances, (x, given), strict=True):
        torch.testing.assert_close(mean, maps.mean((0, 2, 3)), rtol=0, atol=1e-13)
        torch.testing.assert_close(variance, maps.var((0, 2, 3), correction=0), rtol=0, atol=1e-13)
    assert found.batches == 1
    assert not any(module._forward_pre_hooks for module in network.modules())


def test_fixed_statistics_leave_the_network_and_make_an_image_independent_of_its_batch() -> None:
    network, x = nn.Sequential(batchnorm(5, torch.float64), nn.Tanh(), batchnorm(5, torch.float64)), batch((12, 5))
    statistics = input_statistics(network, network, x)
    fixed = with_statistics(network, statistics)
    # By the statistics of this very batch both do the same.
    torch.testing.assert_close(fixed(x), network(x), rtol=0, atol=1e-12)
    torch.testing.assert_close(torch.cat([fixed(row[None]) for row in x]), fixed(x), rtol=0, atol=1e-14)
    assert not torch.allclose(network(x[:3]), fixed(x[:3]))
    assert set(fixed.state_dict()) == {
        f"{layer}.{name}" for layer in (0, 2) for name in ("weight", "bias", "running_mean", "running_var")
    }
    with torch.no_grad():
        fixed.get_parameter("0.weight").zero_()
    assert network.get_parameter("0.weight").all()
