from typing import Any

import pytest

from dcgan_dist.intervals import wilson
from dcgan_dist.monitoring.run_status import Standing
from dcgan_dist.reporting.headline import headline, is_probe, judged_headline


def probe(images: int, accuracy: float, task: str = "rooms", features: str = "discriminator", **more: Any) -> Any:
    score = {"accuracy": accuracy, "low": accuracy - 0.01, "high": accuracy + 0.02}
    return {"task": task, "images": images, "features_of": features, "all_labels": score, "test_images": 2_000, **more}


def test_the_newest_checkpoint_counts_and_not_the_best_one() -> None:
    found = headline({"a": probe(640, 0.9), "b": probe(1_280, 0.8), "c": probe(1_920, 0.99, features="random")}, [])
    assert found is not None
    assert (found.fact.value, found.fact.file, found.fact.key) == (0.8, "b", "all_labels.accuracy")
    assert (found.fact.low, found.fact.high) == (pytest.approx(0.79), pytest.approx(0.82))
    assert "at 1,280 images, on 2,000 test images of rooms" in found.says
    assert "Wilson" in found.says
    assert (found.task, found.images) == ("rooms", 1_280)


def test_the_first_task_of_the_run_counts_however_old_its_result_is() -> None:
    results = {"a": probe(640, 0.7, "svhn"), "b": probe(1_280, 0.8, "cifar10"), "c": probe(1_280, 0.6, "aaa")}
    for tasks, file in ((["svhn", "cifar10"], "a"), (["mine", "cifar10"], "b"), ([], "c")):
        found = headline(results, tasks)
        assert found is not None
        assert found.fact.file == file


def test_few_labels_stand_for_themselves_where_there_are_no_others() -> None:
    result = probe(640, 0.7)
    result["few_labels"] = result.pop("all_labels")
    found = headline({"a": result}, ["rooms"])
    assert found is not None
    assert found.fact.key == "few_labels.accuracy"
    assert "draws of labels" in found.says
    assert "Wilson" not in found.says


def judged(record: dict[str, Any], *accuracies: float | None) -> Standing:
    points: list[Any] = [
        {"images": 640 * (place + 1), "values": {"supervised/held_out_accuracy": accuracy}}
        for place, accuracy in enumerate(accuracies)
    ]
    return Standing(record, points, points, [], {}, [])


def test_the_number_of_a_run_on_labels_is_the_newest_accuracy_on_images_held_out() -> None:
    found = judged_headline(judged({"held_out_images": 200}, 0.75, 0.5, None), "svhn")
    assert found is not None
    assert (found.fact.value, found.fact.source) == (0.5, "metrics.jsonl: values.supervised/held_out_accuracy")
    assert (found.fact.low, found.fact.high) == wilson(0.5, 200)
    assert "at 1,280 images, on labeled images of svhn" in found.says
    assert "200 of them" in found.says
    assert (found.task, found.images) == ("svhn, held out", 1_280)  # no accuracy on test images
    assert judged_headline(judged({"held_out_images": 200}, None), "svhn") is None


def test_without_the_number_of_images_held_out_it_has_no_interval() -> None:
    found = judged_headline(judged({}, 0.125), "svhn")
    assert found is not None
    assert (found.fact.shown, found.fact.low, found.fact.high) == ("12.5 %", None, None)
    assert "interval" not in found.says


@pytest.mark.parametrize(
    "broken",
    [
        {},
        {"all_labels": {"accuracy": 0.5}},
        {"images": "many"},
        {"all_labels": {"accuracy": "x", "low": 0, "high": 1}},
        {"all_labels": None},
    ],
)
def test_what_is_no_probe_is_no_headline(broken: dict[str, Any]) -> None:
    result = probe(640, 0.7) | broken if broken else {"by": {}}
    assert not is_probe(result)
    assert headline({"a": result}, ["rooms"]) is None
