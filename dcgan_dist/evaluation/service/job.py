"""One evaluation on evaluation actors, and the file of its result."""

import hashlib
import json
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch

from dcgan_dist.evaluation.classifiers.registry import Classifiers
from dcgan_dist.evaluation.coverage import Sampler
from dcgan_dist.evaluation.encoders.encoder import Encoder
from dcgan_dist.evaluation.fidelity.measure import MOST_IN_PAIRS, doubts, measure
from dcgan_dist.evaluation.fidelity.pairs import NEAREST
from dcgan_dist.evaluation.probe import probe, recipe
from dcgan_dist.evaluation.results import encode, recipe_sha256
from dcgan_dist.evaluation.service.evaluator import Evaluators
from dcgan_dist.evaluation.task import Task
from dcgan_dist.evaluation.tasks import neighbours
from dcgan_dist.evaluation.tasks.fidelity import FidelityTask
from dcgan_dist.evaluation.tasks.neighbours import NeighboursTask
from dcgan_dist.storage import MissingFile, Place
from dcgan_dist.versions import versions

FOLDER = "evaluation"
"""Folder of the results in that of a run."""
Z = 1.96
"""Standard errors to each side of a mean, for the bounds of its interval."""


@dataclass(frozen=True, eq=False)
class Job(ABC):
    """One result.

    Attributes:
        folder: where results lie.
        run: name of the run; "" for features of no run.
        checkpoint: name of the checkpoint, or "".
        step: at which it was written, or 0.
        images: that were used up by then, or 0.
    """

    folder: Place
    run: str
    checkpoint: str
    step: int
    images: int

    @property
    @abstractmethod
    def names(self) -> tuple[str, str]:
        """The name of the task, and of the features."""

    @property
    @abstractmethod
    def recipe(self) -> dict[str, Any]:
        """All that the result depends on but the checkpoint and the images' content."""

    @property
    @abstractmethod
    def notes(self) -> tuple[str, ...]:
        """Lines about what makes the result doubtful, as far as it is known now."""

    @abstractmethod
    def find(self, evaluators: Evaluators, checksums: Mapping[str, str], say: Callable[[str], None]) -> dict[str, Any]:
        """Compute the result, with the checksum of the images.

        Args:
            evaluators: that have loaded the labeled tasks.
            checksums: of those tasks' images, as `probe.load` gives them.
            say: receives a line about each stage.
        """

    @property
    def recipe_sha256(self) -> str:
        """SHA-256 of the recipe, as hexadecimal digits."""
        return recipe_sha256(self.recipe)

    @property
    def file(self) -> Place:
        """Where the result lies, or will lie: each checkpoint and each recipe has a file of its own.

        Outside of the folder of its run the run is named as well: others have checkpoints of the same name.
        """
        return self.named(*self.names, self.recipe_sha256[:8], suffix="json")

    def named(self, *parts: str, suffix: str) -> Place:
        """A file in the folder of results, which names run and checkpoint as far as that is needed."""
        is_own = (self.folder.parent.name, self.folder.name) == (self.run, FOLDER)
        known = ("" if is_own else self.run, self.checkpoint, *parts)
        return self.folder / f"{'-'.join(part for part in known if part)}.{suffix}"

    def read(self) -> dict[str, Any] | None:
        """The result, where it is there and whole; with the notes of today, since more may be known of its data now."""
        found = read_result(self.file)
        if found is None:
            return None
        return {name: value for name, value in found.items() if name != "notes"} | self._noted(found)

    def notes_on(self, found: Mapping[str, Any]) -> tuple[str, ...]:
        """The notes, with those that follow from what was found."""
        return self.notes

    def _noted(self, found: Mapping[str, Any]) -> dict[str, Any]:
        notes = self.notes_on(found)
        return {"notes": list(notes)} if notes else {}

    def compute(
        self, evaluators: Evaluators, checksums: Mapping[str, str], actors: int, say: Callable[[str], None]
    ) -> dict[str, Any]:
        """Find the result and write it, whole or not at all; see `find`.

        Args:
            actors: how many evaluators there are, for the record.
        """
        task, of = self.names
        found = self.find(evaluators, checksums, partial(_about, say, f"{task}, {of}"))
        result = {
            "task": task,
            "run": self.run,
            "checkpoint": self.checkpoint,
            "step": self.step,
            "images": self.images,
            "features_of": of,
            **self._noted(found),
            **found,
            "recipe": self.recipe,
            "recipe_sha256": self.recipe_sha256,
            "actors": actors,
            "written": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "versions": versions("torch", "numpy"),
        }
        self.file.write_bytes(encode(result, f"{of} on task {task}"))
        return result


@dataclass(frozen=True, eq=False)
class ProbeJob(Job):
    """How well classifiers do on a task.

    Attributes:
        task: what is evaluated on.
        features: what the encoder is called.
        encoder: of images.
        dtype: of the features that are kept.
        classifiers: what is trained on them.
    """

    task: Task
    features: str
    encoder: Encoder
    dtype: torch.dtype
    classifiers: Classifiers

    @property
    def names(self) -> tuple[str, str]:
        """See `Job`."""
        return self.task.name, self.features

    @property
    def recipe(self) -> dict[str, Any]:
        """See `Job`."""
        return recipe(self.task, self.encoder, self.dtype, self.classifiers)

    @property
    def notes(self) -> tuple[str, ...]:
        """See `Job`."""
        return self.task.notes

    def find(self, evaluators: Evaluators, checksums: Mapping[str, str], say: Callable[[str], None]) -> dict[str, Any]:
        """See `Job`."""
        found = probe(evaluators, self.task, self.encoder, self.dtype, self.classifiers, say)
        return found | {"data_checksum": checksums[self.task.name]}


@dataclass(frozen=True, eq=False)
class NeighboursJob(Job):
    """How near samples of the generator come to images, see `coverage.py`.

    Attributes:
        compared: the images.
        sampler: of samples.
    """

    compared: NeighboursTask
    sampler: Sampler

    @property
    def names(self) -> tuple[str, str]:
        """See `Job`."""
        return neighbours.NAME, "generator"

    @property
    def recipe(self) -> dict[str, Any]:
        """See `Job`."""
        return {
            "task": neighbours.NAME,
            "image_size": self.sampler.settings.image_size,
            "data": self.compared.data,
            "images": self.compared.about,
            "number": len(self.compared.images),
            "samples": list(neighbours.SAMPLES),
            "generator": self.sampler.kind,
            "statistics": self.sampler.statistics,
            "batch_size": self.sampler.batch_size,
            "seed": self.sampler.seed,
            "distance": "Euclidean, pixels from -1 to 1",
        }

    @property
    def notes(self) -> tuple[str, ...]:
        """See `Job`."""
        return self.compared.notes

    def find(self, evaluators: Evaluators, checksums: Mapping[str, str], say: Callable[[str], None]) -> dict[str, Any]:
        """See `Job`."""
        began = time.perf_counter()
        say(f"reading {len(self.compared.images):,} images")
        images = self.compared.images.read(np.arange(len(self.compared.images)))
        say(f"distances to {max(neighbours.SAMPLES):,} samples")
        parts = evaluators.each("nearest_sample", self.sampler, images, neighbours.SAMPLES)
        distances = torch.stack(parts).amin(0).double()
        errors = distances.std(1) / len(images) ** 0.5
        return {
            "validation_images": len(images),
            "distances": [
                {"samples": samples, "mean": mean, "low": mean - Z * error, "high": mean + Z * error}
                for samples, mean, error in zip(
                    neighbours.SAMPLES, distances.mean(1).tolist(), errors.tolist(), strict=True
                )
            ],
            "seconds": {"distances": time.perf_counter() - began},
            "data_checksum": hashlib.sha256(images.tobytes()).hexdigest()[:32],
        }


@dataclass(frozen=True, eq=False)
class FidelityJob(Job):
    """How alike samples of the generator and held-out images are, see `fidelity/measure.py`.

    Attributes:
        task: the images, and how many samples.
        encoder: of the features.
        sampler: of samples.
    """

    task: FidelityTask
    encoder: Encoder
    sampler: Sampler

    @property
    def names(self) -> tuple[str, str]:
        """See `Job`."""
        return self.task.name, self.task.by.name

    @property
    def recipe(self) -> dict[str, Any]:
        """See `Job`."""
        return {
            "task": self.task.name,
            "image_size": self.sampler.settings.image_size,
            "data": self.task.data,
            "images": self.task.about,
            "number": len(self.task.images),
            "samples": self.task.samples,
            "in_pairs": MOST_IN_PAIRS,
            "features": self.task.by.recipe(self.encoder),
            "generator": self.sampler.kind,
            "statistics": self.sampler.frozen_statistics,
            "seed": self.sampler.seed,
            "kernel": "(x y / numbers + 1)^3, unbiased",
            "neighbors": dict(zip(("precision and recall", "density and coverage"), NEAREST, strict=True)),
        }

    @property
    def notes(self) -> tuple[str, ...]:
        """See `Job`."""
        return self.task.notes

    def notes_on(self, found: Mapping[str, Any]) -> tuple[str, ...]:
        """See `Job`."""
        return (*self.notes, *doubts(found["samples"], found["features"]))

    def find(self, evaluators: Evaluators, checksums: Mapping[str, str], say: Callable[[str], None]) -> dict[str, Any]:
        """See `Job`. The features' name becomes a part of that of each measure."""
        recipe = self.recipe
        # Features of the checkpoint's own discriminator are others next time.
        known = self.task.by.encoder is not None
        key = recipe_sha256({name: recipe[name] for name in ("data", "number", "features")}) if known else ""
        found = measure(evaluators, self.task.images, self.sampler, self.task.samples, self.encoder, key, say)
        measures = {f"{self.task.by.name}/{name}": one for name, one in found.pop("measures").items()}
        return {**found, "measures": measures}


def read_result(file: Place) -> dict[str, Any] | None:
    """The result in a file, where it is there and whole."""
    try:
        content = json.loads(file.read_bytes())
    except (MissingFile, ValueError, RecursionError):
        return None
    return content if isinstance(content, dict) and "recipe_sha256" in content else None


def score(result: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a probe's result is compared by: accuracy with all labels, or with few where there is no other."""
    found: Mapping[str, Any] = result["all_labels"] if "all_labels" in result else result["few_labels"]
    return found


def worth(result: Mapping[str, Any]) -> tuple[str, float, float]:
    """What checkpoints are compared by: its name in records, its value, and a number that is larger where it is better.

    Of a fidelity, the kernel distance: the Fréchet distance is biased.
    """
    if "measures" not in result:
        accuracy = score(result)["accuracy"]
        return "accuracy", accuracy, accuracy
    name = next(name for name in result["measures"] if name.endswith("/kernel"))
    value = result["measures"][name]["value"]
    return f"{result['task']}/{name}", value, -value


def _about(say: Callable[[str], None], subject: str, text: str) -> None:
    say(f"{subject}: {text}")
