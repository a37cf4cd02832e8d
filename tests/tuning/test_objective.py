"""What trials are compared by."""

import pytest

from dcgan_dist.errors import SettingsError
from tuning.objective import LOGGED, PARTS, Objective, Reports, parse_objective


def test_the_probes_first_task_counts_if_nothing_else_is_said() -> None:
    assert parse_objective("probe", "", ["cifar10", "svhn"], "both") == Objective("probe/cifar10/accuracy", "max")
    assert parse_objective("probe/svhn/accuracy", "", ["cifar10", "svhn"], "both").metric == "probe/svhn/accuracy"
    assert parse_objective("samples/spread", "", [], "both") == Objective("samples/spread", "max")
    assert parse_objective("loss/generator", "min", [], "both") == Objective("loss/generator", "min")


@pytest.mark.parametrize(
    ("given", "mode", "tasks", "schedule", "told"),
    [
        ("probe", "", [], "both", "objective is probe but the probe has no task: name one with --probe NAME"),
        ("probe/mnist/accuracy", "", ["cifar10"], "both", "but the probe has the tasks cifar10"),
        ("loss/critic", "", [], "both", "objective is loss/critic but nobody logs that: use probe, or one of loss/"),
        ("loss/generator", "", [], "both", "give --mode max or --mode min"),
        ("score/generated_after", "max", [], "alternate", "only with the schedule both"),
    ],
)
def test_wrong_objectives_get_one_sentence(given: str, mode: str, tasks: list[str], schedule: str, told: str) -> None:
    with pytest.raises(SettingsError) as error:
        parse_objective(given, mode, tasks, schedule)
    assert told in str(error.value)


def test_an_accuracy_counts_as_it_is_and_only_forward() -> None:
    reports = Reports(Objective("probe/cifar10/accuracy", "max"), 9_000)
    found = [
        value
        for images, accuracy in [(1_000, 0.3), (3_000, 0.5), (2_000, 0.4), (3_000, 0.5)]
        for value in reports.add(images, {"probe/cifar10/accuracy": accuracy})
    ]
    assert found == [(1_000, 0.3), (3_000, 0.5)]
    assert list(reports.add(4_000, {"loss/generator": 1.0})) == []


def test_a_logged_number_is_averaged_over_a_part_of_the_run() -> None:
    reports = Reports(Objective("loss/generator", "min"), 9_000)
    found = [
        value
        for images in range(250, 3_001, 250)
        for value in reports.add(images, {"loss/generator": images / 1_000, "loss/discriminator": 0.0})
    ]
    assert [images for images, _ in found] == [1_000, 2_000, 3_000]
    assert [value for _, value in found] == pytest.approx([0.625, 1.625, 2.625])
    assert PARTS == 9
    assert list(reports.add(9_000, {"loss/generator": float("nan")})) == []


def test_the_better_end_decides() -> None:
    assert Objective("samples/spread", "max").better(2, 1)
    assert Objective("loss/generator", "min").better(1, 2)
    assert not Objective("loss/generator", "min").better(float("nan"), 2)
    assert all(mode in {"max", "min", None} for mode in LOGGED.values())
