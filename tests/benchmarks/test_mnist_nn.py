"""The paper's errors with rows of ours."""

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks.mnist_nn import read, report
from dcgan_dist.errors import DataError


def result(run: str, errors: dict[int, float], **more: Any) -> dict[str, Any]:
    def score(error: float) -> dict[str, float]:
        return {"error": error, "low": error - 0.002, "high": error + 0.004}

    return {
        "task": "mnist-nn",
        "run": run,
        "checkpoint": "000000000640",
        "images": 640,
        "errors": [{"samples": samples, **score(error)} for samples, error in errors.items()],
        "real": {"images": 4_321, **score(0.031)},
        "recipe": {"generator": "raw"},
    } | more


def test_each_checkpoint_has_the_rows_of_most_samples_and_the_paper_stands_below(tmp_path: Path) -> None:
    results = [
        result("one", {10_000: 0.2, 50_000: 0.1}),
        result("one", {10_000: 0.2}),
        result("two", {10_000: 0.25}, images=1_280),
        result("one", {10_000: 0.9}, task="other"),
    ]
    for number, content in enumerate(results):
        (tmp_path / f"{number}.json").write_text(json.dumps(content))
    rows = report(read(tmp_path)).tables["mnist_nn"].rows
    ours = "samples of one at 640 images, raw generator"
    assert [tuple(row) for row in rows[:6]] == [
        (ours, "10,000", "20.00 (±0.30)"),
        (ours, "50,000", "10.00 (±0.30)"),
        ("its real training images", "4,321", "3.10 (±0.30)"),
        ("samples of two at 1,280 images, raw generator", "10,000", "25.00 (±0.30)"),
        ("its real training images", "4,321", "3.10 (±0.30)"),
        ("DCGAN (paper, MNIST; as a review of the paper quotes it)", "50,000", "2.98"),
    ]
    assert report(read(tmp_path)).rates["one_at_640_50000_percent"] == pytest.approx(10)


def test_a_folder_without_results_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="has no results of task mnist-nn"):
        read(tmp_path)
