"""Which features samples and images are compared by; their name is in the name of every measure.

To add some, write an encoder that needs no labels, and open it here.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from dcgan_dist.errors import SettingsError
from dcgan_dist.evaluation.encoders import efficientnet, inception
from dcgan_dist.evaluation.encoders.discriminator import of_discriminator
from dcgan_dist.evaluation.encoders.encoder import Encoder
from dcgan_dist.evaluation.encoders.pooled import pooled
from dcgan_dist.run_folder.checkpoint import Checkpoint, folder, load_checkpoint, named_checkpoint
from dcgan_dist.run_folder.naming import NamedRun, find_run

OWN = "own_discriminator"
"""Features of the discriminator in the checkpoint whose generator draws."""
CHOICES = f"{efficientnet.NAME}|{OWN}|discriminator=RUN|{inception.NAME}=FILE"
MOST_NUMBERS = 2_048
"""Numbers that may describe an image: covariances of more take gigabytes."""
OWN_NOTE = (
    "features of the run's own discriminator are others in each run and at each checkpoint: these numbers cannot be "
    "compared with any others"
)


@dataclass(frozen=True, eq=False)
class ComparedBy:
    """Features that sets are compared by.

    Attributes:
        name: in the names of measures.
        encoder: that makes them; None: that of the checkpoint, see `of`.
        weights_sha256: of a fixed discriminator, for the record; empty for others, whose recipe has it.
    """

    name: str
    encoder: Encoder | None
    weights_sha256: str = ""

    @property
    def notes(self) -> tuple[str, ...]:
        """Lines about what is doubtful in them."""
        return (OWN_NOTE,) if self.encoder is None else ()

    def of(self, checkpoint: Checkpoint) -> Encoder:
        """The encoder for a checkpoint whose generator draws; raises `SettingsError` where its D has no features."""
        return _pooled(checkpoint) if self.encoder is None else self.encoder

    def recipe(self, encoder: Encoder) -> dict[str, Any]:
        """What distinguishes these features from others, for the record."""
        weights = {"weights_sha256": self.weights_sha256} if self.weights_sha256 else {}
        return {"name": self.name, **encoder.recipe, **weights}


def named(text: str) -> tuple[str, str]:
    """What comes before and after `=` in the name of features; raises `SettingsError` where it is none of `CHOICES`."""
    kind, _, where = (side.strip() for side in text.partition("="))
    if kind in (efficientnet.NAME, OWN) and "=" not in text:
        return kind, ""
    if kind in ("discriminator", inception.NAME) and where:
        return kind, where
    raise SettingsError(f"fidelity_features is {text!r} but needs to be one of {CHOICES.replace('|', ', ')}")


def name_of(text: str, storage: str) -> str:
    """The name in measures of the features that `open_features` opens; raises as that."""
    kind, where = named(text)
    if kind != "discriminator":
        return kind
    found = find_run(where, storage)
    return _of_run(found, load_checkpoint(found.place, found.checkpoint))


def absolute(text: str, storage: str) -> str:
    """The same features, as they are found from any folder and storage; raises as `open_features`."""
    kind, where = named(text)
    if kind == inception.NAME:
        return f"{kind}={Path(where).expanduser().absolute()}"
    if kind != "discriminator":
        return text
    found = find_run(where, storage)
    return f"{kind}={folder(found.place) / load_checkpoint(found.place, found.checkpoint).name}"


def _of_run(found: NamedRun, checkpoint: Checkpoint) -> str:
    return f"discriminator-{found.place.name}-{checkpoint.name}"


def open_features(text: str, size: int, storage: str, *, trust_code: bool = False) -> ComparedBy:
    """The features of a name.

    Args:
        text: one of `CHOICES`.
        size: height and width of the images.
        storage: where runs are that are given by name.
        trust_code: whether another run's own networks may be imported.

    Raises:
        SettingsError: there are none of that name, they are of images of another size, or what they need is not there.
        CheckpointError: there is no such run.
    """
    kind, where = named(text)
    if kind == OWN:
        return ComparedBy(OWN, None)
    if kind == efficientnet.NAME:
        return ComparedBy(kind, efficientnet.load_efficientnet())
    if kind == inception.NAME:
        return ComparedBy(kind, inception.load_inception(Path(where).expanduser()))
    found = find_run(where, storage)
    checkpoint = named_checkpoint(found.place, found.choose(""), trust_code=trust_code)
    theirs = checkpoint.settings.networks.image_size
    if theirs != size:
        raise SettingsError(
            f"fidelity_features is {text}, a run of {theirs} x {theirs} pixels, but the images have {size} x {size}: "
            "give a run of that size"
        )
    weights = _sha256(checkpoint.state["discriminator"])
    return ComparedBy(_of_run(found, checkpoint), _pooled(checkpoint), weights)


def _pooled(checkpoint: Checkpoint) -> Encoder:
    encoder = pooled(of_discriminator(checkpoint))
    numbers = sum(maps for maps, _ in encoder.maps)
    if numbers > MOST_NUMBERS:
        raise SettingsError(
            f"the discriminator of checkpoint {checkpoint.name} has {numbers:,} maps, more than the {MOST_NUMBERS:,} "
            f"that samples can be compared by: give --fidelity-features {efficientnet.NAME}"
        )
    return encoder


def _sha256(weights: Mapping[str, Tensor]) -> str:
    digest = hashlib.sha256()
    for name in sorted(weights):
        digest.update(name.encode() + weights[name].detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()
