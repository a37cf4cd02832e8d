"""What must be the same for a run to be resumed: its images, their sequence, all settings that change its numbers."""

from collections.abc import Mapping, Sequence
from typing import Any

from dcgan_dist.data.streaming.plan import SEQUENCE
from dcgan_dist.errors import CheckpointError
from dcgan_dist.run_folder.checkpoint import manifests
from dcgan_dist.run_folder.trained_on import Kept, from_record
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


def require_same_keep(run: Place, record: Mapping[str, Any] | None, keep: Kept | None) -> None:
    """Refuse to resume a run if other images are left out now: its position would stand for other ones.

    By their content, so a copy of the keep-list under another name is the same.

    Args:
        record: what its `run.json` says; None where it was stopped before that was written.
        keep: the keep-list that it would be resumed with.

    Raises:
        CheckpointError: the run was trained with another one, or without, or with one that is not given now.
    """
    trained_on = from_record(record)
    before = trained_on.keep if trained_on is not None else None
    if record is None or (before and before.sha256) == (keep and keep.sha256):
        return
    if before is None:
        raise CheckpointError(
            f"{run} was trained without a keep-list and cannot be resumed with {keep and keep.file}: leave --data.keep "
            "out, or start a new run with --init-from"
        )
    now = "without one" if keep is None else f"with {keep.file}, whose content differs"
    raise CheckpointError(
        f"{run} was trained with keep-list {before.file}, SHA-256 {before.sha256[:16]}..., and cannot be "
        f"resumed {now}: give that file with --data.keep, or start a new run with --init-from"
    )


def require_same_labels(run: Place, record: Mapping[str, Any] | None, sha256: str) -> None:
    """Refuse to resume a run whose networks know classes if an image has another class now.

    Args:
        record: what its `run.json` says; None where it was stopped before that was written.
        sha256: of the classes that it would be resumed with.

    Raises:
        CheckpointError: the run was trained with other ones.
    """
    if record is not None and record.get("labels_sha256") != sha256:
        raise CheckpointError(
            f"the images have other classes now than those that {run} was trained with: restore their KEY.cls or "
            "attributes, or start a new run with --init-from"
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
the learning rate falls towards its end (`optimization.decay`), or workers exchange weights, which they also do at its
quarters (`workers.exchange_steps`)."""
OF_NUMBERS = ("workers.gradients", "workers.exchange_steps", "workers.outer_lr", "workers.outer_momentum")
"""Settings among those that do."""


def differing(saved: Settings, given: Settings) -> list[str]:
    """Dotted names of the settings that differ and would make a run another one."""
    # Of a keep-list the content has to be the same, see `require_same_keep`.
    free = ("data.cache", "data.cpus", "data.keep", "data.max_bad_fraction", *FREE_ON_RESUME)
    old, new = flatten(saved), flatten(given)
    return [
        name for name, value in new.items() if old[name] != value and (name in OF_NUMBERS or not name.startswith(free))
    ]


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
