"""`make env`, with a Python that only writes down what it is asked for."""

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PYTHON = """#!/bin/sh
echo "$@" >>{log}
[ "$2" != venv ] || {{ mkdir -p .venv/bin; cp "$0" .venv/bin/python; }}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A checkout, as far as `make env` reads it."""
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, tmp_path)
    python = tmp_path / "python"
    python.write_text(PYTHON.format(log=tmp_path / "log"))
    python.chmod(0o755)
    return tmp_path


def make(folder: Path, *arguments: str) -> list[str]:
    """What Python was asked for by `make env`, a line a call; none where nothing was to be done."""
    log = folder / "log"
    log.unlink(missing_ok=True)
    subprocess.run(["make", "env", f"PYTHON={folder / 'python'}", *arguments], cwd=folder, check=True)
    lines = log.read_text().splitlines() if log.exists() else []
    return [line for line in lines if "pip install" in line]


def test_torch_of_another_index_comes_before_all_else_and_is_remembered(folder: Path) -> None:
    torch, rest = make(folder, "TORCH_INDEX=https://example.org/cpu")
    assert "--index-url https://example.org/cpu torch torchvision" in torch
    assert "--editable" in rest
    assert "index-url" not in rest
    assert make(folder) == []
    (folder / "constraints.txt").write_text("torch==9\n")
    torch, rest = make(folder)
    assert "--index-url https://example.org/cpu torch torchvision" in torch


def test_another_index_makes_a_new_environment_and_the_same_pins_make_none(folder: Path) -> None:
    (rest,) = make(folder)
    assert "--editable" in rest
    (folder / ".venv" / "old").touch()
    assert make(folder) == []
    assert (folder / ".venv" / "old").exists()
    assert len(make(folder, "TORCH_INDEX=https://example.org/cpu")) == 2
    assert not (folder / ".venv" / "old").exists()
