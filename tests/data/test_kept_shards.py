"""New shards hold what is kept, byte for byte as it was, whoever wrote the old ones."""

import hashlib
import io
import json
import shutil
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dcgan_dist.data import keep_list, kept_shards
from dcgan_dist.data.keep_list import KeepList
from dcgan_dist.data.kept_shards import RECORD_FILE, write_kept
from dcgan_dist.data.shards.attributes import columns
from dcgan_dist.data.shards.build_index import index_shard
from dcgan_dist.data.shards.index import DATASET_FILE, Index, concatenate, find_index
from dcgan_dist.data.shards.writer import ShardWriter
from dcgan_dist.errors import DataError, SettingsError
from dcgan_dist.storage import Place

LEFT_OUT = [1, 4, 5, 6, 7, 9]
"""Of 11 images in shards of 4, 4 and 3: of the second nothing is left."""


def place(path: Path) -> Place:
    return Place(str(path))


def ours(folder: Path) -> Index:
    """Shards as they are prepared, with classes and attributes."""
    with ShardWriter(place(folder), "train", 4) as writer:
        for number in range(11):
            image = bytes([number]) * (200 + 131 * number)
            writer.add(image, suffix="png", label=number % 3, meta={"source": f"photo {number}"})
    index = concatenate(writer.written, classes=["a", "b", "c"], image_size=32)
    ages = columns([{"age": 10 * number, "name": f"n{number}"} for number in range(11)])
    index = Index(**{**vars(index), "attributes": ages})
    index.save(place(folder))
    return index


def keeping(index: Index, file: Path, left_out: list[int]) -> KeepList:
    instead = np.arange(len(index))
    instead[left_out] = 0
    keep_list.write(place(file), index, instead)
    return keep_list.load(place(file))


def members(shard: Place) -> list[tuple[str, bytes, float, str]]:
    """Name, content, time and owner of the files of a shard."""
    found = []
    with tarfile.open(shard.local_path) as archive:
        for member in archive:
            file = archive.extractfile(member)
            if file is not None and member.isfile():
                found.append((member.name, file.read(), member.mtime, member.uname))
    return found


def images(index: Index) -> list[bytes]:
    return [
        Place(index.shards[shard]).read_range(offset, size)
        for shard, offset, size in zip(index.shard, index.offset.tolist(), index.size.tolist(), strict=True)
    ]


def test_samples_that_are_kept_stay_as_they_were_with_their_classes_and_all_else(tmp_path: Path) -> None:
    index = ours(tmp_path / "old")
    target = place(tmp_path / "new")
    new = write_kept(index, keeping(index, tmp_path / "keep.parquet", LEFT_OUT), target)
    assert [Place(shard).name for shard in new.shards] == ["train-000000.tar", "train-000002.tar"]
    before = [one for shard in index.shards for one in members(Place(shard))]
    gone = {f"train-{number:08d}" for number in LEFT_OUT}
    after = [one for shard in new.shards for one in members(Place(shard))]
    assert after == [one for one in before if one[0].partition(".")[0] not in gone]
    found = find_index([Place(shard) for shard in new.shards])
    assert found is not None
    kept = [number for number in range(11) if number not in LEFT_OUT]
    for name in ("size", "label"):
        assert getattr(found, name).tolist() == getattr(index, name)[kept].tolist()
    assert images(found) == [images(index)[number] for number in kept]
    assert (found.classes, found.image_size) == (("a", "b", "c"), 32)
    assert found.attributes["age"].tolist() == [10 * number for number in kept]
    assert found.attributes["name"].tolist() == [f"n{number}" for number in kept]
    assert found.sha256 == tuple(hashlib.sha256(Place(shard).read_bytes()).hexdigest() for shard in new.shards)
    described = json.loads((target / DATASET_FILE).read_bytes())
    assert described["images"] == 5
    assert described["prepared"]["left_out"] == 6
    # Headers say the same as the index.
    for number, shard in enumerate(new.shards):
        again = index_shard(Place(shard))
        assert again.offset.tolist() == new.offset[new.shard == number].tolist()
        assert again.label.tolist() == new.label[new.shard == number].tolist()
        assert (again.torn, again.passed) == (None, ())


def foreign(path: Path, kind: int = tarfile.GNU_FORMAT) -> Place:
    """A shard of another tool: folders, long names, captions, files of no sample, several images of a key."""
    path.parent.mkdir(parents=True, exist_ok=True)
    long = "d" * 90 + "/" + "k" * 90
    files: list[tuple[str, bytes | None]] = [
        ("set", None),
        ("__meta__.json", b"{}"),
        ("set/one.jpg", b"1" * 700),
        ("set/one.txt", b"a caption"),
        (f"{long}2.JPG", b"2" * 512),
        (f"{long}2.seg.png", b"mask" * 40),
        ("set/three.cls", b"7"),
        ("set/three.png", b"3" * 900),
        ("set/three.jpg", b"another image"),
        ("README", b"no sample"),
        ("words.txt", b"no image"),
        ("set/one.jpg", b"4" * 100),
        ("set/five.jpg", b"5" * 1100),
        ("set/five.json", b'{"a": 1}'),
    ]
    with tarfile.open(path, "w", format=kind) as archive:
        for name, body in files:
            info = tarfile.TarInfo(name)
            info.mtime, info.uname = 1_234_567, "somebody"
            if body is None:
                info.type = tarfile.DIRTYPE
            else:
                info.size = len(body)
            archive.addfile(info, None if body is None else io.BytesIO(body))
    return place(path)


@pytest.mark.parametrize("kind", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT], ids=["gnu", "pax"])
@pytest.mark.parametrize("left_out", [[1], [2], [3], [4], [1, 3], [2, 3], [3, 4], [1, 2, 3, 4]], ids=str)
def test_so_do_those_of_other_tools_with_their_captions_and_long_names(
    left_out: list[int], kind: int, tmp_path: Path
) -> None:
    index = concatenate([index_shard(foreign(tmp_path / "old" / "x.tar", kind))])
    assert len(index) == 5
    new = write_kept(index, keeping(index, tmp_path / "keep.parquet", left_out), place(tmp_path / "new"))
    all_members = members(Place(index.shards[0]))
    of_sample = [[1, 2], [3, 4], [5, 6, 7], [10], [11, 12]]
    kept = [number for number in range(5) if number not in left_out]
    assert members(Place(new.shards[0])) == [all_members[row] for number in kept for row in of_sample[number]]
    assert images(new) == [images(index)[number] for number in kept]
    again = index_shard(Place(new.shards[0]))
    assert (again.offset.tolist(), again.label.tolist()) == (new.offset.tolist(), new.label.tolist())
    assert again.torn is None


def test_two_samples_never_become_one(tmp_path: Path) -> None:
    index = concatenate([index_shard(foreign(tmp_path / "old" / "x.tar"))])
    keep = keeping(index, tmp_path / "keep.parquet", [1, 2])
    with pytest.raises(DataError, match=r"old/x.tar has the key set/one more than once, with nothing that is kept"):
        write_kept(index, keep, place(tmp_path / "new"))


@pytest.mark.parametrize("cut", [1024, 1400, 2100, 3600], ids=str)
def test_a_torn_shard_gives_a_whole_one_of_what_its_index_has(cut: int, tmp_path: Path) -> None:
    shard = foreign(tmp_path / "old" / "x.tar")
    whole = shard.read_bytes().rstrip(b"\0")
    shard.write_bytes(whole[: len(whole) - cut])
    index = concatenate([index_shard(shard)])
    assert index.torn[0] is not None
    new = write_kept(index, keeping(index, tmp_path / "keep.parquet", [1]), place(tmp_path / "new"))
    assert images(new) == [images(index)[number] for number in range(len(index)) if number != 1]
    assert index_shard(Place(new.shards[0])).torn is None


def test_a_call_that_was_stopped_is_continued_with_the_same_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = ours(tmp_path / "old")
    keep = keeping(index, tmp_path / "keep.parquet", [1, 4])
    write_kept(index, keep, place(tmp_path / "whole"))
    target = place(tmp_path / "new")
    written: list[str] = []
    copy = Place.write_with

    def stop_at_the_second(self: Place, fill: Any, **options: Any) -> None:
        if self.name.endswith(".tar"):
            if len(written) == 1:
                raise KeyboardInterrupt
            written.append(self.name)
        copy(self, fill, **options)

    with monkeypatch.context() as changed:
        changed.setattr(Place, "write_with", stop_at_the_second)
        with pytest.raises(KeyboardInterrupt):
            write_kept(index, keep, target)
    assert target.names() == [RECORD_FILE, "train-000000.tar"]
    before = (target / "train-000000.tar").info()
    # A shard that is not whole is made again.
    (target / "train-000001.tar").write_bytes(b"torn")
    write_kept(index, keep, target)
    assert (target / "train-000000.tar").info() == before
    for name in place(tmp_path / "whole").names():
        assert (target / name).read_bytes() == (place(tmp_path / "whole") / name).read_bytes(), name
    assert write_kept(index, keep, target).sha256 == write_kept(index, keep, place(tmp_path / "whole")).sha256


def test_the_target_is_for_one_keep_list(tmp_path: Path) -> None:
    index = ours(tmp_path / "old")
    keep, target = keeping(index, tmp_path / "keep.parquet", [1]), place(tmp_path / "new")
    write_kept(index, keep, target)
    other = keeping(index, tmp_path / "other.parquet", [1, 2])
    with pytest.raises(SettingsError, match="new was begun with another keep-list, or of other shards: choose a new"):
        write_kept(index, other, target)
    with pytest.raises(SettingsError, match=r"old is not empty, it holds dataset.json: choose a new folder"):
        write_kept(index, keep, place(tmp_path / "old"))
    (target / RECORD_FILE).write_bytes(b"{")
    with pytest.raises(SettingsError, match=r"kept.json is damaged: choose a new folder"):
        write_kept(index, keep, target)


def test_what_would_be_wrong_is_refused(tmp_path: Path) -> None:
    one, other = (foreign(tmp_path / folder / "x.tar") for folder in ("one", "other"))
    index = concatenate([index_shard(one), index_shard(other)])
    keep = keeping(index, tmp_path / "keep.parquet", [7])
    with pytest.raises(DataError, match=r"one/x.tar and .*other/x.tar have the same name, which only one of them can"):
        write_kept(index, keep, place(tmp_path / "new"))
    assert not (tmp_path / "new").exists()
    # Packed again since it was indexed, at the same length.
    index = concatenate([index_shard(one)])
    keep = keeping(index, tmp_path / "one.parquet", [1])
    data = one.read_bytes()
    one.write_bytes(data[:512] + data[1536:3072] + data[512:1536] + data[3072:])
    with pytest.raises(DataError, match=r"one/x.tar has changed since it was indexed: call the command again"):
        write_kept(index, keep, place(tmp_path / "new"))


def test_large_shards_are_copied_in_parts_on_any_store(
    s3: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept_shards, "_READ_BYTES", 700)
    ours(tmp_path / "old")
    for file in (tmp_path / "old").iterdir():
        (s3 / "old" / file.name).write_bytes(file.read_bytes())
    index = find_index([s3 / "old" / f"train-00000{number}.tar" for number in range(3)])
    assert index is not None
    keep = keeping(index, tmp_path / "keep.parquet", LEFT_OUT)
    new = write_kept(index, keep, s3 / "new")
    assert images(new) == [images(index)[number] for number in (0, 2, 3, 8, 10)]
    shutil.rmtree(tmp_path / "old")
