"""What trials are compared by."""

import re
from dataclasses import replace

import pytest

from dcgan_dist.errors import SettingsError
from dcgan_dist.monitoring.metric_names import METRICS
from dcgan_dist.settings import Settings, scenes32
from tuning.objective import (
    LOGGED,
    Objective,
    Reports,
    Value,
    first_at,
    marks,
    metrics_of,
    of_labels,
    parse_objective,
    require_shared,
    require_values,
    rungs,
)


def test_the_probes_first_task_counts_if_nothing_else_is_said() -> None:
    metrics = metrics_of(["cifar10", "svhn"], "")
    assert parse_objective("probe", "", metrics, "both") == Objective("probe/cifar10/accuracy", "max")
    assert parse_objective("probe/svhn/accuracy", "", metrics, "both").metric == "probe/svhn/accuracy"
    assert parse_objective("samples/spread", "", [], "both") == Objective("samples/spread", "max")
    assert parse_objective("loss/generator", "min", [], "alternate") == Objective("loss/generator", "min")
    assert parse_objective("score/generated_after", "min", [], "both") == Objective("score/generated_after", "min")


@pytest.mark.parametrize(
    ("given", "mode", "metrics", "schedule", "told"),
    [
        ("probe", "", [], "both", "objective is probe but the probe has no task: name a task with --probe NAME"),
        ("probe/mnist/accuracy", "", metrics_of(["cifar10"], ""), "both", "but the probe finds probe/cifar10/accuracy"),
        ("fidelity/b/frechet", "", metrics_of(["fidelity"], "a"), "both", "the probe finds fidelity/a/kernel, fid"),
        (
            "loss/critic",
            "",
            [],
            "both",
            "runs do not log that (did you mean loss/discriminator?): use probe",
        ),
        ("loss/generator", "", [], "both", "give --mode max or --mode min"),
        ("score/generated_after", "max", [], "alternate", "only with the schedule both"),
    ],
)
def test_wrong_objectives_get_one_sentence(given: str, mode: str, metrics: list[str], schedule: str, told: str) -> None:
    with pytest.raises(SettingsError) as error:
        parse_objective(given, mode, metrics, schedule)
    assert told in str(error.value)


def test_distances_are_minimized_and_shares_maximized() -> None:
    metrics = metrics_of(["fidelity", "rooms"], "lite")
    assert metrics[0] == "fidelity/lite/kernel"
    assert metrics[-1] == "probe/rooms/accuracy"
    assert parse_objective("probe", "", metrics, "both") == Objective("fidelity/lite/kernel", "min")
    assert parse_objective("fidelity/lite/frechet", "", metrics, "both").mode == "min"
    assert parse_objective("fidelity/lite/coverage", "", metrics, "both").mode == "max"
    assert parse_objective("fidelity/lite/frechet", "max", metrics, "both").mode == "max"
    found = Objective("fidelity/lite/frechet", "min")
    assert found.from_probe
    assert found.show(0.98765) == "0.9877"
    reports = Reports(found, marks(9_000), 64)
    assert list(reports.add(1_024, {"fidelity/lite/frechet": 7.5})) == [Value(1_000, 1_024, 7.5)]


def test_an_accuracy_counts_where_its_checkpoint_is_of_a_mark_and_only_forward() -> None:
    reports = Reports(Objective("probe/cifar10/accuracy", "max"), marks(9_000), 64)
    told = [(1_024, 0.3), (1_500, 0.9), (3_008, 0.5), (2_048, 0.4), (3_008, 0.5), (9_024, 0.6)]
    found = [value for at, one in told for value in reports.add(at, {"probe/cifar10/accuracy": one})]
    assert found == [Value(1_000, 1_024, 0.3), Value(3_000, 3_008, 0.5), Value(9_000, 9_024, 0.6)]
    assert list(reports.add(9_024, {"loss/generator": 1.0})) == []


def test_a_logged_number_is_averaged_over_a_part_of_the_run() -> None:
    reports = Reports(Objective("loss/generator", "min"), marks(9_000), 50)
    found = [
        value
        for images in range(250, 3_001, 250)
        for value in reports.add(images, {"loss/generator": images / 1_000, "loss/discriminator": 0.0})
    ]
    assert [(value.at, value.images) for value in found] == [(1_000, 1_000), (2_000, 2_000), (3_000, 3_000)]
    assert [value.value for value in found] == pytest.approx([0.625, 1.625, 2.625])
    assert list(reports.add(9_000, {"loss/generator": float("nan")})) == []


def test_a_number_that_is_logged_seldom_counts_for_the_part_in_which_it_was() -> None:
    reports = Reports(Objective("samples/spread", "max"), marks(9_000), 50)
    told = [(500, {}), (1_000, {}), (1_500, {"samples/spread": 0.4}), (2_000, {}), (2_500, {"samples/spread": 0.6})]
    found = [value for images, values in told for value in reports.add(images, values)]
    assert found == [Value(2_000, 2_000, 0.4)], "that of 2,500 images is not compared at 2,000"


def test_a_run_of_two_images_has_a_value_at_each() -> None:
    reports = Reports(Objective("loss/generator", "min"), marks(2), 1)
    found = [value for images in (1, 2) for value in reports.add(images, {"loss/generator": images / 4})]
    assert found == [Value(1, 1, 0.25), Value(2, 2, 0.5)]


def test_trials_are_compared_after_each_ninth_and_cut_after_a_ninth_and_a_third() -> None:
    assert marks(9_005) == (1_000, 2_000, 3_000, 4_000, 5_000, 6_000, 7_000, 8_000, 9_005)
    assert rungs(9_005) == (1_000, 3_000, 9_005)
    assert marks(9_000)[-2:] == (8_000, 9_000)
    assert (marks(2), rungs(2)) == ((1, 2), (1, 2))
    for total in (1, 5, 100, 36_000, 240_000):
        assert set(rungs(total)) <= set(marks(total))


def settings(batch_size: int = 64, steps: int = 10, measure_images: int = 10_000) -> Settings:
    base = scenes32()
    return replace(
        base,
        optimization=replace(base.optimization, batch_size=batch_size),
        monitoring=replace(base.monitoring, steps=steps, measure_images=measure_images),
    )


@pytest.mark.parametrize(
    ("metric", "of", "total", "give"),
    [
        ("samples/spread", settings(), 90_000, ""),
        ("samples/spread", settings(), 89_000, "--monitoring.measure-images 9888, or --images 90_000 or more"),
        (
            "samples/spread",
            settings(),
            1_280,
            "--monitoring.steps 2 --monitoring.measure-images 142, or --images 90_000 or more",
        ),
        ("samples/drift", settings(steps=2), 1_152, "--monitoring.measure-images 64, or --images 180_000 or more"),
        ("samples/drift", settings(), 90_000, "--monitoring.measure-images 5000, or --images 180_000 or more"),
        ("samples/drift", settings(measure_images=5_000), 90_000, ""),
        ("loss/generator", settings(), 5_760, ""),
        ("loss/generator", settings(batch_size=128), 5_760, "--monitoring.steps 5, or --images 11_520 or more"),
        ("loss/generator", settings(steps=2), 576, "--monitoring.steps 1, or --images 1_152 or more"),
        ("loss/generator", settings(steps=1), 500, "--images 576 or more"),
        ("probe/rooms/accuracy", settings(), 640, ""),
    ],
)
def test_trials_too_short_for_what_they_are_compared_by_are_refused(
    metric: str, of: Settings, total: int, give: str
) -> None:
    objective = Objective(metric, "max")
    if not give:
        require_values(objective, of, total)
        return
    with pytest.raises(SettingsError) as error:
        require_values(objective, of, total)
    first = first_at(objective, of)
    assert str(error.value) == (
        f"objective is {metric}, which runs log first after {first:,} images, but trials of {total:,} images are "
        f"compared from {total // 9:,} on, after each ninth: give {give}"
    )


@pytest.mark.parametrize("metric", ["samples/spread", "samples/drift", "loss/generator"])
@pytest.mark.parametrize("total", [5_000, 20_000, 60_000])
def test_what_is_to_be_given_is_enough(metric: str, total: int) -> None:
    """The settings that the sentence names are taken, and those just short of them are not."""
    objective = Objective(metric, "max")
    with pytest.raises(SettingsError) as error:
        require_values(objective, settings(batch_size=250, steps=40), total)
    told = str(error.value)
    given = dict(re.findall(r"--monitoring\.(steps|measure-images) (\d+)", told))
    enough = settings(250, int(given.get("steps", 40)), int(given.get("measure-images", 10_000)))
    require_values(objective, enough, total)
    (images,) = re.findall(r"--images ([\d_]+)", told)
    require_values(objective, settings(batch_size=250, steps=40), int(images))
    with pytest.raises(SettingsError):
        require_values(objective, settings(batch_size=250, steps=40), int(images) - 9)


def test_a_name_that_is_nearly_one_is_told() -> None:
    meant = {"samples/spred": "samples/spread", "loss/gen": "loss/generator", "all/my/own/drift": "samples/drift"}
    for given, name in meant.items():
        with pytest.raises(SettingsError, match=rf"do not log that \(did you mean {name}\?\): use probe"):
            parse_objective(given, "max", [], "both")
    with pytest.raises(SettingsError, match="do not log that: use probe"):
        parse_objective("zzz", "max", [], "both")


def test_accuracies_are_shown_in_percent_and_other_numbers_as_they_are() -> None:
    assert Objective("probe/cifar10/accuracy", "max").show(0.98765) == "98.77 %"
    assert Objective("loss/generator", "min").show(0.98765) == "0.9877"
    assert Objective("loss/generator", "min").show(None) == ""


def test_the_better_end_decides() -> None:
    assert Objective("samples/spread", "max").better(2, 1)
    assert Objective("loss/generator", "min").better(1, 2)
    assert not Objective("loss/generator", "min").better(float("nan"), 2)
    assert not Objective("samples/spread", "max").better(2, 2)
    assert not Objective("loss/generator", "min").better(2, 2)
    # Where only one end can be wished for, nobody has to say which.
    assert (LOGGED["speed/wait_share"], LOGGED["speed/images_per_second"]) == ("min", "max")
    assert all(mode in {"max", "min", None} for mode in LOGGED.values())


def test_trials_that_are_trained_on_labels_are_compared_by_the_images_held_out() -> None:
    found = of_labels("probe", "")
    assert found == of_labels("supervised/held_out_accuracy", "") == Objective("supervised/held_out_accuracy", "max")
    assert of_labels("probe", "min").mode == "min"
    assert (found.show(0.2887), found.from_probe) == ("28.87 %", False)
    with pytest.raises(SettingsError, match="objective is samples/spread but trials that are trained on labels are"):
        of_labels("samples/spread", "")
    with pytest.raises(SettingsError, match="objective is supervised/held_out_accuracy but runs do not log that"):
        parse_objective("supervised/held_out_accuracy", "", [], "both")


def test_what_can_be_compared_is_what_runs_log() -> None:
    kinds = (
        "probe/",
        "fidelity/",
        "worker/",
        "data/",
        "supervised/",
        "loss/r1",
    )  # of tasks, ranks, labels, no trial's making, or some runs alone
    assert LOGGED.keys() == {name for name in METRICS if not name.startswith(kinds)}


@pytest.mark.parametrize(
    ("name", "of_accuracy", "of_fidelity"),
    [
        ("networks.image_size", True, True),
        ("networks.channels", False, True),
        ("data.path", False, True),
        ("data.scenes", False, True),
        ("data.fit", False, True),
        ("optimization.lr", False, False),
    ],
)
def test_images_that_trials_share_are_right_for_all_of_them(name: str, of_accuracy: bool, of_fidelity: bool) -> None:
    for tasks, refused in ((["rooms"], of_accuracy), (["rooms", "fidelity"], of_fidelity)):
        searched = ["optimization.beta1", name]
        if not refused:
            require_shared(searched, tasks)
            continue
        told = f"--search cannot vary {name} where trials are compared by the probe: .* {' and '.join(tasks)};"
        with pytest.raises(SettingsError, match=told):
            require_shared(searched, tasks)
