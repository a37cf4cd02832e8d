"""One, two and three real processes train the same networks, on 128 = 64 + 64 = 42 + 43 + 43 images a step."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from dcgan_dist.model.adversarial_step import AdversarialStep
from dcgan_dist.model.batchnorm import EPS
from dcgan_dist.model.dcgan import build_networks
from dcgan_dist.model.reductions import RANK
from tests.step_worker import (
    EXCHANGE,
    EXCHANGES,
    LOCAL,
    NETWORKS,
    OUTER,
    REDUCED_STEPS,
    own_gradient,
    rows,
    step_batch,
)

WORLD = 3


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of CASE-WORKERS-RANK.pt, written by the processes of step_worker.py."""
    folder = tmp_path_factory.mktemp("workers")
    script = Path(__file__).with_name("step_worker.py")
    processes = [
        subprocess.Popen([sys.executable, script, str(rank), str(WORLD), folder], stderr=subprocess.PIPE, text=True)
        for rank in range(WORLD)
    ]
    try:
        for process in processes:
            _, errors = process.communicate(timeout=200)
            assert process.returncode == 0, errors
    finally:
        for process in processes:
            process.kill()
            process.wait()
    return folder


def load(results: Path, case: str, workers: int) -> list[Any]:
    """What each worker gave."""
    return [torch.load(results / f"{case}-{workers}-{rank}.pt", weights_only=True) for rank in range(workers)]


def joined(tensors: list[Tensor]) -> Tensor:
    return torch.cat([t.flatten() for t in tensors])


@pytest.mark.parametrize("workers", [2, 3])
@pytest.mark.parametrize("schedule", ["both", "alternate", "knowing", "original", "convolutional", "compared"])
def test_steps_do_not_depend_on_the_number_of_workers(results: Path, schedule: str, workers: int) -> None:
    """`knowing`: networks that know classes, of shades of gray, with dense layers and no gains; `original`: the
    original GAN, whose masks of dropout belong to rows; `convolutional`: the one with convolutions; `compared`:
    other activations, pooling, a linear output, and a penalty on D's slope."""
    [alone] = load(results, schedule, 1)
    assert len(alone["metrics"]) == {"convolutional": 10, "compared": 15}.get(schedule, 50)
    for together in load(results, schedule, workers):
        for name in ("weights 0", "weights 1"):
            torch.testing.assert_close(joined(together[name]), joined(alone[name]), rtol=0, atol=1e-9)
        for one, two in zip(together["metrics"], alone["metrics"], strict=True):
            torch.testing.assert_close(one, two, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("workers", [2, 3])
@pytest.mark.parametrize("schedule", ["both", "alternate", "knowing", "original", "convolutional", "compared"])
def test_workers_keep_equal_bits(results: Path, schedule: str, workers: int) -> None:
    first, *others = load(results, schedule, workers)
    for other in others:
        for name in ("weights 0", "weights 1"):
            assert torch.equal(joined(first[name]), joined(other[name]))


@pytest.mark.parametrize("workers", [2, 3])
def test_first_step_in_float32_agrees(results: Path, workers: int) -> None:
    [alone] = load(results, "fp32", 1)
    for together in load(results, "fp32", workers):
        torch.testing.assert_close(together["metrics"][0], alone["metrics"][0], rtol=1e-4, atol=0)
        for name in ("gradients 0", "gradients 1"):
            expected = joined(alone[name])
            assert (joined(together[name]) - expected).norm() <= 1e-4 * expected.norm()


@pytest.mark.parametrize("workers", [1, 2, 3])
@pytest.mark.parametrize(("case", "of_values", "of_gradients"), [("norm64", 1e-9, 1e-8), ("norm32", 5e-3, 1e-3)])
def test_batchnorm_of_unequal_shares_is_that_of_the_whole(
    results: Path, case: str, of_values: float, of_gradients: float, workers: int
) -> None:
    """A mean of 100 and a spread of 0.01, for which E[x^2] - E[x]^2 has no correct digit in float32."""
    parts = load(results, case, workers)

    def whole(name: str, group: int) -> Tensor:
        return torch.cat([part[name].chunk(2)[group] for part in parts])

    weight, bias = torch.zeros(3, dtype=torch.float64), torch.zeros(3, dtype=torch.float64)
    for group in (0, 1):
        x, towards = whole("input", group).double().requires_grad_(), whole("towards", group).double()
        assert len(x) == 7
        mean = x.mean((0, 2, 3), keepdim=True)
        spread = (((x - mean) ** 2).mean((0, 2, 3), keepdim=True) + EPS).sqrt()
        normalized = (x - mean) / spread
        expected = normalized * 2 + 1
        (gradient,) = torch.autograd.grad((expected * towards).sum(), x)
        torch.testing.assert_close(whole("out", group).double(), expected, rtol=0, atol=of_values)
        size = gradient.abs().max()
        torch.testing.assert_close(whole("gradient", group).double() / size, gradient / size, rtol=0, atol=of_gradients)
        weight += (normalized * towards).sum((0, 2, 3)).detach()
        bias += towards.sum((0, 2, 3))
    for name, expected in (("weight", weight), ("bias", bias)):
        found = torch.stack([part[name].double() for part in parts]).sum(0)
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-2 if case == "norm32" else 1e-8)


def flat(tensors: list[Tensor]) -> NDArray[np.float64]:
    return torch.cat([tensor.flatten() for tensor in tensors]).double().numpy()


def alone(workers: int, case: str) -> list[dict[str, NDArray[np.float64]]]:
    """The same by its definition, in one process: networks for each worker, and the mean of them at each exchange."""
    lr, momentum, bf16 = OUTER[case]
    steps = []
    for _ in range(workers):
        networks = build_networks(NETWORKS, 1, torch.device("cpu"), torch.float64, True)
        steps.append(AdversarialStep(*networks, LOCAL, EXCHANGE * EXCHANGES, workers=workers))

    def weights(step: AdversarialStep) -> list[Tensor]:
        networks = step.bare_generator, step.bare_discriminator
        return [weight.detach() for network in networks for weight in network.parameters()]

    start = [weight.clone() for weight in weights(steps[0])]
    moved = [torch.zeros_like(weight) for weight in start]
    found = []
    for number in range(EXCHANGE * EXCHANGES):
        real, z, _ = step_batch(NETWORKS, number)
        for rank, step in enumerate(steps):
            step(real[rows(rank, workers)], z[rows(rank, workers)], number)
        if (number + 1) % EXCHANGE == 0:
            for place in range(len(start)):
                theirs = [start[place] - weights(step)[place] for step in steps]
                d = sum(one.div(workers).bfloat16() for one in theirs).double() if bf16 else sum(theirs) / workers
                moved[place] = momentum * moved[place] + d
                start[place] = start[place] - lr * (d + momentum * moved[place])
                for step in steps:
                    weights(step)[place].copy_(start[place])
        if (number + 1) % (2 * EXCHANGE) == 0:
            states = [step.state_dict() for step in steps]
            for name in ("averaged", "averaged_discriminator"):
                for key in states[0][name]:
                    mean = sum(state[name][key] for state in states) / workers
                    for state in states:
                        state[name][key].copy_(mean)
            for name in ("generator_optimizer", "discriminator_optimizer"):
                for key in states[0][name]:
                    for moment in ("exp_avg", "exp_avg_sq"):
                        mean = sum(state[name][key][moment] for state in states) / workers
                        for state in states:
                            state[name][key][moment].copy_(mean)
            first = states[0]
            found.append(
                {
                    name: flat(list(first[name].values()))
                    for name in ("generator", "discriminator", "averaged", "averaged_discriminator")
                }
                | {
                    "moments": flat(
                        [
                            value[moment]
                            for network in ("generator", "discriminator")
                            for value in first[f"{network}_optimizer"].values()
                            for moment in ("exp_avg", "exp_avg_sq")
                        ]
                    )
                }
                | ({"outer": flat(moved)} if momentum else {})
            )
    return found


# Where three workers send rounded numbers, the sum depends on their order.
@pytest.mark.parametrize(
    ("case", "workers"),
    [(case, workers) for case in OUTER for workers in (1, 2, 3) if case != "rounded" or workers < 3],
)
def test_local_steps_are_those_of_their_definition(results: Path, case: str, workers: int) -> None:
    expected = alone(workers, case)
    for found in load(results, case, workers):
        assert len(found) == len(expected) == EXCHANGES // 2
        for state, wanted in zip(found, expected, strict=True):
            assert {name for name, values in state.items() if values} == set(wanted)
            for name, value in wanted.items():
                np.testing.assert_allclose(flat(state[name]), value, rtol=0, atol=1e-10)


@pytest.mark.parametrize("workers", [2, 3])
@pytest.mark.parametrize("case", list(OUTER))
def test_workers_are_the_same_where_a_checkpoint_may_be_written(results: Path, case: str, workers: int) -> None:
    first, *others = load(results, case, workers)
    for other in others:
        for one, two in zip(first, other, strict=True):
            for name in one:
                assert all(map(torch.equal, one[name], two[name])), name


def test_steps_of_their_own_are_not_those_of_all(results: Path) -> None:
    one, two = (load(results, "mean", workers)[0][-1]["generator"] for workers in (1, 2))
    assert np.abs(flat(one) - flat(two)).max() > 1e-6
    rounded = load(results, "rounded", 3)[0][-1]["generator"]
    as_they_are = load(results, "mean", 3)[0][-1]["generator"]
    assert 1e-6 < np.abs(flat(rounded) - flat(as_they_are)).max() < 0.01


def mean_gradients(workers: int) -> list[NDArray[np.float64]]:
    return [
        np.mean([own_gradient(rank, step).numpy() for rank in range(workers)], axis=0) for step in range(REDUCED_STEPS)
    ]


@pytest.mark.parametrize("workers", [2, 3])
@pytest.mark.parametrize("gradients", ["fp32", "bf16", "powersgd"])
def test_all_workers_get_the_same_gradients(results: Path, gradients: str, workers: int) -> None:
    first, *others = load(results, f"gradients-{gradients}", workers)
    for other in others:
        for one, two in zip(first, other, strict=True):
            assert all(map(torch.equal, one, two))


@pytest.mark.parametrize("workers", [2, 3])
def test_gradients_are_means_within_what_is_rounded(results: Path, workers: int) -> None:
    for gradients, digits in (("fp32", 1e-12), ("bf16", 2**-7)):
        for (matrix, shift), wanted in zip(
            load(results, f"gradients-{gradients}", workers)[0], mean_gradients(workers), strict=True
        ):
            size = np.abs(wanted).max()
            np.testing.assert_allclose(matrix.numpy(), wanted, rtol=0, atol=digits * size)
            np.testing.assert_allclose(shift.numpy(), wanted.sum(1), rtol=0, atol=digits * np.abs(wanted.sum(1)).max())
    rounded = load(results, "gradients-bf16", workers)[0][0][0].numpy()
    assert np.abs(rounded - mean_gradients(workers)[0]).max() > 1e-6, "it was sent as it is"


@pytest.mark.parametrize("workers", [2, 3])
def test_products_are_exact_for_low_ranks_and_lose_nothing_over_time(results: Path, workers: int) -> None:
    """The two properties by which PowerSGD is defined: a projection onto a space of rank `RANK`, and a memory of what
    it leaves out."""
    found = [(matrix.numpy(), shift.numpy()) for matrix, shift in load(results, "gradients-powersgd", workers)[0]]
    wanted = mean_gradients(workers)
    half = REDUCED_STEPS // 2
    for step in range(half):
        np.testing.assert_allclose(found[step][0], wanted[step], rtol=0, atol=1e-6 * np.abs(wanted[step]).max())
    for (_, shift), gradient in zip(found, wanted, strict=True):
        np.testing.assert_allclose(shift, gradient.sum(1), rtol=0, atol=1e-12 * np.abs(gradient).sum())
    for step in range(half, REDUCED_STEPS):
        assert np.linalg.matrix_rank(found[step][0], tol=1e-6) == RANK
    # The gradient stays the same in the second half: what was left out at first comes later.
    errors = [
        np.linalg.norm(np.mean([found[step][0] for step in range(half, half + n)], axis=0) - wanted[-1])
        / np.linalg.norm(wanted[-1])
        for n in (1, 5, half)
    ]
    assert errors[0] > 0.5
    assert errors[2] < 0.5 * errors[1] < 0.4 * errors[0]
