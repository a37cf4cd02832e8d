"""Files of results, and the paper's tables with our row in them."""

import re
from typing import Any

from dcgan_dist.evaluation.tables import table

RESULT: dict[str, Any] = {
    "task": "cifar10",
    "features_of": "discriminator",
    "run": "run",
    "images": 1_000,
    "features": 7_168,
    "all_labels": {"accuracy": 0.68051, "low": 0.67, "high": 0.69, "c": 1e-4},
    "few_labels": {"accuracy": 0.5, "low": 0.49, "high": 0.51, "c": 1e-3, "per_class": 400},
    "seconds": {"features": 10.2, "classifiers": 5.1},
}


def test_the_paper_stands_below_our_rows() -> None:
    lines = table("cifar10", [RESULT])
    assert lines[0] == "cifar10: classifiers on frozen features"
    assert "accuracy, %" in lines[1]
    assert "400 a class, %" in lines[1]
    assert lines[2].startswith("discriminator of run at 1,000 images ")
    assert "68.05 (±1.00)" in lines[2]
    assert "50.00 (±1.00)" in lines[2]
    assert "C 0.0001, C 0.001" in lines[2]
    assert lines[2].endswith("15")
    assert any(line.startswith("DCGAN trained on ImageNet-1k, 512 maps") and "82.8" in line for line in lines)


def test_a_network_that_takes_the_images_has_no_numbers_but_a_length_of_training() -> None:
    few = {"accuracy": 0.5, "low": 0.49, "high": 0.51, "trained_images": 12_288, "per_class": 400}
    trained = {key: value for key, value in RESULT.items() if key != "all_labels"} | {"few_labels": few, "features": 0}
    line = table("cifar10", [trained | {"features_of": "supervised"}])[2]
    assert re.fullmatch(r"supervised of run at 1,000 images +50.00 \(±1.00\) +12,288 images +15", line)


def test_a_task_that_the_paper_does_not_know_has_our_rows_only() -> None:
    every = {key: value for key, value in RESULT.items() if key != "few_labels"} | {"task": "mine"}
    lines = table("mine", [every])
    assert len(lines) == 3
    assert "a class" not in lines[1]


def test_what_makes_results_doubtful_stands_below_them_once() -> None:
    doubtful = RESULT | {"task": "mine", "notes": ["test has no images of class 2"]}
    assert table("mine", [doubtful, doubtful])[-2:][1] == "note: test has no images of class 2"
    assert len(table("mine", [doubtful, doubtful])) == len(table("mine", [RESULT, RESULT])) + 1


def test_measures_of_fidelity_have_a_line_each() -> None:
    result = {
        "task": "fidelity",
        "run": "run",
        "images": 640,
        "held_out_images": 1_200,
        "samples": 1_500,
        "recipe": {"images": "images held out", "generator": "averaged"},
        "notes": ["few"],
        "measures": {
            "lite/frechet": {"value": 12.345, "low": 11.345, "high": 13.345},
            "lite/recall": {"value": 0.25},
        },
    }
    title, frechet, recall, note = table("fidelity", [result])
    assert title == (
        "fidelity: 1,500 samples of run at 640 images, averaged generator, beside 1,200 images (images held out)"
    )
    assert frechet == "  lite/frechet  12.35 (±1); lower is better"
    assert recall == "  lite/recall   0.2500"
    assert note == "note: few"


def test_distances_to_samples_have_a_line_for_each_number_of_samples() -> None:
    found = [{"samples": 1_000, "mean": 9.5, "low": 9.25, "high": 9.75}]
    about = {
        "task": "neighbours",
        "run": "run",
        "images": 640,
        "validation_images": 50,
        "recipe": {"images": "held out"},
    }
    of_average = about | {"recipe": {"images": "held out", "generator": "averaged"}}
    assert "at 640 images, averaged generator; " in table("neighbours", [of_average | {"distances": found}])[0]
    assert table("neighbours", [about | {"distances": found, "notes": ["torn"]}])[-1] == "note: torn"
    lines = table("neighbours", [about | {"distances": found}])
    assert "at 640 images, raw generator; " in lines[0]
    assert lines[0].startswith("neighbours: mean distance of 50 images (held out) to the nearest sample of run at 640 ")
    assert lines[1:] == ["    1,000 samples  9.500 (±0.250)"]


def test_errors_of_labeled_samples_stand_above_those_of_real_images_and_of_the_paper() -> None:
    result = {
        "task": "mnist-nn",
        "run": "run",
        "images": 640,
        "test_images": 2_500,
        "errors": [
            {"samples": 10_000, "error": 0.0512, "low": 0.05, "high": 0.06},
            {"samples": 1_000_000, "error": 0.025, "low": 0.02, "high": 0.036},
        ],
        "real": {"images": 3_400, "error": 0.04, "low": 0.03, "high": 0.052},
        "recipe": {"generator": "averaged"},
        "notes": ["torn"],
    }
    lines = table("mnist-nn", [result])
    assert lines[0] == "mnist-nn: error on 2,500 test images; lower is better"
    assert lines[1].split() == ["nearest", "neighbor", "among", "images", "error,", "%"]
    ours = "samples of run at 640 images, averaged generator"
    cells = [(line.split("  ")[0], *line.split()[-3:]) for line in lines[2:5]]
    assert cells == [
        (ours, "10,000", "5.12", "(±0.50)"),
        (ours, "1,000,000", "2.50", "(±0.80)"),
        ("its real training images", "3,400", "4.00", "(±1.10)"),
    ]
    published = {(line.split(" (")[0], *line.split()[-2:]) for line in lines[5:-1]}
    assert {("DCGAN", "50,000", "2.98"), ("DCGAN", "10,000,000", "1.48"), ("real images", "50,000", "3.1")} < published
    assert {("GAN", "50,000", "6.28"), ("GAN", "10,000,000", "5.65")} < published
    assert all("(paper, MNIST; " in line for line in lines[5:-1])
    assert lines[-1] == "note: torn"


def test_other_numbers_of_labels_than_the_papers_are_told() -> None:
    few = RESULT["few_labels"] | {"per_class": 25}
    _, header, *_, line = table("cifar10", [RESULT | {"few_labels": few}])
    assert "25 a class, %" in header
    assert "73.8 (±0.4), 400 a class" in line
    assert ", 400 a class" not in "".join(table("cifar10", [RESULT]))
