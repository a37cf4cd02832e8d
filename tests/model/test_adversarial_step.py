"""The step in one process; the same over several workers is in test_workers.py."""

import copy
import io
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dcgan_dist.errors import CheckpointError
from dcgan_dist.model.adversarial_step import AdversarialStep, learning_rate, scale
from dcgan_dist.model.dcgan import Discriminator, Generator, build_networks
from dcgan_dist.model.precision import resolve_precision
from dcgan_dist.settings import NetworkSettings, OptimizationSettings

CPU = torch.device("cpu")
NETWORKS = NetworkSettings(image_size=16, generator_maps=3, discriminator_maps=4, latent_size=6)
EXACT = OptimizationSettings(batch_size=12, precision="fp64")
ALTERNATE = OptimizationSettings(batch_size=12, precision="fp64", schedule="alternate")


def make(settings: OptimizationSettings, seed: int = 1, networks: NetworkSettings = NETWORKS) -> AdversarialStep:
    weights = resolve_precision(settings.precision, CPU).weights
    return AdversarialStep(*build_networks(networks, seed, CPU, weights, settings.channels_last), settings, 100)


def batch(step: int, n: int = 12) -> tuple[Tensor, Tensor]:
    numbers = np.random.default_rng(step)
    real = torch.from_numpy(numbers.integers(0, 256, (n, 3, 16, 16), dtype=np.uint8))
    return real, torch.from_numpy(numbers.uniform(-1, 1, (n, 6)))


def run(step: AdversarialStep, numbers: range) -> list[dict[str, Tensor]]:
    return [step(*batch(number), number) for number in numbers]


@pytest.mark.parametrize("setting", [{"beta1": 0.3}, {"beta2": 0.9}, {"eps": 1e-3}, {"lr": 3e-4}])
def test_both_optimizers_are_adam_with_the_settings_of_the_run(setting: dict[str, float]) -> None:
    """By PyTorch's own Adam on the same gradients; values are none of its defaults, which it would take unasked."""
    settings = replace(EXACT, **({"beta1": 0.4, "beta2": 0.95, "eps": 1e-5, "lr": 5e-4} | setting))  # type: ignore[arg-type]
    step = make(settings)
    for name in ("generator", "discriminator"):
        network = getattr(step, f"bare_{name}")
        before = [parameter.detach().clone().requires_grad_() for parameter in network.parameters()]
        betas = (settings.beta1, settings.beta2)
        reference = torch.optim.Adam(before, lr=settings.lr, betas=betas, eps=settings.eps)
        optimizer = getattr(step, f"{name}_optimizer")
        random = torch.Generator().manual_seed(3)
        for _ in range(3):
            for mine, theirs in zip(network.parameters(), before, strict=True):
                values = torch.randn(mine.shape, generator=random, dtype=mine.dtype) * 1e-3
                mine.grad = torch.empty_like(mine).copy_(values)  # laid out as autograd does it
                theirs.grad = mine.grad.clone()
            optimizer.step()
            reference.step()
        for mine, theirs in zip(network.parameters(), before, strict=True):
            assert torch.allclose(mine, theirs, rtol=1e-12, atol=0)


def copies(step: AdversarialStep) -> tuple[Generator, Discriminator]:
    pair = copy.deepcopy((step.bare_generator, step.bare_discriminator))
    for network in pair:
        network.zero_grad()
    return pair  # type: ignore[return-value]


def gradients(network: nn.Module) -> list[Tensor]:
    return [p.grad for p in network.parameters() if p.grad is not None]


def tensors(state: Any) -> list[Tensor]:
    if isinstance(state, Tensor):
        return [state]
    return [tensor for value in state.values() for tensor in tensors(value)]


def assert_same(one: AdversarialStep, two: AdversarialStep) -> None:
    for a, b in zip(tensors(one.state_dict()), tensors(two.state_dict()), strict=True):
        assert torch.equal(a, b)


@pytest.fixture(autouse=True, scope="module")
def _one_thread() -> Iterator[None]:
    """Networks this small only lose time by a second one, most of all on a busy machine."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


# Losses and gradients


def test_losses_and_scores_are_those_of_the_published_code() -> None:
    step = make(EXACT)
    generator, discriminator = copies(step)
    real, z = batch(0)
    found = step(real, z, 0)
    images = generator(z).detach()

    def p(network: nn.Module, x: Tensor) -> np.ndarray:
        return 1 / (1 + np.exp(-network(x).detach().numpy()))  # type: ignore[no-any-return]

    of_real, before = p(discriminator, scale(real, images)), p(discriminator, images)
    after = p(step.bare_discriminator, images)
    expected = {
        "loss/discriminator": -np.log(of_real).mean() - np.log(1 - before).mean(),
        "loss/generator": -np.log(after).mean(),
        "score/real": of_real.mean(),
        "score/generated_before": before.mean(),
        "score/generated_after": after.mean(),
    }
    assert {name: found[name].item() for name in expected} == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("channels_last", [True, False])
def test_gradients_are_those_of_two_forward_passes_each(channels_last: bool) -> None:
    step = make(OptimizationSettings(batch_size=12, precision="fp64", channels_last=channels_last))
    generator, discriminator = copies(step)
    real, z = batch(0)
    found = step(real, z, 0)

    images = generator(z)
    ones, zeros = torch.ones(12, dtype=torch.float64), torch.zeros(12, dtype=torch.float64)
    loss = F.binary_cross_entropy_with_logits(discriminator(scale(real, z)), ones)
    loss = loss + F.binary_cross_entropy_with_logits(discriminator(images.detach()), zeros)
    loss.backward()
    F.binary_cross_entropy_with_logits(copies(step)[1](images), ones).backward()
    for ours, theirs in ((step.discriminator, discriminator), (step.generator, generator)):
        for a, b in zip(gradients(ours), gradients(theirs), strict=True):
            torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-15)
    norm = torch.cat([g.flatten() for g in gradients(generator)]).norm()
    assert found["gradient/generator"].item() == pytest.approx(norm.item(), rel=1e-12)
    norm = torch.cat([g.flatten() for g in gradients(discriminator)]).norm()
    assert found["gradient/discriminator"].item() == pytest.approx(norm.item(), rel=1e-12)


def test_update_of_the_generator_leaves_no_gradient_on_the_discriminator() -> None:
    step = make(ALTERNATE)
    run(step, range(1))
    assert len(gradients(step.generator)) == len(list(step.generator.parameters()))
    assert not gradients(step.discriminator)


def test_update_of_the_discriminator_leaves_no_gradient_on_the_generator() -> None:
    step = make(ALTERNATE)
    step(*batch(1), 1)
    assert len(gradients(step.discriminator)) == len(list(step.discriminator.parameters()))
    assert not gradients(step.generator)


def test_a_users_own_loss_is_what_is_trained_on() -> None:
    """Here ours with the two kinds of images exchanged, in D only."""

    def exchanged(settings: OptimizationSettings) -> tuple[Any, Any]:
        return lambda real, made: -F.logsigmoid(-real) - F.logsigmoid(made), lambda made: -F.logsigmoid(made)

    settings = replace(ALTERNATE, loss="mine:loss")
    networks = build_networks(NETWORKS, 1, CPU, torch.float64, settings.channels_last)
    step = AdversarialStep(*networks, settings, 100, code={"mine:loss": exchanged})
    found, ours = step(*batch(1), 1), make(ALTERNATE)(*batch(1), 1)
    assert found["score/real"] == ours["score/real"]
    assert found["loss/discriminator"].item() != pytest.approx(ours["loss/discriminator"].item(), rel=1e-3)


def test_metrics_do_not_hold_the_graph() -> None:
    assert not any(value.requires_grad or value.dim() for value in run(make(EXACT), range(1))[0].values())


# Optimizer


@pytest.mark.parametrize("settings", [EXACT, ALTERNATE], ids=["both", "alternate"])
def test_twenty_steps_are_the_published_updates(settings: OptimizationSettings) -> None:
    settings = OptimizationSettings(
        batch_size=12, precision="fp64", schedule=settings.schedule, weight_decay=1e-2, lr=1e-3, decay=0.9
    )
    step = make(settings)
    weights = {p: p.detach().clone() for n in (step.generator, step.discriminator) for p in n.parameters()}
    moments = dict.fromkeys(weights, (0.0, 0.0, 0))
    for number in range(20):
        step.generator_optimizer.zero_grad()
        step.discriminator_optimizer.zero_grad()
        run(step, range(number, number + 1))
        rate = 1e-3 * min(1, (100 - number) / 90)
        for p in weights:
            if p.grad is None:
                continue
            m, v, t = moments[p]
            g, t = p.grad + 1e-2 * weights[p], t + 1
            m, v = 0.5 * m + 0.5 * g, 0.999 * v + 0.001 * g**2
            weights[p] -= rate * (m / (1 - 0.5**t)) / ((v / (1 - 0.999**t)) ** 0.5 + 1e-8)
            moments[p] = m, v, t
    assert {t for _, _, t in moments.values()} == ({20} if settings.schedule == "both" else {10})
    for p, expected in weights.items():
        torch.testing.assert_close(p.detach(), expected, rtol=0, atol=1e-13)


@pytest.mark.parametrize(
    ("decay", "step", "share"),
    [
        (0, 99, 1),
        (0.5, 0, 1),
        (0.5, 50, 1),
        (0.5, 75, 0.5),
        (0.5, 99, 0.02),
        (0.5, 100, 0),
        (0.5, 101, 0),
        (1, 25, 0.75),
    ],
)
def test_learning_rate_falls_in_a_line_over_the_last_part(decay: float, step: int, share: float) -> None:
    settings = OptimizationSettings(lr=1e-3, decay=decay)
    assert learning_rate(settings, step, 100) == pytest.approx(1e-3 * share, abs=1e-18)


@pytest.mark.parametrize("tensors", [False, True])
def test_both_optimizers_get_the_rate_of_the_step(tensors: bool) -> None:
    """Also where it is a tensor, which a CUDA graph reads: that stays the same one."""
    step = make(replace(EXACT, lr=1e-3, decay=0.5))
    groups = [
        group for name in ("generator", "discriminator") for group in getattr(step, f"{name}_optimizer").param_groups
    ]
    rates = [torch.tensor(0.0, dtype=torch.float64) for _ in groups]
    for group, rate in zip(groups, rates, strict=True):
        group["lr"] = rate if tensors else 0.0
    step.set_learning_rate(75)
    assert [float(group["lr"]) for group in groups] == pytest.approx([5e-4] * 2)
    assert all((group["lr"] is rate) == tensors for group, rate in zip(groups, rates, strict=True))


# Schedules


def test_alternate_updates_the_generator_first_and_then_one_in_turn() -> None:
    step = make(ALTERNATE)
    for number in range(4):
        before = copies(step)
        [metrics] = run(step, range(number, number + 1))
        changed = [
            any(not torch.equal(a, b) for a, b in zip(old.parameters(), new.parameters(), strict=True))
            for old, new in zip(before, (step.bare_generator, step.bare_discriminator), strict=True)
        ]
        if number % 2 == 0:
            assert changed == [True, False]
            assert set(metrics) == {"loss/generator", "gradient/generator"}
        else:
            assert changed == [False, True]
            of_discriminator = {"loss/discriminator", "gradient/discriminator"}
            assert set(metrics) == of_discriminator | {"score/real", "score/generated_before"}


def test_both_updates_both_and_gives_every_metric() -> None:
    [metrics] = run(make(EXACT), range(1))
    assert set(metrics) == {
        *["loss/discriminator", "loss/generator", "gradient/discriminator", "gradient/generator"],
        *["score/real", "score/generated_before", "score/generated_after"],
    }


def test_discriminator_learns_to_tell_one_batch_from_generated_images() -> None:
    step = make(OptimizationSettings(batch_size=12, precision="fp64", schedule="alternate", lr=2e-3))
    losses = [step(*batch(0), 2 * number + 1)["loss/discriminator"] for number in range(30)]
    assert losses[-1] < 0.5 * losses[0]


# Precision and layout


def test_scale_maps_bytes_to_the_range_of_tanh() -> None:
    every = torch.arange(256, dtype=torch.uint8)
    for dtype, error in ((torch.float64, 1e-15), (torch.float32, 1e-7), (torch.bfloat16, 2**-9)):
        found = scale(every, torch.empty(0, dtype=dtype))
        assert found.dtype == dtype
        assert scale(every, torch.empty(0, dtype=dtype, device="meta")).device.type == "meta"
        np.testing.assert_allclose(found.double(), np.arange(256) / 127.5 - 1, rtol=0, atol=error)


def test_bfloat16_keeps_weights_and_moments_in_float32_and_stays_near() -> None:
    exact, mixed = make(EXACT), make(OptimizationSettings(batch_size=12, precision="bf16"))
    expected, found = run(exact, range(1))[0], run(mixed, range(1))[0]
    assert {t.dtype for t in tensors(mixed.state_dict())} == {torch.float32}
    for name in expected:
        assert found[name].item() == pytest.approx(expected[name].item(), rel=5e-2)


def test_channels_last_changes_the_layout_alone() -> None:
    plain = make(OptimizationSettings(batch_size=12, precision="fp64", channels_last=False))
    last = make(EXACT)
    for one, two in zip(run(plain, range(3)), run(last, range(3)), strict=True):
        for name in one:
            assert one[name].item() == pytest.approx(two[name].item(), rel=1e-9)


# Averages


def test_averaged_generator_has_the_half_life_of_the_setting() -> None:
    step = make(OptimizationSettings(batch_size=12, precision="fp64", average_images=48))  # 4 steps
    assert step.averaged is not None
    average = {name: weight.clone() for name, weight in step.averaged.items()}
    for number in range(4):
        run(step, range(number, number + 1))
        for name, weight in step.bare_generator.named_parameters():
            average[name] = 0.5**0.25 * average[name] + (1 - 0.5**0.25) * weight.detach()
    for name, expected in average.items():
        torch.testing.assert_close(step.averaged[name], expected, rtol=0, atol=1e-14)
    Generator(NETWORKS).load_state_dict(step.averaged)
    assert step.averaged_discriminator is None


def test_averaged_discriminator_has_a_half_life_of_its_own() -> None:
    settings = OptimizationSettings(
        batch_size=12, precision="fp64", average_images=48, average_discriminator_images=24
    )  # of D: 2 steps
    step = make(settings)
    assert step.averaged_discriminator is not None
    average = {name: weight.clone() for name, weight in step.averaged_discriminator.items()}
    for number in range(4):
        run(step, range(number, number + 1))
        for name, weight in step.bare_discriminator.named_parameters():
            average[name] = 0.5**0.5 * average[name] + (1 - 0.5**0.5) * weight.detach()
    for name, expected in average.items():
        torch.testing.assert_close(step.averaged_discriminator[name], expected, rtol=0, atol=1e-14)
    Discriminator(NETWORKS).load_state_dict(step.averaged_discriminator)


# State


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("schedule", ["both", "alternate"])
def test_resumed_step_goes_on_bit_for_bit(schedule: str, precision: str) -> None:
    settings = OptimizationSettings(
        batch_size=12,
        precision=precision,
        schedule=schedule,
        average_images=100,
        average_discriminator_images=60,
        decay=0.99,
        weight_decay=1e-5,  # type: ignore[arg-type]
    )
    whole, first, second = make(settings), make(settings), make(settings, seed=2)
    expected = run(whole, range(6))
    found = run(first, range(3))
    file = io.BytesIO()
    torch.save(first.state_dict(), file)
    file.seek(0)
    second.load_state_dict(torch.load(file, weights_only=True))
    found += run(second, range(3, 6))
    assert_same(whole, second)
    for one, two in zip(expected, found, strict=True):
        assert one.keys() == two.keys()
        assert all(torch.equal(one[name], two[name]) for name in one)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_step_of_what_the_paper_argues_against_goes_on_bit_for_bit(precision: str) -> None:
    networks = replace(
        NETWORKS,
        structure="3x3",
        generator_activations="maxout",
        discriminator_activations="tanh",
        resampling="pooling",
        batchnorm="generator",
        output="linear",
    )
    settings = OptimizationSettings(batch_size=12, precision=precision, loss="least_squares", r1=0.4)  # type: ignore[arg-type]
    whole, first = make(settings, networks=networks), make(settings, networks=networks)
    second = make(settings, seed=2, networks=networks)
    expected = run(whole, range(6))
    found = run(first, range(3))
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    found += run(second, range(3, 6))
    assert_same(whole, second)
    for one, two in zip(expected, found, strict=True):
        assert "loss/r1" in one
        assert all(torch.equal(one[name], two[name]) for name in one)
    with pytest.raises(CheckpointError, match="needs to be"):
        make(settings, networks=replace(networks, generator_activations="relu")).load_state_dict(whole.state_dict())


def test_same_inputs_give_the_same_bits() -> None:
    one, two = make(OptimizationSettings(batch_size=12)), make(OptimizationSettings(batch_size=12))
    run(one, range(3))
    run(two, range(3))
    assert_same(one, two)


def test_state_of_another_layout_goes_on_the_same_way() -> None:
    plain = make(OptimizationSettings(batch_size=12, precision="fp64", channels_last=False))
    run(plain, range(3))
    last = make(EXACT, seed=2)
    last.load_state_dict(copy.deepcopy(plain.state_dict()))
    run(plain, range(3, 5))
    run(last, range(3, 5))
    for a, b in zip(tensors(plain.state_dict()), tensors(last.state_dict()), strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-11)


def test_loaded_state_takes_the_rates_of_the_settings() -> None:
    state = copy.deepcopy(make(OptimizationSettings(batch_size=12, beta1=0.9)).state_dict())
    step = make(OptimizationSettings(batch_size=12, beta1=0.3))
    step.load_state_dict(state)
    assert step.generator_optimizer.param_groups[0]["betas"][0] == 0.3


def test_state_of_other_networks_is_refused() -> None:
    wide = NetworkSettings(image_size=16, generator_maps=5, discriminator_maps=4, latent_size=6)
    with pytest.raises(CheckpointError, match=r"generator does not fit .* is 160x6 but needs to be 96x6"):
        make(EXACT).load_state_dict(make(EXACT, networks=wide).state_dict())
    many = NetworkSettings(image_size=16, generator_maps=3, discriminator_maps=5, latent_size=6)
    with pytest.raises(CheckpointError, match="the checkpoint's discriminator does not fit"):
        make(EXACT).load_state_dict(make(EXACT, networks=many).state_dict())
    deep = NetworkSettings(structure="3x3", image_size=16, generator_maps=3, discriminator_maps=4, latent_size=6)
    with pytest.raises(CheckpointError, match="does not fit the settings"):
        make(EXACT).load_state_dict(make(EXACT, networks=deep).state_dict())


def test_state_without_the_averaged_discriminator_is_refused_where_one_is_kept() -> None:
    kept = OptimizationSettings(batch_size=12, precision="fp64", average_discriminator_images=36)
    with pytest.raises(CheckpointError, match=r"no averaged discriminator .*average_discriminator_images is 36"):
        make(kept).load_state_dict(make(EXACT).state_dict())


def test_state_without_the_averaged_generator_is_refused_where_one_is_kept() -> None:
    with pytest.raises(CheckpointError, match=r"optimization\.average_images is 48"):
        make(OptimizationSettings(batch_size=12, precision="fp64", average_images=48)).load_state_dict(
            make(EXACT).state_dict()
        )
