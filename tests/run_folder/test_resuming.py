"""Which keep-lists and classes a run can be resumed with: by what they hold, wherever they lie."""

from typing import Any

import pytest

from dcgan_dist.errors import CheckpointError
from dcgan_dist.run_folder.resuming import differing, require_same_keep, require_same_labels
from dcgan_dist.run_folder.trained_on import FIELD, Kept, TrainedOn
from dcgan_dist.settings import PRESETS, replaced
from dcgan_dist.storage import Place

RUN = Place("/runs/mine")
KEEP = Kept("/there/keep.parquet", "0123456789abcdef" * 4)
WITHOUT: dict[str, Any] = {FIELD: TrainedOn({"/a.tar": "ab"}).record()}
WITH: dict[str, Any] = {FIELD: TrainedOn({"/a.tar": "ab"}, keep=KEEP).record()}


@pytest.mark.parametrize(
    ("record", "keep"),
    [
        (WITHOUT, None),
        (WITH, KEEP),
        (WITH, Kept("/copy.parquet", KEEP.sha256)),
        (None, KEEP),  # stopped before anything was trained
        (None, None),
        ({"step": 3}, None),  # of an older version
    ],
)
def test_the_same_content_or_none_at_all_goes_on(record: dict[str, Any] | None, keep: Kept | None) -> None:
    require_same_keep(RUN, record, keep)


@pytest.mark.parametrize(
    ("record", "keep", "sentence"),
    [
        (
            WITHOUT,
            KEEP,
            "/runs/mine was trained without a keep-list and cannot be resumed with /there/keep.parquet: leave "
            "--data.keep out, or start a new run with --init-from",
        ),
        ({"step": 3}, KEEP, "was trained without a keep-list"),
        (
            WITH,
            None,
            "/runs/mine was trained with keep-list /there/keep.parquet, SHA-256 0123456789abcdef..., and cannot be "
            "resumed without one: give that file with --data.keep, or start a new run with --init-from",
        ),
        (WITH, Kept(KEEP.file, "fe" * 32), "cannot be resumed with /there/keep.parquet, whose content differs: give"),
    ],
)
def test_any_other_is_refused(record: dict[str, Any], keep: Kept | None, sentence: str) -> None:
    with pytest.raises(CheckpointError) as raised:
        require_same_keep(RUN, record, keep)
    assert sentence in str(raised.value)


@pytest.mark.parametrize(
    ("changes", "names"),
    [
        ({"workers.number": 3, "workers.threads": 2}, []),
        ({"workers.gradients": "bf16"}, ["workers.gradients"]),
        ({"workers.number": 2, "workers.exchange_steps": 8}, ["workers.exchange_steps"]),
        (
            {"workers.exchange_steps": 4, "workers.outer_lr": 0.7, "workers.outer_momentum": 0.9},
            ["workers.exchange_steps", "workers.outer_lr", "workers.outer_momentum"],
        ),
    ],
)
def test_workers_may_change_but_not_what_they_send(changes: dict[str, object], names: list[str]) -> None:
    settings = PRESETS["scenes32"]()
    assert differing(settings, replaced(settings, changes, "test")) == names


def test_classes_have_to_be_the_same() -> None:
    require_same_labels(RUN, {"labels_sha256": "ab"}, "ab")
    require_same_labels(RUN, None, "ab")  # stopped before anything was trained
    for record in ({"labels_sha256": "cd"}, {"step": 3}):
        with pytest.raises(CheckpointError, match="have other classes now than those that /runs/mine was trained with"):
            require_same_labels(RUN, record, "ab")
