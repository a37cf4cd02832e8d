"""The Ray that a command starts on this machine."""

import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.ray

PROGRAM = """
import os, sys
from pathlib import Path
from dcgan_dist.cluster import connected, set_environment
from dcgan_dist.settings import Settings

settings = Settings(images=1)
set_environment(settings)
with connected(settings):
    import ray

    # Longer than a part of a log may be, from a worker.
    print_much = ray.remote(lambda: [print("x" * 1_000_000, flush=True) for _ in range(40)])
    ray.get(print_much.remote())
    session = Path(ray._private.worker._global_node.get_session_dir_path())
    parts = [file.stat().st_size for file in (session / "logs").glob("worker-*.out*")]
    print(sum(parts), os.environ["RAY_AUTH_MODE"], session.exists())
print(session.exists())
"""


def test_its_logs_are_bounded_it_asks_for_a_token_and_nothing_of_it_stays() -> None:
    # pytest's own folders are too deep for Ray's sockets.
    with tempfile.TemporaryDirectory(prefix="ray-", ignore_cleanup_errors=True) as home:
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM],
            env={"PATH": "/usr/bin:/bin", "HOME": home, "RAY_TMPDIR": home},
            cwd=Path(__file__).parents[1],
            capture_output=True,
            text=True,
            check=True,
            timeout=120,
        )
    (written, mode, there), (left,) = (line.split() for line in done.stdout.splitlines())
    assert 0 < int(written) <= 2 * (16 << 20) + 2_000_000
    assert (mode, there, left) == ("token", "True", "False")
