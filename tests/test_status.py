"""Where a run stands, told from folders written by hand and from a real one."""

import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import torch

from dcgan_dist.cli.invocation import command_line
from dcgan_dist.monitoring.run_status import _epoch, describe, newest_judged, read_standing
from dcgan_dist.monitoring.sinks.curves import Curves
from dcgan_dist.run_folder.attempts import begin_attempt
from dcgan_dist.run_folder.checkpoint import write_checkpoint
from dcgan_dist.run_folder.driver_lock import LOCK_FILE, sole_driver
from dcgan_dist.settings import Settings
from dcgan_dist.status import main
from dcgan_dist.storage import Place, place

SETTINGS = Settings(images=6_400)
RECORD = {
    "status": "running",
    "total_images": 6_400,
    "total_steps": 50,
    "epoch_images": 2_000,
    "step": 0,
    "images": 0,
}


def write_run(run: Place, scratch: Path, **record: Any) -> None:
    """Two attempts: 20 steps, of which 10 are rolled back, and 15 more."""
    (run / "run.json").write_bytes(json.dumps(RECORD | record).encode())
    curves = Curves(run, scratch)
    number = begin_attempt(run, 2).number
    add_points(curves, number, range(5, 25, 5))
    write_checkpoint(run, {"weight": torch.zeros(2)}, SETTINGS, step=10, attempt=1, kept=False)
    number = begin_attempt(run, 1).number
    curves.add_bad_images([3, 9])
    add_points(curves, number, range(15, 30, 5))
    curves.flush()
    curves.copy_up()


def add_points(curves: Curves, attempt: int, steps: range) -> None:
    for step in steps:
        curves.add(
            {
                "kind": "scalars",
                "attempt": attempt,
                "step": step,
                "images": 128 * step,
                "values": {
                    "loss/discriminator": 1.25,
                    "loss/generator": 0.5,
                    "speed/images_per_second": 320.0,
                    "speed/wait_share": 0.02,
                },
            }
        )


def told(run: Place, later_s: float = 3.0) -> dict[str, str]:
    found = read_standing(run)
    lines = describe(run, found, found.lines[-1]["time"] + later_s)
    return {line[:12].strip(): line[13:] for line in lines}


@pytest.mark.parametrize("storage", ["disk", "object store"])
def test_a_run_that_goes_on(storage: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    where: Place = place(str(tmp_path / "runs")) if storage == "disk" else request.getfixturevalue("s3")
    run = where / "a run"
    write_run(run, tmp_path)
    (run / "checkpoints" / "000000002560" / "state.pt").write_bytes(b"torn")
    lines = told(run)
    assert lines.pop("attempts").startswith("2, the newest with 1 worker; 10 steps rolled back; overhead: ")
    assert lines == {
        "run": str(run),
        "status": "running, last update 3 s ago",
        "images": "3,200 of 6,400 (50 %), step 25 of 50",
        "epoch": "2 of 3.2, 800 images left in it",
        "speed": "320 images/s, waiting 2.0 %, 10 s to go at this speed",
        "loss": "D 1.25  G 0.50",
        "checkpoint": "000000001280 at 1,280 images; complete: 1; incomplete: 000000002560",
        "bad images": "2",
    }


def test_a_run_that_is_trained_on_labels_says_what_there_is(tmp_path: Path) -> None:
    run = place(str(tmp_path / "runs" / "labels"))
    (run / "run.json").write_bytes(json.dumps(RECORD).encode())
    curves = Curves(run, tmp_path)
    number = begin_attempt(run, 1).number
    for step, loss, accuracy in ((5, 2.5, 0.25), (10, 1.5, 0.0), (15, 1.25, 0.375), (20, 0.75, None)):
        values = {"supervised/loss": loss, "speed/images_per_second": 160.0}
        values |= {} if accuracy is None else {"supervised/held_out_accuracy": accuracy}
        curves.add({"kind": "scalars", "attempt": number, "step": step, "images": 128 * step, "values": values})
    curves.flush()
    curves.copy_up()
    lines = told(run)
    assert lines["speed"] == "160 images/s, 24 s to go at this speed"
    assert lines["loss"] == "labels 1.50"
    assert lines["accuracy"] == "37.5 % on labeled images that are held out, at 1,920 images"
    points = read_standing(run).points
    assert newest_judged(points[:2]) == (1_280, 0.0)  # which is an accuracy too
    assert newest_judged(points[3:]) is None


def test_a_run_without_a_sign_is_said_to_be_dead_with_the_command_that_goes_on(tmp_path: Path) -> None:
    run = place(str(tmp_path / "runs" / "a run"))
    write_run(run, tmp_path)
    lines = told(run, later_s=3_600)
    assert lines["status"] == (
        "no update for 1 h 00 min: if it is dead, resume it with: "
        + command_line("train", "--resume", "a run", "--storage", f"{tmp_path}/runs")
    )
    # It goes on where its newest checkpoint is, which the images behind that are lost with.
    assert lines["images"] == "1,280 of 6,400 (20 %), step 10 of 50"
    assert lines["epoch"] == "1 of 3.2, 720 images left in it"
    assert lines["speed"].endswith("16 s more at that speed")
    (run / "checkpoints").delete()
    assert told(run, later_s=3_600)["images"] == "0 of 6,400 (0 %), step 0 of 50"


def test_a_run_whose_driver_has_ended_without_a_word_is_told_at_once(tmp_path: Path) -> None:
    run = place(str(tmp_path / "runs" / "a run"))
    write_run(run, tmp_path)
    with sole_driver(run):
        assert told(run)["status"] == "running, last update 3 s ago"
    lines = told(run)
    assert lines["status"] == (
        "killed, last update 3 s ago; resume with: "
        + command_line("train", "--resume", "a run", "--storage", f"{tmp_path}/runs")
    )
    assert lines["images"] == "1,280 of 6,400 (20 %), step 10 of 50"
    # Of a driver on another machine this one's lock says nothing.
    (run / LOCK_FILE).write_bytes(b"process 7 on elsewhere\n")
    assert told(run)["status"] == "running, last update 3 s ago"


def test_a_run_that_is_being_resumed_is_not_said_to_be_dead(tmp_path: Path) -> None:
    run = place(str(tmp_path / "runs" / "a run"))
    write_run(run, tmp_path)
    resumed = read_standing(run).lines[-1]["time"] + 3_590
    written = datetime.fromtimestamp(resumed, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    (run / "run.json").write_bytes(json.dumps(RECORD | {"written": written}).encode())
    assert told(run, later_s=3_600)["status"].startswith("running, last update 1")


@pytest.mark.parametrize("status", ["finished", "stopped", "failed"])
def test_a_run_that_has_ended(status: str, tmp_path: Path) -> None:
    run = place(str(tmp_path / "runs" / "run"))
    # Its last checkpoint lies behind the last point of the curves, which is of step 25.
    write_run(run, tmp_path, status=status, step=27, images=3_456)
    lines = told(run, later_s=3_600)
    assert lines["status"].partition(";")[0] == status
    assert lines["images"] == "3,456 of 6,400 (54 %), step 27 of 50"
    assert lines["epoch"] == "2 of 3.2, 544 images left in it"
    assert lines["speed"] == "320 images/s, waiting 2.0 %, 9 s more at that speed"


def test_a_trial_is_left_to_its_sweep(tmp_path: Path) -> None:
    sweep = tmp_path / "runs" / "search"
    run = place(str(sweep / "trials" / "001"))
    write_run(run, tmp_path, status="stopped", step=27, images=3_456)
    (sweep / "sweep.json").write_bytes(b"{}")
    status = told(run, later_s=3_600)["status"]
    assert status.startswith("stopped by its sweep, or with it; resume with: ")
    assert status.endswith(f"-m tuning.sweep --resume search --storage {tmp_path}/runs")


def test_status_says_nothing_more_to_a_reader_who_has_left(tmp_path: Path) -> None:
    write_run(place(str(tmp_path / "run")), tmp_path)
    command = [sys.executable, "-m", "dcgan_dist.status", str(tmp_path / "run")]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.close()  # as `head` does once it has its lines
    _, error = process.communicate(timeout=60)
    assert (process.returncode, error) == (0, b"")


@pytest.mark.parametrize(
    ("images", "total_images", "total_steps", "told"),
    [
        (0, 10_048, 157, "1 of 5, 2,000 images left in it"),
        (5_999, 10_048, 157, "3 of 5, 1 image left in it"),
        (6_000, 10_048, 157, "4 of 5, 2,000 images left in it"),
        (10_048, 10_048, 157, "5 of 5, done"),
        (10_020, 10_048, 157, "5 of 5, done"),
        (9_984, 9_984, 156, "4.99 of 4.99, done"),
        (3_584, 3_584, 56, "1.79 of 1.79, done"),
        (1_280, 1_280, 20, "0.64 of 0.64, done"),
        # It ends before the pass does.
        (640, 1_280, 20, "1 of 0.64, 640 images left in it"),
        (8_256, 10_048, 157, "5 of 5, 1,744 images left in it"),
    ],
)
def test_a_run_that_is_done_is_in_no_epoch_that_never_was(
    images: int, total_images: int, total_steps: int, told: str
) -> None:
    record = {"total_images": total_images, "total_steps": total_steps, "epoch_images": 2_000}
    assert _epoch(images, record) == told


def test_a_run_is_named_as_a_user_likes(call: Any, tmp_path: Path) -> None:
    run = place(str(tmp_path / "mine" / "a run"))
    write_run(run, tmp_path)
    for named in (["a run", "--storage", "mine"], ["mine/a run/"], ["mine/a run/checkpoints/000000001280"]):
        status, output, errors = call(main, *named)
        assert (status, errors) == (0, "")
        assert f"run          {run}\n" in output


def test_a_run_that_has_just_begun_has_no_points(tmp_path: Path) -> None:
    run = place(str(tmp_path / "runs" / "run"))
    (run / "run.json").write_bytes(json.dumps(RECORD).encode())
    lines = "\n".join(describe(run, read_standing(run), 0.0))
    assert "status       starting" in lines
    assert "checkpoint   none yet" in lines
    assert len(lines.splitlines()) == 5


def test_a_folder_that_is_no_run_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path)]) == 2
    assert f"error: {tmp_path} is not the folder of a run" in capsys.readouterr().err
    (tmp_path / "settings.yaml").touch()
    assert main([str(tmp_path)]) == 2
    assert capsys.readouterr().err == f"error: {tmp_path} holds no run.json yet: nothing has been trained there\n"
    for damaged in ("{", json.dumps({"status": "finished"})):
        (tmp_path / "run.json").write_text(damaged)
        assert main([str(tmp_path)]) == 2
        assert "is damaged" in capsys.readouterr().err
