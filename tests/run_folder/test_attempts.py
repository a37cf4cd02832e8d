import json

import pytest

from dcgan_dist.run_folder.attempts import attempts, begin_attempt, workers_file, workers_of
from dcgan_dist.storage import Place

WORKERS = [{"rank": 0, "node": "a", "host": "here", "device": "cpu, 2 threads"}]


def test_workers_are_listed_beside_the_attempts(tmp_path: object) -> None:
    run = Place(str(tmp_path)) / "run"
    assert workers_of(run) == {}
    begin_attempt(run, 3)
    workers_file(run, 7).write_bytes(json.dumps(WORKERS).encode())
    assert workers_of(run) == {7: WORKERS}
    assert [attempt.workers for attempt in attempts(run)] == [3]


@pytest.mark.parametrize("content", [b"", b"[{", b"{}", b"[1]", b"\xff"])
def test_a_list_that_cannot_be_read_counts_as_missing(content: bytes, tmp_path: object) -> None:
    run = Place(str(tmp_path)) / "run"
    workers_file(run, 1).write_bytes(json.dumps(WORKERS).encode())
    workers_file(run, 2).write_bytes(content)
    (run / "workers" / "notes.txt").write_bytes(b"[]")
    assert list(workers_of(run)) == [1]
