"""What a run was trained on: from its record wherever the command is given, and never silently unknown."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import simplejpeg

from dcgan_dist.data import keep_list
from dcgan_dist.data.shards.index import concatenate, layout_sha256
from dcgan_dist.data.shards.writer import ShardWriter
from dcgan_dist.errors import DataError
from dcgan_dist.evaluation.tasks.labeled import open_index
from dcgan_dist.run_folder import trained_on
from dcgan_dist.run_folder.trained_on import FIELD, Kept, TrainedOn, content, contents, find_trained_on, from_record
from dcgan_dist.settings import Settings, scenes32, to_yaml
from dcgan_dist.storage import Place


def settings(path: str) -> Settings:
    return replace(scenes32(), data=replace(scenes32().data, path=path))


def write(folder: Path, split: str, levels: list[int], *, index: bool = True) -> list[str]:
    """Shards of one grey image each: their addresses."""
    with ShardWriter(Place(str(folder)), split, 1) as writer:
        for level in levels:
            writer.add(simplejpeg.encode_jpeg(np.full((16, 16, 3), level, np.uint8), quality=95))
    if index:
        concatenate(writer.written, image_size=16).save(Place(str(folder)))
    return [part.shard for part in writer.written]


def run_on(folder: Path, path: str, **record: Any) -> Place:
    """The folder of a run with these settings and this record."""
    folder.mkdir(parents=True)
    (folder / "settings.yaml").write_text(to_yaml(settings(path)))
    (folder / "checkpoints").mkdir()
    if record:
        (folder / "run.json").write_text(json.dumps(record))
    return Place(str(folder))


def test_content_is_that_of_a_copy_and_of_no_other_shard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one, other = (Place(shard) for shard in write(tmp_path, "train", [10, 90]))
    shutil.copy(one.address, tmp_path / "copy")
    assert content(one) == content(tmp_path_place := Place(str(tmp_path / "copy"))) != content(other)
    # Of a long one only both ends are read.
    monkeypatch.setattr(trained_on, "ENDS_BYTES", 600)
    data = bytearray(one.read_bytes())
    assert content(one) == content(tmp_path_place)
    for at, is_same in ((len(data) // 2, True), (500, False), (len(data) - 1, False)):
        changed = data.copy()
        changed[at] ^= 1
        (tmp_path / "copy").write_bytes(changed)
        assert (content(tmp_path_place) == content(one)) == is_same
    (tmp_path / "copy").write_bytes(data + bytes(512))
    assert content(tmp_path_place) != content(one)


def test_what_was_seen_is_found_by_address_and_by_content() -> None:
    given = TrainedOn({"/a/1.tar": "one", "/a/2.tar": "two"}, before={"/b/1.tar": "three"})
    asked = {"/a/1.tar": "changed", "/c/9.tar": "two", "/c/8.tar": "three", "/c/7.tar": "four"}
    assert given.seen(asked) == {"/a/1.tar": "/a/1.tar", "/c/9.tar": "/a/2.tar", "/c/8.tar": "/b/1.tar"}


def test_a_record_is_read_as_it_was_written() -> None:
    given = TrainedOn({"/a/2.tar": "two", "/a/1.tar": "one"}, {"/b/1.tar": "three"}, "its record was lost", True, "ab")
    assert from_record(json.loads(json.dumps({FIELD: given.record(), "data_sha256": "ab"}))) == given
    assert TrainedOn({"/a": "one"}).record() == {"shards": {"/a": "one"}}
    for record in (None, {}, {FIELD: 3}, {FIELD: {"shards": ["/a"]}}, {FIELD: {"shards": {}, "before": 1}}):
        assert from_record(record) is None


def test_a_keep_list_stays_in_the_record_and_says_which_images_were_seen(tmp_path: Path) -> None:
    shards = write(tmp_path / "data", "train", [10, 20, 30])
    index, file = open_index(f"{tmp_path}/data"), Place(str(tmp_path / "keep.parquet"))
    keep = Kept(file.address, keep_list.write(file, index, np.array([0, 0, 2])))
    given = TrainedOn(contents(shards), keep=keep)
    record = json.loads(json.dumps({FIELD: given.record()}))
    assert record[FIELD]["keep"] == {"file": f"{tmp_path}/keep.parquet", "sha256": keep.sha256}
    found = from_record(record)
    assert found is not None
    assert found.after(TrainedOn({"/before/1.tar": "x"}, keep=Kept("/other", ""))).keep == keep
    told: list[str] = []
    assert found.kept(index, told.append).shard.tolist() == [0, 2]
    assert told == [f"keep-list: {file} leaves out 1 of 3 images"]
    # What was left out is no image that is held out: it is nearly the same as one that was seen.
    assert found.seen(contents(shards[1:2])) == {shards[1]: shards[1]}
    assert TrainedOn(contents(shards)).kept(index, told.append) is index
    keep_list.write(file, index, np.array([0, 1, 1]))
    with pytest.raises(DataError, match=rf"keep.parquet is not the keep-list that the run .* with {keep.sha256[:16]}:"):
        found.kept(index)


def test_what_a_run_began_with_and_shards_that_have_moved_stay_known() -> None:
    earlier = TrainedOn({"/a/1.tar": "one"}, {"/b/1.tar": "three"}, "nobody knows")
    assert TrainedOn({"/c/1.tar": "two"}).after(earlier) == TrainedOn(
        {"/c/1.tar": "two"}, {"/b/1.tar": "three", "/a/1.tar": "one"}, "nobody knows"
    )
    assert TrainedOn({"/moved/1.tar": "one"}).after(TrainedOn({"/a/1.tar": "one"})).before == {}


def test_the_images_of_a_run_are_told_from_others_of_the_same_layout(tmp_path: Path) -> None:
    own, other = (write(tmp_path / name, "train", levels) for name, levels in (("own", [10, 20]), ("other", [30, 40])))
    index, others = (open_index(f"{tmp_path}/{name}") for name in ("own", "other"))
    assert layout_sha256(index) == layout_sha256(others)
    recorded = TrainedOn(contents(own), is_recorded=True)
    assert (recorded.is_own(index), recorded.is_own(others)) == (True, False)
    # Older records know no more than the layout, and some not even that.
    assert TrainedOn(layout=layout_sha256(others)).is_own(index)
    assert TrainedOn(layout="another").is_own(index) is False
    assert TrainedOn(contents(own)).is_own(index) is None
    assert sorted(other) == list(others.shards)


@pytest.mark.parametrize("index", [True, False], ids=["ours", "foreign"])
def test_an_older_run_is_known_where_its_data_is_still_what_it_was(
    index: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    shards = write(tmp_path / "data", "train", [10, 20], index=index)
    run = run_on(tmp_path / "runs" / "old", "data", data_sha256=layout_sha256(open_index("data")))
    found = find_trained_on(run, settings("data"))
    assert (found.shards, found.unknown) == (contents(shards), "")
    why = f"run.json of {run} is of an older version, without the training shards, and data"
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert find_trained_on(run, settings("data")).unknown == f"{why} is not found from here"
    write(tmp_path / "elsewhere" / "data", "train", [10, 20, 30], index=index)
    found = find_trained_on(run, settings("data"))
    assert (found.shards, found.unknown) == ({}, f"{why} holds other data here")


def test_without_a_record_what_the_settings_lead_to_is_compared_and_the_doubt_is_said(tmp_path: Path) -> None:
    shards = write(tmp_path / "data", "train", [10, 20])
    run = run_on(tmp_path / "runs" / "bare", f"{tmp_path}/data")
    found = find_trained_on(run, settings(f"{tmp_path}/data"))
    assert (found.shards, found.unknown) == (contents(shards), f"{run} holds no run.json yet")
    some = replace(settings(f"{tmp_path}/data").data, keep="/keep.parquet")
    assert find_trained_on(run, replace(settings("scenes"), data=some)) == replace(found, keep=Kept(some.keep, ""))
    assert find_trained_on(run, settings("scenes")) == TrainedOn(), "it drew its own, which nobody else has"


def test_a_run_has_seen_what_the_networks_had_seen_that_it_began_with(tmp_path: Path) -> None:
    shards = write(tmp_path / "data", "train", [10, 20])
    first = TrainedOn({shards[0]: content(Place(shards[0]))}, {"s3://b/1.tar": "x"})
    run_on(tmp_path / "runs" / "first", f"{tmp_path}/data", **{FIELD: first.record()})
    begun_with = f"{tmp_path}/runs/first/checkpoints/000000000160"
    assert trained_on.inherited(begun_with) == TrainedOn({}, {**first.before, **first.shards})
    second = run_on(tmp_path / "runs" / "second", "scenes", init_from=begun_with)
    assert find_trained_on(second, settings("scenes")).before == {**first.before, **first.shards}
    shutil.rmtree(tmp_path / "runs" / "first")
    assert find_trained_on(second, settings("scenes")).unknown == (
        f"the run began with the networks of {begun_with}, which cannot be read from here"
    )
    # What is not known of those is not known of this one.
    old = run_on(tmp_path / "runs" / "old", "gone/*.tar", status="finished")
    third = run_on(tmp_path / "runs" / "third", "scenes", init_from=str(old))
    assert find_trained_on(third, settings("scenes")).unknown == (
        f"the run began with the networks of {old}, and run.json of {old} is of an older version, without the training "
        "shards, and gone/*.tar is not found from here"
    )
