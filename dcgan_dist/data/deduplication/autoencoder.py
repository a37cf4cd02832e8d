"""The autoencoder whose codes find near duplicates (paper, section 4.1): fitted, applied, stored as a file."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass

import numpy as np
import safetensors.numpy
from numpy.typing import NDArray
from safetensors import SafetensorError

from dcgan_dist.arrays import Pixels
from dcgan_dist.data.deduplication.encoder import BITS, SIDE, Codes, Encoder
from dcgan_dist.data.deduplication.linear_autoencoder import POOLED, fit_linear
from dcgan_dist.data.deduplication.paper_autoencoder import fit_paper
from dcgan_dist.data.deduplication.recipes import AutoencoderRecipe, DefaultRecipe, PaperRecipe
from dcgan_dist.errors import DataError
from dcgan_dist.storage import Place

FORMAT = "dcgan-dist autoencoder 1"
_ABOUT = "autoencoder"

_KINDS: dict[str, type[PaperRecipe] | type[DefaultRecipe]] = {"paper": PaperRecipe, "default": DefaultRecipe}


@dataclass(frozen=True)
class Autoencoder:
    """A fitted one. Its codes are whole-number arithmetic: the same bits on any machine, in batches of any size.

    Attributes:
        recipe: what it was made by.
        encoder: its half that makes codes.
    """

    recipe: AutoencoderRecipe
    encoder: Encoder

    def codes(self, thumbnails: Pixels) -> Codes:
        """uint8 [n, 32, 32, 3] -> uint8 [n, 16]."""
        return self.encoder.codes(thumbnails)

    def views(self, thumbnails: Pixels) -> Codes:
        """uint8 [n, 32, 32, 3] -> uint8 [n, V, 16]: what is looked up among the codes besides an image's own code.

        A pair is a candidate if a view of *either* is near the code of the other: between two sets, both have to be
        looked up in each other. V is 0 for the paper's recipe.
        """
        return self.encoder.views(thumbnails)

    @property
    def views_each(self) -> int:
        """V: how many views each image has."""
        return len(self.encoder.weights) - 1

    @property
    def checksum(self) -> str:
        """SHA-256 of the recipe and of all that codes are computed from, in hexadecimal."""
        digest = hashlib.sha256(_recipe_text(self.recipe).encode())
        for name, array in sorted(self._arrays().items()):
            digest.update(f"{name} {array.dtype.str} {array.shape}".encode() + array.tobytes())
        return digest.hexdigest()

    def save(self, place: Place) -> None:
        """Write it as a safetensors file."""
        about = {"format": FORMAT, "recipe": _recipe_text(self.recipe), "sha256": self.checksum}
        # One entry: safetensors writes several in any order, and the same autoencoder shall be the same bytes.
        place.write_bytes(safetensors.numpy.save(self._arrays(), {_ABOUT: json.dumps(about)}))

    def _arrays(self) -> dict[str, NDArray[np.generic]]:
        encoder = self.encoder
        return {"weights": encoder.weights, "slopes": encoder.slopes, "offsets": encoder.offsets}


def fit(thumbnails: Pixels, recipe: AutoencoderRecipe, progress: Callable[[float], None]) -> Autoencoder:
    """Fit an autoencoder to all of some thumbnails; `recipe.sample` says how many it wishes for.

    The same thumbnails in the same order give the same one, with any number of threads, but on another machine, or
    with another PyTorch or NumPy, the last digits may differ: what codes are compared with has to be coded by the
    same file.

    Args:
        thumbnails: uint8 [n, 32, 32, 3].
        recipe: the numbers.
        progress: told the share that is done, from 0 to 1.

    Raises:
        DataError: there are no thumbnails.
    """
    if not len(thumbnails):
        raise DataError("there are no images to fit the autoencoder to")
    if isinstance(recipe, PaperRecipe):
        return Autoencoder(recipe, fit_paper(thumbnails, recipe, progress))
    encoder = fit_linear(thumbnails, recipe)
    progress(1.0)
    return Autoencoder(recipe, encoder)


def load(place: Place) -> Autoencoder:
    """What `Autoencoder.save` wrote; raises `DataError` where it is something else, damaged, or of another size."""
    data = place.read_bytes()
    try:
        arrays = safetensors.numpy.load(data)
        header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
        metadata = json.loads(header.get("__metadata__", {}).get(_ABOUT, "{}"))
        if metadata.get("format") != FORMAT:
            raise DataError(
                f"{place} is no autoencoder that this version of dcgan-dist wrote: its format is "
                f"{metadata.get('format')!r} but needs to be {FORMAT!r}; fit one anew"
            )
        recipe = _recipe(metadata["recipe"])
        flat_below = recipe.flat_below if isinstance(recipe, DefaultRecipe) else 0.0
        autoencoder = Autoencoder(recipe, Encoder(**arrays, flat_below=flat_below))
        _check_shapes(autoencoder)
        if autoencoder.checksum != metadata["sha256"]:
            raise ValueError("its checksum is another")
    except (SafetensorError, ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        reason = " ".join(str(error).split())
        raise DataError(f"{place} is damaged, or no autoencoder ({reason}): copy it again, or fit one anew") from error
    return autoencoder


def _check_shapes(autoencoder: Autoencoder) -> None:
    recipe, encoder = autoencoder.recipe, autoencoder.encoder
    if isinstance(recipe, DefaultRecipe):
        shape: tuple[int, ...] = (1 + len(recipe.views), BITS, POOLED)
    else:
        shape = (1, BITS, SIDE * SIDE * 3)
    expected = {"weights": (np.int16, shape), "slopes": (np.float64, (BITS,)), "offsets": (np.float64, (BITS,))}
    for name, (kind, size) in expected.items():
        array = getattr(encoder, name)
        if array.dtype != kind or array.shape != size:
            raise ValueError(f"{name} is {array.dtype} {list(array.shape)} but has to be {kind.__name__} {list(size)}")


def _recipe_text(recipe: AutoencoderRecipe) -> str:
    kind = "paper" if isinstance(recipe, PaperRecipe) else "default"
    return json.dumps({"kind": kind, **asdict(recipe)}, sort_keys=True)


def _recipe(text: str) -> AutoencoderRecipe:
    fields = json.loads(text)
    kind = _KINDS[fields.pop("kind")]
    if "views" in fields:
        fields["views"] = tuple(tuple(view) for view in fields["views"])
    return kind(**fields)
