"""The peer in benchmarks/faults.py: the training loop that Ray documents for Ray Train on Ray Data, as a command.

python -m benchmarks.stock --data FOLDER --storage FOLDER --name NAME --epochs N

A `train_func` over `get_dataset_shard().iter_torch_batches()` with `prepare_model`; `report` with a checkpoint at
intervals, and once more where `get_preemption_info` tells of a notice; `get_checkpoint` to go on; `FailureConfig`.
Given again with the same name and storage it goes on, as documented for a driver that is gone. Networks and update are
those of `benchmarks/plain.py`. One line is added, which writes down the samples of each step.
"""

import argparse
import json
import os
import re
import tempfile
from pathlib import Path
from typing import Any

import torch

from benchmarks.plain import PlainLoop
from dcgan_dist.settings import NetworkSettings

STATE = "state.pt"
SHUFFLED = 500
"""Samples in the buffer that a rank draws its batches from."""


def train_func(config: dict[str, Any]) -> None:
    """What each worker runs."""
    import ray.train
    from ray.train.torch import prepare_model

    rank, workers = ray.train.get_context().get_world_rank(), ray.train.get_context().get_world_size()
    torch.manual_seed(config["seed"])
    torch.set_num_threads(config["threads"])
    loop = PlainLoop(NetworkSettings(**config["networks"]))
    loop.generator, loop.discriminator = prepare_model(loop.generator), prepare_model(loop.discriminator)
    parts: dict[str, Any] = {
        "generator": loop.generator,
        "discriminator": loop.discriminator,
        "optimizer_g": loop.optimizer_g,
        "optimizer_d": loop.optimizer_d,
    }

    step, first_epoch = 0, 0
    checkpoint = ray.train.get_checkpoint()
    if checkpoint is not None:
        with checkpoint.as_directory() as folder:
            state = torch.load(Path(folder) / STATE, weights_only=True)
        for name, part in parts.items():
            part.load_state_dict(state[name])
        step, first_epoch = state["step"], state["epoch"]

    def report(epoch: int, metrics: dict[str, float]) -> None:
        with tempfile.TemporaryDirectory() as folder:
            saved = None
            if rank == 0:
                state = {name: part.state_dict() for name, part in parts.items()}
                torch.save({"step": step, "epoch": epoch, **state}, Path(folder) / STATE)
                saved = ray.train.Checkpoint.from_directory(folder)
            ray.train.report(metrics, checkpoint=saved)

    shard = ray.train.get_dataset_shard("train")
    saved_on_preemption = False
    with _open_log(Path(config["log"]), rank) as log:
        for epoch in range(first_epoch, config["epochs"]):
            for batch in shard.iter_torch_batches(
                batch_size=config["batch_size"] // workers, local_shuffle_buffer_size=SHUFFLED
            ):
                log.write(json.dumps({"step": step, "samples": batch["sample"].tolist()}).encode() + b"\n")
                real = batch["image"].permute(0, 3, 1, 2).float() / 127.5 - 1
                metrics = loop(real, torch.rand(len(real), config["networks"]["latent_size"]) * 2 - 1)
                step += 1
                noticed = ray.train.get_preemption_info() is not None and not saved_on_preemption
                if step % config["between"] == 0 or noticed:
                    report(epoch, metrics)
                    saved_on_preemption = saved_on_preemption or noticed
        if step % config["between"]:
            report(config["epochs"], metrics)


def _open_log(folder: Path, rank: int) -> Any:
    folder.mkdir(parents=True, exist_ok=True)
    attempt = len(list(folder.glob(f"*-{rank:04d}.jsonl"))) + 1
    return open(folder / f"{attempt:06d}-{rank:04d}.jsonl", "ab", buffering=0)


def to_sample(row: dict[str, Any]) -> dict[str, Any]:
    """The columns that the loop needs of a row of `read_webdataset`; keys end with the number of the sample."""
    return {"image": row["jpg"], "sample": int(re.findall(r"\d+", row["__key__"])[-1])}


def main() -> None:
    """The command."""
    options = argparse.ArgumentParser(description="Ray's documented training loop")
    for name in ("--data", "--storage", "--name"):
        options.add_argument(name, required=True)
    for name in ("--epochs", "--batch-size", "--between", "--workers", "--threads", "--maps", "--max-failures"):
        options.add_argument(name, required=True, type=int)
    options.add_argument("--cpus", type=float, default=1.0, help="of a worker")
    given = options.parse_args()

    import ray
    import ray.data
    from ray.train import FailureConfig, RunConfig, ScalingConfig
    from ray.train.torch import TorchTrainer

    if not os.environ.get("RAY_ADDRESS"):
        # Beside its workers, reading needs CPUs of its own, or it would wait for ever.
        ray.init(num_cpus=int(given.workers * given.cpus) + len(os.sched_getaffinity(0)))
    networks = {
        "image_size": 32,
        "generator_maps": given.maps,
        "discriminator_maps": given.maps,
        "latent_size": 100,
    }
    trainer = TorchTrainer(
        train_func,
        train_loop_config={
            "seed": 42,
            "threads": given.threads,
            "networks": networks,
            "epochs": given.epochs,
            "batch_size": given.batch_size,
            "between": given.between,
            "log": str(Path(given.storage) / given.name / "audit"),
        },
        scaling_config=ScalingConfig(num_workers=given.workers, resources_per_worker={"CPU": given.cpus}),
        run_config=RunConfig(
            name=given.name,
            storage_path=given.storage,
            failure_config=FailureConfig(max_failures=given.max_failures),
        ),
        datasets={
            "train": ray.data.read_webdataset(given.data, file_extensions=["tar"], suffixes=["jpg"]).map(to_sample)
        },
    )
    trainer.fit()


if __name__ == "__main__":
    main()
