import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dcgan_dist.data.deduplication.corruption import corrupted
from dcgan_dist.data.deduplication.encoder import BITS
from dcgan_dist.data.deduplication.linear_autoencoder import fit_linear, standardized
from dcgan_dist.data.deduplication.recipes import DefaultRecipe
from tests.data.deduplication.drawn import distances, drawn

RECIPE = DefaultRecipe(units=24)


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    return drawn(600, seed=8)


def test_brightness_and_contrast_leave_codes_as_they_are(images: np.ndarray) -> None:
    encoder = fit_linear(images, RECIPE)
    dim = images[:50] // 4 * 2 + 20  # half the contrast of images whose values are multiples of 4
    assert distances(encoder.codes(images[:50] // 4 * 4), encoder.codes(dim)).max() <= 1


def test_copies_are_near_and_other_images_far(images: np.ndarray) -> None:
    encoder = fit_linear(images[:400], RECIPE)
    others = images[400:]
    copies = corrupted(others, np.random.default_rng(9), shift=0.5, zoom=0.02)
    assert np.mean(distances(encoder.codes(others), encoder.codes(copies)) <= RECIPE.radius) > 0.9
    assert distances(encoder.codes(others[1:]), encoder.codes(others[:-1])).min() > 2 * RECIPE.radius


@pytest.mark.parametrize("view", range(len(RECIPE.views)))
def test_a_view_is_the_code_of_the_moved_image(images: np.ndarray, view: int) -> None:
    encoder = fit_linear(images, RECIPE)
    down, right, scale = RECIPE.views[view]
    side = 32 / scale
    moved = []
    for image in images[:80]:
        padded = Image.fromarray(np.pad(image, ((4, 4), (4, 4), (0, 0)), mode="edge"))
        left, top = 20 - side / 2 - right, 20 - side / 2 - down
        box = (left, top, left + side, top + side)
        moved.append(np.asarray(padded.resize((32, 32), Image.Resampling.BILINEAR, box=box)))
    moved_codes = encoder.codes(np.stack(moved))
    views = encoder.views(images[:80])
    near = distances(views[:, view], moved_codes)
    assert near.mean() < 5
    for other in (views[:, each] for each in range(len(RECIPE.views)) if each != view):
        assert near.mean() < distances(other, moved_codes).mean() / 1.5


def test_bits_are_balanced_and_differ(images: np.ndarray) -> None:
    bits = np.unpackbits(fit_linear(images, RECIPE).codes(images), axis=1)
    assert np.abs(bits.mean(0) - 0.5).max() < 0.02
    correlation = np.corrcoef(bits.T)
    assert np.abs(correlation[~np.eye(BITS, dtype=bool)]).max() < 0.95


def test_whitening_shares_what_units_say(images: np.ndarray) -> None:
    def spread(whitening: float) -> float:
        encoder = fit_linear(images, replace(RECIPE, whitening=whitening))
        sizes = np.linalg.svd(standardized(images) @ encoder.weights[0].T.astype(float), compute_uv=False)
        return float(sizes[0] / sizes[RECIPE.units - 1])

    assert spread(1) < spread(0.5) < spread(0)


def test_it_is_a_function_of_images_and_seed(images: np.ndarray) -> None:
    first, second = (fit_linear(images[:100], RECIPE) for _ in range(2))
    assert (first.weights == second.weights).all()
    assert (first.slopes == second.slopes).all()
    assert (first.weights != fit_linear(images[:100], replace(RECIPE, seed=1)).weights).mean() > 0.9


@pytest.mark.parametrize("number", [0, 1, 2, 7])
def test_few_images_are_enough_to_tell_them_apart(images: np.ndarray, number: int) -> None:
    encoder = fit_linear(np.concatenate([images[:number], np.full((3, 32, 32, 3), 77, np.uint8)]), RECIPE)
    codes = encoder.codes(images[:60])
    between = distances(codes[:, None], codes[None])
    assert between[~np.eye(60, dtype=bool)].min() > 5


def test_equal_images_are_enough(images: np.ndarray) -> None:
    encoder = fit_linear(images[:1].repeat(9, axis=0), RECIPE)
    assert len(np.unique(encoder.codes(images[:60]), axis=0)) == 60


@pytest.mark.parametrize("threads", ["1", "2"])
def test_it_is_the_same_for_any_number_of_threads(images: np.ndarray, threads: str, tmp_path: Path) -> None:
    # In a process of its own: NumPy's threads are counted when it is imported.
    np.save(tmp_path / "images.npy", images)
    script = (
        "import sys, numpy as np;"
        "from dcgan_dist.data.deduplication.linear_autoencoder import fit_linear;"
        "from dcgan_dist.data.deduplication.recipes import DefaultRecipe;"
        "e = fit_linear(np.load(sys.argv[1] + '/images.npy'), DefaultRecipe(units=24));"
        "np.savez(sys.argv[1] + '/e.npz', weights=e.weights, slopes=e.slopes)"
    )
    environment = os.environ | {"OMP_NUM_THREADS": threads, "OPENBLAS_NUM_THREADS": threads}
    subprocess.run([sys.executable, "-c", script, str(tmp_path)], check=True, env=environment)
    found, here = np.load(tmp_path / "e.npz"), fit_linear(images, RECIPE)
    assert (found["weights"] == here.weights).all()
    assert (found["slopes"] == here.slopes).all()
