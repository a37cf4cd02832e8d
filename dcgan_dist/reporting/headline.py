"""The one number of a run: the accuracy of its probe at the newest checkpoint that was evaluated. Pure.

Of a run that is trained on labels it is the newest accuracy of its network on the labeled images that are held out.

Not the best one: that was chosen by the same test images, so that its accuracy says more than the features are worth.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dcgan_dist.evaluation.service.job import score
from dcgan_dist.evaluation.service.online import FEATURES
from dcgan_dist.intervals import wilson
from dcgan_dist.monitoring.run_status import HELD_OUT, Standing, newest_judged
from dcgan_dist.reporting.facts import Fact, accuracy, percent


@dataclass(frozen=True)
class Headline:
    """The one number.

    Attributes:
        fact: the accuracy, with its interval where that is known.
        says: what it is, and what its interval covers.
        task, images: on which task, and after how many images.
    """

    fact: Fact
    says: str
    task: str
    images: int


def headline(evaluations: Mapping[str, Mapping[str, Any]], tasks: Sequence[str]) -> Headline | None:
    """The one number; None where no probe of the run's discriminator is there.

    Args:
        evaluations: contents of results by file.
        tasks: of the run's probe; the first one that has a result counts, then any other.
    """
    found = [
        (file, result)
        for file, result in evaluations.items()
        if result.get("features_of") == FEATURES and is_probe(result)
    ]
    if not found:
        return None
    order = [*tasks, *sorted({str(result["task"]) for _, result in found} - set(tasks))]
    file, result = min(found, key=lambda one: (order.index(one[1]["task"]), -one[1]["images"], one[0]))
    kind = "all_labels" if "all_labels" in result else "few_labels"
    if kind == "all_labels":
        covers = "the interval, 95 % (Wilson), covers another draw of test images, not another training run"
    else:
        covers = "the interval is 1.96 standard deviations of the draws of labels to each side"
    of = f"{result.get('test_images', 0):,} test images of {result['task']}"
    fact = accuracy("Accuracy of the probe", score(result), file, kind)
    says = f"linear classifier on D's features at {result['images']:,} images, on {of}; {covers}"
    return Headline(fact, says, str(result["task"]), int(result["images"]))


def judged_headline(standing: Standing, task: str) -> Headline | None:
    """The one number of a run that is trained on labels; None where its network has not been judged yet.

    Args:
        task: that the labels are of.
    """
    judged = newest_judged(standing.points)
    if judged is None:
        return None
    (images, value), number = judged, standing.record.get("held_out_images")
    name, key, says = "Accuracy on held-out images", f"values.{HELD_OUT}", "the network that is trained on labels"
    says += f" at {images:,} images, on labeled images of {task} that it does not learn from"
    if type(number) is not int or number < 1:
        fact = Fact(name, value, f"{100 * value:.1f} %", "metrics.jsonl", key)
    else:
        low, high = wilson(value, number)
        fact = Fact(name, value, percent(value, low, high), "metrics.jsonl", key, low, high)
        says += (
            f", {number:,} of them; the interval, 95 % (Wilson), covers another draw of such images, not another run"
        )
    return Headline(fact, f"{says}; settings may have been chosen by them", f"{task}, held out", images)


def is_probe(result: Mapping[str, Any]) -> bool:
    """Whether a result is one of a classifier, with all that is read of it."""
    kinds = [result[kind] for kind in ("all_labels", "few_labels") if isinstance(result.get(kind), Mapping)]
    numbers = [kind.get(name) for kind in kinds for name in ("accuracy", "low", "high")] + [result.get("images")]
    return bool(kinds) and "task" in result and all(type(value) in (int, float) for value in numbers)
