"""The paper's table with rows of ours."""

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks.probes import read, report


def result(features: str, accuracy: float, run: str = "", **more: Any) -> dict[str, Any]:
    score = {"accuracy": accuracy, "low": accuracy - 0.01, "high": accuracy + 0.01, "c": 1e-4}
    return {
        "task": "cifar10",
        "features_of": features,
        "run": run,
        "images": 1_000,
        "features": 768,
        "feature_bytes": 10**9,
        "all_labels": score,
        "seconds": {"features": 1.0, "classifiers": 2.0},
    } | more


def test_rows_are_those_of_the_task_and_the_paper_stands_below(tmp_path: Path) -> None:
    results = [
        result("pixels", 0.4),
        result("discriminator", 0.65, run="mine"),
        result("kmeans1600", 0.777),
        result("random", 0.6, run="mine"),
        result("pixels", 0.9, task="other"),
    ]
    for number, content in enumerate(results):
        (tmp_path / f"{number}.json").write_text(json.dumps(content))
    found = report(read(tmp_path))
    names = [str(row[0]) for row in found.tables["probes"].rows]
    assert names[:4] == [
        "pixels",
        "random weights, networks of mine",
        "discriminator, mine at 1,000 images",
        "kmeans1600",
    ]
    assert "DCGAN trained on ImageNet-1k" in names[-1]
    assert found.tables["probes"].rows[0][1] == "40.00 (±1.00)"
    assert [(bar.met, round(bar.value, 2)) for bar in found.bars] == [(True, 0.2), (False, 5.0), (True, 25.0)]


def test_networks_that_are_trained_on_labels_have_a_row_for_all_of_them_and_one_for_few(tmp_path: Path) -> None:
    def few(features: str, accuracy: float) -> dict[str, Any]:
        made = result(features, accuracy, run="best") | {"features": 0, "feature_bytes": 0}
        score = made.pop("all_labels")
        del score["c"]
        return made | {"few_labels": score | {"trained_images": 8_192}}

    results = [
        few("supervised", 0.5),
        result("supervised", 0.7, run="best") | {"features": 0},
        few("finetuned", 0.55),
        result("discriminator", 0.65, run="mine", few_labels={"accuracy": 0.57, "low": 0.56, "high": 0.58, "c": 1e-3}),
    ]
    for number, content in enumerate(results):
        (tmp_path / f"{number}.json").write_text(json.dumps(content))
    found = report(read(tmp_path))
    rows = [list(map(str, row)) for row in found.tables["probes"].rows[:4]]
    assert [row[1:5] for row in rows] == [
        ["", "50.00 (±1.00)", "", "8,192 images"],
        ["", "55.00 (±1.00)", "", "8,192 images"],
        ["65.00 (±1.00)", "57.00 (±1.00)", "768", "C 0.0001"],
        ["70.00 (±1.00)", "", "", "C 0.0001"],
    ]
    assert [(bar.met, round(bar.value, 2)) for bar in found.bars] == [(True, 7.0), (False, -2.0), (True, 5.0)]


def test_what_is_compared_with_a_discriminator_is_compared_with_its_own(tmp_path: Path) -> None:
    def few(accuracy: float) -> dict[str, float]:
        return {"accuracy": accuracy, "low": accuracy - 0.01, "high": accuracy + 0.01, "c": 1e-3}

    results = [
        result("random", 0.55, run="one", few_labels=few(0.4)),
        result("discriminator", 0.61, run="one", few_labels=few(0.48)),
        result("discriminator", 0.68, run="two", few_labels=few(0.53)),
        result("finetuned", 0.7, run="tuned", few_labels=few(0.51)),
    ]
    assert "FOLDER --began-with one --json" in report(results, "one").command
    found = {bar.name: (bar.met, round(bar.value, 2)) for bar in report(results, "one").bars}
    assert found == {
        "trained discriminator: points over random": (False, 6.0),
        "fine-tuned at 400 labels a class: points over its frozen discriminator": (True, 3.0),
    }
    with pytest.raises(SystemExit, match="there are rows of one, two"):
        report(results)
