"""Which machines of a cluster do the work, and what is said of tasks that it has lost."""

import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from ray.exceptions import NodeDiedError, OutOfMemoryError, RayError, WorkerCrashedError

from dcgan_dist.data.preparation.packages import installed
from dcgan_dist.data.preparation.ray_workers import RayWorkers, what_was_lost
from dcgan_dist.errors import ClusterError
from dcgan_dist.storage import Place


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (
            OutOfMemoryError("2 workers were killed\nTop processes:"),
            r"memory ran out on a machine .* \(2 workers were killed\): start Ray on it with fewer CPUs .* to continue",
        ),
        (WorkerCrashedError(), r"a process that decodes pictures was lost 4 times \(The worker died .* to continue"),
        (NodeDiedError(""), r"a process that decodes pictures was lost 4 times \(NodeDiedError\), .* to continue"),
    ],
)
def test_what_was_lost_is_told_in_a_sentence_with_what_to_do(error: RayError, told: str) -> None:
    assert re.fullmatch(told, what_was_lost(error))


@pytest.mark.ray
def test_machines_with_other_versions_do_no_work(start_ray: Callable[[int], None], tmp_path: Path) -> None:
    start_ray(2)
    scratch, witness = Place(str(tmp_path / "out" / "work")), Place(str(tmp_path / "in"))
    witness.write_bytes(b"a file")
    here = installed(faces=True)
    other = here | {"pillow": "0.1"}
    told = rf"has pillow {re.escape(here['pillow'])} instead of 0\.1"
    for place in (scratch, Place("s3://bucket/out/work")):
        with pytest.raises(ClusterError, match=rf"no machine .* has the versions .*{told}.*install the same"):
            RayWorkers(place, None, other)
    assert scratch.names() == []
    workers = RayWorkers(scratch, witness, here)
    assert workers.notes == ()
    assert sorted(workers.each(os.path.join, "a", [("b",), ("c",)])) == ["a/b", "a/c"]
    # As if the machine had joined later: whoever finds an object store may.
    anywhere = RayWorkers(Place("s3://bucket/out/work"), None, here)
    anywhere._versions = other
    with pytest.raises(ClusterError, match=rf"which has joined the cluster, {told}"):
        list(anywhere.each(os.path.join, "a", [("b",)]))
