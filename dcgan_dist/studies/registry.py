"""All studies of a generator, by name."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from dcgan_dist.studies.arithmetic import ArithmeticOptions, arithmetic
from dcgan_dist.studies.directions import DirectionsOptions, directions
from dcgan_dist.studies.features import FeaturesOptions, features
from dcgan_dist.studies.forget import ForgetOptions, forget
from dcgan_dist.studies.invert import InvertOptions, invert
from dcgan_dist.studies.options import StudyOptions
from dcgan_dist.studies.pick import PickOptions, pick
from dcgan_dist.studies.result import StudyResult
from dcgan_dist.studies.turn import TurnOptions, turn
from dcgan_dist.studies.walk import WalkOptions, walk


@dataclass(frozen=True)
class Study:
    """A study.

    Attributes:
        options: of its command.
        make: makes it, given the subject, the options, and somebody to tell what is being done.
        on_actors: whether it reads a whole data set by evaluators; `make` is then given what opens them, too.
    """

    options: type[StudyOptions]
    make: Callable[..., StudyResult]
    on_actors: bool = False


STUDIES: Mapping[str, Study] = {
    "walk": Study(WalkOptions, walk),
    "pick": Study(PickOptions, pick),
    "arithmetic": Study(ArithmeticOptions, arithmetic),
    "turn": Study(TurnOptions, turn),
    "directions": Study(DirectionsOptions, directions),
    "invert": Study(InvertOptions, invert),
    "forget": Study(ForgetOptions, forget),
    "features": Study(FeaturesOptions, features, on_actors=True),
}
