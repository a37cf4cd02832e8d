"""What judges of all kinds of scenes see, in one form: attributes that a picture has or has not; no Ray."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from dcgan_dist.arrays import Pixels
from dcgan_dist.studies.judges.faces import ATTRIBUTES, FaceJudge
from dcgan_dist.studies.judges.rooms import OBJECTS, STATES, RoomJudge

Attributes = Mapping[str, NDArray[np.bool_]]
"""By name of an attribute, which of n pictures have it: bool [n]."""


def names_of(judge: type[RoomJudge] | type[FaceJudge]) -> tuple[str, ...]:
    """The attributes that judges of a class know."""
    return ATTRIBUTES if issubclass(judge, FaceJudge) else (*OBJECTS, *STATES)


def attributes_of(judge: RoomJudge | FaceJudge, images: Pixels) -> Attributes:
    """Which of the images, uint8 [n, S, S, 3], have which attributes."""
    if isinstance(judge, FaceJudge):
        columns = judge.see(images).attributes
    else:
        seen = judge.see(images)
        columns = np.concatenate([seen.present, seen.states], axis=1)
    return dict(zip(names_of(type(judge)), columns.T, strict=True))
