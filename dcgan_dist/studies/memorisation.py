"""The training images that are nearest to samples of a generator, and whether the samples repeat them; no Ray."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from dcgan_dist.arrays import Pixels
from dcgan_dist.evaluation.classifiers.nearest import merge
from dcgan_dist.evaluation.encoders.encoder import Encoder, fit
from dcgan_dist.evaluation.probe import load
from dcgan_dist.evaluation.results import encode, recipe_sha256
from dcgan_dist.evaluation.service.evaluator import Evaluators
from dcgan_dist.evaluation.task import ArrayPictures, Labeled, Task
from dcgan_dist.model.generate import About
from dcgan_dist.model.pixels import grid
from dcgan_dist.studies.copies import MANY, RARE, compare, quotients
from dcgan_dist.studies.nearest_training import near_duplicates

PAIRS = 32
"""Samples on the sheet of closest pairs."""


@dataclass(frozen=True, eq=False)
class MemorisationResult:
    """The result of a comparison.

    Attributes:
        result: for the record, by the name of each encoder.
        sheet: uint8 [H, W, 3]: samples that are nearest to single training images by the last encoder, each beside
            its training image.
    """

    result: dict[str, Any]
    sheet: Pixels


def look(
    evaluators: Evaluators,
    train: Labeled,
    held_out: Pixels,
    samples: Pixels,
    encoders: Mapping[str, Encoder],
    say: Callable[[str], None] = lambda text: None,
) -> MemorisationResult:
    """Compare samples, and held-out images, with all training images.

    Args:
        train: what the generator has learned from; classes do not matter.
        held_out: uint8 [m, S, S, 3].
        samples: uint8 [n, S, S, 3].
        encoders: by which images are compared.
    """
    others = Labeled(ArrayPictures(held_out, "images held out"), np.arange(1), np.zeros(1, np.int64))
    task = Task("memorised", "", train, others, classes=1, held_out=1, seed=0)
    say(f"reading {len(train):,} images")
    checksum = load(evaluators, [task])[task.name]
    result: dict[str, Any] = {}
    for name, encoder in encoders.items():
        say(f"nearest training images by {name}")
        made = fit(encoder, lambda encoder: evaluators.each("gather", task.name, encoder))
        evaluators.each("encode", task.name, made, torch.float32)
        distances, places = _nearest(evaluators, samples)
        other_distances, other_places = _nearest(evaluators, held_out)
        of_samples, of_others = quotients(distances), quotients(other_distances)
        order = np.argsort(of_samples, kind="stable")[:PAIRS]
        comparison = compare(of_samples, of_others)
        result[name] = asdict(comparison) | {
            "copies": comparison.copies,
            "median_distance": float(np.median(distances[:, 0])),
            "between_duplicates": _between_duplicates(train, places),
            "held_out_duplicates": _duplicates(held_out, train, other_places[:, 0]),
            "closest": [
                {"sample": int(i), "training_image": int(train.samples[places[i, 0]]), "quotient": float(of_samples[i])}
                for i in order
            ],
        }
    shown = _each_once(np.argsort(of_samples, kind="stable"), places[:, 0])
    pairs = np.stack([samples[shown], train.read(places[shown, 0])], 1).reshape(-1, *samples.shape[1:])
    counts = {"samples": len(samples), "held_out_images": len(held_out), "training_images": len(train)}
    return MemorisationResult({**counts, "data_checksum": checksum, "by": result}, grid(pairs, columns=8))


def doubts(result: Mapping[str, Any]) -> list[str]:
    """What makes a result, as `look` found it, doubtful, in lines."""
    by = result["by"].values()
    found = []
    if (most := max(float(one["between_duplicates"]) for one in by)) > MANY:
        found.append(
            f"the two training images nearest to {100 * most:.0f} % of the samples are near duplicates, of which a "
            "copy is not noticed: look for these with `dcgan-dist dedup`, and give its keep-list by --keep"
        )
    if (most := max(float(one["held_out_duplicates"]) for one in by)) > RARE:
        found.append(
            f"{100 * most:.0f} % of the images held out are near duplicates of training images, so copies seem less "
            "rare than they are: `dcgan-dist dedup --against` names these images; hold out others"
        )
    return found


def recipe(about: About, number: int, seed: int, data: str) -> dict[str, Any]:
    """All that a result depends on but the checkpoint.

    Args:
        about: what draws the samples.
        number: how many, and at most how many images that are held out.
        seed: of z.
        data: what tells the images from others.
    """
    by = {"generator": about.kind, "statistics": about.statistics}
    return {"task": "memorised", **by, "number": number, "seed": seed, "data": data}


def record(
    memorisation: MemorisationResult, about: About, recipe: Mapping[str, Any], notes: Sequence[str] = ()
) -> bytes:
    """The result's file.

    Args:
        recipe: its recipe.
        notes: lines about what makes it doubtful.
    """
    of = {"run": about.run, "checkpoint": about.checkpoint, "images": about.images}
    doubts = {"notes": list(notes)} if notes else {}
    written = {"recipe_sha256": recipe_sha256(recipe), "written": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())}
    return encode({**recipe, **of, **memorisation.result, **doubts, **written}, f"memorised on run {about.run}")


def lines(result: Mapping[str, Any]) -> list[str]:
    """For people."""
    text = [
        f"memorised: {result['samples']:,} samples against {result['held_out_images']:,} images held out, "
        f"nearest of {result['training_images']:,} training images over the second nearest"
    ]
    for name, one in result["by"].items():
        says = "copies of training images" if one["copies"] else "no sign of copies"
        text.append(
            f"  {name:<14} median {one['sample_median']:.3f}, held out {one['held_out_median']:.3f}, "
            f"rank test p {one['p_value']:.2g} (score {one['z']:+.1f}), {100 * one['rare']:.1f} % rare "
            f"(copies: above {100 * MANY:.0f} %): {says}"
        )
    return text


def _between_duplicates(train: Labeled, places: NDArray[np.int64]) -> float:
    """Share of the samples whose two nearest training images, [n, 2], are near duplicates: both are equally near."""
    pairs, inverse = np.unique(np.sort(places, axis=1), axis=0, return_inverse=True)
    first, second = (train.read(pairs[:, side]) for side in (0, 1))
    return float(near_duplicates(first, second)[inverse].mean())


def _duplicates(images: Pixels, train: Labeled, nearest: NDArray[np.int64]) -> float:
    """Share of the images that are near duplicates of the training images nearest to them, [n]."""
    return float(near_duplicates(images, train.read(nearest)).mean())


def _each_once(order: NDArray[np.int64], nearest: NDArray[np.int64]) -> NDArray[np.int64]:
    """The first samples of an order, each with another nearest training image: one that is near to all tells little."""
    _, first = np.unique(nearest[order], return_index=True)
    return order[np.sort(first)][:PAIRS]


def _nearest(evaluators: Evaluators, images: Pixels) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    # The nearest, and the one after it.
    distances, places = merge(evaluators.each("nearest", images, 2), 2)
    return distances.double().numpy(), places.numpy()
