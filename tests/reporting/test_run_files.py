"""What is read of a folder, also of one that is half written or damaged."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from dcgan_dist.errors import CheckpointError
from dcgan_dist.reporting.run_files import read_run
from dcgan_dist.storage import Place
from tests.reporting.runs import SETTINGS


def test_all_of_a_run_is_read(made_run: Place) -> None:
    found = read_run(made_run)
    assert found.notes == []
    assert found.settings == SETTINGS
    assert [point["step"] for point in found.standing.points] == [*range(5, 41, 5), *range(45, 85, 5)]
    assert len(found.standing.lines) == 12 + 8
    assert [attempt.workers for attempt in found.standing.attempts] == [2, 1]
    assert {number: len(workers) for number, workers in found.workers.items()} == {1: 2, 2: 1}
    assert [one["images"] for one in found.probed] == [768, 2_176, 4_992]
    assert {result["features_of"] for result in found.evaluations.values()} == {"discriminator", "random"}
    assert [content["study"] for content in found.studies.values()] == ["walk"]
    assert len(found.samples) == 3


@pytest.mark.parametrize(
    ("file", "damage", "note"),
    [
        ("metrics.jsonl", lambda data: data.replace(b"{", b"[", 1), "the curves are left out: line 1 of"),
        (
            "metrics.jsonl",
            lambda data: data.replace(b'"step"', b'"stop"', 1),
            "without its attempt, step, images or time",
        ),
        ("metrics.jsonl", lambda data: data.replace(b'"low"', b'"law"', 1), "an accuracy without its images"),
        ("settings.yaml", lambda data: data[:-40] + b"\n  lr: [", "the settings are left out"),
        ("settings.yaml", lambda data: data.replace(b"lr:", b"rl:"), "optimization.rl is not a setting"),
        ("attempts/000002.json", lambda data: data[:20], "the attempts are left out"),
        ("attempts/000002.json", lambda data: b"{}", "the attempts are left out"),
    ],
)
def test_what_is_damaged_is_left_out_with_a_note(
    file: str, damage: Callable[[bytes], bytes], note: str, copied: Any
) -> None:
    run = copied("rooms")
    (run / file).write_bytes(damage((run / file).read_bytes()))
    found = read_run(run)
    assert len([one for one in found.notes if note in one]) == 1, found.notes


def test_what_is_half_written_does_not_disturb(copied: Any) -> None:
    run = copied("rooms")
    whole = read_run(run)
    with (run / "metrics.jsonl").local_path.open("ab") as file:
        file.write(b'{"time": 17')
    (run / "checkpoints" / "000000009999" / "state.pt").write_bytes(b"half")
    found = read_run(run)
    assert (found.notes, found.standing.points, found.probed) == ([], whole.standing.points, whole.probed)
    assert found.standing.torn == ["000000009999"]


@pytest.mark.parametrize("folder", ["studies", "evaluation"])
@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"format": "other"}', b"[" * 100_000])
def test_a_result_that_is_not_whole_is_named(content: bytes, folder: str, copied: Any) -> None:
    run = copied("rooms")
    (run / folder / "half.json").write_bytes(content)
    found = read_run(run)
    assert found.notes == [f"{folder}/half.json is not whole, or no result of ours: it is left out"]
    assert (len(found.studies), len(found.evaluations)) == (1, 2)


def test_a_run_that_has_just_begun_needs_nothing_but_its_record(copied: Any) -> None:
    run = copied("rooms")
    for name in run.names():
        if name not in ("run.json", "settings.yaml"):
            (run / name).delete()
    found = read_run(run)
    assert (found.notes, found.standing.points, found.samples, found.workers) == ([], [], [], {})


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"images": "many"}, "images is 'many'"),
        ({"step": None}, "step is None"),
        ({"total_images": -1}, "total_images is"),
    ],
)
def test_a_record_with_other_values_is_refused_in_a_sentence(
    changed: dict[str, Any], sentence: str, copied: Any
) -> None:
    run = copied("rooms")
    record = json.loads((run / "run.json").read_bytes())
    (run / "run.json").write_bytes(json.dumps(record | changed).encode())
    with pytest.raises(CheckpointError, match=sentence):
        read_run(run)
