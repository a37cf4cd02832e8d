"""When a rank writes checkpoints, and what it reports of them: with real files and the saver's thread, without Ray."""

from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
import torch

from dcgan_dist.errors import CheckpointError, DataError
from dcgan_dist.monitoring.mailbox import Sender
from dcgan_dist.monitoring.messages import Message
from dcgan_dist.run_folder import saver
from dcgan_dist.run_folder.attempts import begin_attempt
from dcgan_dist.run_folder.checkpoint import checkpoint_name, load_checkpoint, manifests, write_checkpoint
from dcgan_dist.run_folder.saver import Saver
from dcgan_dist.settings import CheckpointSettings, OptimizationSettings, Settings
from dcgan_dist.storage import Place
from dcgan_dist.training import checkpointing as module
from dcgan_dist.training.checkpointing import Checkpointing
from dcgan_dist.training.reporter import Reporter

BATCH, TOTAL = 6, 40
SETTINGS = Settings(
    images=BATCH * TOTAL,
    optimization=OptimizationSettings(batch_size=BATCH),
    checkpoints=CheckpointSettings(minutes=90.0, keep=9, patience_s=0.2),
)


class Group:
    """The checkpoints of one attempt at a run, and the messages that the rank has sent."""

    def __init__(self, folder: Path, settings: Settings = SETTINGS) -> None:
        self.run, self.messages = Place(str(folder / "run")), list[Message]()
        attempt = begin_attempt(self.run, 1)
        self.sender = Mock(Sender, send=self.messages.append)
        self.reporter = Reporter(self.sender, attempt, BATCH)
        self.value = 0.0
        self.checkpoints = Checkpointing(self.run, settings, attempt, TOTAL, self.state, self.reporter)

    def state(self) -> dict[str, Any]:
        return {"generator": {"weight": torch.tensor(self.value)}}

    def steps(self) -> list[int]:
        return [manifest["step"] for manifest in manifests(self.run).values()]

    def kept(self) -> list[bool]:
        return [manifest["kept"] for manifest in manifests(self.run).values()]


def test_checkpoints_at_the_quarters_hold_the_state_of_their_step(tmp_path: Path) -> None:
    group = Group(tmp_path)
    for step in range(1, TOTAL + 1):
        group.value = float(step)
        group.checkpoints.save_if_due(step, leaving=False)
    group.checkpoints.finish(TOTAL)
    assert (group.steps(), group.kept()) == ([10, 20, 30, 40], [True] * 4)
    for step in group.steps():
        assert load_checkpoint(group.run, checkpoint_name(SETTINGS, step)).state["generator"]["weight"] == step
    assert [(message["kind"], message["step"], message["images"]) for message in group.messages] == [
        ("checkpoint", step, step * BATCH) for step in (10, 20, 30, 40)
    ]


def test_what_was_due_between_exchanges_is_written_at_the_next_that_makes_the_state_whole(tmp_path: Path) -> None:
    by_images = replace(SETTINGS, checkpoints=replace(SETTINGS.checkpoints, images=3 * BATCH))
    group = Group(tmp_path, by_images)
    for step in range(1, 10):
        group.value = float(step)
        group.checkpoints.save_if_due(step, leaving=False, whole=step in (2, 5, 8))
        group.checkpoints.finish(step)
    # Steps 3 and 6 reach another multiple of three; in 9 nothing is whole.
    assert group.steps() == [5, 8]
    assert load_checkpoint(group.run, checkpoint_name(SETTINGS, 5)).state["generator"]["weight"] == 5


def test_a_group_that_leaves_writes_one_at_once(tmp_path: Path) -> None:
    group = Group(tmp_path)
    group.checkpoints.save_if_due(3, leaving=False)
    group.checkpoints.save_if_due(4, leaving=True)
    group.checkpoints.finish(4)
    assert (group.steps(), group.kept()) == ([4], [False])


def test_time_makes_a_checkpoint_due(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    group = Group(tmp_path)
    now = module.time.monotonic()
    monkeypatch.setattr(module.time, "monotonic", lambda: now + 90 * 60 - 1)
    group.checkpoints.save_if_due(3, leaving=False)
    assert group.steps() == []
    monkeypatch.setattr(module.time, "monotonic", lambda: now + 90 * 60 + 10)
    group.checkpoints.save_if_due(4, leaving=False)
    group.checkpoints.save_if_due(5, leaving=False)
    monkeypatch.undo()
    group.checkpoints.finish(5)
    assert group.steps() == [4]


@pytest.mark.parametrize(
    ("busy", "refused", "saves"), [(False, None, 1), (True, None, 0), (True, "no room is left", 1)]
)
def test_training_does_not_wait_for_the_checkpoint_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, busy: bool, refused: str | None, saves: int
) -> None:
    save = Mock()
    monkeypatch.setattr(
        module, "Saver", Mock(return_value=Mock(Saver, busy=busy, refused=refused, save=save, take_written=list))
    )
    group = Group(tmp_path)
    later = module.time.monotonic() + 91 * 60
    monkeypatch.setattr(module.time, "monotonic", lambda: later)
    group.checkpoints.save_if_due(3, leaving=False)
    assert save.call_count == saves
    # The time until the next one begins with it.
    group.checkpoints.save_if_due(4, leaving=False)
    assert save.call_count == saves


def test_a_storage_that_refuses_is_reported_once_and_raised_in_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(saver, "RETRY_S", 0.05)
    monkeypatch.setattr(saver, "write_checkpoint", Mock(side_effect=DataError("no room is left")))
    monkeypatch.setattr(module, "REPORT_S", 0.01)
    group = Group(tmp_path)
    group.checkpoints.save_if_due(10, leaving=False)
    with pytest.raises(DataError, match="no room is left"):
        group.checkpoints.finish(12)
    [event] = group.messages
    assert event["kind"] == "event"
    assert event["text"] == (
        "no checkpoint can be written; training continues, and writing is retried: no room is left"
    )


def test_a_rescue_writes_what_nobody_has_written(tmp_path: Path) -> None:
    group = Group(tmp_path)
    group.value = 7.0
    group.checkpoints.rescue(7, rank=0)
    assert (group.steps(), group.kept()) == ([7], [False])
    group.sender.flush.assert_called_once()  # the process ends after it
    assert load_checkpoint(group.run).state["generator"]["weight"] == 7
    assert [message["kind"] for message in group.messages] == ["checkpoint"]


def test_a_rescue_leaves_the_checkpoint_to_the_rank_before(tmp_path: Path) -> None:
    group = Group(tmp_path)
    write_checkpoint(group.run, {"generator": {"weight": torch.tensor(3.0)}}, SETTINGS, step=7, attempt=1, kept=False)
    group.value = 99.0  # of this rank, which must not replace the other one's while that is read
    group.checkpoints.rescue(7, rank=1)
    assert load_checkpoint(group.run).state["generator"]["weight"] == 3
    assert group.messages == []


def test_a_rescue_does_not_take_an_earlier_attempts_checkpoint_for_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "YIELD_S", 0.1)
    monkeypatch.setattr(module, "POLL_S", 0.02)
    group = Group(tmp_path)
    write_checkpoint(group.run, {"generator": {"weight": torch.tensor(3.0)}}, SETTINGS, step=7, attempt=5, kept=False)
    group.value = 99.0
    group.checkpoints.rescue(7, rank=1)
    assert load_checkpoint(group.run).state["generator"]["weight"] == 99


def test_nothing_is_rescued_where_no_step_was_done(tmp_path: Path) -> None:
    group = Group(tmp_path)
    group.checkpoints.rescue(0, rank=0)
    assert group.steps() == []
    assert group.messages == []


def test_nothing_is_rescued_where_a_resumed_group_has_done_no_step(tmp_path: Path) -> None:
    before = Group(tmp_path)
    before.checkpoints.save_if_due(4, leaving=True)
    before.checkpoints.finish(4)
    again = Group(tmp_path)
    again.value = 99.0
    again.checkpoints.rescue(4, rank=0)
    assert load_checkpoint(again.run).state["generator"]["weight"] == 0
    assert again.messages == []


def test_a_rescue_hides_no_cause_behind_an_error_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(saver, "write_checkpoint", Mock(side_effect=CheckpointError("resumed elsewhere")))
    group = Group(tmp_path)
    group.checkpoints.rescue(7, rank=0)
    assert group.steps() == []
