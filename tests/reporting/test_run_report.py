from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from dcgan_dist.reporting.run_files import read_run
from dcgan_dist.reporting.run_report import run_report
from dcgan_dist.settings import from_yaml, to_yaml
from dcgan_dist.storage import Place


def test_the_parts_of_a_run_are_there(made_run: Place) -> None:
    found = run_report(read_run(made_run), 0.0, price=0.5)
    assert found.name == "rooms"
    assert found.notes == []
    assert [(frame.grid.images, frame.grid.kind) for frame in found.frames] == [
        (1_280, "raw"), (2_560, "raw"), (5_120, "averaged")
    ]  # fmt: skip
    assert found.newest is found.frames[-1]
    assert found.headline is not None
    assert found.headline.fact.file.startswith("evaluation/000000005120-cifar10-discriminator-")
    assert [len(found.marks.restarts), len(found.marks.findings)] == [1, 1]
    assert found.settings is not None
    assert (found.settings.preset, found.settings.recorded) == ("scenes32", True)
    assert "optimization.lr" in [one.fact.name for one in found.settings.differing]
    assert [fact.name for fact in found.machines] == ["host-0", "In earlier attempts alone"]
    # Samples, the study's figure, the sheet of the data: the newest samples are the last to be left out.
    assert sorted(shot.rank for shot in found.shots) == [0, 1, 2, 30, 30]
    assert min(found.shots, key=lambda shot: shot.rank).file == "samples/000005120-averaged.png"


@pytest.mark.parametrize(
    ("status", "tasks", "advice"),
    [
        ("running", "cifar10=FOLDER", "no checkpoint has been evaluated on cifar10 yet"),
        ("stopped", "cifar10=FOLDER", "--tasks cifar10 --features discriminator"),
        ("stopped", "", "--tasks rooms --features discriminator"),
    ],
)
def test_a_run_without_a_number_says_how_to_get_one(status: str, tasks: str, advice: str, copied: Any) -> None:
    run = copied("rooms")
    (run / "evaluation").delete()
    text = (run / "settings.yaml").read_bytes().decode()
    (run / "settings.yaml").write_bytes(text.replace("tasks: cifar10=FOLDER", f"tasks: '{tasks}'").encode())
    record = (run / "run.json").read_bytes().replace(b'"stopped"', f'"{status}"'.encode())
    (run / "run.json").write_bytes(record)
    found = run_report(read_run(run), 0.0)
    assert found.headline is None
    assert found.advice is not None
    assert f"{found.advice.says} {found.advice.command}".rstrip().endswith(advice)


@pytest.mark.parametrize(
    ("scenes", "size", "advice", "note"),
    [
        ("faces", 32, "--tasks cifar10 --features discriminator", ""),
        ("faces", 64, "--tasks NAME=FOLDER --features discriminator", "labeled images of 64 pixels"),
    ],
)
def test_a_task_that_does_not_fit_is_not_named(scenes: str, size: int, advice: str, note: str, copied: Any) -> None:
    run = copied("rooms")
    (run / "evaluation").delete()
    settings = from_yaml((run / "settings.yaml").read_bytes().decode(), "settings.yaml")
    settings = replace(
        settings,
        data=replace(settings.data, scenes=scenes),
        networks=replace(settings.networks, image_size=size),
        probe=replace(settings.probe, tasks=""),
    )
    (run / "settings.yaml").write_bytes(to_yaml(settings).encode())
    found = run_report(read_run(run), 0.0).advice
    assert found is not None
    assert found.command.endswith(advice)
    assert note in found.note
    assert bool(note) == bool(found.note)


@pytest.mark.parametrize(("begin_with", "features"), [("", "supervised"), ("runs/Gan", "finetuned")])
def test_a_run_that_is_trained_on_labels_is_offered_what_fits_it(
    begin_with: str, features: str, labeled: Callable[..., Place]
) -> None:
    run = labeled("Labels", begin_with=begin_with)
    found = run_report(read_run(run), 0.0)
    assert not found.draws
    assert found.headline is not None
    assert (found.headline.fact.value, found.headline.task) == (0.5, "svhn, held out")
    assert found.advice is not None
    assert found.advice.command.endswith(f"evaluate {run} --tasks svhn=Folder --features {features}")
    assert [chart.title for chart in found.charts][:2] == ["Accuracy on held-out images", "Loss on labels"]
    assert {fact.name: fact.value for fact in found.data.facts} == {
        "Labeled data": "svhn=Folder", "Labeled images to learn from": 700, "Labeled images held out": 80
    }  # fmt: skip
    assert found.notes == []


def test_a_torn_picture_is_a_note_and_the_others_stay(copied: Any) -> None:
    run = copied("rooms")
    file = run / "samples" / "000002560-raw.png"
    file.write_bytes(file.read_bytes()[:300])
    found = run_report(read_run(run), 0.0)
    assert [frame.grid.images for frame in found.frames] == [1_280, 5_120]
    assert len(found.notes) == 1
    assert found.notes[0].startswith("samples/000002560-raw.png cannot be shown")
