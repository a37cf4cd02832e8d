"""The line that the Slurm script gives, with programs in the place of Slurm's that say what they are asked for."""

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROGRAMS = {"scontrol": "echo localhost", "srun": 'shift 12; printf "%s\\n" "$@"'}


@pytest.mark.parametrize(
    ("restarts", "options", "more"),
    [
        ("0", ["--name", "a run", "--preset=lsun64"], []),
        ("1", ["--name", "a run", "--preset=lsun64"], ["--resume"]),
        ("2", ["--preset=lsun64", "--name=other"], ["--resume"]),
        ("1", ["--preset=lsun64"], []),
        ("0", ["--name", "a run", "--resume"], []),
    ],
)
def test_a_job_that_is_queued_again_gives_the_same_line_with_resume(
    restarts: str, options: list[str], more: list[str], tmp_path: Path
) -> None:
    for name, text in PROGRAMS.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{text}\n")
        (tmp_path / name).chmod(0o755)
    (tmp_path / "cluster").symlink_to(ROOT / "cluster")
    (tmp_path / "bin").mkdir()
    slurm = {"SUBMIT_DIR": str(tmp_path), "JOB_ID": "7", "JOB_NODELIST": "one", "CPUS_PER_TASK": "2", "NNODES": "1"}
    done = subprocess.run(
        ["bash", ROOT / "cluster" / "slurm" / "train.sbatch", *options],
        env={**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}", "DCGAN_ENV": str(tmp_path)}
        | {f"SLURM_{name}": value for name, value in slurm.items()}
        | {"SLURM_RESTART_COUNT": restarts},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    given = done.stdout.splitlines()
    assert given[given.index(str(tmp_path / ".driver-7")) + 1 :] == [*options, *more]
