"""Shards of any source: a reader hands over pictures, and nothing else knows what they are kept in."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import simplejpeg
import webdataset

from dcgan_dist.data.image_decoding import BadImage
from dcgan_dist.data.preparation.convert import convert
from dcgan_dist.data.preparation.options import PrepareOptions
from dcgan_dist.data.preparation.report import summary
from dcgan_dist.data.preparation.work import begin
from dcgan_dist.data.readers.source import Item, Source
from dcgan_dist.data.shards.index import Index
from dcgan_dist.errors import DataError
from dcgan_dist.storage import Place, expand

IMAGES = 30


def image(number: int) -> bytes:
    return simplejpeg.encode_jpeg(np.full((16, 16, 3), 8 * number, np.uint8))


class Fetch:
    """Makes a picture where it is called, as a reader of a packed format does, or says that it is bad."""

    def __init__(self, number: int) -> None:
        self.number = number

    def __call__(self) -> bytes:
        if self.number % 7 == 3:
            raise BadImage(f"row {self.number} is null")
        return image(self.number)


def open_table(where: Place, splits: Sequence[str]) -> Source:
    """A format with classes by number, words, and pictures of which some are in memory and some are fetched."""
    assert list(splits) == ["old", "new"]

    def rows() -> list[Item]:
        return [
            Item(
                f"row {number}",
                splits[number % 5 == 0],
                size=0,
                data=image(number) if number % 2 else Fetch(number),
                label=number % 4,
                attributes={"number": number, "word": "x" * number},
            )
            for number in range(IMAGES)
        ]

    return Source(where, None, rows(), tuple(splits), ("a", "b", "c", "d"))


def options(tmp_path: Path, out: str) -> PrepareOptions:
    return PrepareOptions(
        str(tmp_path / "table"), str(tmp_path / out), size=16, split="old,new", images_per_shard=7, processes=1
    )


def test_any_reader_can_be_prepared_from(tmp_path: Path) -> None:
    work = begin(options(tmp_path, "out"), open_table)
    index, record = convert(work)
    bad = {number for number in range(0, IMAGES, 2) if number % 7 == 3}
    assert dict(record.bad) == {f"row {number}": f"row {number} is null" for number in bad}
    assert Index.load(Place(str(tmp_path / "out"))).classes == ("a", "b", "c", "d")
    shards = expand(f"{tmp_path}/out/*.tar")
    assert [shard.address for shard in shards] == sorted(index.shards)
    samples = {
        json.loads(sample["json"])["source"]: sample
        for sample in webdataset.WebDataset([str(shard) for shard in shards], shardshuffle=False)
    }
    assert samples.keys() == {f"row {number}" for number in set(range(IMAGES)) - bad}
    for number in set(range(IMAGES)) - bad:
        sample = samples[f"row {number}"]
        assert (sample["jpg"], int(sample["cls"])) == (image(number), number % 4)
        assert sample["__key__"].startswith("new-" if number % 5 == 0 else "old-")
        assert json.loads(sample["json"]) == {
            "source": f"row {number}",
            "class": "abcd"[number % 4],
            "attributes": {"number": number, "word": "x" * number},
        }
    assert summary(work, record, index)[0].startswith(f"{IMAGES - len(bad)} images of 4 classes in 5 shards in ")


def test_attributes_lie_in_the_index_beside_their_images(tmp_path: Path) -> None:
    convert(begin(options(tmp_path, "out"), open_table))
    index = Index.load(Place(str(tmp_path / "out")))
    assert index.attributes.keys() == {"number", "word"}
    for sample, number in enumerate(index.attributes["number"].tolist()):
        data = Place(index.shards[index.shard[sample]]).read_range(int(index.offset[sample]), int(index.size[sample]))
        assert data == image(number)
        assert (index.label[sample], index.attributes["word"][sample]) == (number % 4, "x" * number)


def test_a_source_that_fails_is_continued_when_it_is_back(tmp_path: Path) -> None:
    def open_vanishing(where: Place, splits: Sequence[str]) -> Source:
        source = open_table(where, splits)
        items = [
            Item(one.key, one.split, one.size, _vanish, one.label, one.attributes) if one.split == "new" else one
            for one in source.items
        ]
        return Source(where, None, items, source.splits, source.classes)

    whole, _ = convert(begin(options(tmp_path, "whole"), open_table))
    with pytest.raises(DataError, match="the bucket has vanished"):
        convert(begin(options(tmp_path, "out"), open_vanishing))
    work = begin(options(tmp_path, "out"), open_table)
    index, record = convert(work)
    assert index.sha256 == whole.sha256
    for name, column in whole.attributes.items():
        assert index.attributes[name].tolist() == column.tolist()
    assert record.is_complete


def _vanish() -> bytes:
    raise DataError("the bucket has vanished")


def test_a_call_for_other_pictures_does_not_continue(tmp_path: Path) -> None:
    begin(options(tmp_path, "out"), open_table)

    def open_other(where: Place, splits: Sequence[str]) -> Source:
        source = open_table(where, splits)
        return Source(where, None, list(source.items)[1:], source.splits, source.classes)

    with pytest.raises(
        DataError, match=r"the pictures have changed since .* \(30 then, 29 now\): choose another target"
    ):
        begin(options(tmp_path, "out"), open_other)
