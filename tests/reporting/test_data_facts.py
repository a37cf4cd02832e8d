import json
from typing import Any

import numpy as np
import pytest

from dcgan_dist.data.contact_sheet import SHEET_FILE
from dcgan_dist.data.deduplication.record import RECORD_FILE, Record
from dcgan_dist.data.preparation.record import Record as Preparation
from dcgan_dist.model.pixels import png
from dcgan_dist.reporting.data_facts import SHEET_IMAGES, read_data
from dcgan_dist.reporting.run_files import read_run
from dcgan_dist.run_folder.trained_on import FIELD, Kept, TrainedOn, from_record
from dcgan_dist.storage import Place
from tests.reporting.runs import DATA_IMAGES, write_run

FOUND = {
    "images": 50, "unreadable": 1, "groups": 4, "left_out": 7, "not_compared": 0, "not_reported": 0, "page": "x",
    "against": {"images": 300, "with_copies": 5},
    "marks": {"judged": 40, "false": 2, "rate": 0.05, "low": 0.01, "high": 0.17},
}  # fmt: skip


@pytest.fixture
def run(tmp_path: Any) -> Place:
    run = Place(str(tmp_path / "runs" / "rooms"))
    write_run(run, tmp_path)
    return run


def told(run: Place) -> dict[str, Any]:
    return {fact.name: fact for fact in read_data(read_run(run)).facts}


def test_counts_of_the_data(run: Place) -> None:
    found = told(run)
    assert found["Images of the data"].value == DATA_IMAGES
    assert (found["Shards"].value, found["Shards"].source) == (3, "run.json: trained_on.shards")
    assert found["Images that could not be decoded"].value == 2
    assert found["Data"].value == "scenes"
    assert "Pictures prepared" not in found
    assert read_data(read_run(run)).deduplication == []


def test_a_sheet_is_made_of_the_shards_where_none_lies_beside_them(run: Place) -> None:
    part = read_data(read_run(run))
    assert part.notes == []
    assert part.sheet is not None
    assert part.sheet.about == f"{SHEET_IMAGES} images of the data, at even distances"
    assert part.sheet.pixels.shape == (4 * 18 - 2, 10 * 18 - 2, 3)


def test_the_sheet_beside_the_shards_is_shown(run: Place) -> None:
    sheet = np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)
    (run.parent / "data" / SHEET_FILE).write_bytes(png(sheet))
    part = read_data(read_run(run))
    assert part.sheet is not None
    assert part.sheet.file == str(run.parent / "data" / SHEET_FILE)
    assert np.array_equal(part.sheet.pixels, sheet)


def test_images_that_cannot_be_decoded_are_passed_over(run: Place) -> None:
    shard = (run.parent / "data" / "train-000000.tar").local_path
    data = shard.read_bytes()
    shard.write_bytes(data.replace(b"\xff\xd8\xff", b"\0\0\0", 5))
    part = read_data(read_run(run))
    assert part.sheet is not None
    shown = int(part.sheet.about.split()[0])
    assert SHEET_IMAGES - 5 <= shown < SHEET_IMAGES


def test_data_that_is_gone_is_a_note_and_the_counts_stay(run: Place) -> None:
    (run.parent / "data").delete()
    part = read_data(read_run(run))
    assert part.sheet is None
    assert len(part.notes) == 1
    assert part.notes[0].startswith("no images of the data are shown: ")
    assert told(run)["Images of the data"].value == DATA_IMAGES


def test_what_prepare_and_dedup_found_is_told(run: Place) -> None:
    data = run.parent / "data"
    made = Preparation({"size": 16}, "0" * 64, 53, complete=True, bad=(("a", "train", "no picture"),) * 3)
    made.save(data)
    keep = run.parent / "duplicates" / "keep.parquet"
    Record({}, FOUND).save(keep.parent)
    record = json.loads((run / "run.json").read_bytes())
    trained_on = from_record(record)
    assert trained_on is not None
    kept = TrainedOn(trained_on.shards, keep=Kept(str(keep), "ab" * 32))
    (run / "run.json").write_bytes(json.dumps(record | {FIELD: kept.record()}).encode())
    part = read_data(read_run(run))
    facts = {fact.name: fact for fact in [*part.facts, *part.deduplication]}
    assert (facts["Pictures prepared"].value, facts["Pictures left out as bad"].value) == (53, 3)
    assert facts["Keep-list"].value == str(keep)
    assert (facts["Near duplicates left out"].value, facts["Groups of near duplicates"].value) == (7, 4)
    assert facts["Near duplicates left out"].source == f"{keep.parent}/{RECORD_FILE}: found.left_out"
    assert facts["Near copies in another set"].note == "of 300 images of another set"
    false = facts["False among the duplicate pairs"]
    assert (false.value, false.low, false.high, false.shown) == (0.05, 0.01, 0.17, "5.0 % (1.0 to 17.0)")
    # The keep-list itself is not there: which images are kept cannot be known.
    assert len(part.notes) == 1


def test_a_keep_list_without_its_record_is_a_note(run: Place) -> None:
    record = json.loads((run / "run.json").read_bytes())
    record[FIELD]["keep"] = {"file": "/nowhere/keep.parquet", "sha256": ""}
    (run / "run.json").write_bytes(json.dumps(record).encode())
    part = read_data(read_run(run))
    assert any("what de-duplication found is not known from here" in note for note in part.notes)
    assert [fact.name for fact in part.deduplication] == ["Keep-list"]


def test_a_run_of_an_older_version_says_so(run: Place) -> None:
    record = json.loads((run / "run.json").read_bytes())
    del record[FIELD]
    (run / "run.json").write_bytes(json.dumps(record).encode())
    part = read_data(read_run(run))
    assert "does not say which shards" in part.notes[0]
