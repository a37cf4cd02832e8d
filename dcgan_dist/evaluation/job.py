"""One probe of one checkpoint, and the file that its result lies in."""

import hashlib
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from typing import Any

import torch

from dcgan_dist.evaluation.descriptions import Description
from dcgan_dist.evaluation.probe import Evaluators, probe, recipe
from dcgan_dist.evaluation.task import Task
from dcgan_dist.storage import MissingFile, Place

FOLDER = "evaluation"
"""Of a run: where results lie."""


@dataclass(frozen=True, eq=False)
class Job:
    """What is to be judged.

    Attributes:
        folder: where results lie.
        run: name of the run; "" where the features are no run's.
        checkpoint: name of the checkpoint, or "".
        images: that were used up when it was written, or 0.
        task: what it is judged on.
        features: what the description is called.
        description: of images.
        dtype: of the features that are kept.
    """

    folder: Place
    run: str
    checkpoint: str
    images: int
    task: Task
    features: str
    description: Description
    dtype: torch.dtype

    @property
    def recipe(self) -> dict[str, Any]:
        """All that the result depends on but the checkpoint and the images' content."""
        return recipe(self.task, self.description, self.dtype)

    @property
    def file(self) -> Place:
        """Where the result lies, or will lie: each checkpoint and each recipe has a file of its own."""
        parts = (self.checkpoint, self.task.name, self.features, _digest(self.recipe)[:8])
        return self.folder / f"{'-'.join(part for part in parts if part)}.json"

    def read(self) -> dict[str, Any] | None:
        """The result, where it is there and whole."""
        try:
            content = json.loads(self.file.read_bytes())
        except (MissingFile, ValueError):
            return None
        return content if isinstance(content, dict) and "recipe_sha256" in content else None

    def compute(
        self, evaluators: Evaluators, checksums: Mapping[str, str], actors: int, say: Callable[[str], None]
    ) -> dict[str, Any]:
        """Judge it and write the result, which is there whole or not at all.

        Args:
            evaluators: which have loaded the task.
            checksums: of the tasks' images, as `load` gives them.
            actors: how many evaluators there are, for the record.
            say: is told what is being done.
        """
        about = partial(_about, say, f"{self.task.name}, {self.features}")
        found = probe(evaluators, self.task, self.description, self.dtype, say=about)
        result = {
            "task": self.task.name,
            "run": self.run,
            "checkpoint": self.checkpoint,
            "images": self.images,
            "features_of": self.features,
            **found,
            "recipe": self.recipe,
            "recipe_sha256": _digest(self.recipe),
            "data_checksum": checksums[self.task.name],
            "actors": actors,
            "written": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "versions": {package: version(package) for package in ("dcgan-dist", "torch", "numpy")},
        }
        self.file.write_bytes(json.dumps(result, indent=1).encode())
        return result


def score(result: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a result is compared by: accuracy with all labels, or with few where there is no other."""
    found: Mapping[str, Any] = result["all_labels"] if "all_labels" in result else result["few_labels"]
    return found


def _digest(recipe: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(recipe, sort_keys=True).encode()).hexdigest()


def _about(say: Callable[[str], None], subject: str, text: str) -> None:
    say(f"{subject}: {text}")
