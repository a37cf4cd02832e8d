"""Shards of any source: a reader lists samples and reads pictures; nothing else knows what they are kept in."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import simplejpeg
import webdataset

from dcgan_dist import versions
from dcgan_dist.data.image_decoding import BadImage
from dcgan_dist.data.preparation.convert import clean, convert, make_missing_pieces, numbers_of
from dcgan_dist.data.preparation.options import PrepareOptions
from dcgan_dist.data.preparation.processes import ThisProcess, processes
from dcgan_dist.data.preparation.record import Record
from dcgan_dist.data.preparation.report import summary
from dcgan_dist.data.preparation.work import Work, begin
from dcgan_dist.data.readers.source import Picture, Samples, Source
from dcgan_dist.data.shards.addresses import expand
from dcgan_dist.data.shards.build_index import index_shard
from dcgan_dist.data.shards.index import Index
from dcgan_dist.errors import DataError
from dcgan_dist.storage import Place

IMAGES = 100


def image(number: int) -> bytes:
    return simplejpeg.encode_jpeg(np.full((16, 16, 3), 2 * number, np.uint8))


def fetch(files: Sequence[Place], samples: Samples) -> Iterator[Picture | BadImage]:
    """A format of rows, of which some are null; its files are read from their ends."""
    assert [str(file) for file in files] == ["/table/a", "/table/b"]
    places = list(zip(samples.file.tolist(), samples.offset.tolist(), strict=True))
    assert places == sorted(places)
    for file, offset in places:
        number = 2 * offset + file
        yield BadImage(f"row {number} is null") if number % 7 == 3 else image(number)


def table() -> Source:
    """Rows by turns in two files, the later ones first."""
    numbers = np.arange(IMAGES)[::-1]
    return Source(
        "/table",
        (Place("/table/a"), Place("/table/b")),
        Samples(
            pa.array([f"row {number}" for number in numbers], pa.large_string()),
            (numbers % 2).astype(np.int32),
            numbers // 2,
            np.zeros(IMAGES, np.int64),
            (numbers % 5 == 0).astype(np.int16),
            (numbers % 4).astype(np.int32),
            {"number": numbers, "word": np.array(["x" * (number % 9) for number in numbers])},
        ),
        fetch,
        ("old", "new"),
        ("a", "b", "c", "d"),
    )


def work(folder: Path, source: Source | None = None) -> Work:
    options = PrepareOptions((), size=16, images_per_shard=21, seed=4)
    return begin(options, "table", source or table(), Place(str(folder)))


def test_any_reader_can_be_prepared_from(tmp_path: Path) -> None:
    begun = work(tmp_path)
    index, record = convert(begun, ThisProcess())
    bad = {number for number in range(IMAGES) if number % 7 == 3}
    assert list(record.bad) == [
        (f"row {number}", "new" if number % 5 == 0 else "old", f"row {number} is null") for number in sorted(bad)[::-1]
    ]
    assert Index.load(Place(str(tmp_path))).classes == ("a", "b", "c", "d")
    shards = expand(f"{tmp_path}/*.tar")
    assert [shard.name for shard in shards] == ["new-000000.tar", *(f"old-{i:06d}.tar" for i in range(4))]
    read = list(webdataset.WebDataset([str(shard) for shard in shards], shardshuffle=False))
    samples = {json.loads(sample["json"])["source"]: sample for sample in read}
    assert samples.keys() == {f"row {number}" for number in set(range(IMAGES)) - bad}
    for number in set(range(IMAGES)) - bad:
        sample = samples[f"row {number}"]
        assert (sample["jpg"], int(sample["cls"])) == (image(number), number % 4)
        assert sample["__key__"].startswith("new-" if number % 5 == 0 else "old-")
        assert json.loads(sample["json"]) == {
            "source": f"row {number}",
            "class": "abcd"[number % 4],
            "attributes": {"number": number, "word": "x" * (number % 9)},
        }
    assert [sample["__key__"] for sample in read if sample["__key__"].startswith("old")] == [
        f"old-{number:08d}" for number in range(sum(key.startswith("old") for key in (s["__key__"] for s in read)))
    ]
    assert summary(begun, record, index)[0].startswith(f"{IMAGES - len(bad)} images of 4 classes in 5 shards in ")


def test_attributes_lie_in_the_index_beside_their_images(tmp_path: Path) -> None:
    convert(work(tmp_path), ThisProcess())
    index = Index.load(Place(str(tmp_path)))
    assert index.attributes.keys() == {"number", "word"}
    assert len(index) == IMAGES - 14
    for sample, number in enumerate(index.attributes["number"].tolist()):
        data = Place(index.shards[index.shard[sample]]).read_range(int(index.offset[sample]), int(index.size[sample]))
        assert data == image(number)
        assert (index.label[sample], index.attributes["word"][sample]) == (number % 4, "x" * (number % 9))


def test_the_description_names_what_was_made_of_what(tmp_path: Path) -> None:
    convert(work(tmp_path), ThisProcess())
    said = json.loads((tmp_path / "dataset.json").read_text())
    assert said["attributes"] == ["number", "word"]
    prepared = said["prepared"]
    assert prepared["source"] == "/table"
    assert {"reader": "table", "size": 16, "images_per_shard": 21, "seed": 4}.items() <= prepared["options"].items()
    assert prepared["pictures"] == IMAGES
    assert prepared["left_out"][0] == {"source": "row 94", "split": "old", "reason": "row 94 is null"}
    assert prepared["versions"].keys() == {"dcgan-dist", "numpy", "pillow", "simplejpeg"}


def fetch_some(files: Sequence[Place], samples: Samples) -> Iterator[Picture | BadImage]:
    for row, picture in enumerate(fetch(files, samples)):
        if samples.file[row] and samples.offset[row] > 20:
            raise DataError("the bucket has vanished")
        yield picture


@pytest.mark.parametrize("number", [1, 2])
def test_a_source_that_fails_is_continued_when_it_is_back(tmp_path: Path, number: int) -> None:
    whole, _ = convert(work(tmp_path / "whole"), ThisProcess())
    with processes(number) as workers, pytest.raises(DataError, match="the bucket has vanished"):
        convert(work(tmp_path / "out", replace(table(), fetch=fetch_some)), workers)
    assert list((tmp_path / "out" / ".prepare").glob("*/000000.table"))
    index, record = convert(work(tmp_path / "out"), ThisProcess())
    assert index.sha256 == whole.sha256
    for name, column in whole.attributes.items():
        assert index.attributes[name].tolist() == column.tolist()
    assert record.complete
    assert record == Record.load(Place(str(tmp_path / "out")))
    clean(Place(str(tmp_path / "out")))
    assert not (tmp_path / "out" / ".prepare").exists()


def test_files_that_are_read_from_their_beginnings_give_the_same_bytes(tmp_path: Path) -> None:
    calls = []

    def stream(files: Sequence[Place], samples: Samples) -> Iterator[Picture | BadImage]:
        calls.append((set(samples.file.tolist()), len(samples)))
        return fetch(files, samples)

    whole, _ = convert(work(tmp_path / "whole"), ThisProcess())
    streamed, _ = convert(work(tmp_path / "out", replace(table(), fetch=stream, streamed=True)), ThisProcess())
    assert calls == [({0}, IMAGES // 2), ({1}, IMAGES // 2)]
    assert streamed.sha256 == whole.sha256


def test_the_order_of_the_list_changes_nothing_but_the_rows(tmp_path: Path) -> None:
    source = table()
    turned = replace(source, samples=source.samples.take(np.arange(IMAGES)[::-1]))
    one, _ = convert(work(tmp_path / "one"), ThisProcess())
    other, _ = convert(work(tmp_path / "other", turned), ThisProcess())
    assert one.sha256 == other.sha256


@pytest.mark.parametrize(
    "change",
    [
        lambda source: replace(source, samples=source.samples.take(np.arange(1, IMAGES))),
        lambda source: replace(source, samples=replace(source.samples, label=source.samples.label[::-1])),
        lambda source: replace(source, samples=replace(source.samples, offset=source.samples.offset + 1)),
        lambda source: replace(source, classes=("a", "b", "d", "c")),
        lambda source: replace(source, streamed=True),
        lambda source: replace(
            source, samples=replace(source.samples, attributes=source.samples.attributes | {"number": np.zeros(IMAGES)})
        ),
    ],
    ids=["fewer", "labels", "places", "classes", "streamed", "attributes"],
)
def test_a_call_for_other_pictures_does_not_continue(tmp_path: Path, change: object) -> None:
    work(tmp_path)
    with pytest.raises(DataError, match=r"the pictures have changed since .* \(100 then, \d+ now\): choose another"):
        work(tmp_path, change(table()))  # type: ignore[operator]


def test_pieces_are_numbered_through_all_units() -> None:
    assert numbers_of([["a"], ["b", "c", "d"], ["e"]]) == [range(1), range(1, 4), range(4, 5)]


def test_pieces_of_other_options_or_versions_are_not_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = work(tmp_path / "out")
    convert(first, ThisProcess())
    again = replace(first, record=replace(first.record, complete=False, shards=()))
    assert make_missing_pieces(again, ThisProcess()) == (4, 0)
    monkeypatch.setattr(versions, "version", lambda name: "0.0" if name == "pillow" else version(name))
    assert again.pieces.names() == []
    assert make_missing_pieces(again, ThisProcess()) == (4, 4)
    other = replace(again, record=replace(again.record, arguments=again.record.arguments | {"size": 8}))
    assert other.pieces.names() == []


def test_pieces_that_lack_a_sample_or_have_one_twice_are_refused(tmp_path: Path) -> None:
    begun = work(tmp_path / "out")
    make_missing_pieces(begun, ThisProcess())
    for file in ("images", "table"):
        (begun.pieces / f"000002.{file}").write_bytes((begun.pieces / f"000001.{file}").read_bytes())
    with pytest.raises(DataError, match=r"the pieces in \S+ are not those of th\w+ source: delete"):
        convert(begun, ThisProcess())


def test_shards_that_pieces_were_made_after_are_written_again(tmp_path: Path) -> None:
    """They could be of other versions, and still be of the same lengths."""
    whole, _ = convert(work(tmp_path / "out"), ThisProcess())
    shard = tmp_path / "out" / "old-000001.tar"
    data = bytearray(shard.read_bytes())
    data[700] ^= 1
    shard.write_bytes(data)
    clean(Place(str(tmp_path / "out")))
    (tmp_path / "out" / "prepare.json").unlink()
    again, _ = convert(work(tmp_path / "out"), ThisProcess())
    assert again.sha256 == whole.sha256
    assert index_shard(Place(str(shard))).size.tolist() == whole.size[whole.shard == 1].tolist()
