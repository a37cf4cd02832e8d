"""One reader of `run.json`."""

import json
from pathlib import Path

import pytest

from dcgan_dist.run_folder.record import NoRecord, find_record, read_record
from dcgan_dist.storage import Place


def test_a_record_is_what_was_written(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text(json.dumps({"status": "stopped", "step": 7}))
    assert read_record(Place(str(tmp_path))) == find_record(Place(str(tmp_path))) == {"status": "stopped", "step": 7}


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (None, "holds no run.json yet: nothing has been trained there"),
        (b'{"status": "fini', "run.json is damaged: restore an intact copy"),
        (b"\xff\xfe{}", "run.json is damaged"),
        (b"[" * 100_000, "run.json is damaged"),
        (b'["finished"]', "run.json is damaged"),
        (b"", "run.json is damaged"),
    ],
    ids=["none", "torn", "not text", "deep", "a list", "empty"],
)
def test_one_that_is_none_is_told_in_one_sentence(content: bytes | None, sentence: str, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / "run.json").write_bytes(content)
    with pytest.raises(NoRecord, match=sentence):
        read_record(Place(str(tmp_path)))
    assert find_record(Place(str(tmp_path))) is None


def test_one_that_lacks_what_is_needed_is_damaged(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text(json.dumps({"status": "stopped"}))
    assert read_record(Place(str(tmp_path)), ["status"]) == {"status": "stopped"}
    with pytest.raises(NoRecord, match="is damaged"):
        read_record(Place(str(tmp_path)), ["status", "step"])
