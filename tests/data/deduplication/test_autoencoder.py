from json import dumps, loads
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy

from dcgan_dist.data.deduplication.autoencoder import Autoencoder, fit, load
from dcgan_dist.data.deduplication.recipes import RECIPES, AutoencoderRecipe, DefaultRecipe, PaperRecipe
from dcgan_dist.errors import DataError
from dcgan_dist.storage import Place, place
from tests.data.deduplication.drawn import drawn

SMALL = [PaperRecipe(steps=2, seed=3), DefaultRecipe(units=16, views=((0.0, 1.5, 1.1),), flat_below=3.0)]


def fitted(recipe: AutoencoderRecipe) -> Autoencoder:
    return fit(drawn(60, seed=14), recipe, lambda share: None)


@pytest.mark.parametrize("recipe", SMALL)
def test_a_loaded_one_makes_the_same_codes(tmp_path: Path, recipe: AutoencoderRecipe) -> None:
    autoencoder, images = fitted(recipe), drawn(20, seed=15)
    images[3] = images[3] // 64 + 90  # flat for one of them
    file = place(str(tmp_path)) / "autoencoder.safetensors"
    autoencoder.save(file)
    loaded = load(file)
    assert loaded.recipe == recipe
    assert loaded.checksum == autoencoder.checksum
    assert (loaded.codes(images) == autoencoder.codes(images)).all()
    assert (loaded.views(images) == autoencoder.views(images)).all()


def test_the_recipe_is_part_of_the_checksum() -> None:
    images = drawn(20, seed=15)
    first, second = (fit(images, DefaultRecipe(radius=radius), lambda share: None) for radius in (3, 4))
    assert (first.codes(images) == second.codes(images)).all()
    assert first.checksum != second.checksum


def test_recipes_are_what_they_are_called() -> None:
    paper, default = fitted(PaperRecipe(steps=2)), fitted(RECIPES["default"])
    assert RECIPES["paper"].radius == 0
    assert paper.encoder.weights.shape == (1, 128, 3072)
    assert paper.views(drawn(2, seed=1)).shape == (2, 0, 16)
    assert default.views(drawn(2, seed=1)).shape == (2, len(default.recipe.views), 16)  # type: ignore[union-attr]


def test_no_images_are_one_sentence() -> None:
    for recipe in SMALL:
        with pytest.raises(DataError, match="there are no images to fit the autoencoder to"):
            fit(np.empty((0, 32, 32, 3), np.uint8), recipe, lambda share: None)


def rewritten(file: Place, array: str, change: object = None, **metadata: str) -> None:
    data = file.read_bytes()
    arrays = safetensors.numpy.load(data)
    whole = loads(data[8 : 8 + int.from_bytes(data[:8], "little")])["__metadata__"]
    about = {"autoencoder": dumps(loads(whole["autoencoder"]) | metadata)}
    if callable(change):
        arrays[array] = np.ascontiguousarray(change(arrays[array]))
    file.write_bytes(safetensors.numpy.save(arrays, about))


@pytest.mark.parametrize(
    ("array", "change", "metadata", "words"),
    [
        (
            "weights",
            lambda a: a[:, :, :700],
            {},
            r"weights is int16 \[2, 128, 700\] but .* int16 \[2, 128, 768\]",
        ),
        ("weights", lambda a: a[:1], {}, r"weights is int16 \[1, 128, 768\]"),
        ("weights", lambda a: a.astype(np.int32), {}, "weights is int32"),
        ("slopes", lambda a: a[:64], {}, r"slopes is float64 \[64\] but has to be float64 \[128\]"),
        ("weights", lambda a: a ^ (np.arange(768) == 5), {}, "its checksum is another"),
        ("offsets", lambda a: a + 1e-9, {}, "its checksum is another"),
        ("", None, {"recipe": '{"kind": "default", "radius": 3}'}, "has to be|its checksum is another"),
        ("", None, {"recipe": '{"kind": "other"}'}, "is damaged, or no autoencoder"),
        ("", None, {"recipe": '{"kind": "default", "units": 16, "years": 3}'}, "years"),
        ("", None, {"recipe": "[]"}, "is damaged, or no autoencoder"),
        ("", None, {"format": "dcgan-dist autoencoder 0"}, "needs to be 'dcgan-dist autoencoder 1'; fit one anew"),
    ],
)
def test_a_changed_file_is_refused(
    tmp_path: Path, array: str, change: object, metadata: dict[str, str], words: str
) -> None:
    file = place(str(tmp_path)) / "a.safetensors"
    fitted(SMALL[1]).save(file)
    rewritten(file, array, change, **metadata)
    with pytest.raises(DataError, match=words) as caught:
        load(file)
    assert str(file) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("keep", [0, 7, 100, 3000, -1])
def test_a_torn_file_is_refused(tmp_path: Path, keep: int) -> None:
    file = place(str(tmp_path)) / "a.safetensors"
    fitted(SMALL[1]).save(file)
    file.write_bytes(file.read_bytes()[:keep])
    with pytest.raises(DataError, match="is damaged, or no autoencoder"):
        load(file)


def test_what_is_none_at_all_is_refused(tmp_path: Path) -> None:
    file = place(str(tmp_path)) / "a.safetensors"
    file.write_bytes(b"PK\x03\x04 and so on, long enough for a header of some kind")
    with pytest.raises(DataError, match="is damaged, or no autoencoder"):
        load(file)
    with pytest.raises(DataError, match="does not exist"):
        load(file.parent / "b")
