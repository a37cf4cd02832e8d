"""What a checkpoint holds, how it is written, verified and read; and attempts, which say where a worker group begins.

A checkpoint is a folder `RUN/checkpoints/IMAGES` with `state.pt` (both networks, both optimizers, step),
`settings.yaml`, and `MANIFEST.json` with the size and SHA-256 of the two. The manifest is written last: a folder
without a valid one is torn and passed over. Nothing here asks Ray what was saved: its own record is written in place
and lags behind the files.
"""

import hashlib
import io
import json
import os
import sys
import threading
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import IO, Any, BinaryIO, Literal, cast

import torch

from dcgan_dist.data.streaming.plan import SEQUENCE
from dcgan_dist.errors import CheckpointError, DataError
from dcgan_dist.extensions import Code, import_networks
from dcgan_dist.settings import Settings, flatten, from_yaml, to_yaml
from dcgan_dist.storage import MissingFile, Place

FORMAT = 1
RETRY_S = 5.0
"""Between two tries to write a checkpoint that the storage refuses."""
POLL_S = 0.1
"""Between two looks whether the checkpoint before has become one that is refused."""
Probe = Literal["reads", "best"]
"""Why a checkpoint stays for a probe's sake."""
MOST_NAMES = 5
"""How many checkpoints are listed if the one that was named does not exist."""
STATE, SETTINGS, MANIFEST = "state.pt", "settings.yaml", "MANIFEST.json"


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint in memory.

    Attributes:
        name: of its folder.
        step: updates steps that were done when it was written; the run goes on with this one.
        images: images that were used up: the position in the sequence.
        settings: of the run that wrote it.
        state: what `AdversarialStep.state_dict` gave, on the CPU.
        code: makes the networks where they are a user's own; to read a checkpoint runs no code, so `load_checkpoint`
            leaves it empty.
    """

    name: str
    step: int
    images: int
    settings: Settings
    state: dict[str, Any]
    code: Code = field(default_factory=dict)


@dataclass(frozen=True)
class Attempt:
    """One life of the worker group. Data source and workers learn from this alone where they begin.

    Attributes:
        number: counts from 1 in a run.
        checkpoint: name of the checkpoint that it begins with; None: from the start.
        step: first step.
        images: position in the sequence.
        workers: size of the group.
        started: seconds since 1970.
    """

    number: int
    checkpoint: str | None
    step: int
    images: int
    workers: int
    started: float


def folder(run: Place) -> Place:
    return run / "checkpoints"


def checkpoint_name(settings: Settings, step: int) -> str:
    """Of the folder of a checkpoint that is written after so many steps: its images, so that names sort by age."""
    return f"{step * settings.optimization.batch_size:012d}"


def write_checkpoint(
    run: Place, state: Mapping[str, Any], settings: Settings, *, step: int, attempt: int, kept: bool
) -> str:
    """Write a checkpoint, its manifest last, and return its name.

    Args:
        state: tensors on the CPU that nobody changes meanwhile.
        kept: it stays when newer ones push out older ones.

    Raises:
        DataError: the store refuses or is full; what is there is torn then and will be passed over.
    """
    images, name = step * settings.optimization.batch_size, checkpoint_name(settings, step)
    place = folder(run) / name
    whole = {"format": FORMAT, "step": step, "images": images, **state}
    described = to_yaml(settings).encode()
    # A worker group that was rolled back comes by the same position again: what it finds there is void from now on.
    (place / MANIFEST).delete()
    files = {
        STATE: _write(place / STATE, lambda file: torch.save(whole, cast(IO[bytes], file)), size=_bytes(state)),
        SETTINGS: _write(place / SETTINGS, lambda file: file.write(described), size=len(described)),
    }
    manifest = {
        "format": FORMAT,
        "step": step,
        "images": images,
        "sequence": SEQUENCE,
        "attempt": attempt,
        "kept": kept,
        "files": files,
    }
    (place / MANIFEST).write_bytes(json.dumps(manifest, indent=1).encode())
    return name


class _Hashed:
    """A file that is written, with the number and the SHA-256 of the bytes that went into it."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self._hash = file, hashlib.sha256()
        self.bytes = 0
        self.refused: OSError | None = None

    def write(self, data: bytes | memoryview) -> int:
        try:
            self._file.write(data)
        except OSError as error:
            self.refused = error
            raise
        self._hash.update(data)
        self.bytes += len(data)
        return len(data)

    def flush(self) -> None:
        """Nothing: who opened the file does that."""

    @property
    def sha256(self) -> str:
        return self._hash.hexdigest()


def _write(place: Place, fill: Callable[[_Hashed], object], *, size: int) -> dict[str, Any]:
    """Write a file of a checkpoint; its entry in the manifest. No copy of it is held in memory."""
    written: list[_Hashed] = []

    def put(file: BinaryIO) -> None:
        written.append(_Hashed(file))
        try:
            fill(written[-1])
        except RuntimeError as error:
            # torch.save says "unexpected pos" where the file refused what it wrote.
            if written[-1].refused is None:
                raise
            raise written[-1].refused from error

    place.write_with(put, size=size, cached=False)
    return {"bytes": written[-1].bytes, "sha256": written[-1].sha256}


def _bytes(state: Any) -> int:
    """Size of the tensors of nested dicts and lists."""
    if isinstance(state, torch.Tensor):
        return state.nbytes
    if isinstance(state, Mapping):
        return sum(_bytes(item) for item in state.values())
    return sum(_bytes(item) for item in state) if isinstance(state, list | tuple) else 0


def manifests(run: Place) -> dict[str, dict[str, Any]]:
    """Manifests of the checkpoints that look whole by their sizes, oldest first; torn ones are left out."""
    found = {}
    for name in folder(run).names():
        place = folder(run) / name
        try:
            manifest = json.loads((place / MANIFEST).read_bytes())
            sizes = {file: info.size for file, info in place.children().items() if info is not None}
            whole = manifest["format"] == FORMAT and all(
                sizes.get(file) == entry["bytes"] for file, entry in manifest["files"].items()
            )
        except (MissingFile, ValueError, KeyError, TypeError):
            whole = False
        if whole:
            found[name] = manifest
    return found


def newest_manifest(run: Place) -> dict[str, Any] | None:
    """Manifest of the newest checkpoint that looks whole by its sizes."""
    return next(reversed(manifests(run).values()), None)


def keep_before(run: Place, images: int) -> str | None:
    """Let the newest checkpoint of at most so many images stay whatever comes; its name, None where there is none."""
    before = [name for name, manifest in manifests(run).items() if manifest["images"] <= images]
    if not before:
        return None
    where = folder(run) / before[-1] / MANIFEST
    manifest = json.loads(where.read_bytes())
    if not manifest["kept"]:
        where.write_bytes(json.dumps(manifest | {"kept": True}, indent=1).encode())
    return before[-1]


def mark(run: Place, name: str, probe: Probe | None) -> None:
    """Let a checkpoint stay since a probe reads it, or found it to be the best; None: no longer for a probe's sake."""
    where = folder(run) / name / MANIFEST
    try:
        manifest = json.loads(where.read_bytes())
    except MissingFile:
        return  # it has been pushed out
    where.write_bytes(json.dumps({**manifest, "probe": probe}, indent=1).encode())


def newest_checkpoint(run: Place) -> Checkpoint | None:
    """The newest checkpoint that can be read whole. One that is torn is passed over with a warning."""
    for name in reversed(folder(run).names()):
        try:
            return load_checkpoint(run, name)
        except CheckpointError as error:
            warnings.warn(f"{error}; the one before it is used")
    return None


def load_checkpoint(run: Place, name: str | None = None) -> Checkpoint:
    """Read and verify a checkpoint.

    Args:
        name: of its folder; None: the newest one that can be read.

    Raises:
        CheckpointError: there is none, or the one that was named is torn or of another format.
    """
    if name is None:
        newest = newest_checkpoint(run)
        if newest is None:
            raise CheckpointError(f"{run} holds no readable checkpoint: is it the folder of a run?")
        return newest
    place = folder(run) / name
    if not place.names():
        raise CheckpointError(f"{run} has no checkpoint {name}: {_there(folder(run).names())}")
    try:
        manifest = json.loads((place / MANIFEST).read_bytes())
        files = {file: (place / file).read_bytes() for file in (STATE, SETTINGS)}
        for file, data in files.items():
            if hashlib.sha256(data).hexdigest() != manifest["files"][file]["sha256"]:
                raise CheckpointError(f"checkpoint {place} is torn: {file} is not what its manifest says")
    except MissingFile as error:
        raise CheckpointError(f"checkpoint {place} is torn: it lacks a file ({error})") from error
    except (ValueError, KeyError, TypeError) as error:
        raise CheckpointError(f"checkpoint {place} is torn: its {MANIFEST} cannot be read") from error
    if manifest.get("format") != FORMAT:
        raise CheckpointError(
            f"checkpoint {place} has format {manifest.get('format')} but this version reads {FORMAT}: "
            "use the version of dcgan-dist that wrote it"
        )
    state = torch.load(io.BytesIO(files[STATE]), map_location="cpu", weights_only=True)
    settings = from_yaml(files[SETTINGS].decode(), str(place / SETTINGS))
    return Checkpoint(name, manifest["step"], manifest["images"], settings, state)


def _there(names: Sequence[str]) -> str:
    if not names:
        return "it has none yet"
    before = f"{len(names) - MOST_NAMES} older ones and " if len(names) > MOST_NAMES else ""
    return f"it has {before}{', '.join(names[-MOST_NAMES:])}"


def named_checkpoint(run: Place, name: str, *, trust_code: bool = False) -> Checkpoint:
    """The checkpoint of that name; `latest` is the newest that can be read, `best` the one that the run's probe chose.

    Networks of a user's own are imported if their code is trusted.

    Raises:
        CheckpointError: there is none, or it is torn.
        SettingsError: its networks are a user's own, and are not trusted or cannot be imported.
    """
    if name == "best":
        best = [found for found, manifest in manifests(run).items() if manifest.get("probe") == "best"]
        if not best:
            raise CheckpointError(f"{run} has no best checkpoint: train it with --probe, or give --checkpoint NAME")
        name = best[-1]
    checkpoint = load_checkpoint(run, None if name == "latest" else name)
    return replace(checkpoint, code=import_networks(checkpoint.settings, trust_code, str(run / "settings.yaml")))


def expired(kept: Mapping[str, bool], keep: int) -> list[str]:
    """Names of the checkpoints that newer ones push out.

    Args:
        kept: for each name whether it stays whatever comes.
        keep: how many of the newest stay.
    """
    return [name for name in sorted(kept)[:-keep] if not kept[name]]


@dataclass
class _Due:
    """A checkpoint that is to be written; the state is on the CPU, and nobody else's."""

    state: Mapping[str, Any]
    step: int
    kept: bool
    since: float


LOWEST_PRIORITY = 19
"""Of a thread on Linux, as `nice` counts."""


class Saver:
    """Writes checkpoints in a thread, one at a time, so that training goes on meanwhile.

    Where the storage refuses one, it is tried again, or in its place a newer one that has become due meanwhile. After
    `checkpoints.patience_s` the storage's error is raised by the next call.
    """

    def __init__(self, run: Place, settings: Settings, attempt: int) -> None:
        self._run, self._settings, self._attempt = run, settings, attempt
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()
        self._refused: str | None = None
        self._newer: _Due | None = None
        self._error: Exception | None = None
        self._written: list[tuple[str, int, float]] = []

    @property
    def busy(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    @property
    def refused(self) -> str | None:
        """What the storage says where it refuses the checkpoint that is being written, else None."""
        return self._refused

    def save(self, state: Mapping[str, Any], step: int, *, kept: bool) -> None:
        """Copy the state to the CPU now, and write it while the caller goes on.

        Waits for the checkpoint before it, if that is being written; one that is refused gives its place up.

        Raises:
            DataError: the checkpoint before this one could not be written.
            CheckpointError: the run was resumed elsewhere.
        """
        due = _Due(_on_cpu(state), step, kept, time.perf_counter())
        while not self.wait(POLL_S):
            with self._lock:
                if self._refused is not None:
                    due.kept |= self._newer is not None and self._newer.kept
                    self._newer = due
                    return
        self._thread = threading.Thread(target=self._loop, args=(due,), name="checkpoint")
        self._thread.start()

    def wait(self, timeout_s: float | None = None) -> bool:
        """Until nothing is left to write, or the time is over; whether nothing is. Raises what `save` raises."""
        if self._thread is not None:
            self._thread.join(timeout_s)
            if self._thread.is_alive():
                return False
            self._thread = None
        if self._error is not None:
            error, self._error = self._error, None
            raise error
        return True

    def written(self) -> list[tuple[str, int, float]]:
        """Checkpoints written since the last call: name, step, and the seconds from the copy to the manifest."""
        done, self._written = self._written, []
        return done

    def _loop(self, due: _Due) -> None:
        if sys.platform == "linux":
            # Where all cores compute, writing takes only what steps leave: each waits for the slowest of its threads.
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), LOWEST_PRIORITY)
        following: _Due | None = due
        refused_at: float | None = None
        try:
            while following is not None:
                try:
                    self._write(following)
                except DataError as error:
                    self._refused, refused_at = str(error), refused_at or time.monotonic()
                    if time.monotonic() - refused_at >= self._settings.checkpoints.patience_s:
                        raise
                    time.sleep(RETRY_S)
                    with self._lock:
                        if self._newer is not None:
                            self._newer.kept |= following.kept
                            following, self._newer = self._newer, None
                else:
                    with self._lock:
                        following, self._newer = self._newer, None
                        self._refused = refused_at = None
        except Exception as error:  # raised in the training thread by wait()
            self._error = error

    def _write(self, due: _Due) -> None:
        # Workers outlive a killed driver by a second or more, in which the run may have been resumed.
        if attempts(self._run)[-1].number != self._attempt:
            raise CheckpointError(f"{self._run} has been resumed elsewhere: this attempt writes no more checkpoints")
        name = write_checkpoint(
            self._run, due.state, self._settings, step=due.step, attempt=self._attempt, kept=due.kept
        )
        self._written = [*self._written, (name, due.step, time.perf_counter() - due.since)]
        whole = {
            name: manifest["kept"] or manifest.get("probe") is not None
            for name, manifest in manifests(self._run).items()
        }
        for old in expired(whole, self._settings.checkpoints.keep):
            (folder(self._run) / old).delete()


def _on_cpu(value: Any) -> Any:
    """A copy of nested dicts, lists and tensors that later updates do not reach."""
    if isinstance(value, torch.Tensor):
        return value.detach().to("cpu", copy=True)
    if isinstance(value, Mapping):
        return {key: _on_cpu(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_on_cpu(item) for item in value]
    return value


def begin_attempt(run: Place, workers: int) -> Attempt:
    """Decide, once for a worker group, where it begins, and write it down as `attempts/N.json`."""
    newest = newest_checkpoint(run)
    names = (run / "attempts").names()
    attempt = Attempt(
        number=len(names) + 1,
        checkpoint=newest.name if newest else None,
        step=newest.step if newest else 0,
        images=newest.images if newest else 0,
        workers=workers,
        started=time.time(),
    )
    (run / "attempts" / f"{attempt.number:06d}.json").write_bytes(json.dumps(asdict(attempt), indent=1).encode())
    return attempt


def attempts(run: Place) -> list[Attempt]:
    """All attempts of a run, in order."""
    place = run / "attempts"
    return [Attempt(**json.loads((place / name).read_bytes())) for name in place.names()]


def require_same_sequence(run: Place, record: Mapping[str, Any] | None) -> None:
    """Refuse to resume a run if its position in the sequence now stands for other images.

    Args:
        record: what its `run.json` says; None where that is missing or cannot be read.

    Raises:
        CheckpointError: it, or any of its checkpoints, is of another version of the sequence; or it has checkpoints,
            and nothing says what data they were trained on.
    """
    written = manifests(run)
    again = f"start a new run with --init-from {run}"
    if record is None:
        if written:
            raise CheckpointError(
                f"{run} has checkpoints but no readable run.json, which records what images they were trained "
                f"on: restore it, or {again}"
            )
        return
    versions = {found.get("sequence", 1) for found in (record, *written.values())}
    if other := versions - {SEQUENCE}:
        raise CheckpointError(
            f"{run} was trained on version {', '.join(map(str, other))} of the sequence of images but this is "
            f"version {SEQUENCE}, in which its position stands for other images: resume it with the dcgan-dist "
            f"that started it, or {again}"
        )


FREE_ON_RESUME = (
    "name",
    "storage",
    "images",
    "epochs",
    "minutes",
    "on_collapse",
    "workers.",
    "checkpoints.",
    "monitoring.",
    "probe.",
)
"""Settings that may differ after a resume: none of them changes which numbers a step computes."""


def differing(saved: Settings, given: Settings) -> list[str]:
    """Dotted names of the settings that differ and would make a run another one."""
    free = ("data.cache", "data.cpus", "data.max_bad_fraction", *FREE_ON_RESUME)
    old, new = flatten(saved), flatten(given)
    return [name for name, value in new.items() if old[name] != value and not name.startswith(free)]


def require_same(saved: Settings, given: Settings, run: Place, source: str = "") -> None:
    """Refuse to resume a run with settings that would make it another run.

    Args:
        source: the option that they all come from, where it is one, such as `--preset lsun64`.

    Raises:
        CheckpointError: naming the first setting that differs, and how many others do.
    """
    names = differing(saved, given)
    if not names:
        return
    old, new = flatten(saved)[names[0]], flatten(given)[names[0]]
    more = f" (and {_and_others(names[1:])})" if names[1:] else ""
    raise CheckpointError(
        f"{run} was trained with {names[0]} {old} and cannot be resumed with {new}{more}: leave "
        f"{source or f'--{names[0]}'} out, or start a new run with --init-from"
    )


def _and_others(names: Sequence[str]) -> str:
    if len(names) == 1:
        return f"{names[0]} differs"
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "") + " differ"
