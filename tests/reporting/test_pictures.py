import base64
import io

import numpy as np
import pytest
from PIL import Image

from dcgan_dist.arrays import Pixels
from dcgan_dist.model.pixels import enlarged, png
from dcgan_dist.reporting.pictures import AROUND, LEVELS, Shot, embed, native, read_shot
from dcgan_dist.storage import Place


def noise(height: int, width: int, seed: int = 0) -> Pixels:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def opened(address: str) -> Pixels:
    kind, _, data = address.partition(",")
    assert kind == "data:image/webp;base64"
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(data))).convert("RGB"))


@pytest.mark.parametrize(("height", "width"), [(66, 66), (16, 130), (50, 49), (7, 11)])
def test_an_enlarged_picture_is_brought_back_to_its_own_pixels(height: int, width: int) -> None:
    small = noise(height, width)
    assert np.array_equal(native(enlarged(small)), small)


def test_a_picture_of_one_color_and_one_that_is_not_enlarged_are_left_as_they_are() -> None:
    assert native(np.full((12, 18, 3), 7, np.uint8)).shape[2] == 3
    picture = noise(12, 18)
    assert np.array_equal(native(picture), picture)
    almost = enlarged(noise(10, 10))
    almost[3, 3] ^= 1
    assert native(almost).shape == almost.shape


def test_where_there_is_room_small_pictures_are_exact() -> None:
    shots = [Shot("a", "A", noise(40, 60), 0), Shot("b", "B", noise(1_200, 600), 1)]
    made, left_out = embed(shots, 5_000_000)
    assert left_out == []
    assert np.array_equal(opened(made[shots[0]].address), shots[0].pixels)
    assert (made[shots[0]].smaller, made[shots[0]].enlarge) == (False, True)
    assert (made[shots[1]].smaller, made[shots[1]].height, made[shots[1]].width) == (True, 1_000, 500)


def test_pictures_get_smaller_and_then_fewer_until_they_fit() -> None:
    shots = [Shot(str(rank), "", noise(900, 900, rank), rank) for rank in (3, 0, 2, 1)]
    whole, _ = embed(shots, 10**9)
    sizes = []
    for room in (2_000_000, 300_000, 100_000, 60_000, 30_000, 0):
        made, left_out = embed(shots, room)
        assert sum(len(one.address) + AROUND for one in made.values()) <= room
        # Those of the highest rank go first.
        assert sorted([*(shot.file for shot in made), *left_out]) == ["0", "1", "2", "3"]
        assert left_out == [str(rank) for rank in (3, 2, 1, 0)][: len(left_out)]
        sizes.append((len(made), max((one.width for one in made.values()), default=0)))
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[0] == (4, 420) or sizes[0][0] == 4
    assert sizes[-1] == (0, 0)
    assert {one.width for one in whole.values()} == {900}
    assert min(width for number, width in sizes if number) == LEVELS[-1][0]


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (None, "is missing"),
        (b"", "cannot be shown"),
        (png(noise(20, 20))[:-400], "cannot be shown"),
        (b"<svg onload=alert(1)>", "cannot be shown"),
    ],
)
def test_a_file_that_is_no_whole_picture_is_a_sentence(content: bytes | None, why: str, tmp_path: object) -> None:
    place = Place(str(tmp_path)) / "a.png"
    if content is not None:
        place.write_bytes(content)
    found = read_shot(place, "samples/a.png", "", 0)
    assert isinstance(found, str)
    assert found.startswith("samples/a.png ")
    assert why in found
    assert found.endswith("it is left out")


def test_a_picture_that_declares_too_many_pixels_is_not_decoded(tmp_path: object) -> None:
    place = Place(str(tmp_path)) / "bomb.png"
    file = io.BytesIO()
    Image.new("1", (20_000, 20_000)).save(file, "png")
    place.write_bytes(file.getvalue())
    assert "bomb.png cannot be shown" in str(read_shot(place, "bomb.png", "", 0))
