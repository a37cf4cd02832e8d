import numpy as np

from dcgan_dist.data.deduplication.corruption import corrupted
from tests.data.deduplication.drawn import drawn


def test_each_image_changes_in_its_own_way_and_stays_what_it_is() -> None:
    images = drawn(60, seed=5)
    changed = corrupted(images, np.random.default_rng(1), shift=0.7, zoom=0.03)
    assert changed.shape == images.shape
    assert changed.dtype == np.uint8
    away = np.abs(changed.astype(float) - images).mean((1, 2, 3))
    between = np.abs(images[1:].astype(float) - images[:-1]).mean((1, 2, 3))
    assert away.min() > 0
    assert away.max() < between.min() / 2


def test_shift_and_zoom_are_what_they_are_called() -> None:
    images = drawn(400, seed=6, coarse=4)

    def difference(shift: float, zoom: float) -> float:
        # Means of halves and of the rim: JPEG and noise hardly touch them, brightness falls out of their differences.
        changed = corrupted(images, np.random.default_rng(2), shift=shift, zoom=zoom).astype(float)
        inner = (changed - images)[:, 8:24, 8:24]
        return float(np.square(inner - inner.mean((1, 2, 3), keepdims=True)).mean())

    still = difference(0, 0)
    assert difference(2, 0) > 2 * still
    assert difference(0, 0.2) > 1.5 * still


def test_it_is_drawn_from_the_generator_alone_the_same_for_each_place() -> None:
    images = drawn(5, seed=7)
    together = corrupted(images, np.random.default_rng(3), shift=0.5, zoom=0.02)
    assert (together[:2] == corrupted(images[:2], np.random.default_rng(3), shift=0.5, zoom=0.02)).all()
    assert (together != corrupted(images, np.random.default_rng(4), shift=0.5, zoom=0.02)).any((1, 2, 3)).all()
