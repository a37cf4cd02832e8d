"""How alike samples and held-out images are, by evaluators that share both; no Ray."""

import time
from collections.abc import Callable
from typing import Any

from dcgan_dist.evaluation.coverage import Sampler
from dcgan_dist.evaluation.encoders.encoder import Encoder, fit
from dcgan_dist.evaluation.fidelity.embedding import join
from dcgan_dist.evaluation.fidelity.pairs import join_between, join_within, kernel_distance, shares
from dcgan_dist.evaluation.service.evaluator import Evaluators
from dcgan_dist.evaluation.task import Labeled

MOST_IN_PAIRS = 10_000
"""Samples, and images, of which all pairs are looked at."""
SECOND_DRAW = 1.96 * 2**0.5
"""Standard errors to each side within which a second draw of samples lies: both draws are off."""
MEASURES = ("frechet", "kernel", "precision", "recall", "density", "coverage")
"""What is measured, by the last part of its name."""
LOWER_IS_BETTER = ("frechet", "kernel")


def doubts(samples: int, features: int) -> tuple[str, ...]:
    """Sentences about what makes the intervals doubtful of so many samples, by so many numbers for each."""
    if samples >= features:
        return ()
    return (
        f"{samples:,} samples are fewer than the {features:,} features: the intervals of the distances are too narrow, "
        f"and less than 95 % of second draws lie in them; draw at least {features:,}",
    )


def measure(
    evaluators: Evaluators,
    images: Labeled,
    sampler: Sampler,
    number: int,
    encoder: Encoder,
    key: str,
    say: Callable[[str], None] = lambda text: None,
) -> dict[str, Any]:
    """Compare so many samples with images; returns the content of a result's file, each measure by its last name.

    Args:
        encoder: of features; it is fitted to the images.
        key: by which evaluators find the images' features again, see `Evaluator.embed_held_out`.
        say: receives a line about each stage.
    """
    began = time.perf_counter()
    say(f"features of {len(images):,} images")
    encoder = fit(encoder, lambda encoder: evaluators.each("gather_held_out", images, encoder))
    real, real_moments, checksum = join(evaluators.each("embed_held_out", images, encoder, MOST_IN_PAIRS, key))
    say(f"features of {number:,} samples")
    samples, moments, _ = join(evaluators.each("embed_samples", sampler, number, encoder, MOST_IN_PAIRS))
    made = time.perf_counter()
    say("distances")
    (distance,) = (found for found in evaluators.each("frechet", moments, real_moments, samples) if found is not None)
    of_samples, of_images = (join_within(evaluators.each("within", one)) for one in (samples, real))
    both = join_between(evaluators.each("between", samples, real, of_samples.radii, of_images.radii))
    kernel, within = kernel_distance(of_samples, of_images, both), shares(both)
    return {
        "held_out_images": len(images),
        "samples": number,
        "features": real.shape[1],
        "measures": {
            **{
                name: {
                    "value": found.value,
                    "low": found.value - SECOND_DRAW * found.error,
                    "high": found.value + SECOND_DRAW * found.error,
                }
                for name, found in (("frechet", distance), ("kernel", kernel))
            },
            **{name: {"value": getattr(within, name)} for name in MEASURES[2:]},
        },
        "seconds": {"features": made - began, "distances": time.perf_counter() - made},
        "data_checksum": f"{checksum:032x}",
    }
