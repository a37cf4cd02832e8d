import json
import math
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

from dcgan_dist.errors import DataError
from dcgan_dist.model.pixels import png
from dcgan_dist.monitoring.messages import Scalars
from dcgan_dist.monitoring.metric_names import describe
from dcgan_dist.monitoring.sinks.curves import (
    Curves,
    Found,
    Measured,
    Probed,
    read_found,
    read_measured,
    read_points,
    read_probed,
)
from dcgan_dist.settings import Settings, from_yaml, replaced
from dcgan_dist.storage import Place, place

LOSS = "loss/generator"


def scalars(attempt: int, step: int, loss: float) -> Scalars:
    return {"kind": "scalars", "attempt": attempt, "step": step, "images": 8 * step, "values": {LOSS: loss}}


def new_run(tmp_path: Path) -> Place:
    return place(str(tmp_path / "run"))


def board(run: Place) -> EventAccumulator:
    events = EventAccumulator(str(run / "tensorboard"))
    events.Reload()
    return events


def curve(run: Place) -> list[tuple[int, float]]:
    """What TensorBoard shows: (images, value)."""
    return [(event.step, event.value) for event in board(run).Scalars(LOSS)]


def test_a_point_is_a_line_and_a_point_in_tensorboard(tmp_path: Path) -> None:
    run = new_run(tmp_path)
    curves = Curves(run, tmp_path)
    curves.begin(attempt=1, step=0, images=0)
    assert curves.add(scalars(1, 10, 0.5))
    curves.flush()
    (line,) = (run / "metrics.jsonl").read_bytes().decode().splitlines()
    point = json.loads(line)
    assert point.pop("time") > 1.7e9
    values = {LOSS: 0.5, "data/bad_images": 0.0}
    assert point == {"attempt": 1, "step": 10, "images": 80, "values": values}
    assert board(run).Tags()["scalars"] == [LOSS, "data/bad_images"]
    assert curve(run) == [(80, 0.5)]


def test_a_resume_leaves_no_point_doubled_or_missing(tmp_path: Path) -> None:
    run = new_run(tmp_path)
    first = Curves(run, tmp_path)
    first.begin(attempt=1, step=0, images=0)
    for step in (10, 20, 30, 40):
        first.add(scalars(1, step, 1.0))
    first.flush()
    # The driver died; the newest checkpoint was that of step 20.
    second = Curves(run, tmp_path)
    second.begin(attempt=2, step=20, images=160)
    for step in (30, 40, 50):
        second.add(scalars(2, step, 2.0))
    second.flush()
    assert curve(run) == [(80, 1.0), (160, 1.0), (240, 2.0), (320, 2.0), (400, 2.0)]
    assert [(point["step"], point["attempt"]) for point in read_points(run)] == [
        (10, 1),
        (20, 1),
        (30, 2),
        (40, 2),
        (50, 2),
    ]
    assert len((run / "metrics.jsonl").read_bytes().splitlines()) == 7


def test_two_attempts_of_one_driver_and_one_from_the_start(tmp_path: Path) -> None:
    run = new_run(tmp_path)
    curves = Curves(run, tmp_path)
    for attempt, resumed, steps in ((1, 0, (10, 20)), (2, 0, (10, 20, 30)), (3, 20, (30,)), (4, 20, (30, 40))):
        curves.begin(attempt, resumed, 8 * resumed)
        for step in steps:
            curves.add(scalars(attempt, step, float(attempt)))
    curves.flush()
    assert curve(run) == [(80, 2.0), (160, 2.0), (240, 4.0), (320, 4.0)]
    assert [(point["step"], point["attempt"]) for point in read_points(run)] == [(10, 2), (20, 2), (30, 4), (40, 4)]


def test_what_a_lost_attempt_sends_late_is_left_out(tmp_path: Path) -> None:
    run = new_run(tmp_path)
    curves = Curves(run, tmp_path)
    curves.begin(attempt=1, step=0, images=0)
    curves.add(scalars(1, 10, 1.0))
    curves.begin(attempt=2, step=0, images=0)
    assert not curves.add(scalars(1, 20, 1.0))
    curves.add(scalars(2, 10, 2.0))
    curves.flush()
    assert curve(run) == [(80, 2.0)]
    assert [point["attempt"] for point in read_points(run)] == [2]


@settings(deadline=None, max_examples=30)
@given(st.lists(st.tuples(st.integers(0, 80), st.integers(1, 60)), min_size=1, max_size=5), st.booleans())
def test_any_series_of_deaths_leaves_each_step_once_from_its_last_attempt(
    attempts: list[tuple[int, int]], new_driver: bool
) -> None:
    """Attempts resume anywhere up to where the run had come, and measure every 10 steps until they die."""
    with tempfile.TemporaryDirectory() as folder:
        run = new_run(Path(folder))
        curves = Curves(run, Path(folder))
        expected: dict[int, int] = {}
        reached = 0
        for attempt, (resume, length) in enumerate(attempts, start=1):
            begin = min(resume, reached)
            reached = begin + max(length, 10 - begin % 10)
            if new_driver:
                curves = Curves(run, Path(folder))
            curves.begin(attempt, begin, 8 * begin)
            measured = [step for step in range(begin + 1, reached + 1) if step % 10 == 0]
            expected = {step: number for step, number in expected.items() if step <= begin}
            expected |= dict.fromkeys(measured, attempt)
            for step in measured:
                curves.add(scalars(attempt, step, float(attempt)))
            curves.flush()
        assert {point["step"]: point["attempt"] for point in read_points(run)} == expected
        assert len(read_points(run)) == len(expected)
        assert curve(run) == [(8 * step, float(attempt)) for step, attempt in sorted(expected.items())]


def test_an_attempt_that_is_announced_twice_begins_once(tmp_path: Path) -> None:
    run = new_run(tmp_path)
    curves = Curves(run, tmp_path)
    curves.begin(attempt=1, step=0, images=0)
    curves.add(scalars(1, 10, 1.0))
    curves.begin(attempt=1, step=0, images=0)
    curves.add(scalars(1, 20, 1.0))
    curves.flush()
    assert curve(run) == [(80, 1.0), (160, 1.0)]


def test_a_damaged_line_is_named(tmp_path: Path) -> None:
    run = new_run(tmp_path)
    curves = Curves(run, tmp_path)
    curves.add(scalars(1, 10, 1.0))
    curves.flush()
    with (run / "metrics.jsonl").local_path.open("ab") as file:
        file.write(b"\0\0\n")
    with pytest.raises(DataError, match=r"^line 2 of .*metrics\.jsonl is damaged"):
        Curves(run, tmp_path)


def test_a_message_that_was_delivered_twice_makes_one_point(tmp_path: Path) -> None:
    run = new_run(tmp_path)
    curves = Curves(run, tmp_path)
    curves.begin(attempt=1, step=0, images=0)
    assert curves.add(scalars(1, 10, 1.0))
    assert not curves.add(scalars(1, 10, 1.0))
    curves.flush()
    assert curve(run) == [(80, 1.0)]


def test_an_attempt_nobody_told_of_begins_with_its_first_point(tmp_path: Path) -> None:
    run = new_run(tmp_path)
    curves = Curves(run, tmp_path)
    curves.add(scalars(1, 10, 1.0))
    curves.add(scalars(1, 20, 1.0))
    curves.add(scalars(2, 20, 2.0))
    curves.flush()
    assert curve(run) == [(80, 1.0), (160, 2.0)]
    assert [(point["step"], point["attempt"]) for point in read_points(run)] == [(10, 1), (20, 2)]


def test_values_that_are_no_numbers_become_null(tmp_path: Path) -> None:
    run = new_run(tmp_path)
    curves = Curves(run, tmp_path)
    curves.begin(attempt=1, step=0, images=0)
    curves.add(scalars(1, 10, math.nan))
    curves.add(scalars(1, 20, math.inf))
    curves.flush()
    assert [point["values"][LOSS] for point in read_points(run)] == [None, None]
    assert [step for step, _ in curve(run)] == [80, 160]


def test_what_is_wrong_is_a_text_in_tensorboard_and_in_the_line_of_its_point(tmp_path: Path) -> None:
    run = new_run(tmp_path)
    curves = Curves(run, tmp_path)
    curves.begin(attempt=1, step=0, images=0)
    curves.add(scalars(1, 10, 0.5))
    curves.add(scalars(1, 20, 0.5), "D wins since 80 images")
    curves.flush()
    assert [point.get("health") for point in read_points(run)] == [None, "D wins since 80 images"]
    (event,) = board(run).Tensors("health")
    assert (event.step, list(event.tensor_proto.string_val)) == (160, [b"D wins since 80 images"])
    assert board(run).SummaryMetadata("health").plugin_data.plugin_name == "text"


def test_bad_images_are_counted_once_over_all_attempts(tmp_path: Path) -> None:
    run = new_run(tmp_path)
    first = Curves(run, tmp_path)
    first.begin(attempt=1, step=0, images=0)
    assert first.add_bad_images([7, 3]) == 2
    assert first.add_bad_images([7]) == 0
    first.add(scalars(1, 10, 1.0))
    first.add(scalars(1, 20, 1.0))
    first.flush()
    second = Curves(run, tmp_path)
    second.begin(attempt=2, step=20, images=160)
    assert second.add_bad_images([3, 9]) == 1
    second.add(scalars(2, 30, 1.0))
    second.flush()
    points = read_points(run)
    assert [point["values"]["data/bad_images"] for point in points] == [2, 2, 3]
    assert [point.get("bad_images") for point in points] == [[3, 7], None, [9]]


def test_bad_images_that_a_lost_attempt_found_stay_known(tmp_path: Path) -> None:
    run = new_run(tmp_path)
    first = Curves(run, tmp_path)
    first.add_bad_images([7])
    first.add(scalars(1, 10, 1.0))
    first.add(scalars(2, 10, 1.0))
    first.flush()
    assert [point["attempt"] for point in read_points(run)] == [2]
    assert Curves(run, tmp_path).bad_images == {7}


def test_an_attempt_whose_file_could_not_be_made_begins_with_its_next_point(tmp_path: Path) -> None:
    run = new_run(tmp_path)
    curves = Curves(run, tmp_path)
    obstacle = (run / "tensorboard").local_path
    obstacle.write_text("a file where a folder belongs")
    with pytest.raises(FileExistsError):
        curves.begin(attempt=1, step=0, images=0)
    obstacle.unlink()
    curves.add(scalars(1, 10, 1.0))
    curves.flush()
    assert curve(run) == [(80, 1.0)]


def test_pictures_are_in_tensorboard_at_their_images(tmp_path: Path) -> None:
    run = new_run(tmp_path)
    picture = np.full((4, 6, 3), 200, np.uint8)
    curves = Curves(run, tmp_path)
    curves.begin(attempt=1, step=0, images=0)
    curves.add_picture("samples", 80, png(picture), picture)
    curves.flush()
    (event,) = board(run).Images("samples")
    assert (event.step, event.height, event.width) == (80, 4, 6)
    assert event.encoded_image_string == png(picture)


def test_a_run_without_points_has_none(tmp_path: Path) -> None:
    assert read_points(new_run(tmp_path)) == []


def test_a_line_that_is_being_written_is_not_read(tmp_path: Path) -> None:
    run = new_run(tmp_path)
    curves = Curves(run, tmp_path)
    curves.add(scalars(1, 10, 1.0))
    curves.flush()
    with (run / "metrics.jsonl").local_path.open("ab") as file:
        file.write(b'{"time": 17')
    assert [point["step"] for point in read_points(run)] == [10]


def test_what_is_found_of_a_checkpoint_stands_beside_the_points(tmp_path: Path) -> None:
    run = new_run(tmp_path)
    found: Probed = {
        "time": 1.0,
        "checkpoint": "000000000640",
        "step": 10,
        "images": 640,
        "task": "cifar10",
        "accuracy": 0.6,
        "low": 0.59,
        "high": 0.61,
    }
    curves = Curves(run, tmp_path)
    curves.begin(attempt=1, step=0, images=0)
    curves.add(scalars(1, 10, 1.0))
    curves.add(scalars(1, 20, 1.0))
    curves.add_probed(found)
    curves.flush()
    assert read_probed(run) == [found]
    assert [point["step"] for point in read_points(run)] == [10, 20]
    (event,) = board(run).Scalars("probe/cifar10/accuracy")
    assert (event.step, event.value) == (640, pytest.approx(0.6))


def test_what_else_is_found_of_a_checkpoint_is_read_by_its_metric(tmp_path: Path) -> None:
    run, metric = new_run(tmp_path), "fidelity/lite/kernel"
    curves = Curves(run, tmp_path)
    recall: Measured = {
        "time": 1.0,
        "checkpoint": "000000000640",
        "step": 10,
        "images": 640,
        "metric": "fidelity/lite/recall",
        "value": 0.125,
    }
    kernel: Measured = {**recall, "metric": metric, "value": 0.5, "low": 0.25, "high": 0.75}
    accuracy: Probed = {
        "time": 1.0,
        "checkpoint": "000000000640",
        "step": 10,
        "images": 640,
        "task": "rooms",
        "accuracy": 0.9,
        "low": 0.8,
        "high": 1.0,
    }
    for line in (kernel, recall, accuracy):
        curves.add_probed(line)
    curves.flush()
    assert read_found(run, metric) == [Found("000000000640", 640, 0.5, 0.25, 0.75)]
    assert read_found(run, "fidelity/lite/recall") == [Found("000000000640", 640, 0.125, None, None)]
    assert read_found(run, "probe/rooms/accuracy") == [Found("000000000640", 640, 0.9, 0.8, 1.0)]
    assert read_measured(run) == [kernel, recall]
    assert [(one.step, one.value) for one in board(run).Scalars(metric)] == [(640, 0.5)]


def test_tensorboard_shows_the_settings_of_a_run_and_what_its_numbers_say(tmp_path: Path) -> None:
    run = new_run(tmp_path)
    of_run = replaced(Settings(images=700), {"optimization.lr": 0.003, "probe.tasks": "cifar10 =x, mine=y"}, "test")
    for attempt, step in ((1, 0), (2, 20)):
        curves = Curves(run, tmp_path, of_run)
        curves.begin(attempt, step, images=8 * step)
        curves.add(scalars(attempt, step + 10, 1.0))
        curves.add_picture("walk/raw", 8 * step + 80, png(np.zeros((4, 4, 3), np.uint8)), np.zeros((4, 4, 3), np.uint8))
        curves.flush()
    events = board(run)
    assert events.SummaryMetadata(LOSS).summary_description == describe(LOSS) != ""
    assert events.SummaryMetadata("walk/raw").summary_description == describe("walk/raw") != ""
    assert curve(run) == [(80, 1.0), (240, 1.0)]
    shown = events.Tensors("settings")
    assert [event.step for event in shown] == [0, 160]
    (words,) = shown[0].tensor_proto.string_val
    assert from_yaml(words.decode().removeprefix("```yaml\n").removesuffix("```"), "TensorBoard") == of_run
    content = events.SummaryMetadata("_hparams_/session_start_info").plugin_data.content
    values = HParamsPluginData.FromString(content).session_start_info.hparams
    assert values["optimization.lr"].number_value == 0.003
    assert values["networks.latent"].string_value == "uniform"
    assert not {"name", "storage", "workers.number", "data.cpus", "data.max_image_bytes"} & set(values)
    content = events.SummaryMetadata("_hparams_/experiment").plugin_data.content
    compared = [one.name.tag for one in HParamsPluginData.FromString(content).experiment.metric_infos]
    assert LOSS in compared
    assert {"probe/cifar10/accuracy", "probe/mine/accuracy"} <= set(compared)
    with pytest.raises(KeyError):  # nobody knows yet how it ends
        events.SummaryMetadata("_hparams_/session_end_info")
