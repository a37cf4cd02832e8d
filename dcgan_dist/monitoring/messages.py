"""Messages from workers to the driver: plain dictionaries with a `kind`, and a bounded buffer for them.

Dictionaries and not dataclasses, so that a worker writes a literal and pickle carries no class. Values are Python's own
numbers and strings; only pictures hold an array. No Ray here.
"""

from collections.abc import Iterable
from typing import Literal, TypedDict

import numpy as np
import numpy.typing as npt

BUFFER_BYTES = 64 << 20
"""Room of a buffer: some 65,000 points of curves, over seven hours at 2.5 points a second."""


class WorkerInfo(TypedDict):
    """Where one worker runs. `device` is for people: `cpu, 2 threads`, `cuda, NVIDIA L4`."""

    rank: int
    node: str
    """As Ray calls it, in hexadecimal."""
    host: str
    device: str


class Started(TypedDict):
    """An attempt has begun: its first message, sent by rank 0 when the group is complete."""

    kind: Literal["started"]
    attempt: int
    """Its number in `attempts/`, larger than that of every attempt before."""
    step: int
    """Steps done before this attempt; 0 in a new run."""
    images: int
    """Images seen before this attempt, which is the position in the sequence."""
    checkpoint: str | None
    """Name of the checkpoint it goes on from; None: from the start."""
    workers: list[WorkerInfo]
    """In rank order."""


class Scalars(TypedDict):
    """A point of the curves: means over the steps since the point before. Rank 0 alone sends them."""

    kind: Literal["scalars"]
    attempt: int
    step: int
    images: int
    values: dict[str, float]
    """By metric name, for example `loss/discriminator`."""


class Pictures(TypedDict):
    """Generated images, to be laid out as one picture: a grid of `samples`, a strip of a `walk`."""

    kind: Literal["pictures"]
    name: Literal["samples", "walk"]
    step: int
    images: int
    generator: Literal["averaged", "raw"]
    """Which one drew them (generate.py)."""
    array: npt.NDArray[np.uint8]
    """uint8 [n, S, S, 3]."""
    columns: int | None
    """Of a grid; None: as many as rows."""


class Event(TypedDict):
    """Something a person should read, in one line."""

    kind: Literal["event"]
    text: str
    step: int
    images: int


class BadImages(TypedDict):
    """Images that could not be decoded and were replaced; every rank sends its own."""

    kind: Literal["bad_images"]
    samples: list[int]
    """Their numbers in the data set; one that was reported before is not counted again."""
    step: int
    images: int


class CheckpointWritten(TypedDict):
    """A checkpoint is complete."""

    kind: Literal["checkpoint"]
    name: str
    step: int
    images: int
    seconds: float
    """From the copy of the state to the manifest."""


class Dropped(TypedDict):
    """What a full buffer dropped; made by the buffer itself."""

    kind: Literal["dropped"]
    scalars: int
    others: int


class Vitals(TypedDict):
    """Load of a rank and its machine. None: not available on this system."""

    age_s: float
    """Since the rank began."""
    stages_s: dict[str, float]
    """How much of it the loop was in `data` (waiting for it), `step` and `checkpoint`."""
    busy_s: float | None
    """How much of it the rank's own thread computed, or waited for a processor; the rest of the time it slept."""
    ready_s: float | None
    """How much of that it waited for a processor."""
    memory: int | None
    """Bytes of its own, without the object store."""
    machine_memory: float | None
    """Share of the machine's memory that is in use."""
    gpu_memory: float | None
    """Share of its GPU's memory that is in use; None also without a GPU."""


class Heartbeat(TypedDict):
    """Where a rank is. No message: the mailbox keeps the newest heartbeat of each rank."""

    attempt: int
    rank: int
    host: str
    stage: Literal["start", "checkpoint", "data", "forward", "all-reduce", "done"]
    step: int
    """The step that is under way: how many steps of the run are done."""
    stage_s: float
    """How long it has been in this stage of this step; forward and all-reduce are one in this."""
    vitals: Vitals


class Request(TypedDict):
    """What the driver requests of the workers."""

    stop: str | None
    """Why the run is to stop with a checkpoint; None while it is to go on."""
    abandon: int | None
    """Number of an attempt whose processes are to exit at once."""


Message = Started | Scalars | Pictures | Event | BadImages | CheckpointWritten | Dropped


def _size_bytes(message: Message) -> int:
    # 1 KiB is about what a pickled point weighs with its dictionary; only arrays differ from that by much.
    return 1024 + (message["array"].nbytes if message["kind"] == "pictures" else 0)


def _dropping_rank(message: Message) -> int:
    return {"scalars": 0, "pictures": 1}.get(message["kind"], 2)


class MessageBuffer:
    """Keeps messages in order until they are fetched, in bounded memory.

    When it is full, the oldest numbers go first, then the oldest pictures, and only then the oldest of all others:
    a curve with a gap is still a curve, but an event is sent only once.
    """

    def __init__(self, limit_bytes: int = BUFFER_BYTES) -> None:
        self._limit_bytes = limit_bytes
        self._messages: list[Message] = []
        self._size_bytes = 0
        self._dropped: Dropped = {"kind": "dropped", "scalars": 0, "others": 0}

    def __len__(self) -> int:
        return len(self._messages)

    def put(self, messages: Iterable[Message]) -> None:
        """Append messages; drop what no longer fits."""
        for message in messages:
            self._messages.append(message)
            self._size_bytes += _size_bytes(message)
        for rank in range(3):
            if self._size_bytes > self._limit_bytes:
                self._drop(rank)

    def drain(self) -> list[Message]:
        """Everything in the order of arrival, and at the end what was dropped since the last time, if anything was."""
        messages, dropped = self._messages, self._dropped
        self._messages, self._size_bytes = [], 0
        self._dropped = {"kind": "dropped", "scalars": 0, "others": 0}
        return [*messages, dropped] if dropped["scalars"] or dropped["others"] else messages

    def _drop(self, rank: int) -> None:
        """Drop the oldest messages of a rank in the order of dropping, until the rest fits or none of them is left."""
        kept: list[Message] = []
        for message in self._messages:
            if self._size_bytes <= self._limit_bytes or _dropping_rank(message) != rank:
                kept.append(message)
                continue
            self._size_bytes -= _size_bytes(message)
            self._dropped["scalars" if message["kind"] == "scalars" else "others"] += 1
        self._messages = kept
