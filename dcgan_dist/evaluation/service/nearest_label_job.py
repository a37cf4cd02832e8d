"""How often the nearest labeled sample tells the class of a test image wrong, on evaluation actors."""

import hashlib
import json
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from dcgan_dist.arrays import Pixels
from dcgan_dist.evaluation.nearest_label import Found, LabeledSamples, RealImages, References
from dcgan_dist.evaluation.results import accuracy_by_class
from dcgan_dist.evaluation.service.evaluator import Evaluators
from dcgan_dist.evaluation.service.job import Job
from dcgan_dist.evaluation.service.progress import Progress, read_progress
from dcgan_dist.evaluation.tasks.mnist_nn import NAME, NUMBERS, MnistNNTask
from dcgan_dist.intervals import wilson
from dcgan_dist.storage import Place

ROUND = 8
"""Blocks that each actor compares before what they found is written to the file: of `mnist28` some 32,000 samples, half
a minute of a core."""


@dataclass(frozen=True, eq=False)
class NearestLabelJob(Job):
    """Errors of the nearest neighbor among labeled samples, and among real images, see `nearest_label.py`.

    Attributes:
        task: the images.
        samples: of the generator.
        number: how many of them are drawn, one of `numbers`.
        again: whether samples that were compared before are compared again.
        numbers: for which errors are told, as far as `number`; all of them have a row in the progress.
    """

    task: MnistNNTask
    samples: LabeledSamples
    number: int
    again: bool = False
    numbers: Sequence[int] = NUMBERS

    @property
    def names(self) -> tuple[str, str]:
        """See `Job`."""
        return NAME, "generator"

    @property
    def recipe(self) -> dict[str, Any]:
        """See `Job`."""
        return self._of_samples | {
            "samples": [number for number in self.numbers if number <= self.number],
            "real": {"images": len(self.task.real), "data": self.task.real_data, "seed": self.samples.sampler.seed},
        }

    @property
    def _of_samples(self) -> dict[str, Any]:
        """All of the recipe that the comparison with samples depends on, however many they are."""
        sampler = self.samples.sampler
        return {
            "task": NAME,
            "image_size": sampler.settings.image_size,
            "data": self.task.data,
            "generator": sampler.kind,
            "statistics": sampler.statistics,
            "batch_size": sampler.batch_size,
            "seed": sampler.seed,
            "classes": "each equally probable",
            "distance": "Euclidean, pixels from 0 to 1",
        }

    @property
    def notes(self) -> tuple[str, ...]:
        """See `Job`."""
        return self.task.notes

    def find(self, evaluators: Evaluators, checksums: Mapping[str, str], say: Callable[[str], None]) -> dict[str, Any]:
        """See `Job`."""
        test, real = self.task.test, self.task.real
        say(f"reading {len(test):,} test images")
        images = test.read(np.arange(len(test)))
        checksum = hashlib.sha256(images.tobytes() + test.labels.astype("<i8").tobytes()).hexdigest()[:32]
        began = time.perf_counter()
        say(f"comparing with {len(real):,} training images")
        of_real = _compare_all(evaluators, RealImages(real, self.samples.sampler.settings.channels), images, len(real))
        seconds_real = time.perf_counter() - began
        progress = self._compare_samples(evaluators, images, checksum, say)
        rows = [row for row, number in enumerate(self.numbers) if number <= self.number]
        labels = torch.from_numpy(test.labels)
        return {
            "test_images": len(test),
            "classes": self.task.classes,
            "errors": [
                {"samples": self.numbers[row], **_scored(progress.found.labels[row], labels, self.task.classes)}
                for row in rows
            ],
            "real": {"images": len(real), **_scored(of_real.labels[0], labels, self.task.classes)},
            "seconds": {"samples": float(progress.seconds[rows[-1]]), "real": seconds_real},
            "data_checksum": checksum,
        }

    def progress_file(self, checksum: str) -> Place:
        """Where it is written what was compared so far; other weights, images or samples have another file.

        Args:
            checksum: of the test images.
        """
        sampler = self.samples.sampler
        digest = hashlib.sha256(json.dumps([self._of_samples, list(self.numbers), checksum]).encode())
        digest.update(repr(sampler.settings).encode())
        for name, value in sorted(sampler.generator.state_dict().items()):
            digest.update(name.encode())
            digest.update(value.cpu().contiguous().numpy().tobytes())
        return self.named(NAME, "compared", digest.hexdigest()[:16], suffix="npz")

    def _compare_samples(
        self, evaluators: Evaluators, images: Pixels, checksum: str, say: Callable[[str], None]
    ) -> Progress:
        """Compare all samples that were not yet, and write what was found after each round."""
        file, size = self.progress_file(checksum), self.samples.block_size
        counts = len(self.numbers), len(images)
        progress = Progress.none(*counts) if self.again else read_progress(file, *counts)
        end = math.ceil(self.number / size)
        while progress.blocks < end:
            say(f"{progress.blocks * size:,} of {self.number:,} samples compared")
            began = time.perf_counter()
            parts = _compare(evaluators, self.samples, images, self.numbers, progress.blocks, end)
            took = time.perf_counter() - began
            progress = Progress(
                _merged([progress.found, *parts]),
                min(end, progress.blocks + ROUND * len(parts)),
                progress.seconds + took * (np.array(self.numbers) > progress.blocks * size),
            )
            progress.write(file)
        return progress


def _compare(
    evaluators: Evaluators, references: References, images: Pixels, numbers: Sequence[int], first: int, end: int
) -> list[Found]:
    found: list[Found] = evaluators.each("nearest_labels", references, images, numbers, first, ROUND, end)
    return found


def _compare_all(evaluators: Evaluators, references: References, images: Pixels, number: int) -> Found:
    """The nearest of so many references."""
    end, done, found = math.ceil(number / references.block_size), 0, Found.none(1, len(images))
    while done < end:
        parts = _compare(evaluators, references, images, (number,), done, end)
        found, done = _merged([found, *parts]), done + ROUND * len(parts)
    return found


def _merged(parts: Sequence[Found]) -> Found:
    found = parts[0]
    for part in parts[1:]:
        found = found.merge(part)
    return found


def _scored(predicted: Tensor, labels: Tensor, classes: int) -> dict[str, Any]:
    """The share of wrong classes with its interval (Wilson), and the accuracy of each class."""
    counts = torch.zeros(classes, classes, dtype=torch.int64)
    counts.index_put_((labels, predicted), torch.ones_like(predicted), accumulate=True)
    error = int((predicted != labels).sum()) / len(labels)
    low, high = wilson(error, len(labels))
    return {"error": error, "low": low, "high": high, "accuracy_by_class": accuracy_by_class(counts.numpy())}
