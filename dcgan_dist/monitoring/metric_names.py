"""The numbers that a run logs, and what each of them says: for TensorBoard, Prometheus and docs/training.md."""

import re
from functools import cache
from typing import Literal

METRICS = {
    "loss/discriminator": "D's loss, the sum of both halves: mean over the images of the steps since the point before",
    "loss/generator": "G's loss: mean over the images of the steps since the point before",
    "loss/r1": "penalty on D's slope at real images, beside D's loss (`optimization.r1`): mean over the images of the "
    "steps since the point before",
    "score/real": "mean sigmoid of D's logits of real images: by `bce`, what D takes for the probability that they are",
    "score/generated_before": "mean sigmoid of D's logits of generated images, before D's update",
    "score/generated_after": "mean sigmoid of D's logits of generated images, after D's update (schedule `both`)",
    "gradient/discriminator": "Euclidean norm of the gradient over all weights of D",
    "gradient/generator": "Euclidean norm of the gradient over all weights of G",
    "speed/images_per_second": "real images trained on per second, over all workers",
    "speed/wait_share": "share of the time spent waiting for data",
    "data/bad_images": "how many different images could not be decoded so far",
    "samples/spread": "how far samples of a fixed set of z lie from their mean image, over the same for the real "
    "images of that step: near 0, G repeats itself",
    "samples/drift": "how far samples of the same z have moved since the last measurement, "
    "`monitoring.measure_images` before, relative to the distance between unrelated samples",
    "probe/TASK/accuracy": "accuracy of a linear classifier on D's features, at the images of the checkpoint; in "
    "`metrics.jsonl` on lines of its own",
    "fidelity/FEATURES/frechet": "squared Fréchet distance between samples and held-out images, each taken for a "
    "normal distribution of these features; in `metrics.jsonl` on lines of its own, as all measures of fidelity",
    "fidelity/FEATURES/kernel": "squared kernel distance, unbiased, between samples and held-out images",
    "fidelity/FEATURES/precision": "share of the samples that lie in the neighborhood of a held-out image",
    "fidelity/FEATURES/recall": "share of the held-out images that lie in the neighborhood of a sample",
    "fidelity/FEATURES/density": "in how many neighborhoods of held-out images a sample lies, over the 5 that they "
    "are made of: about 1 for images",
    "fidelity/FEATURES/coverage": "share of the held-out images in whose neighborhood there is a sample",
    "supervised/loss": "mean cross-entropy of the labels over the images of the steps since the point before; only of "
    "runs that are trained on labels",
    "supervised/held_out_accuracy": "accuracy of such a run's network on the labeled images that are held out",
    "worker/RANK/data_share": "share of the last minute that the rank spent waiting for data",
    "worker/RANK/step_share": "share of the last minute that the rank spent in steps",
    "worker/RANK/checkpoint_share": "share of the last minute that the rank spent drawing samples and copying weights "
    "for checkpoints",
    "worker/RANK/busy_share": "share of the last minute in which the rank's thread computed, rather than slept until "
    "others arrived (Linux)",
    "worker/RANK/crowded_share": "share of that in which it waited for a processor, others having them all (Linux)",
    "worker/RANK/memory_gib": "memory of the rank itself in GiB, without the object store",
    "worker/RANK/machine_memory_share": "share of its machine's memory in use by all processes",
    "worker/RANK/gpu_memory_share": "share of its GPU's memory in use by all processes",
}
"""By name; what is in capitals stands for any."""
BETTER: dict[str, Literal["max", "min"]] = {
    "speed/images_per_second": "max",
    "speed/wait_share": "min",
    "samples/spread": "max",
    "supervised/loss": "min",
    "supervised/held_out_accuracy": "max",
}
"""Which end of a metric is the better one, where that can be said."""
PICTURES = {
    "samples/raw": "samples of G, always of the same z",
    "samples/averaged": "samples of the averaged G, always of the same z",
    "walk/raw": "samples of G along a walk between points of z, which is read row by row (paper, section 6.1)",
    "walk/averaged": "samples of the averaged G along a walk between points of z, which is read row by row",
}
TEXTS = {
    "settings": "what the run was started with, as in settings.yaml",
    "health": "what has gone wrong with training, and since when",
}
_ALL = METRICS | PICTURES | TEXTS


@cache
def describe(name: str) -> str:
    """What a number, picture or text of that name says; empty for one that nobody has described."""
    return next((text for known, text in _ALL.items() if _pattern(known).fullmatch(name)), "")


@cache
def _pattern(known: str) -> re.Pattern[str]:
    return re.compile(re.sub("[A-Z]+", "[^/]+", known))
