"""What must be the same for a run to be resumed: its sequence of images, and all settings that change its numbers."""

from collections.abc import Mapping, Sequence
from typing import Any

from dcgan_dist.data.streaming.plan import SEQUENCE
from dcgan_dist.errors import CheckpointError
from dcgan_dist.run_folder.checkpoint import manifests
from dcgan_dist.settings import Settings, flatten
from dcgan_dist.storage import Place


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
"""Settings that may differ after a resume: none of them changes which numbers a step computes, but for the length where
the learning rate falls towards its end (`optimization.decay`)."""


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
