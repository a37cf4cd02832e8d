import contextlib
import dataclasses
import gzip
import hashlib
import io
import json
import os
import subprocess
import tarfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import webdataset
from PIL import Image

from dcgan_dist.data.image_decoding import SUFFIXES
from dcgan_dist.data.shards.addresses import expand
from dcgan_dist.data.shards.build_index import index_shard, index_with_keys
from dcgan_dist.data.shards.index import (
    DATASET_FILE,
    INDEX_FILE,
    Index,
    ShardIndex,
    concatenate,
    find_index,
    fingerprint,
    layout_sha256,
)
from dcgan_dist.data.shards.writer import ShardWriter
from dcgan_dist.errors import DataError
from dcgan_dist.storage import MissingFile, Place


def picture(i: int) -> bytes:
    """Bytes that stand for an image file; their length varies."""
    return bytes([i % 256]) * (300 + 217 * i)


def here(path: Path, *names: str) -> Place:
    return Place(str(path.joinpath(*names)))


def tar_of(path: Path, files: list[tuple[str, bytes]], kind: int = tarfile.USTAR_FORMAT) -> Place:
    with tarfile.open(path, "w", format=kind) as writer:
        for name, body in files:
            info = tarfile.TarInfo(name)
            info.size = len(body)
            writer.addfile(info, io.BytesIO(body))
    return Place(str(path))


def bodies(index: ShardIndex) -> list[bytes]:
    data = Place(index.shard).read_bytes()
    return [data[offset : offset + size] for offset, size in zip(index.offset, index.size, strict=True)]


def write(folder: Place, images: int = 7, images_per_shard: int = 3, split: str = "train") -> ShardWriter:
    with ShardWriter(folder, split, images_per_shard) as writer:
        for i in range(images):
            writer.add(picture(i), label=i % 3, meta={"number": i})
    return writer


# Reading what others write


@pytest.mark.parametrize("kind", ["USTAR_FORMAT", "GNU_FORMAT", "PAX_FORMAT"])
def test_shard_of_the_real_webdataset_is_indexed(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "a.tar"
    with webdataset.TarWriter(str(path), encoder=False, format=kind) as writer:
        for i in range(5):
            key = f"folder/{'k' * 80}/sample{i}" if kind == "USTAR_FORMAT" else f"{'folder/' * 30}sample{i}"
            writer.write({"__key__": key, "jpg": picture(i), "cls": str(10 + i).encode(), "json": b"{}"})
    index = index_shard(Place(str(path)))
    assert bodies(index) == [picture(i) for i in range(5)]
    assert index.label.tolist() == [10, 11, 12, 13, 14]
    assert index.torn is None
    assert (index.offset.dtype, index.size.dtype, index.label.dtype) == (np.int64, np.int64, np.int32)


def test_images_are_told_by_their_ending_in_any_case_as_webdataset_splits_names(tmp_path: Path) -> None:
    names = [
        "a.jpg",
        "b.JPEG",
        "c.PnG",
        "d.webp",
        "e.gif",
        "f.seg.png",
        "g",
        "sub.dir/h.jpg",
        ".hidden.jpg",
        "__meta__/i.jpg",
    ]
    shard = tar_of(tmp_path / "a.tar", [(name, name.encode()) for name in names])
    assert bodies(index_shard(shard)) == [b"a.jpg", b"b.JPEG", b"c.PnG", b"d.webp", b"sub.dir/h.jpg"]


def test_label_belongs_to_the_key_whether_it_comes_before_or_after_the_image(tmp_path: Path) -> None:
    files = [("a.cls", b"1"), ("a.jpg", b"A"), ("b.jpg", b"B"), ("b.json", b"{}"), ("b.cls", b" 2\n")]
    files += [("c.jpg", b"C"), ("x/c.cls", b"9"), ("d.jpg", b"D"), ("d.png", b"E"), ("d.cls", b"4")]
    assert index_shard(tar_of(tmp_path / "a.tar", files)).label.tolist() == [1, 2, -1, 4]


def test_last_of_several_labels_is_that_of_the_key(tmp_path: Path) -> None:
    files = [("a.cls", b"1"), ("a.jpg", b"A"), ("a.cls", b"2"), ("a.png", b"B"), ("b.jpg", b"C"), ("b.cls", b"3")]
    files += [("b.cls", b"none")]
    assert index_shard(tar_of(tmp_path / "a.tar", files)).label.tolist() == [2, -1]


@pytest.mark.parametrize("content", [b"dog", b"", b"-1", b"1.0", b"2147483648", b"99999999999", b"\xff", b"1" * 40])
def test_class_that_is_no_number_counts_as_none(tmp_path: Path, content: bytes) -> None:
    shard = tar_of(tmp_path / "a.tar", [("a.jpg", b"A"), ("a.cls", content), ("b.jpg", b"B"), ("b.cls", b"2147483647")])
    assert index_shard(shard).label.tolist() == [-1, 2**31 - 1]


def test_only_headers_and_labels_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    big = 3 << 20
    shard = tar_of(tmp_path / "a.tar", [(f"{i}.jpg", bytes(big)) for i in range(4)])
    read: list[int] = []
    whole = Place.read_range
    monkeypatch.setattr(Place, "read_range", lambda self, at, size: read.append(size) or whole(self, at, size))
    assert index_shard(shard).size.tolist() == [big] * 4
    assert sum(read) < big


def test_shard_on_s3_gives_the_same_index(s3: Place, tmp_path: Path) -> None:
    written = write(here(tmp_path)).written[0]
    (s3 / "set" / "train-000000.tar").write_bytes(Place(written.shard).read_bytes())
    [shard] = expand(f"{s3}/set")
    index = index_shard(shard)
    assert bodies(index) == bodies(written)
    assert index.label.tolist() == written.label.tolist()


def test_keys_are_those_of_the_images_as_they_are_written(tmp_path: Path) -> None:
    files = [("a.txt", b"no image"), ("v.2/a.jpg", A), ("v.2/a.png", B), ("v.2/a.cls", b"1"), ("b\udcff.JPG", B)]
    shard = tar_of(tmp_path / "a.tar", [*files, ("b\udcff.cls", b"2"), ("v.2/a.jpg", B), ("v.2/a.cls", b"3")])
    index, keys = index_with_keys(shard)
    assert (bodies(index), keys) == ([A, B, B], ["v.2/a", "b\udcff", "v.2/a"])
    assert index.label.tolist() == [1, 2, 3]
    cut = shard.read_bytes()[: int(index.offset[2]) + len(B)]
    shard.local_path.write_bytes(cut)
    torn, keys = index_with_keys(shard)
    assert (len(torn), keys) == (2, ["v.2/a", "b\udcff"])  # the label of the third was torn off


def test_shard_without_images_has_an_empty_index(tmp_path: Path) -> None:
    assert len(index_shard(tar_of(tmp_path / "a.tar", [("a.txt", b"A")]))) == 0


# What is passed over


A, B = picture(1), picture(2)


@pytest.mark.parametrize(
    ("files", "images", "line"),
    [
        (
            [("clip_0.5_007.jpg", A), ("clip_1.jpg", B), ("clip_0.6_008.JPEG", A)],
            [B],
            "2 members with more than one dot, for example a.tar: clip_0.5_007.jpg",
        ),
        (
            [("x.jpg", A), ("x.png", B), ("y.png", A), ("y.jpg", B)],
            [A, A],
            "2 further images of a key, for example a.tar: x.png",
        ),
        ([("x.jpg", A), ("x.jpg", B)], [A], "1 further image of a key, a.tar: x.jpg"),
        ([("x.jpg", A), ("x.seg.png", B)], [A], "1 member with more than one dot, a.tar: x.seg.png"),
        (
            [("x.tiff", A), ("y.jpg", B), ("z.bmp", A), ("z.cls", b"3")],
            [B],
            "2 keys without an image, for example a.tar: x.tiff",
        ),
        ([("x.jpg", A), ("y.jpg", B), ("x.cls", b"1")], [A, B], "1 key without an image, a.tar: x.cls"),
        ([("x.jpg", A), ("README", B)], [A], "1 member without a suffix, a.tar: README"),
        ([("x.jpg", A), ("x.cls", b"dog")], [A], "1 KEY.cls that holds no class number, a.tar: x.cls"),
        ([("x.jpg", A), ("a\n\x1b[31m.gif", B)], [A], "1 key without an image, a.tar: a\\n\\x1b[31m.gif"),
    ],
)
def test_what_is_passed_over_is_counted_and_told_with_an_example(
    files: list[tuple[str, bytes]], images: list[bytes], line: str, tmp_path: Path
) -> None:
    part = index_shard(tar_of(tmp_path / "a.tar", files))
    assert bodies(part) == images
    suffixes = f"KEY.{', KEY.'.join(SUFFIXES[:-1])} or KEY.webp"
    rule = f"(an image is {suffixes}: a key ends at the first dot of the name, and has one image)"
    assert concatenate([part]).notes == (f"passed over: {line} {rule}",)


def test_annotations_and_hidden_files_are_no_loss(tmp_path: Path) -> None:
    files = [("x.jpg", A), ("x.json", b"{}"), ("x.txt", b"a dog"), ("x.cls", b"4"), ("._x.jpg", b"?")]
    files += [("__MACOSX/x.jpg", b"?"), ("__meta__/y.jpg", b"?"), ("y.seg.npy", b"?"), ("y.jpg", B)]
    assert concatenate([index_shard(tar_of(tmp_path / "a.tar", files[:-3] + files[-2:]))]).notes == ()


@pytest.mark.parametrize("links", [["--hard"], []])
def test_pictures_that_are_links_are_told(links: list[str], tmp_path: Path) -> None:
    """GNU tar writes the second name of a file as a link."""
    (tmp_path / "x.jpg").write_bytes(A)
    for name in ("y.jpg", "z.jpg"):
        if links:
            os.link(tmp_path / "x.jpg", tmp_path / name)
        else:
            (tmp_path / name).symlink_to("x.jpg")
    subprocess.run(["tar", "-C", tmp_path, "-cf", tmp_path / "a.tar", "x.jpg", "y.jpg", "z.jpg"], check=True)
    part = index_shard(here(tmp_path, "a.tar"))
    assert bodies(part) == [A]
    assert "passed over: 2 links to other files, for example a.tar: y.jpg (" in concatenate([part]).notes[0]


def test_a_link_parts_no_files_of_a_key(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "a.tar", "w") as writer:
        for name, body in (("x.jpg", A), ("y.jpg", None), ("x.cls", b"4")):
            info = tarfile.TarInfo(name)
            if body is None:
                info.type, info.linkname = tarfile.LNKTYPE, "x.jpg"
            else:
                info.size = len(body)
            writer.addfile(info, None if body is None else io.BytesIO(body))
    part = index_shard(here(tmp_path, "a.tar"))
    assert part.label.tolist() == [4]
    assert "passed over: 1 link to another file, a.tar: y.jpg (" in concatenate([part]).notes[0]


@pytest.mark.parametrize("content", [b"", bytes(1024), bytes(10240)])
def test_a_shard_without_files_among_others_is_told(content: bytes, tmp_path: Path) -> None:
    tar_of(tmp_path / "0.tar", [("x.jpg", A)])
    (tmp_path / "1.tar").write_bytes(content)
    tar_of(tmp_path / "2.tar", [("x.jpg", B), ("y.gif", B), ("z.gif", B)])
    index = concatenate([index_shard(shard) for shard in expand(str(tmp_path))])
    assert index.shard.tolist() == [0, 2]
    assert (
        "passed over: 2 keys without an image, for example 2.tar: y.gif; 1 shard without any file, 1.tar ("
        in index.notes[0]
    )
    with pytest.raises(DataError, match=r"no image in \S+1\.tar: 1 shard without any file, 1\.tar \(an image is KEY"):
        concatenate([index_shard(here(tmp_path, "1.tar"))])


def test_where_there_is_no_image_a_member_and_the_rule_are_named(tmp_path: Path) -> None:
    files = [(f"sample{i}.{kind}", A) for i in range(3) for kind in ("input.jpg", "outputs.txt")]
    with pytest.raises(DataError) as caught:
        concatenate([index_shard(tar_of(tmp_path / "a.tar", files))])
    assert "3 members with more than one dot, for example a.tar: sample0.input.jpg (an image is KEY.jpg" in str(
        caught.value
    )


@pytest.mark.parametrize(
    ("member", "advice"),
    [
        ("n01440764.tar", "dcgan_dist.data.prepare imagenet {shard} shards, then "),
        ("./n01440764.tar", "dcgan_dist.data.prepare imagenet {shard} shards, then "),
        ("part-0.tar", "unpack it by mkdir 'my all' && tar -xf {shard} -C 'my all', and give --data 'my all'"),
        ("n0144076.zip", "unpack it by mkdir 'my all' && tar -xf {shard} -C 'my all', and give --data 'my all'"),
    ],
)
def test_a_tar_of_archives_is_told_what_to_do_with_it(member: str, advice: str, tmp_path: Path) -> None:
    shard = tar_of(tmp_path / "my all.tar", [(member, b"?" * 700)])
    with pytest.raises(DataError) as caught:
        concatenate([index_shard(shard)])
    assert f"it holds archives, such as {member}" in str(caught.value)
    assert advice.format(shard=f"'{shard}'") in str(caught.value)


def test_many_torn_shards_are_told_in_few_lines(tmp_path: Path) -> None:
    shards = [tar_of(tmp_path / f"{i}.tar", [("x.jpg", A)]) for i in range(9)]
    for shard in shards:
        shard.local_path.write_bytes(shard.read_bytes()[:1500])
    notes = concatenate([index_shard(shard) for shard in shards]).notes
    assert len(notes) == 6
    assert notes[0].startswith(f"{shards[0]} is torn: ")
    assert notes[5] == "4 more shards are torn"


def test_of_some_shards_only_what_is_about_them_is_told(tmp_path: Path) -> None:
    a = tar_of(tmp_path / "a.tar", [("x.jpg", A), ("y.1.jpg", B), ("z.2.jpg", B)])
    b, c = (tar_of(tmp_path / name, [("x.jpg", A), ("y.1.jpg", B)]) for name in ("b.tar", "c.tar"))
    b.local_path.write_bytes(b.read_bytes()[:1500])
    made = concatenate([index_shard(shard) for shard in (a, b, c)])
    made.save(here(tmp_path))
    for index in (made, Index.load(here(tmp_path))):
        assert [line.partition(" (")[0] for line in index.select([c.address, a.address]).notes] == [
            "passed over: 3 members with more than one dot, for example c.tar: y.1.jpg"
        ]
        (line,) = index.select([b.address]).notes
        assert line.startswith(f"{b} is torn: ")
        assert len(index.notes) == 2


# Torn and wrong files


def test_shard_cut_at_any_place_keeps_the_samples_before(tmp_path: Path) -> None:
    files = [(f"{key}.{kind}", body) for key in "abc" for kind, body in (("jpg", picture(2)), ("cls", b"5"))]
    data = tar_of(tmp_path / "whole.tar", files).read_bytes()
    whole = index_shard(here(tmp_path, "whole.tar"))
    end_of_label = [int(offset) + 512 * 3 + 1 for offset in whole.offset]  # image of two blocks, header, one byte
    end_mark = end_of_label[-1] + 511
    for cut in range(512, len(data), 37):
        (tmp_path / "cut.tar").write_bytes(data[:cut])
        index = index_shard(here(tmp_path, "cut.tar"))
        # The label of the first sample may be missing: nothing else says then that there were labels.
        whole_samples = sum(cut >= end for end in end_of_label)
        if whole_samples == 0 and cut >= whole.offset[0] + whole.size[0]:
            assert index.label.tolist() == [-1]
        else:
            assert index.label.tolist() == [5] * whole_samples, cut
        assert index.offset.tolist() == whole.offset[: len(index)].tolist()
        if cut < end_mark + 512:
            assert index.torn is not None
            assert f"its first {len(index)} images are used" in index.torn
            assert "\n" not in index.torn


def test_damaged_header_ends_the_shard_there(tmp_path: Path) -> None:
    shard = tar_of(tmp_path / "a.tar", [(f"{key}.jpg", b"x") for key in "abc"])
    data = bytearray(shard.read_bytes())
    data[2 * 1024 + 3] ^= 1
    (tmp_path / "a.tar").write_bytes(data)
    index = index_shard(shard)
    assert len(index) == 2
    assert index.torn == f"{shard} is torn: the header at byte 2,048 is damaged; its first 2 images are used"


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"hello, I am a text\n" * 100, "it begins with b'hello, I am a te'"),
        (bytes((1 << 20) + 512), "it begins with zeros"),
        (b"\n<!DOCTYPE html><title>Sign in</title>" * 20, "it is a page of HTML or XML: the download failed"),
        (gzip.compress(bytes(10240), mtime=0), "it is compressed by gzip; decompress it"),
        (b"\x28\xb5\x2f\xfd" + bytes(600), "compressed by zstd"),
        (b"PK\x03\x04" + bytes(600), "compressed by zip"),
        (b"\xff\xd8\xff\xe0" * 200, "it begins with"),
    ],
)
def test_file_that_is_no_tar_is_named(tmp_path: Path, content: bytes, sentence: str) -> None:
    (tmp_path / "a.tar").write_bytes(content)
    with pytest.raises(DataError) as caught:
        index_shard(here(tmp_path, "a.tar"))
    assert f"{tmp_path}/a.tar is not a tar: " in str(caught.value)
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


def test_missing_shard_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingFile, match=r"a\.tar"):
        index_shard(here(tmp_path, "a.tar"))


# Writing


def test_real_webdataset_reads_what_is_written(tmp_path: Path) -> None:
    write(here(tmp_path))
    shards = [str(shard) for shard in expand(str(tmp_path))]
    samples = list(webdataset.WebDataset(shards, shardshuffle=False))
    assert [sample["jpg"] for sample in samples] == [picture(i) for i in range(7)]
    assert [int(sample["cls"]) for sample in samples] == [i % 3 for i in range(7)]
    assert [json.loads(sample["json"]) for sample in samples] == [{"number": i} for i in range(7)]
    assert [sample["__key__"] for sample in samples] == [f"train-{i:08d}" for i in range(7)]


def test_writer_knows_the_index_that_reading_gives(tmp_path: Path) -> None:
    written = write(here(tmp_path)).written
    assert [len(shard) for shard in written] == [3, 3, 1]
    for shard in written:
        read = index_shard(Place(shard.shard))
        for name in ("offset", "size", "label", "shard_bytes"):
            assert np.array_equal(getattr(read, name), getattr(shard, name))
        assert read.torn is None
        assert shard.sha256 == hashlib.sha256(Place(shard.shard).read_bytes()).hexdigest()


def test_bytes_are_those_that_tarfile_would_write(tmp_path: Path) -> None:
    write(here(tmp_path), images=2)
    expected = io.BytesIO()
    with tarfile.open(fileobj=expected, mode="w", format=tarfile.USTAR_FORMAT) as writer:
        for i in range(2):
            files = [("jpg", picture(i)), ("cls", b"%d" % (i % 3)), ("json", b'{"number": %d}' % i)]
            for suffix, body in files:
                info = tarfile.TarInfo(f"train-{i:08d}.{suffix}")
                info.size = len(body)
                writer.addfile(info, io.BytesIO(body))
    data = (tmp_path / "train-000000.tar").read_bytes()
    assert expected.getvalue()[: len(data)] == data  # tarfile adds zeros up to a record of 10 KiB


def test_shard_is_closed_before_it_outgrows_its_limit(tmp_path: Path) -> None:
    with ShardWriter(here(tmp_path), "train", 100, max_bytes=10_000) as writer:
        for _ in range(5):
            writer.add(bytes(3000))
        writer.add(bytes(20_000))
    assert [len(shard) for shard in writer.written] == [2, 2, 1, 1]
    assert all(shard.shard_bytes <= 10_000 for shard in writer.written[:3])


def test_writer_that_fails_leaves_whole_shards_only(tmp_path: Path) -> None:
    def interrupted() -> None:
        with ShardWriter(here(tmp_path), "train", 2) as writer:
            for i in range(3):
                writer.add(picture(i))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert os.listdir(tmp_path) == ["train-000000.tar"]


def test_writers_of_different_shards_fit_together(tmp_path: Path) -> None:
    write(here(tmp_path, "one"), images=6)
    with ShardWriter(here(tmp_path, "two"), "train", 3, first_shard=1, first_image=3) as writer:
        for i in range(3, 6):
            writer.add(picture(i), label=i % 3, meta={"number": i})
    name = "train-000001.tar"
    assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


@pytest.mark.parametrize("split", ["", "a.b", "a/b", "ä", "x" * 61])
def test_split_that_would_break_keys_is_refused(tmp_path: Path, split: str) -> None:
    with pytest.raises(ValueError, match="split is"):
        ShardWriter(here(tmp_path), split, 1)


def test_writer_refuses_files_that_no_reader_takes_for_images(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="suffix is 'gif'"):
        ShardWriter(here(tmp_path), "train", 1).add(b"", suffix="gif")


# The index of a data set


def data_set(folder: Place, **about: Any) -> Index:
    index = concatenate(write(folder).written, **about)
    index.save(folder)
    return index


def same(one: Index, other: Index) -> bool:
    columns = all(
        np.array_equal(getattr(one, name), getattr(other, name))
        and getattr(one, name).dtype == getattr(other, name).dtype
        for name in ("shard", "offset", "size", "label")
    )
    assert one.attributes.keys() == other.attributes.keys()
    for name, column in one.attributes.items():
        assert (column.tolist(), column.dtype) == (other.attributes[name].tolist(), other.attributes[name].dtype)
    plain = ("shards", "shard_bytes", "classes", "image_size", "sha256", "notes")
    return columns and all(getattr(one, name) == getattr(other, name) for name in plain)


def test_concatenated_index_counts_shards_in_order(tmp_path: Path) -> None:
    index = data_set(here(tmp_path))
    assert index.shard.tolist() == [0, 0, 0, 1, 1, 1, 2]
    assert (index.shard.dtype, len(index)) == (np.int32, 7)
    for i in range(7):
        data = Place(index.shards[index.shard[i]]).read_range(int(index.offset[i]), int(index.size[i]))
        assert data == picture(i)


def test_images_in_no_shard_at_all_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no image in .*a\.tar"):
        concatenate([index_shard(tar_of(tmp_path / "a.tar", [("a.txt", b"A")]))])


@pytest.mark.parametrize("about", [{}, {"classes": ["cat", "dog", "hen"], "image_size": 64}])
def test_saved_index_is_loaded_as_it_was(tmp_path: Path, about: dict[str, Any]) -> None:
    assert same(data_set(here(tmp_path), **about), Index.load(here(tmp_path)))


def with_attributes(folder: Place) -> Index:
    """Three shards, of which each image has a number, a share and a word."""
    parts, first = [], 0
    for part in write(folder).written:
        number = np.arange(first, first + len(part))
        words = np.array([f"word {'x' * one}" for one in number])
        parts.append(replace(part, attributes={"number": number, "half/of.it": number / 2, "Wort ü": words}))
        first += len(part)
    return concatenate(parts)


def test_attributes_of_shards_become_those_of_the_index_and_are_kept(tmp_path: Path) -> None:
    index = with_attributes(here(tmp_path))
    index.save(here(tmp_path))
    for found in (index, Index.load(here(tmp_path))):
        assert same(found, index)
        assert found.attributes["number"].tolist() == list(range(7))
        assert found.attributes["half/of.it"].tolist() == [0, 0.5, 1, 1.5, 2, 2.5, 3]
        assert found.attributes["Wort ü"][6] == "word xxxxxx"
    chosen = Index.load(here(tmp_path)).select([index.shards[2], index.shards[0]])
    assert chosen.attributes["number"].tolist() == [6, 0, 1, 2]


def test_shards_without_images_need_no_attributes_and_others_do(tmp_path: Path) -> None:
    one, two, _ = write(here(tmp_path)).written
    known = replace(one, attributes={"age": np.array([30, 40, 50])})
    (tmp_path / "empty.tar").write_bytes(bytes(1024))
    empty = index_shard(here(tmp_path, "empty.tar"))
    assert concatenate([empty, known]).attributes["age"].tolist() == [30, 40, 50]
    with pytest.raises(DataError, match=r"'age' is missing in \S+train-000001\.tar but a whole number in \S+000000"):
        concatenate([known, two])


def test_index_without_attributes_is_the_file_that_it_was_before_there_were_any(tmp_path: Path) -> None:
    index = data_set(here(tmp_path))
    with io.BytesIO() as file:
        np.savez_compressed(file, shard=index.shard, offset=index.offset, size=index.size, label=index.label)
        assert (tmp_path / INDEX_FILE).read_bytes() == file.getvalue()


@pytest.mark.parametrize("column", [np.arange(6), np.zeros((7, 2)), np.array([b"x"] * 7), np.array(5)])
def test_attributes_that_are_no_column_are_refused(tmp_path: Path, column: Any) -> None:
    index = data_set(here(tmp_path))
    columns = {name: getattr(index, name) for name in ("shard", "offset", "size", "label")}
    with io.BytesIO() as file:
        np.savez(file, **columns, **{"attribute/a": column})
        _with(tmp_path, file.getvalue())
    with pytest.raises(DataError, match=r"index\.npz or dataset\.json is damaged"):
        Index.load(here(tmp_path))


def test_index_without_some_images_has_all_others(tmp_path: Path) -> None:
    index = with_attributes(here(tmp_path))
    left = index.without([5, 0, 3, 4, 5])
    assert left.attributes["number"].tolist() == [1, 2, 6]
    for name in ("shard", "offset", "size", "label"):
        assert getattr(left, name).tolist() == getattr(index, name)[[1, 2, 6]].tolist()
        assert getattr(left, name).dtype == getattr(index, name).dtype
    assert (left.shards, left.sha256, left.classes) == (index.shards, index.sha256, index.classes)
    assert len(index) == 7
    left.save(here(tmp_path))
    assert same(Index.load(here(tmp_path)), left)
    assert [shard["images"] for shard in json.loads((tmp_path / DATASET_FILE).read_text())["shards"]] == [2, 0, 1]
    assert same(left.without([]), left)
    assert left.without(np.array([1])).attributes["number"].tolist() == [1, 6]
    assert layout_sha256(left) != layout_sha256(index)


@pytest.mark.parametrize("sample", [-1, 7])
def test_what_is_no_image_of_the_index_cannot_be_left_out(tmp_path: Path, sample: int) -> None:
    with pytest.raises(IndexError):
        with_attributes(here(tmp_path)).without([2, sample])


@pytest.mark.parametrize("samples", [np.arange(7) == 5, [1.0, 2.5], ["1"]])
def test_images_are_left_out_by_number_and_not_by_a_mask(tmp_path: Path, samples: Any) -> None:
    with pytest.raises(TypeError, match="images are left out by their numbers, but these are of dtype"):
        with_attributes(here(tmp_path)).without(samples)


def test_data_set_can_be_moved(tmp_path: Path) -> None:
    data_set(here(tmp_path, "old"))
    (tmp_path / "old").rename(tmp_path / "new")
    assert Index.load(here(tmp_path, "new")).shards[0] == f"{tmp_path}/new/train-000000.tar"


def test_index_kept_elsewhere_keeps_the_addresses(tmp_path: Path, s3: Place) -> None:
    index = data_set(here(tmp_path))
    index.save(s3 / "indexes" / "x")
    assert same(Index.load(s3 / "indexes" / "x"), index)


def test_description_says_what_is_in_the_shards(tmp_path: Path) -> None:
    data_set(here(tmp_path), classes=["cat", "dog", "hen"], image_size=64)
    description = json.loads((tmp_path / DATASET_FILE).read_text())
    assert description["format"] == "dcgan-dist shards 1"
    assert (description["images"], description["image_size"]) == (7, 64)
    assert description["images_per_class"] == [3, 2, 2]
    for entry in description["shards"]:
        data = (tmp_path / entry["file"]).read_bytes()
        assert (len(data), hashlib.sha256(data).hexdigest()) == (entry["bytes"], entry["sha256"])


@pytest.mark.parametrize(("label", "counts"), [(999, [0] * 999 + [1]), (1_000, None), (2**31 - 1, None)])
def test_class_numbers_with_gaps_are_kept_but_not_counted(tmp_path: Path, label: int, counts: list[int] | None) -> None:
    """They may be anything, such as a date: a count of each up to the largest would be gigabytes of zeros."""
    concatenate([index_shard(tar_of(tmp_path / "a.tar", [("x.jpg", A), ("x.cls", b"%d" % label)]))]).save(
        here(tmp_path)
    )
    assert Index.load(here(tmp_path)).label.tolist() == [label]
    assert json.loads((tmp_path / DATASET_FILE).read_text())["images_per_class"] == counts


def test_name_of_a_sample_is_read_from_its_header(tmp_path: Path) -> None:
    index = data_set(here(tmp_path))
    assert index.names(4) == "train-000001.tar: train-00000004.jpg"


def test_name_of_a_sample_cannot_forge_a_message(tmp_path: Path) -> None:
    index = concatenate([index_shard(tar_of(tmp_path / "a.tar", [("a\n\x1b[31m.jpg", b"x")]))])
    assert index.names(0) == r"a.tar: a\n\x1b[31m.jpg"


def test_own_index_is_found_for_some_of_its_shards_in_their_order(tmp_path: Path) -> None:
    index = data_set(here(tmp_path))
    found = find_index([here(tmp_path, "train-000002.tar"), here(tmp_path, "train-000000.tar")])
    assert found is not None
    assert found.shard.tolist() == [0, 1, 1, 1]
    assert found.offset.tolist() == [index.offset[6], *index.offset[:3]]
    assert found.sha256 == (index.sha256[2], index.sha256[0])


def test_description_of_another_format_is_not_ours(tmp_path: Path) -> None:
    write(here(tmp_path))
    for content in ('{"name": "CIFAR-10", "shards": []}', "[]", "not json", '{"format": "other"}'):
        (tmp_path / DATASET_FILE).write_text(content)
        (tmp_path / INDEX_FILE).write_bytes(b"")
        assert find_index(expand(str(tmp_path))) is None
        with pytest.raises(DataError, match="is not of the format"):
            Index.load(here(tmp_path))


def test_foreign_shards_have_no_index(tmp_path: Path) -> None:
    data_set(here(tmp_path))
    foreign = tar_of(tmp_path / "foreign.tar", [("a.jpg", b"x")])
    assert find_index([foreign]) is None
    assert find_index([here(tmp_path, "train-000000.tar"), here(tmp_path, "elsewhere", "a.tar")]) is None


def test_shard_that_was_not_copied_whole_is_named(tmp_path: Path) -> None:
    data_set(here(tmp_path))
    shard = tmp_path / "train-000001.tar"
    shard.write_bytes(shard.read_bytes()[:1000])
    with pytest.raises(
        DataError, match=r"train-000001\.tar has 1,000 bytes, but .*dataset\.json says .*: copy it again"
    ):
        find_index(expand(f"{tmp_path}/*.tar"))
    assert find_index([here(tmp_path, "train-000000.tar")]) is not None


def _shorter(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-10])


def _forged(path: Path) -> None:
    description = json.loads((path.parent / DATASET_FILE).read_text())
    with io.BytesIO() as file:
        np.savez(file, shard=np.array([None], dtype=object))
        path.write_bytes(file.getvalue())
    description["index"]["sha256"] = hashlib.sha256(path.read_bytes()).hexdigest()
    (path.parent / DATASET_FILE).write_text(json.dumps(description))


def _with(folder: Path, index: bytes, **description: Any) -> None:
    """Another index, with a checksum that is right, and other values in the description."""
    known = json.loads((folder / DATASET_FILE).read_text())
    (folder / INDEX_FILE).write_bytes(index)
    known |= {"index": {"file": INDEX_FILE, "sha256": hashlib.sha256(index).hexdigest()}} | description
    (folder / DATASET_FILE).write_text(json.dumps(known))


@pytest.mark.parametrize(
    ("column", "value"),
    [("shard", -1), ("shard", 3), ("offset", -1), ("offset", 2**62), ("size", -1), ("size", 2**63 - 1)],
)
def test_index_that_names_places_outside_of_the_shards_is_refused(tmp_path: Path, column: str, value: int) -> None:
    index = data_set(here(tmp_path))
    columns = {name: getattr(index, name).astype(np.int64) for name in ("shard", "offset", "size", "label")}
    columns[column][4] = value
    with io.BytesIO() as file:
        np.savez(file, **columns)
        _with(tmp_path, file.getvalue())
    with pytest.raises(DataError, match="names places outside of the shards"):
        Index.load(here(tmp_path))


def test_an_index_that_is_whole_but_another_one_is_refused(tmp_path: Path) -> None:
    """Such as one that was copied from an earlier version of the data: by its labels alone nobody would notice."""
    index = data_set(here(tmp_path))
    columns = {name: getattr(index, name) for name in ("shard", "offset", "size")}
    with io.BytesIO() as file:
        np.savez(file, **columns, label=index.label[::-1])
        (tmp_path / INDEX_FILE).write_bytes(file.getvalue())
    with pytest.raises(DataError, match=r"its checksum is wrong\): delete both, and they are made again"):
        Index.load(here(tmp_path))


@pytest.mark.parametrize(
    ("known", "told"),
    [
        ({"classes": None}, "delete both, and they are made again$"),
        ({"prepared": {"source": "photos"}}, "delete both, and give the command that prepared these shards again"),
        ({"classes": ["cat", "dog", "hen"]}, "delete both, and give the command that prepared these shards again"),
        (
            {"attributes": ["smiling"]},
            "delete both, .*; without them, runs .* know no names of classes and no attri",
        ),
    ],
)
def test_how_a_damaged_index_is_made_again_depends_on_what_is_lost_with_it(
    known: dict[str, object], told: str, tmp_path: Path
) -> None:
    data_set(here(tmp_path))
    description = json.loads((tmp_path / DATASET_FILE).read_bytes()) | {"classes": None} | known
    (tmp_path / DATASET_FILE).write_text(json.dumps(description))
    (tmp_path / INDEX_FILE).write_bytes(b"torn")
    with pytest.raises(DataError, match=told):
        Index.load(here(tmp_path))


def test_forged_index_is_one_sentence(tmp_path: Path) -> None:
    index = data_set(here(tmp_path))
    compressed = (tmp_path / INDEX_FILE).read_bytes()
    with io.BytesIO() as file:
        np.savez(file, shard=index.shard, offset=index.offset, size=index.size, label=index.label)
        plain = file.getvalue()
    for data in (compressed, plain):
        for at in range(0, len(data), 7):
            _with(tmp_path, data[:at] + bytes([data[at] ^ 0x81]) + data[at + 1 :])
            with contextlib.suppress(DataError):
                Index.load(here(tmp_path))
    description = json.loads((tmp_path / DATASET_FILE).read_text())
    for value in (None, -1, 2**70, "x", [], [None], {}, [{"file": "x", "bytes": 2**70, "sha256": None}]):
        for name in description.keys() - {"format", "index"}:
            _with(tmp_path, compressed, **{name: value})
            with contextlib.suppress(DataError):
                Index.load(here(tmp_path))


@pytest.mark.parametrize("damage", [_shorter, _forged])
def test_damaged_index_is_one_sentence_and_runs_no_code(tmp_path: Path, damage: Callable[[Path], None]) -> None:
    data_set(here(tmp_path))
    damage(tmp_path / INDEX_FILE)
    with pytest.raises(DataError, match=r"index\.npz or dataset\.json is damaged"):
        Index.load(here(tmp_path))


def test_fingerprint_changes_with_every_shard(tmp_path: Path) -> None:
    write(here(tmp_path))
    shards = expand(f"{tmp_path}/*.tar")
    first = fingerprint(shards)
    assert fingerprint(shards) == first
    assert len(bytes.fromhex(first)) == 8
    assert fingerprint(shards[:2]) != first
    assert fingerprint(shards[::-1]) != first
    os.utime(shards[1].local_path, ns=(1, 1))
    assert fingerprint(shards) != first
    with pytest.raises(MissingFile, match=r"gone\.tar does not exist"):
        fingerprint([*shards, here(tmp_path, "gone.tar")])


def test_shard_holds_a_picture_as_it_was_given(tmp_path: Path) -> None:
    file = io.BytesIO()
    Image.new("RGB", (8, 8), "red").save(file, "png")
    with ShardWriter(here(tmp_path), "train", 1) as writer:
        writer.add(file.getvalue(), suffix="png")
    assert bodies(index_shard(here(tmp_path, "train-000000.tar"))) == [file.getvalue()]


def test_shared_cifar10_has_its_counts(shared_data: Callable[[str], Path]) -> None:
    shards = expand(f"{shared_data('cifar10')}/test-*.tar")
    assert find_index(shards) is None
    index = concatenate([index_shard(shard) for shard in shards])
    assert np.bincount(index.label).tolist() == [1000] * 10


def test_an_index_of_other_rules_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shards = [tar_of(tmp_path / "a.tar", [("x.jpg", A)])]
    found = {fingerprint(shards)}
    monkeypatch.setattr("dcgan_dist.data.shards.index.RULES", 1)
    found.add(fingerprint(shards))
    monkeypatch.setattr("dcgan_dist.data.shards.index.SUFFIXES", ("jpg",))
    assert len(found | {fingerprint(shards)}) == 3


def test_a_part_of_an_index_keeps_what_is_known_of_the_whole(tmp_path: Path) -> None:
    index = data_set(here(tmp_path), classes=["cat", "dog", "hen"], image_size=64)
    part = index.select([index.shards[2], index.shards[0]])
    assert (part.classes, part.image_size) == (("cat", "dog", "hen"), 64)
    assert part.shard_bytes == (index.shard_bytes[2], index.shard_bytes[0])
    assert part.label.tolist() == [0, 0, 1, 2]
    assert (part.shard.tolist(), part.shard.dtype) == ([0, 1, 1, 1], np.int32)
    assert (part.torn, part.passed) == ((None, None), ((), ()))
    plain = dataclasses.replace(index, torn=(), passed=())
    assert (plain.select(index.shards[:1]).torn, plain.select(index.shards[:1]).passed) == ((), ())
    plain.save(here(tmp_path))
    assert same(Index.load(here(tmp_path)), index)


def test_what_was_passed_over_is_saved_whole(tmp_path: Path) -> None:
    made = concatenate([index_shard(tar_of(tmp_path / "a.tar", [("x.jpg", A), ("y.1.jpg", B), ("z.txt", B)]))])
    made.save(here(tmp_path))
    assert made.passed[0]
    assert Index.load(here(tmp_path)).passed == made.passed


def test_half_an_index_is_none_and_a_shard_that_is_gone_is_named(tmp_path: Path) -> None:
    data_set(here(tmp_path))
    shards = expand(f"{tmp_path}/*.tar")
    for name in (INDEX_FILE, DATASET_FILE):
        kept = (tmp_path / name).read_bytes()
        (tmp_path / name).unlink()
        assert find_index(shards) is None
        (tmp_path / name).write_bytes(kept)
    (tmp_path / "train-000001.tar").unlink()
    with pytest.raises(DataError, match=r"train-000001\.tar is missing, but .*dataset\.json says"):
        find_index(shards)


def test_layout_changes_with_places_and_order_but_not_with_addresses_and_labels(tmp_path: Path) -> None:
    index = data_set(here(tmp_path, "old"))
    layout = layout_sha256(index)
    (tmp_path / "old").rename(tmp_path / "new")
    moved = Index.load(here(tmp_path, "new"))
    assert layout_sha256(moved) == layout_sha256(dataclasses.replace(index, label=index.label[::-1])) == layout
    for name in ("shard", "offset", "size"):
        assert layout_sha256(dataclasses.replace(index, **{name: getattr(index, name)[::-1]})) != layout
    assert layout_sha256(index.select(index.shards[:2])) != layout
