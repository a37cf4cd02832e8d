"""Lines that run as they are pasted into another shell."""

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from dcgan_dist.cli.invocation import COMMANDS, ON_RAY, command_line, command_line_from, prog, tool_line

MODULE = "/home/me/my work/.venv/lib/python3.11/site-packages/dcgan_dist/train.py"
PYTHON = "/home/me/my work/.venv/bin/python"
SCRIPT = "/home/me/my work/.venv/bin/dcgan-dist"


@pytest.mark.parametrize(
    ("command", "started", "folder", "job", "expected"),
    [
        ("train", MODULE, "/home/me/my work", False, ".venv/bin/python -m dcgan_dist.train --resume 'a run'"),
        ("train", MODULE, "/home/me", False, "'my work/.venv/bin/python' -m dcgan_dist.train --resume 'a run'"),
        ("sweep", MODULE, "/tmp", False, "'/home/me/my work/.venv/bin/python' -m tuning.sweep --resume 'a run'"),
        ("train", SCRIPT, "/home/me/my work", False, ".venv/bin/dcgan-dist train --resume 'a run'"),
        ("study memorised", SCRIPT, "/home/me/my work", False, ".venv/bin/dcgan-dist study memorised --resume 'a run'"),
        ("doctor", MODULE, "/home/me/my work", False, ".venv/bin/python -m dcgan_dist.preflight --doctor "
            "--resume 'a run'"),
        ("train", SCRIPT, "/home/me/my work/.venv/bin", False, "./dcgan-dist train --resume 'a run'"),
        (
            "train",
            "/tmp/ray/session_1/runtime_resources/working_dir_files/_ray_pkg_1/dcgan_dist/train.py",
            "/tmp/ray/session_1/runtime_resources/working_dir_files/_ray_pkg_1",
            True,
            "ray job submit --working-dir . -- python -m dcgan_dist.train --resume 'a run'",
        ),
    ],
)  # fmt: skip
def test_a_line_is_for_a_fresh_shell_in_this_folder(
    command: str, started: str, folder: str, job: bool, expected: str
) -> None:
    assert command_line_from(command, ["--resume", "a run"], started, PYTHON, folder, job=job) == expected


def test_a_printed_line_runs_without_what_this_shell_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "no run here").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("RAY_JOB_CONFIG_JSON_ENV_VAR", raising=False)
    shown = command_line("status", "no run here")
    # The package of this checkout may not be installed where the tests run.
    path = {"PATH": "/nonexistent", "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(["/bin/sh", "-c", shown], env=path, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
    assert "no run here" in done.stderr


def test_in_a_shell_whose_address_takes_jobs_what_needs_ray_is_given_as_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RAY_JOB_CONFIG_JSON_ENV_VAR", raising=False)
    for address, submitted in (("http://127.0.0.1:8265", True), ("127.0.0.1:6379", False), ("", False)):
        monkeypatch.setenv("RAY_ADDRESS", address)
        line = command_line("train", "--resume", "a")
        assert (line == "ray job submit --working-dir . -- python -m dcgan_dist.train --resume a") is submitted
        assert "ray job" not in command_line("sample", "a")
    assert COMMANDS.keys() >= ON_RAY


def test_a_folder_that_has_been_deleted_is_no_reason_to_fail(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    assert command_line("status", "a run").endswith(" 'a run'")
    assert tool_line("tensorboard", "--logdir", "runs").endswith("tensorboard --logdir runs")


def test_so_does_that_of_a_program_beside_the_interpreter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "tensorboard").touch()
    monkeypatch.setattr(sys, "executable", str(tmp_path / "bin" / "python"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("RAY_JOB_CONFIG_JSON_ENV_VAR", raising=False)
    assert tool_line("tensorboard", "--logdir", "my runs") == "bin/tensorboard --logdir 'my runs'"
    assert tool_line("nothing", "x") == "nothing x"
    monkeypatch.setenv("RAY_JOB_CONFIG_JSON_ENV_VAR", "{}")
    assert tool_line("tensorboard") == "tensorboard"


def test_help_calls_a_command_as_it_was_called(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", [SCRIPT, "sample"])
    assert prog("sample") == "dcgan-dist sample"
    monkeypatch.setattr(sys, "argv", [MODULE])
    assert prog("sample") == "python -m dcgan_dist.sample"


def test_every_command_has_a_module_that_is_there() -> None:
    root = Path(__file__).parents[2]
    for module, _ in COMMANDS.values():
        assert (root / (shlex.split(module)[0].replace(".", os.sep) + ".py")).is_file()
