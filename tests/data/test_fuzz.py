"""2,000 damaged and hostile shards: a reader shows pictures, counts the bad ones, or says one sentence.

A failure names the shard by its number: `python tests/data/fuzz.py FOLDER` and then `... FOLDER NUMBER NUMBER+1` repeat
it.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import dcgan_dist

SHARDS = 2_000
MOST_MEMORY = 128 << 20
"""Bytes by which the process may grow while it reads them, where pictures may have a million pixels and a megabyte: one
takes up to 16 MB until it is RGB, and Pillow lets the texts of a PNG have 64 MiB."""


def run(*arguments: object) -> list[str]:
    """Lines of what fuzz.py prints, in a process of its own: a crash or a hang ends only that."""
    script = Path(__file__).with_name("fuzz.py")
    result = subprocess.run(
        [sys.executable, script, *map(str, arguments)],
        env=os.environ | {"PYTHONPATH": str(Path(dcgan_dist.__file__).parents[1])},
        capture_output=True,
        text=True,
    )
    lines = result.stdout.splitlines() or ["the start"]
    assert result.returncode == 0, f"{lines[-1]}: status {result.returncode}\n{result.stderr[-3000:]}"
    return lines


def test_no_shard_stops_a_reader_or_hides_what_is_bad(tmp_path: Path) -> None:
    run(tmp_path)
    there = set(os.listdir(tmp_path))
    report = json.loads(run(tmp_path, 0, SHARDS)[-1])
    assert report["growth_bytes"] <= MOST_MEMORY
    # That it was no idle run: everything was done, and everything came of it, often.
    assert min(report["mutations"].values()) >= SHARDS // len(report["mutations"]) >= SHARDS // 50
    assert report["outcomes"].keys() == {"refused", "torn", "whole", "bad", "good"}
    assert min(report["outcomes"].values()) >= SHARDS // 50
    assert set(os.listdir(tmp_path)) == there | {"mutated.tar"}
