"""Judges of a run's samples, kept beside the scenes that the run drew: to learn takes two minutes of a core; no Ray."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import safetensors.torch
from safetensors import SafetensorError

from dcgan_dist.data.scenes import Kind
from dcgan_dist.data.scenes.builtin import EMBEDDED
from dcgan_dist.errors import DataError
from dcgan_dist.storage import MissingFile, Place
from dcgan_dist.studies.judges.faces import FaceJudge
from dcgan_dist.studies.judges.learning import SIZE
from dcgan_dist.studies.judges.rooms import RoomJudge
from dcgan_dist.studies.result import sha256_of
from dcgan_dist.studies.subject import Subject

VERSION: Final = 1
"""Raised when judges learn in another way, so that a file of before is not taken for one of now."""

Judges = type[RoomJudge] | type[FaceJudge]
_CLASSES: Final[Mapping[Kind, Judges]] = {"rooms": RoomJudge, "faces": FaceJudge}


@dataclass(frozen=True, eq=False)
class Judged:
    """A judge, and how good it is.

    Attributes:
        judge: itself.
        tested: what its `tested` said after it had learned.
    """

    judge: RoomJudge | FaceJudge
    tested: dict[str, Any]

    @property
    def sha256(self) -> str:
        """Tells it from others: of its weights."""
        return sha256_of(self.judge.network)


def judge_of(
    subject: Subject,
    say: Callable[[str], None],
    *,
    only: Kind | None = None,
    check: Callable[[Judges], object] = lambda judge: None,
) -> Judged | None:
    """The judge of what a run draws; None where it is not known that it draws scenes, or they are too small for one.

    Args:
        subject: the run.
        say: is told that a judge learns.
        only: the kind of scenes whose judge is of use; None: any.
        check: is given the class of the judge before one learns, which takes a while, and raises what is wrong with
            what was asked for.
    """
    if subject.run is None or subject.checkpoint is None:
        return None
    data = subject.checkpoint.settings.data
    if data.path != EMBEDDED or only not in (None, data.scenes) or subject.about.networks.image_size < SIZE:
        return None
    check(_CLASSES[data.scenes])
    return load_or_learn(data.scenes, subject.run.parent / "data", say)


def load_or_learn(kind: Kind, folder: Place, say: Callable[[str], None]) -> Judged:
    """The judge of one kind of scenes that lies in a folder; it learns, and is put there, where there is none.

    Where nothing can be written, as beside the runs of somebody else, it is told, and the next study learns again.

    Raises:
        DataError: the file is damaged.
    """
    file = folder / f"judge-{kind}-v{VERSION}.safetensors"
    judged = _CLASSES[kind]
    try:
        return _load(judged, file)
    except MissingFile:
        say(f"learning to judge {kind}, once: some two minutes")
    judge = judged.learn()
    tested = judge.tested()
    content = safetensors.torch.save(judge.network.state_dict(), {"tested": json.dumps(tested)})
    try:
        file.write_bytes(content)
    except DataError as error:
        say(f"the judge is not kept for other studies: {error}")
    return Judged(judge, tested)


def _load(judged: Judges, file: Place) -> Judged:
    content = file.read_bytes()
    judge = judged.untrained()
    try:
        judge.network.load_state_dict(safetensors.torch.load(content))
        size = int.from_bytes(content[:8], "little")
        tested = json.loads(json.loads(content[8 : 8 + size])["__metadata__"]["tested"])
    except (SafetensorError, RuntimeError, KeyError, ValueError) as error:
        raise DataError(f"{file} is damaged ({type(error).__name__}): delete it, and it is made again") from error
    judge.network.eval()
    return Judged(judge, tested)
