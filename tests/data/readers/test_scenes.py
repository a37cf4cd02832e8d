"""The built-in scenes as a source."""

import pickle
from typing import Any

import numpy as np
import pytest
import simplejpeg

from dcgan_dist.data.readers import scenes
from dcgan_dist.data.readers.scenes import open_scenes
from dcgan_dist.data.readers.source import Request
from dcgan_dist.data.scenes import draw
from dcgan_dist.data.scenes.builtin import JPEG_QUALITY, SEED, embedded_image
from dcgan_dist.errors import SettingsError


def test_scenes_are_those_that_a_run_draws_by_number() -> None:
    source = open_scenes("faces", 7, 32, Request())
    assert source.samples.key.to_pylist() == [f"faces-{number:08d}" for number in range(7)]
    assert (source.splits, source.classes, source.where) == (("train",), None, "7 faces")
    assert source.samples.size.tolist() == [32 * 32 * 3] * 7
    assert source.samples.label.tolist() == [-1] * 7
    part = source.samples.take(np.array([5, 2]))
    drawn = list(pickle.loads(pickle.dumps(source.fetch))(source.files, part))
    for number, pixels in zip((5, 2), drawn, strict=True):
        assert (pixels.shape, pixels.dtype) == ((32, 32, 3), np.uint8)
        jpeg = simplejpeg.encode_jpeg(pixels, quality=JPEG_QUALITY, colorsubsampling="444")
        assert jpeg == embedded_image("faces", 32, number)[0]


def test_attributes_are_the_truth_about_each_scene(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scenes, "_PLANNED", 4)
    seen: list[tuple[int, int | None]] = []
    source = open_scenes("rooms", 10, 16, Request(("own",), lambda done, total: seen.append((done, total))))
    assert seen == [(4, 10), (8, 10), (10, 10)]
    assert source.splits == ("own",)
    found = source.samples.attributes
    for number in range(10):
        truth = draw("rooms", 16, SEED, number).truth["attributes"]
        assert {name: column[number] for name, column in found.items()} == truth
    assert (found["bed"].dtype, found["brightness"].dtype) == (np.int64, np.float64)


@pytest.mark.parametrize(
    ("kind", "number", "size", "splits", "sentence"),
    [
        ("cats", 3, 32, (), "scenes is 'cats' but needs to be one of rooms, faces"),
        ("rooms", 0, 32, (), "the number of scenes is 0 but needs to be at least 1"),
        ("rooms", 3, 8, (), "size is 8 but scenes are drawn at 16 to 256 pixels"),
        ("rooms", 3, 512, (), "size is 512 but scenes are drawn at 16 to 256 pixels"),
        ("rooms", 3, 32, ("a", "b"), "split is 'a,b' but scenes are one split: give one name, or none"),
    ],
)
def test_what_cannot_be_drawn_is_one_sentence(
    kind: Any, number: int, size: int, splits: tuple[str, ...], sentence: str
) -> None:
    with pytest.raises(SettingsError) as caught:
        open_scenes(kind, number, size, Request(splits))
    assert str(caught.value) == sentence
