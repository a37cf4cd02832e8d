"""Checkpoints: whole or passed over, kept or pushed out; attempts; settings that may change."""

import hashlib
import json
import os
import resource
import subprocess
import sys
import threading
import time
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
import torch

from dcgan_dist.data.streaming.plan import SEQUENCE
from dcgan_dist.errors import CheckpointError, DataError
from dcgan_dist.run_folder import checkpoint as checkpoint_module
from dcgan_dist.run_folder import saver as module
from dcgan_dist.run_folder.attempts import attempts, begin_attempt
from dcgan_dist.run_folder.checkpoint import (
    load_checkpoint,
    manifests,
    mark,
    named_checkpoint,
    newest_checkpoint,
    write_checkpoint,
)
from dcgan_dist.run_folder.resuming import require_same, require_same_sequence
from dcgan_dist.run_folder.saver import Saver, expired
from dcgan_dist.settings import CheckpointSettings, OptimizationSettings, Settings, WorkerSettings
from dcgan_dist.storage import Place

SETTINGS = Settings(images=1_000, optimization=OptimizationSettings(batch_size=10))


def state(value: float) -> dict[str, Any]:
    return {"generator": {"weight": torch.full((3,), value)}, "generator_optimizer": {0: {"step": torch.tensor(value)}}}


def write(run: Place, step: int, *, kept: bool = False) -> str:
    return write_checkpoint(run, state(float(step)), SETTINGS, step=step, attempt=1, kept=kept)


@pytest.fixture(params=["disk", "object store"])
def run(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    if request.param == "disk":
        return Place(str(tmp_path / "run"))
    bucket: Place = request.getfixturevalue("s3")
    return bucket / "runs" / "run"


def test_a_checkpoint_comes_back_as_it_was(run: Place) -> None:
    assert write(run, 7) == "000000000070"
    checkpoint = load_checkpoint(run)
    assert (checkpoint.name, checkpoint.step, checkpoint.images) == ("000000000070", 7, 70)
    assert checkpoint.settings == SETTINGS
    assert torch.equal(checkpoint.state["generator"]["weight"], torch.full((3,), 7.0))


def test_the_manifest_says_what_the_files_hold(run: Place) -> None:
    folder = run / "checkpoints" / write(run, 7)
    entries = json.loads((folder / "MANIFEST.json").read_bytes())["files"]
    for name in ("state.pt", "settings.yaml"):
        data = (folder / name).read_bytes()
        assert entries[name] == {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}


def test_a_disk_that_refuses_in_the_middle_of_a_checkpoint_is_told(tmp_path: Path) -> None:
    run = Place(str(tmp_path / "run"))
    large = {"generator": {"weight": torch.zeros(1 << 20)}}
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, limits[1]))
    try:
        with pytest.raises(DataError, match=r"cannot write .*state\.pt: .*File too large"):
            write_checkpoint(run, large, SETTINGS, step=1, attempt=1, kept=False)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    (torn,) = (tmp_path / "run" / "checkpoints").iterdir()
    assert list(torn.iterdir()) == []


def damage_state(folder: Place) -> None:
    data = bytearray((folder / "state.pt").read_bytes())
    data[len(data) // 2] ^= 1
    (folder / "state.pt").write_bytes(data)


def cut_state(folder: Place) -> None:
    (folder / "state.pt").write_bytes((folder / "state.pt").read_bytes()[:-1])


def lose_state(folder: Place) -> None:
    (folder / "state.pt").delete()


def lose_manifest(folder: Place) -> None:
    (folder / "MANIFEST.json").delete()


def cut_manifest(folder: Place) -> None:
    (folder / "MANIFEST.json").write_bytes((folder / "MANIFEST.json").read_bytes()[:40])


def empty_manifest(folder: Place) -> None:
    (folder / "MANIFEST.json").write_bytes(b"{}")


@pytest.mark.parametrize(
    "harm", [damage_state, cut_state, lose_state, lose_manifest, cut_manifest, empty_manifest], ids=lambda f: f.__name__
)
def test_a_torn_checkpoint_is_passed_over_with_a_warning(harm: Any, run: Place) -> None:
    write(run, 1)
    torn = write(run, 2)
    harm(run / "checkpoints" / torn)
    with pytest.warns(UserWarning, match=f"{torn} is torn.*the one before it is used"):
        newest = newest_checkpoint(run)
    assert newest is not None
    assert newest.step == 1
    with pytest.raises(CheckpointError, match="is torn"):
        load_checkpoint(run, torn)


def test_a_checkpoint_of_another_format_is_refused(run: Place) -> None:
    name = write(run, 1)
    manifest = run / "checkpoints" / name / "MANIFEST.json"
    manifest.write_bytes(json.dumps(json.loads(manifest.read_bytes()) | {"format": 99}).encode())
    with pytest.raises(CheckpointError, match="has format 99 but this version reads 1"):
        load_checkpoint(run, name)


def test_code_in_a_checkpoint_is_not_run(run: Place) -> None:
    class Evil:
        def __reduce__(self) -> tuple[Any, ...]:
            return (pytest.fail, ("code of a checkpoint was run",))

    name = write_checkpoint(run, {"generator": Evil()}, SETTINGS, step=1, attempt=1, kept=False)
    with pytest.raises(Exception, match="Weights only load failed"):
        load_checkpoint(run, name)


def test_no_checkpoint_is_an_error_that_names_the_run(run: Place) -> None:
    assert newest_checkpoint(run) is None
    with pytest.raises(CheckpointError, match="holds no readable checkpoint"):
        load_checkpoint(run)


@pytest.mark.parametrize(
    ("kept", "keep", "gone"),
    [
        ("", 3, ""),
        ("abc", 3, ""),
        ("abcd", 3, "a"),
        ("Abcde", 3, "b"),
        ("AbCdefg", 2, "b d e"),
        ("ABC", 1, ""),
    ],
)
def test_the_newest_and_those_of_the_quarters_stay(kept: str, keep: int, gone: str) -> None:
    """A capital is one that is kept."""
    names = {letter.lower(): letter.isupper() for letter in kept}
    assert expired(names, keep) == gone.split()


def test_the_saver_writes_what_was_there_when_it_was_asked_and_pushes_out_old_ones(run: Place) -> None:
    begin_attempt(run, 1)
    saver = Saver(run, replace(SETTINGS, checkpoints=CheckpointSettings(keep=2)), attempt=1)
    live = state(0.0)
    for step in range(1, 6):
        live["generator"]["weight"].fill_(step)
        saver.save(live, step, kept=step == 1)
        live["generator"]["weight"].fill_(-1)
    saver.wait()
    assert [(name, step) for name, step, _ in saver.take_written()] == [
        (f"{step * 10:012d}", step) for step in range(1, 6)
    ]
    assert saver.take_written() == []
    assert list(manifests(run)) == ["000000000010", "000000000040", "000000000050"]
    assert load_checkpoint(run).state["generator"]["weight"].tolist() == [5.0, 5.0, 5.0]


def test_a_checkpoint_has_a_name_or_is_the_latest_or_the_best(run: Place) -> None:
    names = [write_checkpoint(run, state(step), SETTINGS, step=step, attempt=1, kept=False) for step in (1, 2, 3)]
    with pytest.raises(CheckpointError, match="has no best checkpoint: train it with --probe"):
        named_checkpoint(run, "best")
    mark(run, names[1], "best")
    assert [named_checkpoint(run, name).name for name in ("latest", "best", names[0])] == [names[2], names[1], names[0]]


def test_what_a_probe_reads_or_found_best_is_not_pushed_out(run: Place) -> None:
    begin_attempt(run, 1)
    saver = Saver(run, replace(SETTINGS, checkpoints=CheckpointSettings(keep=1)), attempt=1)

    def save(step: int) -> list[str]:
        saver.save(state(step), step, kept=False)
        saver.wait()
        return list(manifests(run))

    assert save(1) == ["000000000010"]
    mark(run, "000000000010", "reads")
    assert save(2) == ["000000000010", "000000000020"]
    mark(run, "000000000010", None)
    mark(run, "000000000020", "best")
    assert save(3) == ["000000000020", "000000000030"]
    mark(run, "000000000010", "best")  # it is gone, and does not come back as a part of itself
    assert not (run / "checkpoints" / "000000000010").exists()


@pytest.mark.skipif(sys.platform != "linux", reason="threads have a priority of their own on Linux only")
def test_training_goes_before_the_writing_of_checkpoints(run: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    begin_attempt(run, 1)
    found = []

    def write(*arguments: Any, **more: Any) -> str:
        found.append(os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))
        return write_checkpoint(*arguments, **more)

    monkeypatch.setattr("dcgan_dist.run_folder.saver.write_checkpoint", write)
    before = os.getpriority(os.PRIO_PROCESS, 0)
    saver = Saver(run, SETTINGS, attempt=1)
    saver.save(state(0.0), 1, kept=False)
    saver.wait()
    assert found == [19]
    assert os.getpriority(os.PRIO_PROCESS, 0) == before


def refused(run: Place, patience_s: float) -> Saver:
    """One whose storage refuses checkpoints, since a file is where their folder is needed."""
    begin_attempt(run, 1)
    (run / "checkpoints").local_path.write_text("")
    return Saver(run, replace(SETTINGS, checkpoints=CheckpointSettings(patience_s=patience_s)), attempt=1)


def test_a_checkpoint_that_cannot_be_written_is_told_when_patience_is_over(tmp_path: Path) -> None:
    saver = refused(Place(str(tmp_path / "run")), patience_s=0)
    saver.save(state(1.0), 1, kept=False)
    with pytest.raises(DataError, match="checkpoints"):
        saver.wait()


def test_a_storage_that_refuses_for_a_while_gets_the_newest_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # It is tried again when all is as this test wants it, however long that takes on a busy machine.
    again = threading.Event()
    monkeypatch.setattr(module, "time", Mock(wraps=time, sleep=lambda seconds: again.wait(60)))
    run = Place(str(tmp_path / "run"))
    saver = refused(run, patience_s=60)
    for step in range(1, 5):
        # Nobody waits for a checkpoint that is refused, also where it was to be kept.
        saver.save(state(float(step)), step, kept=step == 2)
    while saver.refused is None:
        assert saver.busy
    assert "checkpoints" in saver.refused
    (run / "checkpoints").local_path.unlink()
    again.set()
    assert saver.wait()
    assert saver.refused is None
    ((name, step, _),) = saver.take_written()
    assert (name, step) == ("000000000040", 4)
    assert {name: manifest["kept"] for name, manifest in manifests(run).items()} == {name: True}
    assert load_checkpoint(run).state["generator"]["weight"].tolist() == [4.0, 4.0, 4.0]


def test_patience_is_for_all_tries_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now, tries = [100.0], []

    def sleep(seconds: float) -> None:
        assert len(tries) < 20, "patience has begun anew with each try"
        tries.append(now[0])
        now[0] += 4.0

    monkeypatch.setattr(module, "time", Mock(wraps=time, sleep=sleep, monotonic=lambda: now[0]))
    saver = refused(Place(str(tmp_path / "run")), patience_s=10)
    saver.save(state(1.0), 1, kept=False)
    with pytest.raises(DataError, match="checkpoints"):
        saver.wait()
    assert tries == [100.0, 104.0, 108.0]


def test_a_checkpoint_that_is_written_again_is_void_until_it_is_whole(
    run: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(run, 7)
    original = checkpoint_module._write

    def refuse(place: Place, *arguments: Any, **more: Any) -> Any:
        if place.name == "settings.yaml":
            raise DataError("the disk is full")
        return original(place, *arguments, **more)

    monkeypatch.setattr(checkpoint_module, "_write", refuse)
    with pytest.raises(DataError):
        write(run, 7)
    # The files on the disk have the sizes that the first manifest says.
    assert manifests(run) == {}


def test_a_worker_of_an_old_attempt_writes_no_more_checkpoints(run: Place) -> None:
    begin_attempt(run, 1)
    saver = Saver(run, SETTINGS, attempt=1)
    begin_attempt(run, 1)
    saver.save(state(1.0), 1, kept=False)
    with pytest.raises(CheckpointError, match="has been resumed elsewhere"):
        saver.wait()
    assert manifests(run) == {}


def test_an_attempt_begins_with_the_newest_whole_checkpoint(run: Place) -> None:
    first = begin_attempt(run, 2)
    assert (first.number, first.checkpoint, first.step, first.workers) == (1, None, 0, 2)
    write(run, 1)
    write(run, 2)
    lose_manifest(run / "checkpoints" / write(run, 3))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        second = begin_attempt(run, 3)
    assert (second.number, second.checkpoint, second.step, second.images) == (2, "000000000020", 2, 20)
    assert attempts(run) == [first, second]


def test_the_first_attempt_begins_without_the_import_of_torch(tmp_path: Path) -> None:
    begin = (
        "import sys; from dcgan_dist.run_folder.attempts import first_step; from dcgan_dist.storage import Place; "
        "print(first_step(Place(sys.argv[1]), 2), 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", begin, str(tmp_path)], capture_output=True, text=True, timeout=60)
    assert done.stdout == "0 False\n", done.stderr
    assert [attempt.workers for attempt in attempts(Place(str(tmp_path)))] == [2]


@pytest.mark.parametrize(
    ("other", "name"),
    [
        (replace(SETTINGS, seed=1), "seed"),
        (replace(SETTINGS, optimization=replace(SETTINGS.optimization, lr=1e-3)), "optimization.lr"),
        (replace(SETTINGS, data=replace(SETTINGS.data, path="other.tar")), "data.path"),
        (replace(SETTINGS, networks=replace(SETTINGS.networks, generator_maps=3)), "networks.generator_maps"),
    ],
)
def test_settings_that_would_make_it_another_run_are_refused(other: Settings, name: str) -> None:
    with pytest.raises(CheckpointError, match=f"was trained with {name} .* and cannot be resumed with"):
        require_same(SETTINGS, other, Place("/run"))


def test_workers_length_and_monitoring_may_change() -> None:
    other = replace(SETTINGS, workers=WorkerSettings(number=3), images=2_000, minutes=3.0, storage="elsewhere")
    require_same(SETTINGS, replace(other, checkpoints=CheckpointSettings(minutes=1)), Place("/run"))


@pytest.mark.parametrize(
    ("record", "manifest", "sentence"),
    [
        ({}, {}, "version 1 of the sequence of images but this is version 2"),
        ({"sequence": 1}, {"sequence": 2}, "version 1 of the sequence"),
        ({"sequence": 2}, {}, "version 1 of the sequence"),
        ({"sequence": 3}, {"sequence": 3}, "version 3 of the sequence"),
        (None, {"sequence": 2}, "has checkpoints but no readable run.json"),
        ({}, None, "version 1 of the sequence"),
        ({"sequence": 2}, {"sequence": 2}, None),
        ({"sequence": 2}, None, None),
        (None, None, None),
    ],
)
def test_a_position_is_not_taken_for_one_of_another_sequence(
    record: dict[str, Any] | None, manifest: dict[str, int] | None, sentence: str | None, tmp_path: Path
) -> None:
    """`record`: what `run.json` says, `manifest`: what that of the checkpoint adds; None where there is none."""
    run = Place(str(tmp_path))
    if manifest is not None:
        where = tmp_path / "checkpoints" / write(run, 7) / "MANIFEST.json"
        written = json.loads(where.read_text())
        assert written.pop("sequence") == SEQUENCE
        where.write_text(json.dumps(written | manifest))
    if sentence is None:
        require_same_sequence(run, record)
        return
    with pytest.raises(CheckpointError) as caught:
        require_same_sequence(run, record)
    assert sentence in str(caught.value)
    assert f"--init-from {run}" in str(caught.value)
