"""What each process of test_workers.py runs: python step_worker.py RANK WORLD FOLDER.

Results are saved below FOLDER by rank. All groups of 1, 2, ... WORLD workers take their turn in the same processes.
"""

import sys
import typing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor

from dcgan_dist.model.adversarial_step import AdversarialStep
from dcgan_dist.model.batchnorm import BatchNorm, set_process_group
from dcgan_dist.model.dcgan import build_networks
from dcgan_dist.model.local_steps import LocalSteps
from dcgan_dist.model.original_gan import dropout_masks
from dcgan_dist.model.reductions import Gradients, distribute
from dcgan_dist.settings import PRESETS, NetworkSettings, OptimizationSettings

BATCH, STEPS, CONVOLUTIONAL_STEPS, COMPARED_STEPS = 128, 50, 10, 15
NETWORKS = NetworkSettings(image_size=16, generator_maps=2, discriminator_maps=3, latent_size=8)


KNOWING = replace(
    PRESETS["mnist28"]().networks, classes=5, generator_maps=2, discriminator_maps=3, dense_units=12, latent_size=8
)
"""Networks that know classes, with all that the published ones for MNIST have."""
ORIGINAL = PRESETS["original28"]()
"""The original GAN: dropout, momentum that rises, both networks at once."""
SMALL_ORIGINAL = replace(
    ORIGINAL.networks, image_size=8, generator_maps=9, discriminator_maps=6, maxout_pieces=3, latent_size=8
)
CONVOLUTIONAL = replace(
    PRESETS["original32conv"]().networks,
    image_size=14,
    channels=1,
    generator_maps=1,
    discriminator_maps=1,
    maxout_pieces=3,
    dense_units=4,
    latent_size=8,
)
"""The same with convolutions."""


COMPARED = replace(
    NETWORKS,
    structure="3x3",
    generator_activations="tanh",
    discriminator_activations="maxout",
    resampling="pooling",
    batchnorm="generator",
    output="linear",
)
"""What the paper's networks are compared with; D without batch normalization, for a penalty on its slope."""


def rows(rank: int, workers: int, n: int = BATCH) -> slice:
    return slice(rank * n // workers, (rank + 1) * n // workers)


def step_batch(networks: NetworkSettings, number: int) -> tuple[Tensor, Tensor, Tensor | None]:
    numbers, size = np.random.default_rng(number), networks.image_size
    real = torch.from_numpy(numbers.integers(0, 256, (BATCH, networks.channels, size, size), dtype=np.uint8))
    z = torch.from_numpy(numbers.uniform(-1, 1, (BATCH, 8)))
    return real, z, torch.from_numpy(numbers.integers(0, networks.classes, BATCH)) if networks.classes else None


def train(
    settings: OptimizationSettings,
    rank: int,
    groups: tuple[dist.ProcessGroup, dist.ProcessGroup] | None,
    steps: int,
    of: NetworkSettings = NETWORKS,
    enlarged: float = 1.0,
) -> dict[str, list[Tensor]]:
    """The mean metrics of each step, and last gradients and weights of G and D.

    `enlarged` is a factor of all initial weights.
    """
    weights = torch.float64 if settings.precision == "fp64" else torch.float32
    networks = build_networks(of, 1, torch.device("cpu"), weights, settings.channels_last)
    with torch.no_grad():
        for network in networks:
            for parameter in network.parameters():
                parameter.mul_(enlarged)
    workers = 1
    if groups is None:
        step = AdversarialStep(*networks, settings, steps)
    else:
        workers = groups[0].size()
        for network in networks:
            set_process_group(network, groups[1])
        wrapped = [distribute(network, "fp32", groups[0]) for network in networks]
        step = AdversarialStep(wrapped[0], wrapped[1], settings, steps)
    history = []
    for number in range(steps):
        real, z, labels = step_batch(of, number)
        part = rows(rank, workers)
        kept = dropout_masks(of, BATCH, 3, number, part)
        metrics = step(real[part], z[part], number, None if labels is None else labels[part], kept)
        values = torch.stack(list(metrics.values())).double()
        if groups is not None:
            dist.all_reduce(values, group=groups[0])
        history.append(values / workers)
    parameters = [list(network.parameters()) for network in networks]
    return {
        "metrics": history,
        **{f"gradients {i}": [p.grad for p in ps if p.grad is not None] for i, ps in enumerate(parameters)},
        **{f"weights {i}": [p.detach() for p in ps] for i, ps in enumerate(parameters)},
    }


EXCHANGE, EXCHANGES = 3, 4
"""Steps between two exchanges, and how many of these; moments are averaged after each second one."""
OUTER = {"mean": (1.0, 0.0, False), "nesterov": (0.7, 0.6, False), "rounded": (1.0, 0.0, True)}
"""Rate, momentum, and whether bf16 is sent, of the exchanges of each case."""
LOCAL = OptimizationSettings(
    batch_size=BATCH, precision="fp64", lr=1e-3, average_images=700, average_discriminator_images=300
)


def local_state(step: AdversarialStep, local: LocalSteps) -> dict[str, list[Tensor]]:
    """All that a checkpoint would hold."""
    state = step.state_dict() | local.state_dict()
    moments = [state[f"{name}_optimizer"].values() for name in ("generator", "discriminator")]
    networks = ("generator", "discriminator", "averaged", "averaged_discriminator")
    return {
        **{name: [value.clone() for value in state[name].values()] for name in networks},
        "moments": [value[name].clone() for of in moments for value in of for name in ("exp_avg", "exp_avg_sq")],
        "outer": [value.clone() for value in state.get("outer", {}).values()],
    }


def train_locally(rank: int, group: dist.ProcessGroup, case: str) -> list[dict[str, list[Tensor]]]:
    """What each worker has after each time that moments are averaged."""
    # Each begins with networks of its own: the first one's are everyone's.
    networks = build_networks(NETWORKS, 1 + rank, torch.device("cpu"), torch.float64, True)
    step = AdversarialStep(*networks, LOCAL, EXCHANGE * EXCHANGES, workers=group.size())
    lr, momentum, bf16 = OUTER[case]
    local, found = LocalSteps(step, group, lr=lr, momentum=momentum, bf16=bf16), []
    for number in range(EXCHANGE * EXCHANGES):
        real, z, _ = step_batch(NETWORKS, number)
        part = rows(rank, group.size())
        step(real[part], z[part], number)
        if (number + 1) % EXCHANGE == 0:
            local.exchange()
        if (number + 1) % (2 * EXCHANGE) == 0:
            local.align()
            found.append(local_state(step, local))
    return found


REDUCED_STEPS = 40
TALL, WIDE = 24, 32


def own_gradient(rank: int, step: int) -> Tensor:
    """Of the one matrix of a worker, where it has rank 2 in the first half of the steps and a full one later."""
    numbers = np.random.default_rng([rank, step])
    if step < REDUCED_STEPS // 2:
        return torch.from_numpy(numbers.normal(size=(TALL, 2)) @ np.random.default_rng(8).normal(size=(2, WIDE)))
    return torch.from_numpy(np.random.default_rng([rank, 0, 9]).normal(size=(TALL, WIDE)))


def reduce(rank: int, group: dist.ProcessGroup, gradients: Gradients) -> list[list[Tensor]]:
    """Of each step, what each worker takes for the gradients of a matrix and of its shift."""
    layer = torch.nn.Linear(WIDE, TALL).double()
    network, found = distribute(layer, gradients, group), []
    for step in range(REDUCED_STEPS):
        layer.zero_grad()
        # The identity as its input, and the wanted gradient as that of its output.
        network(torch.eye(WIDE, dtype=torch.float64)).backward(own_gradient(rank, step).T)
        found.append([parameter.grad.clone() for parameter in layer.parameters() if parameter.grad is not None])
    return found


def normalize(rank: int, workers: int, group: dist.ProcessGroup, dtype: torch.dtype) -> dict[str, Tensor]:
    """Batch normalization of two groups of 7 rows with mean 100 and spread 0.01, and its gradients."""
    numbers = np.random.default_rng(5)
    x = torch.from_numpy(numbers.normal(100, 0.01, (14, 3, 4, 4))).to(dtype)
    towards = torch.from_numpy(numbers.normal(size=(14, 3, 4, 4))).to(dtype)
    part = rows(rank, workers, 7)
    mine = torch.cat([half[part] for half in x.chunk(2)]).requires_grad_()
    module = BatchNorm(3).to(dtype)
    torch.nn.init.constant_(module.weight, 2)
    torch.nn.init.constant_(module.bias, 1)
    set_process_group(module, group)
    out = module(mine, 2)
    mine_towards = torch.cat([half[part] for half in towards.chunk(2)])
    (out * mine_towards).sum().backward()
    assert mine.grad is not None
    assert module.weight.grad is not None
    assert module.bias.grad is not None
    return {
        "input": mine.detach(),
        "towards": mine_towards,
        "out": out.detach(),
        "gradient": mine.grad,
        "weight": module.weight.grad,
        "bias": module.bias.grad,
    }


def main() -> None:
    rank, world, folder = int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])
    torch.set_num_threads(1)
    store = dist.FileStore(str(folder / "store"), world)
    dist.init_process_group("gloo", store=store, rank=rank, world_size=world, timeout=timedelta(seconds=60))
    for workers in range(1, world + 1):
        members = list(range(workers))
        groups = dist.new_group(members), dist.new_group(members)
        if rank >= workers:
            continue
        for schedule in ("both", "alternate"):
            exact = OptimizationSettings(batch_size=BATCH, precision="fp64", schedule=schedule, lr=1e-3)
            result = train(exact, rank, groups, STEPS)
            torch.save(result, folder / f"{schedule}-{workers}-{rank}.pt")
        exact = OptimizationSettings(batch_size=BATCH, precision="fp64", lr=1e-3, weight_decay=1e-4)
        torch.save(train(exact, rank, groups, STEPS, KNOWING), folder / f"knowing-{workers}-{rank}.pt")
        exact = OptimizationSettings(batch_size=BATCH, precision="fp64", lr=1e-3, loss="hinge", r1=0.7)
        torch.save(train(exact, rank, groups, COMPARED_STEPS, COMPARED), folder / f"compared-{workers}-{rank}.pt")
        exact = replace(
            ORIGINAL.optimization, batch_size=BATCH, precision="fp64", momentum_images=BATCH * STEPS, lr=0.3
        )
        # Small networks with weights of the published range have learned nothing after so few steps.
        torch.save(
            train(exact, rank, groups, STEPS, SMALL_ORIGINAL, enlarged=20), folder / f"original-{workers}-{rank}.pt"
        )
        result = train(replace(exact, lr=0.02), rank, groups, CONVOLUTIONAL_STEPS, CONVOLUTIONAL, enlarged=20)
        torch.save(result, folder / f"convolutional-{workers}-{rank}.pt")
        for case in OUTER:
            torch.save(train_locally(rank, groups[0], case), folder / f"{case}-{workers}-{rank}.pt")
        for gradients in typing.get_args(Gradients):
            torch.save(reduce(rank, groups[0], gradients), folder / f"gradients-{gradients}-{workers}-{rank}.pt")
        single = OptimizationSettings(batch_size=BATCH, precision="fp32")
        torch.save(train(single, rank, groups, 1), folder / f"fp32-{workers}-{rank}.pt")
        for name, dtype in (("norm64", torch.float64), ("norm32", torch.float32)):
            torch.save(normalize(rank, workers, groups[1], dtype), folder / f"{name}-{workers}-{rank}.pt")
    dist.barrier()
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
