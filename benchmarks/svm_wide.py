"""The classifier of probes at the size of the paper's CIFAR-10 probe, with its seconds and its memory.

python -m benchmarks.svm_wide --data FOLDER [--json benchmarks/results/svm_wide.json]

50,000 CIFAR-10 images and the 28,672 features of the networks of `imagenet32`, here with initial weights, kept in
float16 by one evaluation actor with both cores. Its memory holds all images, features and the classifier.
"""

from pathlib import Path

import numpy as np
import torch

from benchmarks.report import Bar, Report, Table, parser, publish
from benchmarks.svm import CLASSES, SIZE, timed
from dcgan_dist.cluster.connect import connected, set_environment
from dcgan_dist.evaluation.classifiers import svm
from dcgan_dist.evaluation.encoders.discriminator import of_random
from dcgan_dist.evaluation.encoders.encoder import fit
from dcgan_dist.evaluation.probe import accuracy
from dcgan_dist.evaluation.tasks.labeled import open_labeled
from dcgan_dist.settings import imagenet32
from dcgan_dist.storage import place

COST = 1e-4
IMAGES, FEATURES = 50_000, 28_672
MAX_GB = 8.0


def largest_gb(pid: int) -> float:
    """Memory that a process has had at most."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM:")).split()[1]) * 1024 / 1e9


def measure(data: str) -> Report:
    """All of it once."""
    task = open_labeled("cifar10", place(data), SIZE, resize=False, seed=0)
    set_environment("")
    with connected("", 3):
        from dcgan_dist.evaluation.service.pool import Pool  # Ray's environment is set by now

        pool = Pool(1, cpus=1, gpus=0, threads=0)
        (pid,) = pool.pids()
        reading, _ = timed(lambda: pool.each("load", [task]))
        encoder = of_random(imagenet32().networks, seed=0)
        gathering, encoded = timed(lambda: fit(encoder, lambda encoder: pool.each("gather", task.name, encoder)))
        encoding, ((features, size),) = timed(lambda: pool.each("encode", task.name, encoded, torch.float16))
        before = largest_gb(pid)
        pool.each("pose", np.arange(len(task.train)))
        preparing, moments = timed(lambda: svm.measure(pool.svm, features))
        learning, learned = timed(lambda: svm.train(pool.svm, moments, CLASSES, COST))
        judging, counts = timed(lambda: pool.each("confusion", learned.weights, None)[0])
        peak = largest_gb(pid)
        pool.close()
    if (len(task.train), features) != (IMAGES, FEATURES):
        raise SystemExit(f"{data} has {len(task.train):,} training images, and there are {features:,} features of each")
    return Report(
        command="python -m benchmarks.svm_wide --data FOLDER --json benchmarks/results/svm_wide.json",
        tables={
            "svm-wide": Table(
                ["what", "s", "GB at most since the start"],
                [
                    ("decode 60,000 images", reading, ""),
                    ("batch statistics", gathering, ""),
                    (f"features, {size / 1e9:.2f} GB in float16", encoding, before),
                    ("preconditioner", preparing, ""),
                    (f"classifier, C {COST:g}, {learned.steps} steps, {learned.products} products", learning, peak),
                    (f"10,000 test images, {100 * accuracy(counts):.2f} % right", judging, ""),
                ],
            )
        },
        rates={"peak_gb": peak, "classifier_seconds": preparing + learning},
        bars=[Bar("memory of the actor at most, GB", peak, at_most=MAX_GB)],
    )


def main() -> None:
    """The command."""
    options = parser("the classifier of probes at the size of the paper's CIFAR-10 probe")
    options.add_argument("--data", required=True, metavar="FOLDER", help="CIFAR-10, as train-*.tar and test-*.tar")
    given = options.parse_args()
    publish(measure(given.data), given.json)


if __name__ == "__main__":
    main()
