"""A keep-list says of each sample whether it is kept, holds for copies of its shards, and for no other ones."""

import contextlib
import hashlib
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dcgan_dist.data import keep_list
from dcgan_dist.data.keep_list import FORMAT, KeepList, load, write
from dcgan_dist.data.shards.build_index import index_shard
from dcgan_dist.data.shards.index import Index, concatenate
from dcgan_dist.data.shards.writer import ShardWriter
from dcgan_dist.errors import DataError
from dcgan_dist.storage import Place

INSTEAD = np.array([0, 1, 0, 3, 1, 5, 6, 5, 8, 5, 10])
"""Of 11 images in shards of 4, 4 and 3, images 2, 4, 7 and 9 are left out; 4 for one in another shard, as is 9."""


def shards(folder: Path, images: int = 11, split: str = "train", first: int = 0) -> Index:
    """Files of different lengths, which stand for images."""
    with ShardWriter(Place(str(folder)), split, 4) as writer:
        for number in range(first, first + images):
            writer.add(bytes([number]) * (200 + 131 * number), label=number % 3)
    return concatenate(writer.written)


def found(*paths: Path) -> Index:
    """Shards as somebody finds them who has no index of them."""
    return concatenate([index_shard(Place(str(path))) for path in paths])


@pytest.fixture
def index(tmp_path: Path) -> Index:
    return shards(tmp_path / "data")


@pytest.fixture
def file(tmp_path: Path) -> Place:
    return Place(str(tmp_path / "keep.parquet"))


@pytest.fixture
def keep(index: Index, file: Place) -> KeepList:
    write(file, index, INSTEAD)
    return load(file)


def test_a_row_says_of_each_sample_whether_it_is_kept_and_which_one_is_in_its_stead(index: Index, file: Place) -> None:
    digest = write(file, index, INSTEAD)
    assert digest == hashlib.sha256(file.read_bytes()).hexdigest()
    table = pq.read_table(file.address)
    rows = table.to_pylist()
    assert [row["kept"] for row in rows] == [True, True, False, True, False, True, True, False, True, False, True]
    assert rows[4] == {
        "shard": "train-000001.tar",
        "row": 0,
        "kept": False,
        "instead_shard": "train-000000.tar",
        "instead_row": 1,
    }
    assert (rows[10]["shard"], rows[10]["row"]) == (rows[10]["instead_shard"], rows[10]["instead_row"])
    assert table.schema.metadata[b"format"] == b"dcgan-dist keep-list 1" == FORMAT.encode()
    known = json.loads(table.schema.metadata[b"shards"])
    assert [(one["name"], one["images"], one["bytes"], one["sha256"]) for one in known] == list(
        zip([f"train-00000{n}.tar" for n in range(3)], (4, 4, 3), index.shard_bytes, index.sha256, strict=True)
    )
    again = Place(f"{file}-again")
    assert write(again, index, INSTEAD) == digest


def test_it_comes_back_as_it_was_in_several_row_groups(
    index: Index, file: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keep_list, "GROUP_ROWS", 3)
    digest = write(file, index, INSTEAD)
    assert pq.ParquetFile(file.address).num_row_groups == 4
    keep = load(file)
    assert (keep.file, keep.sha256) == (file.address, digest)
    assert keep.instead.tolist() == INSTEAD.tolist()


def test_what_is_left_out_is_left_out_of_the_index_with_all_its_columns(index: Index, keep: KeepList) -> None:
    told: list[str] = []
    left = keep.apply(index, told.append)
    kept = [0, 1, 3, 5, 6, 8, 10]
    assert left.shards == index.shards
    for name in ("shard", "offset", "size", "label"):
        assert getattr(left, name).tolist() == getattr(index, name)[kept].tolist()
    assert told == [f"keep-list: {keep.file} leaves out 4 of 11 images"]


def test_a_copy_elsewhere_without_an_index_is_the_same_data(index: Index, keep: KeepList, tmp_path: Path) -> None:
    shutil.copytree(tmp_path / "data", tmp_path / "moved")
    left = keep.apply(found(*sorted((tmp_path / "moved").glob("*.tar"))))
    assert left.offset.tolist() == keep.apply(index).offset.tolist()


def test_some_of_its_shards_in_any_order_lose_what_they_lose_with_all_others(keep: KeepList, tmp_path: Path) -> None:
    told: list[str] = []
    left = keep.apply(found(*(tmp_path / "data" / f"train-00000{n}.tar" for n in (2, 1))), told.append)
    assert left.size.tolist() == [200 + 131 * number for number in (8, 10, 5, 6)]
    # That of sample 4 is in the shard that is not there; that of sample 9 is.
    assert told == [
        f"keep-list: {keep.file} leaves out 3 of 7 images, 1 of them for images in shards that are not among these"
    ]


def test_shards_of_equal_names_in_different_folders_are_told_apart(tmp_path: Path, file: Place) -> None:
    first, second = tmp_path / "x" / "first", tmp_path / "x" / "second"
    shards(first, 4), shards(second, 4, first=20)
    one, other = (folder / "train-000000.tar" for folder in (first, second))
    write(file, found(one, other), np.array([0, 1, 2, 3, 4, 0, 6, 7]))
    keep = load(file)
    assert [shard.name for shard in keep.shards] == ["first/train-000000.tar", "second/train-000000.tar"]
    assert pq.read_table(file.address)["instead_shard"][5].as_py() == "first/train-000000.tar"
    # By their images, wherever they are by now.
    (tmp_path / "moved").mkdir()
    shutil.copy(other, tmp_path / "moved" / "train-000000.tar")
    assert len(keep.apply(found(tmp_path / "moved" / "train-000000.tar"))) == 3
    assert len(keep.apply(found(one))) == 4


def test_copies_of_a_shard_are_told_apart_by_their_folders(tmp_path: Path, file: Place) -> None:
    folders = [tmp_path / "x" / name for name in ("first", "second")]
    for folder in folders:
        shards(folder, 4)
    one, other = (folder / "train-000000.tar" for folder in folders)
    write(file, found(one, other), np.array([0, 1, 2, 3, 0, 1, 2, 3]))
    keep = load(file)
    assert keep.apply(found(one, other)).shard.tolist() == [0, 0, 0, 0]
    assert keep.apply(found(other, one)).shard.tolist() == [1, 1, 1, 1]
    (tmp_path / "moved").mkdir()
    shutil.copy(one, tmp_path / "moved" / "train-000000.tar")
    moved = tmp_path / "moved" / "train-000000.tar"
    with pytest.raises(DataError, match=rf"{moved} may be either of them: put it into a folder of the name"):
        keep.apply(found(moved))
    with pytest.raises(DataError, match=r"leaves out all 4 images of .*second/train-000000.tar: give the shards that"):
        keep.apply(found(other))


def test_a_shard_that_is_there_twice_is_refused(keep: KeepList, tmp_path: Path) -> None:
    shutil.copytree(tmp_path / "data", tmp_path / "copy")
    both = found(*(tmp_path / folder / "train-000001.tar" for folder in ("data", "copy")))
    with pytest.raises(DataError, match=r"data/train-000001.tar and .*copy/train-000001.tar are both train-000001.tar"):
        keep.apply(both)


def test_shards_that_it_is_not_of_are_refused_by_name(keep: KeepList, file: Place, tmp_path: Path) -> None:
    unknown = shards(tmp_path / "more", split="test")
    with pytest.raises(DataError) as raised:
        keep.apply(unknown)
    assert str(raised.value) == (
        f"keep-list {file} is of train-000000.tar and 2 more, and does not know the shard "
        f"{tmp_path}/more/test-000000.tar: leave that shard out, or make a keep-list of all"
    )
    longer = shards(tmp_path / "longer", first=1)
    with pytest.raises(DataError, match=r"of a train-000000.tar of 9,728 bytes, but .*longer/train-000000.tar has "):
        keep.apply(longer)
    assert keep.shards[0].bytes == 9_728


def test_so_are_those_of_the_same_length_with_images_elsewhere_or_other_bytes(
    index: Index, keep: KeepList, tmp_path: Path
) -> None:
    shard = tmp_path / "data" / "train-000001.tar"
    data = bytearray(shard.read_bytes())
    data[520] ^= 1
    for changed, at in (("offset", 1), ("size", 2)):
        column = getattr(index, changed).copy()
        column[at] -= 1
        other = replace(index, **{changed: column})
        with pytest.raises(DataError, match=r"is of a train-000000.tar with other images than"):
            keep.apply(other)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / shard.name).write_bytes(data)
    changed_bytes = found(tmp_path / "other" / shard.name)
    assert len(keep.apply(changed_bytes)) == 2, "nobody knows its checksum"
    known = replace(changed_bytes, sha256=(hashlib.sha256(data).hexdigest(),))
    with pytest.raises(DataError, match=r"is of a train-000001.tar with other images than"):
        keep.apply(known)


def test_an_index_that_was_changed_already_is_no_longer_what_it_is_of(index: Index, keep: KeepList) -> None:
    with pytest.raises(DataError, match="with other images than"):
        keep.apply(keep.apply(index))


def test_images_are_counted_before_shards_are_opened(index: Index, keep: KeepList, tmp_path: Path) -> None:
    lengths = dict(zip(index.shards, index.shard_bytes, strict=True))
    assert keep.count(lengths) == 7
    assert keep.count({index.shards[1]: index.shard_bytes[1]}) == 2
    with pytest.raises(DataError, match=r"of a train-000001.tar of "):
        keep.count({index.shards[1]: index.shard_bytes[1] + 512})


def test_what_cannot_be_a_decision_is_a_defect(index: Index, file: Place) -> None:
    for wrong in (INSTEAD[:-1], np.where(INSTEAD == 10, 2, INSTEAD), np.where(INSTEAD == 10, 11, INSTEAD)):
        with pytest.raises(ValueError, match=r"instead|in stead"):
            write(file, index, wrong)
    assert not file.exists()


def rewritten(file: Place, **columns: Any) -> None:
    """The file with other columns."""
    table = pq.read_table(file.address)
    for name, values in columns.items():
        place = table.schema.get_field_index(name)
        table = table.set_column(place, name, values)
    pq.write_table(table, file.address)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"row": pa.array([0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 3])}, "shard and row name samples that there are not"),
        ({"row": pa.array([0, 1, 2, 3, 0, 1, 2, 3, 0, 1, -1])}, "shard and row name samples that there are not"),
        ({"instead_shard": pa.array(["other.tar"] * 11)}, "instead_shard and instead_row name samples that there are"),
        ({"shard": pa.array([None] * 11, pa.string())}, "shard and row name samples that there are not"),
        ({"kept": pa.array([True] * 11)}, "a sample is kept, but another one in its stead, or the reverse"),
        ({"kept": pa.array([None] * 11, pa.bool_())}, "a sample is kept, but another one in its stead"),
        (
            {
                "row": pa.array([0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 0]),
                "instead_row": pa.array([0, 1, 0, 3, 1, 1, 2, 1, 0, 1, 0]),
            },
            "a sample is there twice, and another one is missing",
        ),
        (
            {"instead_row": pa.array([0, 1, 0, 3, 2, 1, 2, 1, 0, 1, 2])},
            "an image is kept in stead of others, but is left out itself",
        ),
    ],
    ids=["beyond", "negative", "unknown", "nameless", "contradiction", "undecided", "twice", "chain"],
)
def test_a_list_that_contradicts_itself_is_refused(
    change: dict[str, Any], sentence: str, index: Index, file: Place
) -> None:
    write(file, index, INSTEAD)
    rewritten(file, **change)
    with pytest.raises(DataError, match=sentence) as raised:
        load(file)
    assert "\n" not in str(raised.value)


def test_one_that_others_wrote_in_another_order_is_read(index: Index, file: Place, keep: KeepList) -> None:
    table = pq.read_table(file.address)
    plain = pa.table(
        {
            name: table[name].cast(pa.string() if "shard" in name else table[name].type)
            for name in reversed(table.column_names)
        },
        metadata=table.schema.metadata,
    )
    pq.write_table(plain.take(pa.array(range(10, -1, -1))), file.address, row_group_size=4)
    assert load(file).instead.tolist() == INSTEAD.tolist()
    assert load(file).sha256 != keep.sha256


def test_what_is_no_keep_list_is_told_in_one_sentence(index: Index, file: Place, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=rf"^there is no keep-list {file}: name the file that de-duplication wrote$"):
        load(file)
    write(file, index, INSTEAD)
    data = file.read_bytes()
    table = pq.read_table(file.address)
    pq.write_table(table.replace_schema_metadata({"format": "dcgan-dist keep-list 2"}), file.address)
    with pytest.raises(DataError, match="it is Parquet, but not of the format 'dcgan-dist keep-list 1'"):
        load(file)
    pq.write_table(table.slice(1), file.address)
    with pytest.raises(DataError, match="its rows are not those of its shards"):
        load(file)
    (tmp_path / "folder").mkdir()
    with pytest.raises(DataError, match="folder"):
        load(Place(str(tmp_path / "folder")))
    for wrong in (b"", b"hello", data[: len(data) // 2], data[:-1], b"PAR1" + data[900:]):
        file.write_bytes(wrong)
        with pytest.raises(DataError, match="is no keep-list") as raised:
            load(file)
        assert "\n" not in str(raised.value)


def test_damage_anywhere_is_noticed_and_is_no_other_error(index: Index, file: Place) -> None:
    write(file, index, INSTEAD)
    data = file.read_bytes()
    group = pq.ParquetFile(file.address).metadata.row_group(0)
    chunks = [group.column(number) for number in range(group.num_columns)]
    # Every byte of the columns, and some of what says where these are.
    pages = [range(chunk.data_page_offset, chunk.data_page_offset + chunk.total_compressed_size) for chunk in chunks]
    others = np.random.default_rng(3).integers(0, len(data), 200).tolist()
    for at in [*(at for page in pages for at in page if at < len(data)), *others]:
        file.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
        with contextlib.suppress(DataError):
            assert load(file).instead.tolist() == INSTEAD.tolist()


def test_it_lies_on_any_store(index: Index, s3: Place) -> None:
    write(s3 / "keep.parquet", index, INSTEAD)
    keep = load(s3 / "keep.parquet")
    assert keep.file == f"{s3}/keep.parquet"
    assert len(keep.apply(index)) == 7
