"""Trackers, by their real libraries and what these leave on the disk; and what fails in them."""

import io
import json
import os
import struct
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pytest

from dcgan_dist.arrays import Pixels
from dcgan_dist.errors import SettingsError
from dcgan_dist.monitoring.monitor import Monitor
from dcgan_dist.monitoring.sinks import trackers
from dcgan_dist.monitoring.sinks.sink import Status
from dcgan_dist.monitoring.sinks.terminal import LogTerminal
from dcgan_dist.monitoring.sinks.trackers import Tracker, Trackers, require_trackers
from dcgan_dist.settings import Settings, replaced
from dcgan_dist.storage import Place, place
from tests.monitoring.test_monitor import TOTALS, Script, pictures, scalars, started

SECRET = "not-for-anybody-else"


def settings(names: str) -> Settings:
    return replaced(
        Settings(images=1_280, name="one"), {"monitoring.trackers": names, "optimization.lr": 0.0031}, "test"
    )


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """A run, and libraries that write into the test's folder only."""
    monkeypatch.chdir(tmp_path)
    for name, value in {
        "WANDB_MODE": "offline",
        "WANDB_DIR": str(tmp_path),
        "WANDB_PROJECT": "pictures",
        "MLFLOW_TRACKING_URI": f"sqlite:///{tmp_path}/mlflow.db",
        "MLFLOW_EXPERIMENT_NAME": "pictures",
        "WANDB_API_KEY": f"{SECRET:x<40}",
        "MLFLOW_TRACKING_PASSWORD": SECRET,
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "RAY_AUTH_TOKEN": SECRET,
    }.items():
        monkeypatch.setenv(name, value)
    return place(str(tmp_path / "runs" / "one"))


def watch(run: Place, names: str, script: Script, status: Status = "finished") -> list[str]:
    """Let a monitor with trackers write a script down; the lines of its log."""
    stream = io.StringIO()
    monitor = Monitor(run, settings(names), script, LogTerminal(stream, TOTALS, 10.0, script.clock), TOTALS)
    monitor.start()
    monitor.close(status)
    return stream.getvalue().splitlines()


def wandb_records(file: Path) -> Iterator[Any]:
    """Records of a `run-ID.wandb`: LevelDB's log format behind seven bytes of its own."""
    from wandb.proto import wandb_internal_pb2

    data, at, whole = file.read_bytes(), 7, b""
    while at + 7 <= len(data):
        if 32_768 - at % 32_768 < 7:
            at += 32_768 - at % 32_768
            continue
        _, length, kind = struct.unpack("<IHB", data[at : at + 7])
        if at + 7 + length > len(data):
            return
        whole += data[at + 7 : at + 7 + length]
        at += 7 + length
        if kind in (1, 4):  # whole, or the last part
            record = wandb_internal_pb2.Record()
            record.ParseFromString(whole)
            yield record
            whole = b""


def read_wandb(folder: Path) -> dict[str, Any]:
    """Of an offline run that has ended: configuration, rows of its history, summary, exit code.

    W&B's service, a process of its own, writes the file, and may still be at it when its client has returned.
    """
    (file,) = folder.glob("run-*.wandb")
    deadline = time.monotonic() + 60
    while "exit" not in (found := parse_wandb(file)):
        assert time.monotonic() < deadline, f"{file} says after a minute only {found}"
        time.sleep(0.1)
    return found


def parse_wandb(file: Path) -> dict[str, Any]:
    """What is there of it by now."""
    found: dict[str, Any] = {"id": file.stem.removeprefix("run-"), "config": {}, "rows": [], "summary": {}}

    def items(update: Any) -> dict[str, Any]:
        return {item.key or "/".join(item.nested_key): json.loads(item.value_json) for item in update}

    for record in wandb_records(file):
        match record.WhichOneof("record_type"):
            case "run":
                found |= {"project": record.run.project, "name": record.run.display_name}
                found["config"] |= items(record.run.config.update)
            case "config":
                found["config"] |= items(record.config.update)
            case "history":
                found["rows"].append(items(record.history.item))
            case "summary":
                found["summary"] |= items(record.summary.update)
            case "exit":
                found["exit"] = record.exit.exit_code
    return found


def test_wandb_has_what_a_run_logs_and_goes_on_when_it_is_resumed(run: Place, tmp_path: Path) -> None:
    lines = watch(run, "wandb", Script([started()], [scalars(5), pictures(10)]), "stopped")
    assert not [line for line in lines if "fails" in line or "cannot" in line]
    (folder,) = (tmp_path / "wandb").glob("offline-run-*")
    found = read_wandb(folder)
    assert (found["project"], found["name"], found["exit"]) == ("pictures", "one", 0)
    assert (found["config"]["optimization.lr"], found["config"]["monitoring.trackers"]) == (0.0031, "wandb")
    (row,) = [row for row in found["rows"] if "loss/generator" in row]
    assert (row["images"], row["loss/generator"], row["data/bad_images"]) == (320, 0.5, 0.0)
    (shown,) = [row for row in found["rows"] if "samples/averaged/path" in row]
    assert (shown["images"], shown["samples/averaged/width"], shown["samples/averaged/caption"]) == (
        640,
        50 * 18,
        "640 images",
    )
    assert (folder / "files" / shown["samples/averaged/path"]).is_file()
    assert found["summary"]["status"] == "stopped"

    again = started(attempt=2, step=3, checkpoint="000000000192")
    lines = watch(run, "wandb", Script([again], [scalars(4, attempt=2)]))
    assert not [line for line in lines if "fails" in line or "cannot" in line]
    (other,) = set((tmp_path / "wandb").glob("offline-run-*")) - {folder}
    goes_on = read_wandb(other)
    assert goes_on["id"] == found["id"]
    # It lies behind the last one of the attempt that was lost, which W&B's own step would not allow.
    assert [row["images"] for row in goes_on["rows"] if "loss/generator" in row] == [256]
    assert goes_on["summary"]["status"] == "finished"
    assert_no_secret(tmp_path)


def test_mlflow_has_what_a_run_logs_and_goes_on_when_it_is_resumed(run: Place, tmp_path: Path) -> None:
    lines = watch(run, "mlflow", Script([started()], [scalars(5), pictures(10), scalars(10)]), "failed")
    assert not [line for line in lines if "fails" in line or "cannot" in line]
    client = mlflow.MlflowClient()
    experiment = client.get_experiment_by_name("pictures")
    assert experiment is not None
    (found,) = client.search_runs([experiment.experiment_id])
    assert (found.info.run_name, found.info.status) == ("one", "FAILED")
    assert found.data.params["optimization.lr"] == "0.0031"
    (picture,) = [file.path for file in client.list_artifacts(found.info.run_id, "images") if ".png" in file.path]
    assert "samples" in picture
    assert "step+640" in picture.replace("%", "+")

    watch(run, "mlflow", Script([started(2, 5, "000000000320")], [scalars(10, attempt=2), scalars(11, attempt=2)]))
    (found,) = client.search_runs([experiment.experiment_id])
    assert found.info.status == "FINISHED"
    history = client.get_metric_history(found.info.run_id, "loss/generator")
    assert sorted((one.step, one.value) for one in history) == [(320, 0.5), (640, 0.5), (640, 0.5), (704, 0.5)]
    assert_no_secret(tmp_path)


def assert_no_secret(folder: Path) -> None:
    files = [file for file in folder.rglob("*") if file.is_file()]
    assert len(files) > 3
    assert [file for file in files if SECRET.encode() in file.read_bytes()] == []


class Made:
    """A tracker for tests: what it was given, and what goes wrong in it."""

    def __init__(self, wrong: Callable[[str], None] = lambda what: None) -> None:
        self.given: list[tuple[object, ...]] = []
        self.wrong = wrong

    def begin(self, known: str | None) -> str:
        self.wrong("begin")
        self.given.append(("begin", known))
        return known or "new"

    def scalars(self, images: int, values: Mapping[str, float]) -> None:
        self.wrong(f"numbers {images}")
        self.given.append(("numbers", images, dict(values)))

    def picture(self, images: int, name: str, picture: Pixels) -> None:
        self.given.append(("picture", images, name, picture.shape))

    def text(self, name: str, words: str) -> None:
        self.given.append(("text", name, words))

    def end(self, status: Status) -> None:
        self.given.append(("end", status))


def opened(run: Place, made: Tracker, told: list[str]) -> Trackers:
    return Trackers(run, settings("wandb"), told.append, {"wandb": lambda name, values: made})


def test_a_tracker_that_fails_is_told_once_and_gets_what_comes_later(run: Place) -> None:
    def wrong(what: str) -> None:
        if what in ("numbers 64", "numbers 128", "numbers 320"):
            raise ConnectionError("no route to host\nand a page of more")

    made, told = Made(wrong), list[str]()
    given = opened(run, made, told)
    for images in (64, 128, 192, 256, 320):
        given.scalars(images, {"loss/generator": 0.5})
    given.picture(320, "samples", np.zeros((4, 6, 3), np.uint8))
    given.close("stopped")
    assert told == [
        "wandb fails; training continues: ConnectionError: no route to host",
        "wandb works again; what came in the meantime is missing there",
        "wandb fails; training continues: ConnectionError: no route to host",
        "wandb works again; what came in the meantime is missing there",
    ]
    assert [what[1] for what in made.given if what[0] == "numbers"] == [192, 256]
    assert made.given[-2:] == [("picture", 320, "samples", (4, 6, 3)), ("end", "stopped")]
    assert json.loads((run / "trackers.json").read_bytes()) == {"wandb": "new"}


def test_each_tracker_goes_on_with_its_own_run_and_gets_what_is_set(run: Place) -> None:
    made = {"wandb": Made(), "mlflow": Made()}
    values: dict[str, Mapping[str, object]] = {}

    def maker(name: str) -> Callable[[str, Mapping[str, object]], Tracker]:
        return lambda of_run, given: (values.setdefault(name, given), made[name])[1]

    for before in ({"mlflow": "known", "other": "kept"}, {"mlflow": "known", "other": "kept", "wandb": "new"}):
        if not (run / "trackers.json").exists():
            (run / "trackers.json").write_bytes(json.dumps(before).encode())
        assert json.loads((run / "trackers.json").read_bytes()) == before
        Trackers(run, settings("wandb,mlflow"), print, {name: maker(name) for name in made}).close("finished")
    assert [what for what in made["wandb"].given if what[0] == "begin"] == [("begin", None), ("begin", "new")]
    assert [what for what in made["mlflow"].given if what[0] == "begin"] == [("begin", "known")] * 2
    for given in values.values():
        assert (given["optimization.lr"], "epochs" in given) == (0.0031, False)


def test_a_record_of_trackers_that_is_torn_is_made_again(run: Place) -> None:
    (run / "trackers.json").write_bytes(b'{"wandb": "ne')
    made = Made()
    opened(run, made, []).close("finished")
    assert made.given == [("begin", None), ("end", "finished")]
    assert json.loads((run / "trackers.json").read_bytes()) == {"wandb": "new"}


def test_a_tracker_that_cannot_begin_is_left_out(run: Place) -> None:
    def wrong(what: str) -> None:
        raise PermissionError("who are you?")

    told: list[str] = []
    given = opened(run, Made(wrong), told)
    given.scalars(64, {"loss/generator": 0.5})
    given.close("finished")
    assert told == ["wandb cannot start; training continues without it: PermissionError: who are you?"]
    assert not (run / "trackers.json").exists()


def test_a_tracker_that_hangs_holds_up_nothing(run: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trackers, "WAITING", 3)
    monkeypatch.setattr(trackers, "END_S", 0.2)
    free = threading.Event()
    made, told = Made(lambda what: None if what == "begin" else (free.wait(60), None)[1]), list[str]()
    given = opened(run, made, told)
    for images in range(10):
        given.scalars(images, {"loss/generator": 0.5})
    given.close("finished")
    free.set()
    assert told == [
        "wandb is too slow; what it cannot take in time is not sent there",
        "wandb has not taken everything within 0 s; the rest is not sent",
    ]


def test_a_tracker_that_was_too_slow_is_told_the_end_all_the_same(run: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trackers, "WAITING", 3)
    free = threading.Event()
    made, told = Made(lambda what: None if what == "begin" else (free.wait(60), None)[1]), list[str]()
    given = opened(run, made, told)
    for images in range(10):
        given.scalars(images, {"loss/generator": 0.5})
    threading.Timer(0.2, free.set).start()
    given.close("failed")
    assert made.given[-1] == ("end", "failed")
    assert told == ["wandb is too slow; what it cannot take in time is not sent there"]


def test_no_tracker_is_asked_by_default(run: Place) -> None:
    told: list[str] = []
    given = Trackers(run, Settings(images=1), told.append)
    given.scalars(1, {})
    given.close("finished")
    assert not run.names()


@pytest.mark.parametrize("names", ["wandb,nosuch", "wandb,", "WANDB", "wandb mlflow", ","])
def test_unknown_trackers_are_refused(names: str) -> None:
    with pytest.raises(SettingsError, match="needs to be of wandb, mlflow, joined by commas"):
        settings(names)


def test_a_tracker_that_is_not_installed_is_told_before_anything_starts(
    run: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    require_trackers(settings("wandb,mlflow"))
    (tmp_path / "mlflow").mkdir()  # its files, in a folder where it is not installed
    monkeypatch.setattr("sys.path", [str(tmp_path)])
    monkeypatch.setattr("sys.modules", {name: one for name, one in os.sys.modules.items() if "mlflow" not in name})
    with pytest.raises(SettingsError, match=r"has mlflow, which is not installed: pip install mlflow-skinny"):
        require_trackers(settings("mlflow"))


def test_wandb_does_not_ask_for_a_key_in_the_middle_of_a_run(run: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    import wandb

    monkeypatch.setenv("WANDB_MODE", "online")
    monkeypatch.setattr(wandb, "login", lambda **options: False)
    monkeypatch.setattr(wandb, "setup", lambda: type("", (), {"settings": type("", (), {"mode": "online"})})())
    with pytest.raises(SettingsError, match="wandb login, or WANDB_MODE=offline"):
        require_trackers(settings("wandb"))
