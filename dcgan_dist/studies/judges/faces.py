"""Says of samples of faces where they look, what they wear and who they are: a small network that learned from drawn
faces; no Ray."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from dcgan_dist.arrays import Pixels
from dcgan_dist.data.scenes import draw, face
from dcgan_dist.data.scenes.canvas import Color, distance
from dcgan_dist.data.scenes.faces import HAIRS, MOST_YAW_DEGREES, SKINS, Face
from dcgan_dist.studies.judges.learning import HELD_OUT, SEED, SIZE, convolution, learn, new, read

ATTRIBUTES: Final = ("smile", "glasses", "long_hair", "bald")
"""As the truth names them."""

_SCENES, _EPOCHS, _LR, _WIDTH = 10_000, 6, 5e-3, 24
_YAW: Final = slice(0, 1)
_ATTRIBUTES: Final = slice(1, 1 + len(ATTRIBUTES))
_SKIN: Final = slice(_ATTRIBUTES.stop, _ATTRIBUTES.stop + len(SKINS))
_HAIR: Final = slice(_SKIN.stop, _SKIN.stop + len(HAIRS))
_NO_HAIR: Final = -1
"""In place of the color of the hair of who is bald."""


@dataclass(frozen=True, eq=False)
class FacesSeen:
    """What is seen on pictures of faces.

    Attributes:
        yaw: float64 [n], degrees: negative where the face looks to the left of the picture.
        attributes: bool [n, ATTRIBUTES].
        skin: int64 [n]: number of its color in `SKINS`.
        hair: int64 [n]: number of its color in `HAIRS`; of no use where somebody is bald.
    """

    yaw: NDArray[np.float64]
    attributes: NDArray[np.bool_]
    skin: NDArray[np.int64]
    hair: NDArray[np.int64]

    def has(self, attribute: str) -> NDArray[np.bool_]:
        """Which of the faces have it: bool [n]."""
        return self.attributes[:, ATTRIBUTES.index(attribute)]


@dataclass(frozen=True, eq=False)
class FaceJudge:
    """Sees what faces show; make one with `learn`."""

    network: nn.Module

    @classmethod
    def untrained(cls, seed: int = SEED) -> Self:
        """With initial weights."""
        return cls(new(_network, seed))

    @classmethod
    def learn(cls, scenes: int = _SCENES, epochs: int = _EPOCHS, seed: int = SEED) -> Self:
        """Draw so many faces, and learn from them."""
        images, true = _drawn(scenes, seed)
        yaw = torch.from_numpy(true.yaw / MOST_YAW_DEGREES).float()
        attributes, skin, hair = (torch.from_numpy(one) for one in (true.attributes, true.skin, true.hair))

        def loss(network: nn.Module, pixels: Tensor, rows: Tensor) -> Tensor:
            out = network(pixels)
            return (
                5 * F.mse_loss(out[:, _YAW].squeeze(1), yaw[rows])
                + F.binary_cross_entropy_with_logits(out[:, _ATTRIBUTES], attributes[rows].float())
                + 0.3 * F.cross_entropy(out[:, _SKIN], skin[rows])
                + 0.3 * F.cross_entropy(out[:, _HAIR], hair[rows], ignore_index=_NO_HAIR)
            )

        return cls(learn(new(_network, seed), images, loss, epochs=epochs, lr=_LR, seed=seed))

    def see(self, images: Pixels) -> FacesSeen:
        """uint8 [n, S, S, 3], S at least 32."""
        (out,) = read(self.network, images)
        yaw = (out[:, 0].double() * MOST_YAW_DEGREES).numpy()
        skin, hair = (out[:, where].argmax(1).numpy() for where in (_SKIN, _HAIR))
        return FacesSeen(yaw, (out[:, _ATTRIBUTES] > 0).numpy(), skin, hair)

    def tested(self, scenes: int = 1_000, seed: int = HELD_OUT) -> dict[str, Any]:
        """How well it does on faces that it did not learn from.

        By name of an attribute, and for the colors of skin and hair, the share of right answers; of the yaw, the
        correlation with the true one and the mean error in degrees.
        """
        images, true = _drawn(scenes, seed)
        seen, hairy = self.see(images), true.hair != _NO_HAIR
        right = dict(zip(ATTRIBUTES, (seen.attributes == true.attributes).mean(0).tolist(), strict=True))
        right["skin"] = float((seen.skin == true.skin).mean())
        right["hair"] = float((seen.hair == true.hair)[hairy].mean())
        return {
            "scenes": scenes,
            "right": right,
            "yaw_correlation": float(np.corrcoef(seen.yaw, true.yaw)[0, 1]),
            "yaw_error_degrees": float(np.abs(seen.yaw - true.yaw).mean()),
        }


def _drawn(number: int, seed: int) -> tuple[Pixels, FacesSeen]:
    """Faces, uint8 [n, SIZE, SIZE, 3], and the truth about them."""
    images = np.stack([draw("faces", SIZE, seed, index).image for index in range(number)])
    return images, _true([face(seed, index) for index in range(number)])


def _true(faces: list[Face]) -> FacesSeen:
    attributes = [(one.smile, one.glasses, one.hair == "long", one.hair == "bald") for one in faces]
    hair = [_NO_HAIR if one.hair == "bald" else _nearest(one.hair_color, HAIRS) for one in faces]
    yaw, skin = [one.yaw_degrees for one in faces], [_nearest(one.skin, SKINS) for one in faces]
    return FacesSeen(np.array(yaw), np.array(attributes), np.array(skin), np.array(hair))


def _nearest(color: Color, palette: Sequence[Color]) -> int:
    """Number of the color of a palette that was varied a little."""
    return min(range(len(palette)), key=lambda number: distance(color, palette[number]))


def _network() -> nn.Module:
    width = _WIDTH
    return nn.Sequential(
        convolution(3, width, 2),
        convolution(width, 2 * width, 2),
        convolution(2 * width, 4 * width),
        convolution(4 * width, 4 * width, 2),
        nn.Flatten(),
        nn.Linear(4 * width * (SIZE // 8) ** 2, 128),
        nn.ReLU(),
        nn.Linear(128, _HAIR.stop),
    )
