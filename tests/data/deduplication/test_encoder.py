import numpy as np
import pytest

from dcgan_dist.data.deduplication.encoder import BITS, Encoder, is_flat, spreads, values
from tests.data.deduplication.drawn import distances, drawn


def an_encoder(size: int = 768, views: int = 2, flat_below: float = 0.0, extreme: bool = False) -> Encoder:
    random = np.random.default_rng(4)
    weights = random.integers(-32767, 32768, (1 + views, BITS, size), np.int16)
    if extreme:
        weights = np.where(weights > 0, np.int16(32767), np.int16(-32767))
    return Encoder(weights, random.normal(0, 3, BITS), random.normal(0, 3, BITS), flat_below)


def by_python(encoder: Encoder, thumbnail: np.ndarray, view: int) -> np.ndarray:
    """The same bits from whole numbers of any size."""
    x = [int(value) for value in values(thumbnail[None], encoder.weights.shape[2])[0]]
    spread = float(np.sqrt(float(len(x) * sum(v * v for v in x) - sum(x) ** 2)))
    bits = [
        sum(int(w) * v for w, v in zip(row, x, strict=True)) > spread * slope + offset
        for row, slope, offset in zip(encoder.weights[view], encoder.slopes, encoder.offsets, strict=True)
    ]
    return np.packbits(bits)


@pytest.mark.parametrize("size", [768, 3072])
@pytest.mark.parametrize("extreme", [False, True])
def test_codes_are_those_of_whole_numbers_of_any_size(size: int, extreme: bool) -> None:
    encoder = an_encoder(size, extreme=extreme)
    thumbnails = drawn(3, seed=1)
    thumbnails[2] = np.where(thumbnails[2] > 127, 255, 0)
    codes, views = encoder.codes(thumbnails), encoder.views(thumbnails)
    for row, thumbnail in enumerate(thumbnails):
        assert (codes[row] == by_python(encoder, thumbnail, 0)).all()
        assert (views[row, 0] == by_python(encoder, thumbnail, 1)).all()
        assert (views[row, 1] == by_python(encoder, thumbnail, 2)).all()


def test_a_projection_on_its_threshold_is_0_wherever_its_terms_come_from() -> None:
    # Terms that cancel to nothing: the order of floating-point sums would leave a rest of either sign.
    weights = np.zeros((1, BITS, 3072), np.int16)
    weights[0, :, :1536], weights[0, :, 1536:] = 32767, -32767
    half = drawn(8, seed=2)[:, :16]
    mirrored = np.concatenate([half, half[:, ::-1]], axis=1)
    encoder = Encoder(weights, np.zeros(BITS), np.zeros(BITS), 0.0)
    assert not encoder.codes(mirrored).any()
    mirrored[:, 0, 0, 0] ^= 1
    up = mirrored[:, 0, 0, 0] % 2 > half[:, 0, 0, 0] % 2
    assert (encoder.codes(mirrored) == np.where(up, 255, 0)[:, None]).all()


def test_codes_do_not_depend_on_how_many_are_coded_together() -> None:
    encoder = an_encoder(flat_below=2.0)
    thumbnails = np.concatenate([drawn(1100, seed=3), np.full((2, 32, 32, 3), 250, np.uint8)])
    one_by_one = np.concatenate([encoder.codes(thumbnails[row : row + 1]) for row in range(1000, 1102)])
    assert (encoder.codes(thumbnails)[1000:] == one_by_one).all()
    assert encoder.codes(thumbnails[:0]).shape == (0, 16)
    assert encoder.views(thumbnails[:0]).shape == (0, 2, 16)
    assert an_encoder(views=0).views(thumbnails[:3]).shape == (3, 0, 16)


def test_flat_images_are_near_nothing_but_themselves() -> None:
    encoder = an_encoder(flat_below=2.0)
    flat = np.stack([np.full((32, 32, 3), level, np.uint8) for level in (0, 128, 254, 255)])
    noisy = flat[2:3] + (np.random.default_rng(0).random((1, 32, 32, 3)) < 0.3).astype(np.uint8)
    codes = encoder.codes(np.concatenate([flat, noisy, flat[3:]]))
    between = distances(codes[:, None], codes[None])
    assert between[3, 5] == 0
    assert between[:5, :5][~np.eye(5, dtype=bool)].min() > 32
    assert (encoder.views(flat) == encoder.codes(flat)[:, None]).all()
    assert not distances(*an_encoder(flat_below=0.0, size=3072).codes(flat[:1].repeat(2, 0)))


@pytest.mark.parametrize("size", [768, 3072])
def test_spread_is_the_standard_deviation_in_gray_levels(size: int) -> None:
    thumbnail = np.full((1, 32, 32, 3), 100, np.uint8)
    thumbnail[:, :, :16] += 6  # standard deviation 3
    x = values(thumbnail, size)
    assert spreads(x) == pytest.approx(3 * size * 3072 / size)
    assert not is_flat(x, 2.9).any()
    assert is_flat(x, 3.1).all()


def test_sums_of_2_x_2_pixels_stay_in_their_place() -> None:
    thumbnail = np.zeros((1, 32, 32, 3), np.uint8)
    thumbnail[0, 4:6, 10:12, 1] = [[1, 2], [4, 8]]
    pooled = values(thumbnail, 768).reshape(16, 16, 3)
    assert pooled[2, 5].tolist() == [0, 15, 0]
    assert pooled.sum() == 15
    assert (values(thumbnail, 3072).reshape(32, 32, 3) == thumbnail[0]).all()
