import io
import json
import shlex
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from dcgan_dist.arrays import Pixels
from dcgan_dist.cli.invocation import IN_A_JOB, command_line, tool_line
from dcgan_dist.monitoring import monitor as module
from dcgan_dist.monitoring.messages import Message, Pictures, Scalars, Started, WorkerInfo
from dcgan_dist.monitoring.monitor import Monitor
from dcgan_dist.monitoring.sinks.curves import read_points
from dcgan_dist.monitoring.sinks.sink import Sink, Status
from dcgan_dist.monitoring.sinks.terminal import LogTerminal, Totals
from dcgan_dist.run_folder.attempts import workers_of
from dcgan_dist.run_folder.checkpoint import manifests, write_checkpoint
from dcgan_dist.settings import OptimizationSettings, Settings, replaced
from dcgan_dist.storage import Place, place
from tests.monitoring.test_stragglers import heard

SETTINGS = Settings(images=1_280, optimization=OptimizationSettings(batch_size=64))
TOTALS = Totals(images=1_280, images_per_epoch=640)


class Script:
    """What workers send, a batch for each time the monitor asks; between two batches ten seconds pass.

    An entry may also be something to do at that moment.
    """

    def __init__(self, *batches: list[Message] | Callable[[], object]) -> None:
        self._batches = list(batches)
        self.now_s = 0.0

    def clock(self) -> float:
        return self.now_s

    def receive(self, timeout_s: float) -> list[Message]:
        self.now_s += 10.0
        if not self._batches:
            return []
        batch = self._batches.pop(0)
        if isinstance(batch, list):
            return batch
        batch()
        # The monitor's last look ends when nothing comes any more.
        return [{"kind": "event", "text": "-", "step": 0, "images": 0}]


def started(attempt: int = 1, step: int = 0, checkpoint: str | None = None, number: int = 2) -> Started:
    workers: list[WorkerInfo] = [
        {"rank": rank, "node": f"node-{rank}", "host": f"host-{rank}", "device": "cpu, 2 threads"}
        for rank in range(number)
    ]
    return {
        "kind": "started",
        "attempt": attempt,
        "step": step,
        "images": 64 * step,
        "checkpoint": checkpoint,
        "workers": workers,
    }


def scalars(step: int, attempt: int = 1) -> Scalars:
    values = {
        "loss/discriminator": 1.0,
        "loss/generator": 0.5,
        "speed/images_per_second": 64.0,
        "speed/wait_share": 0.01,
    }
    return {"kind": "scalars", "attempt": attempt, "step": step, "images": 64 * step, "values": values}


def pictures(step: int, number: int = 4, walk: bool = False) -> Pictures:
    array = np.full((number, 8, 8, 3), 200, np.uint8)
    return {
        "kind": "pictures",
        "name": "walk" if walk else "samples",
        "generator": "raw" if step < 10 else "averaged",
        "step": step,
        "images": 64 * step,
        "array": array,
        "columns": None,
    }


def watch(
    run: Place, script: Script, stream: io.StringIO | None = None, name_of: Callable[[int], str] = str
) -> list[str]:
    """Let a monitor write a script down; the lines of its log."""
    stream = stream or io.StringIO()
    monitor = Monitor(run, SETTINGS, script, LogTerminal(stream, TOTALS, 10.0, script.clock), TOTALS, name_of)
    monitor.start()
    monitor.close()
    return [] if stream.closed else stream.getvalue().splitlines()


@pytest.fixture
def run(tmp_path: Path) -> Place:
    return place(str(tmp_path / "runs" / "a run"))


def test_the_log_of_a_run(run: Place) -> None:
    script = Script(
        [started()],
        [scalars(5)],
        [{"kind": "event", "text": "rank 1 waits for data", "step": 5, "images": 320}],
        [{"kind": "checkpoint", "name": "000000000640", "step": 10, "images": 640, "seconds": 0.84}, scalars(10)],
        [pictures(10)],
        [scalars(15), scalars(20)],
    )
    assert watch(run, script) == [
        f"run {run}",
        "2 workers: rank 0 on host-0 (cpu, 2 threads)",
        "           rank 1 on host-1 (cpu, 2 threads)",
        "the first images are read",
        "images 320 of 1,280 (25 %)  epoch 0.5  loss D 1.00 G 0.50  64 images/s  waiting 1.0 %  15 s left",
        "rank 1 waits for data",
        "checkpoint 000000000640 at 640 images (0.8 s)",
        "images 640 of 1,280 (50 %)  epoch 1.0  loss D 1.00 G 0.50  64 images/s  waiting 1.0 %  10 s left",
        "images 1,280 of 1,280 (100 %)  epoch 2.0  loss D 1.00 G 0.50  64 images/s  waiting 1.0 %  0 s left",
        f"run          {run}",
        f"samples      {run}/samples/000000640-averaged.png",
        f"checkpoint   {run}/checkpoints/000000000640",
        f"curves       {tool_line('tensorboard', '--logdir', f'{run}/tensorboard')}",
        f"more samples {command_line('sample', str(run), '-n', '64')}",
    ]


def test_the_commands_at_the_end_can_be_pasted_into_a_shell(run: Place) -> None:
    lines = watch(run, Script([started(checkpoint="000000000320", step=5)]))
    curves, samples = (shlex.split(text) for text in lines[-2:])
    assert Path(curves[1]).is_file()
    assert curves[2:] == ["--logdir", f"{run}/tensorboard"]
    assert Path(samples[2]).resolve() == Path(sys.executable).resolve()
    assert samples[3:] == ["-m", "dcgan_dist.sample", str(run), "-n", "64"]


def test_a_job_is_told_to_draw_more_samples_where_they_last(run: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(IN_A_JOB, "{}")
    line = watch(run, Script([started(checkpoint="000000000320", step=5)]))[-1]
    assert line.endswith(f"-m dcgan_dist.sample {shlex.quote(str(run))} -n 64 --out '{run}/more-samples.png'")


def test_the_run_folder_holds_curves_and_pictures(run: Place) -> None:
    watch(run, Script([started(), pictures(0)], [scalars(10), pictures(10), pictures(10, number=20, walk=True)]))
    assert run.names() == ["metrics.jsonl", "samples", "tensorboard", "workers"]
    assert [(worker["rank"], worker["host"]) for worker in workers_of(run)[1]] == [(0, "host-0"), (1, "host-1")]
    assert (run / "samples").names() == [
        "000000000-raw.png",
        "000000640-averaged.png",
        "walk-000000640-averaged.png",
    ]
    with Image.open((run / "samples" / "000000640-averaged.png").local_path) as samples:
        assert samples.size == (50 * 18, 50 * 18)
        assert samples.text["Description"].endswith("after 640 images, averaged generator, fixed statistics")  # type: ignore[attr-defined]
    with Image.open((run / "samples" / "walk-000000640-averaged.png").local_path) as walk:
        assert walk.size == (11 * 80, 11 * 16)
    events = EventAccumulator(str(run / "tensorboard"))
    events.Reload()
    assert events.Tags()["images"] == ["samples/raw", "samples/averaged", "walk/averaged"]
    assert [event.step for event in events.Images("samples/raw")] == [0]
    assert [event.step for event in events.Images("samples/averaged")] == [640]
    assert [(event.step, event.value) for event in events.Scalars("loss/generator")] == [(640, 0.5)]


def test_a_resumed_run_says_where_it_goes_on_and_keeps_its_points(run: Place) -> None:
    watch(run, Script([started(), pictures(0), scalars(5), scalars(10)]))
    lines = watch(run, Script([started(attempt=2, step=5, checkpoint="000000000320"), scalars(10, attempt=2)]))
    assert "resuming from checkpoint 000000000320 at 320 images (step 5; 320 images left in this epoch)" in lines
    assert [(point["step"], point["attempt"]) for point in read_points(run)] == [(5, 1), (10, 2)]
    events = EventAccumulator(str(run / "tensorboard"))
    events.Reload()
    assert [event.step for event in events.Scalars("loss/generator")] == [320, 640]
    assert [event.step for event in events.Images("samples/raw")] == [0]


def test_a_change_of_the_worker_group_is_one_line(run: Place) -> None:
    again = started(attempt=2, step=5, checkpoint="000000000320", number=3)
    lines = watch(run, Script([started(), scalars(5), scalars(7)], [again, again], [started(3, 5, "000000000320", 1)]))
    assert [line for line in lines if line.startswith("resuming")] == [
        "resuming from checkpoint 000000000320 at 320 images (step 5; 320 images left in this epoch) with 3 workers, "
        "2 before; 128 images rolled back",
        "resuming from checkpoint 000000000320 at 320 images (step 5; 320 images left in this epoch) with 1 worker, "
        "3 before; nothing rolled back",
    ]


def test_bad_images_are_told_at_every_doubling(run: Place) -> None:
    def bad(samples: list[int]) -> list[Message]:
        return [{"kind": "bad_images", "samples": samples, "step": 1, "images": 64}]

    lines = watch(
        run, Script(bad([5]), bad([6]), bad([7]), bad([5]), bad([8, 9, 10]), [scalars(10)]), name_of="key-{}".format
    )
    assert [line for line in lines if line.startswith("bad")] == [
        "bad images: 1 could not be decoded and were replaced, the last one is key-5",
        "bad images: 2 could not be decoded and were replaced, the last one is key-6",
        "bad images: 6 could not be decoded and were replaced, the last one is key-10",
    ]
    assert read_points(run)[0]["values"]["data/bad_images"] == 6


def test_bad_images_of_the_attempts_before_count(run: Place) -> None:
    watch(run, Script([{"kind": "bad_images", "samples": [3, 4], "step": 1, "images": 64}, scalars(10)]))
    script = Script([{"kind": "bad_images", "samples": [4, 5], "step": 1, "images": 64}])
    monitor = Monitor(run, SETTINGS, script, LogTerminal(io.StringIO(), TOTALS, 10.0, script.clock), TOTALS)
    monitor.start()
    assert monitor.bad_samples == {3, 4}
    monitor.close()
    assert monitor.bad_samples == {3, 4, 5}


def test_a_collapse_is_told_and_the_checkpoint_before_it_stays(run: Place) -> None:
    settings = Settings(images=1_000, optimization=OptimizationSettings(batch_size=64))
    for step in (100, 200, 700):
        write_checkpoint(run, {}, settings, step=step, attempt=1, kept=False)
    points: list[Message] = []
    for step in range(100, 900, 10):
        point = scalars(step)
        point["values"]["samples/spread"] = 0.9 if step < 250 else 0.05
        points.append(point)
    monitor = Monitor(
        run, SETTINGS, Script([started()], points), LogTerminal(stream := io.StringIO(), TOTALS, 10.0), TOTALS
    )
    monitor.start()
    monitor.close()
    (finding,) = monitor.findings
    assert finding.reason == "G repeats itself"
    assert 200 * 64 < finding.onset < 700 * 64
    log = stream.getvalue().splitlines()
    assert f"health: {finding}" in log
    assert "checkpoint 000000012800 from before that is kept" in log
    assert [manifest["kept"] for manifest in manifests(run).values()] == [False, True, False]
    assert [point["health"] for point in read_points(run) if "health" in point] == [str(finding)]


@pytest.mark.parametrize(("loss", "reasons"), [("bce", ["D wins"]), ("mine:hinge", [])])
def test_who_wins_is_judged_by_the_loss_of_the_run(run: Place, loss: str, reasons: list[str]) -> None:
    settings = replaced(SETTINGS, {"optimization.loss": loss}, "test")
    points: list[Message] = []
    for step in range(100, 700, 100):
        point = scalars(step)
        point["values"] |= {"loss/generator": 40.0, "score/real": 0.99}
        points.append(point)
    monitor = Monitor(run, settings, Script([started()], points), LogTerminal(io.StringIO(), TOTALS, 10.0), TOTALS)
    monitor.start()
    monitor.close()
    assert [finding.reason for finding in monitor.findings] == reasons


def test_a_rank_that_is_slow_is_told_and_shares_go_with_the_next_point(run: Place) -> None:
    signs = [[heard(0, age_s, 0.3), heard(1, age_s, 0.9)] for age_s in (0.0, 100.0)]
    monitor = Monitor(
        run,
        SETTINGS,
        Script([started()], [scalars(1), scalars(2)]),
        LogTerminal(stream := io.StringIO(), TOTALS, 10.0),
        TOTALS,
    )
    for sign in signs:
        monitor.hear(sign)
    monitor.start()
    monitor.close()
    assert "slow: rank 1 on host-1 keeps the others waiting for 70% of the time" in stream.getvalue()
    first, second = read_points(run)
    assert first["values"]["worker/1/busy_share"] == pytest.approx(0.9)
    assert "worker/1/busy_share" not in second["values"]


def test_dropped_messages_are_told(run: Place) -> None:
    lines = watch(run, Script([{"kind": "dropped", "scalars": 1200, "others": 3}]))
    assert lines[1] == (
        "the driver was too slow for the workers: 1,200 points of the curves and 3 other messages were dropped"
    )


class Recorder(Sink):
    """Keeps what it is given, and refuses scalars of some images."""

    def __init__(self, name: str, *refused: int) -> None:
        self.name, self.refused, self.given = name, refused, list[Any]()

    def scalars(self, images: int, values: Mapping[str, float]) -> None:
        if images in self.refused:
            raise ConnectionError("no route to host")
        self.given.append((images, values))

    def picture(self, images: int, name: str, picture: Pixels) -> None:
        self.given.append((images, name, picture.shape))

    def close(self, status: Status) -> None:
        self.given.append(status)


def test_every_sink_gets_what_counts_and_one_that_fails_keeps_nothing_from_the_others(
    run: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing, whole = Recorder("lame", 320, 640), Recorder("sound")
    monkeypatch.setattr(module, "open_sinks", lambda *_: [failing, whole])
    # The second delivery of a point counts for nobody.
    lines = watch(run, Script([started()], [scalars(5), scalars(5)], [scalars(10)], [pictures(10), scalars(15)]))
    values = scalars(5)["values"] | {"data/bad_images": 0.0}
    rest = [(640, "samples/averaged", (900, 900, 3)), (960, values), "finished"]
    assert failing.given == rest
    assert whole.given == [(320, values), (640, values), *rest]
    assert [line for line in lines if "metrics to" in line] == [
        "sending metrics to lame fails; training continues: no route to host",
        "sending metrics to lame works again",
    ]


def test_a_write_that_fails_is_told_once_and_made_up_for(run: Place) -> None:
    obstacle = (run / "samples").local_path

    def block() -> None:
        obstacle.write_text("a file where a folder belongs")

    script = Script([started()], block, [pictures(5), scalars(5)], [pictures(10), scalars(10)], obstacle.unlink)
    lines = [line for line in watch(run, script) if "writing pictures and machines" in line]
    assert len(lines) == 2
    assert lines[0].startswith(
        "writing pictures and machines fails; training continues, and it is retried: cannot write"
    )
    assert lines[1] == "writing pictures and machines works again"
    assert (run / "samples").names() == ["000000320-raw.png", "000000640-averaged.png"]
    assert [point["step"] for point in read_points(run)] == [5, 10]


def test_curves_survive_a_folder_that_goes_away_and_comes_back(run: Place) -> None:
    folder, away = run.local_path, run.local_path.with_name("away")
    script = Script(
        [started(), scalars(5)], lambda: folder.rename(away), [scalars(10)], lambda: away.rename(folder), [scalars(15)]
    )
    lines = watch(run, script)
    assert len([line for line in lines if line.startswith(f"writing the curves of {run} fails")]) == 1
    assert f"writing the curves of {run} works again" in lines
    assert [point["step"] for point in read_points(run)] == [5, 10, 15]


def test_a_defect_in_one_message_spares_the_others(run: Place, caplog: pytest.LogCaptureFixture) -> None:
    broken = pictures(5)
    broken["array"] = np.zeros((0,), np.uint8)
    lines = watch(run, Script([started(), broken, scalars(5)]))
    assert next(line for line in lines if "fails" in line).startswith("taking in pictures fails; training continues")
    assert [point["step"] for point in read_points(run)] == [5]
    assert caplog.records[0].exc_info is not None


def test_a_terminal_that_is_gone_does_not_stop_the_curves(run: Place, caplog: pytest.LogCaptureFixture) -> None:
    stream = io.StringIO()
    watch(run, Script([started()], stream.close, [scalars(5)]), stream)
    assert [point["step"] for point in read_points(run)] == [5]
    assert len([record for record in caplog.records if "terminal is gone" in record.getMessage()]) == 1


def test_on_an_object_store_the_curves_are_copied_up_and_continued(
    s3: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    run = s3 / "scenes32"
    lines = watch(run, Script([started(), scalars(5), scalars(10), pictures(10)]))
    assert lines[-1].endswith(f"tensorboard --logdir {run}/tensorboard  (needs: pip install boto3)")
    assert (run / "samples").names() == ["000000640-averaged.png"]
    watch(run, Script([started(attempt=2, step=5, checkpoint="000000000320"), scalars(10, attempt=2)]))
    assert len((run / "metrics.jsonl").read_bytes().splitlines()) == 3
    assert [(point["step"], point["attempt"]) for point in read_points(run)] == [(5, 1), (10, 2)]
    for name in (run / "tensorboard").names():
        (tmp_path / name).write_bytes((run / "tensorboard" / name).read_bytes())
    events = EventAccumulator(str(tmp_path))
    events.Reload()
    assert [event.step for event in events.Scalars("loss/generator")] == [320, 640]
    assert not list(tmp_path.glob("dcgan-dist-*"))


def test_they_are_copied_up_once_a_minute_and_not_at_every_look(s3: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    run = s3 / "growing"
    seen: list[bool] = []

    def look() -> None:
        seen.append((run / "metrics.jsonl").exists())

    watch(run, Script([started(), scalars(5)], look, [scalars(10)], look))
    assert seen == [False, False]
    assert len(read_points(run)) == 2, "at the end, all of it"


def test_files_that_grow_are_copied_up_while_the_run_goes_on(s3: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "COPY_S", 0.0)
    run = s3 / "growing"
    seen: list[list[int]] = []

    def look() -> None:
        seen.append([json.loads(line)["step"] for line in (run / "metrics.jsonl").read_bytes().splitlines()])

    watch(run, Script([started(), scalars(5)], look, [scalars(10)], look))
    assert seen == [[5], [5, 10]]
