from typing import Any

import pytest

from dcgan_dist.reporting.headline import headline, is_probe


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
