"""Damaged Parquet files: each is read or refused by one sentence, and nothing that it gives as a picture is none.

A failure names the file by its number: `python tests/data/readers/parquet_fuzz.py FOLDER NUMBER NUMBER+1` repeats it.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import dcgan_dist

FILES = 1_000


def test_no_damaged_file_ends_the_process(tmp_path: Path) -> None:
    result = subprocess.run(
        [sys.executable, Path(__file__).with_name("parquet_fuzz.py"), tmp_path, "0", str(FILES)],
        env=os.environ | {"PYTHONPATH": str(Path(dcgan_dist.__file__).parents[1])},
        capture_output=True,
        text=True,
    )
    lines = result.stdout.splitlines() or ["the start"]
    assert result.returncode == 0, f"{lines[-1]}: status {result.returncode}\n{result.stderr[-3000:]}"
    outcomes = json.loads(lines[-1])
    # That it was no idle run.
    assert sum(outcomes.values()) == FILES
    assert min(outcomes["refused"], outcomes["read"]) >= FILES // 20
