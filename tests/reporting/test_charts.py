from typing import Any

from dcgan_dist.reporting.charts import MOST_MARKS, charts, compared, marks
from dcgan_dist.run_folder.attempts import Attempt

ATTEMPTS = [
    Attempt(1, None, 0, 0, 2, 0.0),
    Attempt(2, "000000000640", 10, 640, 1, 9.0),
    Attempt(3, None, 0, 0, 4, 19.0),
]


def point(images: int, **values: float | None) -> Any:
    return {
        "images": images,
        "attempt": 1,
        "step": 1,
        "time": 0.0,
        "values": {k.replace("_", "/", 1): v for k, v in values.items()},
    }


def probed(images: int, accuracy: float, task: str = "rooms") -> Any:
    return {"images": images, "task": task, "accuracy": accuracy, "low": accuracy - 0.1, "high": accuracy + 0.1}


def test_restarts_and_findings_are_facts_with_the_images_at_which_they_are_marked() -> None:
    points = [point(64, loss_generator=1.0), point(128, loss_generator=2.0) | {"health": "D wins"}]
    found = marks(ATTEMPTS, points)
    assert [(fact.value, fact.shown) for fact in found.restarts] == [
        (640, "from 640 images, checkpoint 000000000640, 1 worker"),
        (0, "from 0 images, the start, 4 workers"),
    ]
    assert found.restarts[0].source == "attempts/000002.json: images"
    assert [(fact.value, fact.shown, fact.source) for fact in found.findings] == [
        (128, "D wins", "metrics.jsonl: health")
    ]
    for chart in charts(points, [probed(64, 0.5)], found):
        assert (chart.restarts, chart.findings) == ([640, 0], [128])


def test_figures_are_of_what_was_measured() -> None:
    points = [point(64, loss_generator=1.0, samples_drift=0.5), point(128, loss_generator=1.5)]
    found = charts(
        points, [probed(128, 0.6), probed(64, 0.5), probed(64, 0.55), probed(64, 0.2, "svhn")], marks([], [])
    )
    assert [chart.title for chart in found] == ["Accuracy of the probe", "Losses", "Variety of samples"]
    first = found[0]
    assert first.intervals
    assert [line.label for line in first.series] == ["rooms", "svhn"]
    assert (first.series[0].x, first.series[0].mean) == ([64, 128], [0.55, 0.6])
    assert first.about == "Accuracy of the probe over images seen; last values: rooms 60 %, svhn 20 %"
    assert [line.label for line in found[1].series] == ["generator"]
    assert charts([], [], marks([], [])) == []


def test_a_run_that_is_trained_on_labels_has_figures_of_its_accuracy_and_loss() -> None:
    points = [
        point(64, supervised_loss=2.0, supervised_held_out_accuracy=0.25),
        point(128, supervised_loss=1.5),
        point(192, supervised_loss=1.25, supervised_held_out_accuracy=0.5),
    ]
    accuracy, loss = charts(points, [], marks([], []))
    assert (accuracy.series[0].x, accuracy.series[0].mean, accuracy.percent) == ([64, 192], [0.25, 0.5], True)
    assert (loss.series[0].mean, loss.percent) == ([2.0, 1.5, 1.25], False)
    assert accuracy.source == "metrics.jsonl: values.supervised/held_out_accuracy"
    side = compared({"a": (points, []), "b": (points[2:], [])})
    assert [(chart.source.rpartition("/")[2], len(chart.series), chart.percent) for chart in side] == [
        ("held_out_accuracy", 2, True), ("loss", 2, False)
    ]  # fmt: skip


def test_a_run_of_many_attempts_has_other_things_in_its_figures_too() -> None:
    many = [Attempt(number, None, number, number, 1, 0.0) for number in range(1, 3 * MOST_MARKS)]
    (chart,) = charts([point(64, loss_generator=1.0)], [], marks(many, []))
    assert len(chart.restarts) == MOST_MARKS


def test_runs_side_by_side_have_a_line_each_in_the_color_of_the_run() -> None:
    runs = {
        "a": ([point(64, loss_generator=1.0)], []),
        "b": ([point(64, loss_generator=2.0)], [probed(64, 0.5)]),
        "c": ([], [probed(64, 0.25), probed(64, 0.1, "svhn")]),
    }
    found = compared(runs)
    lines = {chart.title: [(line.label, line.color, line.mean) for line in chart.series] for chart in found}
    assert lines == {
        "Accuracy of the probe on rooms": [("b", 1, [0.5]), ("c", 2, [0.25])],
        "Accuracy of the probe on svhn": [("c", 2, [0.1])],
        "Loss of the generator": [("a", 0, [1.0]), ("b", 1, [2.0])],
    }
