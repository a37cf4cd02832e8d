"""What a checkpoint holds, how it is written, verified and read.

A checkpoint is a folder `RUN/checkpoints/IMAGES` with `state.pt` (both networks, both optimizers, step),
`settings.yaml`, and `MANIFEST.json` with the size and SHA-256 of the two. The manifest is written last: a folder
without a valid one is torn and passed over. Nothing here asks Ray what was saved: its own record is written in place
and lags behind the files. Who only looks which checkpoints there are never waits for the import of torch.
"""

import hashlib
import io
import json
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import IO, Any, BinaryIO, Literal, cast

from dcgan_dist.data.streaming.plan import SEQUENCE
from dcgan_dist.errors import CheckpointError
from dcgan_dist.extensions import Code, import_networks
from dcgan_dist.run_folder.record import find_record
from dcgan_dist.run_folder.trained_on import from_record
from dcgan_dist.settings import Settings, from_yaml, to_yaml
from dcgan_dist.storage import MissingFile, Place

FORMAT = 1
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
    import torch

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
    trained_on = from_record(find_record(run))
    keep = trained_on.keep if trained_on is not None else None
    manifest = {
        "format": FORMAT,
        "step": step,
        "images": images,
        "sequence": SEQUENCE,
        "attempt": attempt,
        "kept": kept,
        **({} if keep is None else {"keep": asdict(keep)}),
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
    import torch

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
    import torch

    state = torch.load(io.BytesIO(files[STATE]), map_location="cpu", weights_only=True)
    settings = from_yaml(files[SETTINGS].decode(), str(place / SETTINGS))
    return Checkpoint(name, manifest["step"], manifest["images"], settings, state)


def _there(names: Sequence[str]) -> str:
    if not names:
        return "it has none yet"
    before = f"{len(names) - MOST_NAMES} older ones and " if len(names) > MOST_NAMES else ""
    return f"it has {before}{', '.join(names[-MOST_NAMES:])}"


def named_checkpoint(run: Place, name: str, *, trust_code: bool = False, of_labels: bool = False) -> Checkpoint:
    """The checkpoint of that name; `latest` is the newest that can be read, `best` the one that the run's probe chose.

    Networks of a user's own are imported if their code is trusted.

    Args:
        of_labels: whether it may be of a run that was trained on labels, which has neither a generator nor a
            discriminator.

    Raises:
        CheckpointError: there is none, or it is torn, or of another kind of run.
        SettingsError: its networks are a user's own, and are not trusted or cannot be imported.
    """
    if name == "best":
        best = [found for found, manifest in manifests(run).items() if manifest.get("probe") == "best"]
        if not best:
            raise CheckpointError(f"{run} has no best checkpoint: train it with --probe, or give --checkpoint NAME")
        name = best[-1]
    checkpoint = load_checkpoint(run, None if name == "latest" else name)
    if checkpoint.settings.supervised.task and not of_labels:
        raise CheckpointError(
            f"{run} was trained on the labels of {checkpoint.settings.supervised.task}, so it has no generator and no "
            "discriminator: give another run, or evaluate it with --features supervised (or finetuned)"
        )
    return replace(checkpoint, code=import_networks(checkpoint.settings, trust_code, str(run / "settings.yaml")))
