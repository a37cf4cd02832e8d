"""The table of what features lie on, from records of the study."""

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks.feature_objects import summarize
from dcgan_dist.errors import DataError


def feature(name: str, over_edges: float, over_area: float) -> dict[str, Any]:
    measured = {"over_edges": {"low": over_edges}, "over_area": {"low": over_area}}
    return {
        "is": name,
        "responses": [over_edges],
        "on_objects": {"bed": measured, "door": {key: {"low": -1} for key in measured}},
    }


def network(*found: dict[str, Any]) -> dict[str, Any]:
    numbers = list(range(7, 7 + len(found)))
    return {
        "strongest": numbers,
        "features": dict(zip(map(str, numbers), found, strict=True)) | {"0": feature("lamp", 5, 5)},
        "objects_among_strongest": sum(one["is"] != "nothing" for one in found),
    }


def write(file: Path, run: str, seed: int, trained: dict[str, Any], initial: dict[str, Any]) -> Path:
    numbers = {"trained": trained, "initial weights": initial}
    record = {"run": run, "checkpoint": "000000000640", "images": 640, "seed": seed, "numbers": numbers}
    file.write_text(json.dumps(record))
    return file


def test_each_network_has_a_row_and_the_worst_are_compared_with_what_is_needed(tmp_path: Path) -> None:
    bed, none = feature("bed", 0.1, 0.2), feature("nothing", -0.1, 0.2)
    files = [
        write(tmp_path / "b.json", "rooms-2", 3, network(bed, bed, none, bed), network(bed, none, none, none)),
        write(tmp_path / "a.json", "rooms-1", 9, network(bed, none, none, bed), network(none, none, none, none)),
    ]
    found = summarize(files)
    assert found.tables["feature-objects"].rows == [
        ["rooms-1", 9, "trained", "bed, nothing, nothing, bed", 2, 2, 4],
        ["", 9, "initial weights", "nothing, nothing, nothing, nothing", 0, 0, 4],
        ["rooms-2", 3, "trained", "bed, bed, nothing, bed", 3, 3, 4],
        ["", 3, "initial weights", "bed, nothing, nothing, nothing", 1, 1, 4],
    ]
    assert [(bar.value, bar.met) for bar in found.bars] == [(2, False), (1, True)]
    assert found.ratios == {"share of features with initial weights": 1 / 8}
    # The same network beside another run has no row of its own.
    more = [*files, write(tmp_path / "c.json", "rooms-3", 3, network(none), network(bed, none, none, none))]
    rows = summarize(more).tables["feature-objects"].rows
    assert [row[:3] for row in rows[4:]] == [["rooms-3", 3, "trained"]]
    assert summarize(more).ratios == found.ratios


@pytest.mark.parametrize("text", ["{", "{}", '{"numbers": {"trained": {"strongest": []}}}', "[]"])
def test_what_is_no_such_record_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "walk.json").write_text(text)
    with pytest.raises(DataError, match=r"walk\.json is no record of study features on the embedded scenes"):
        summarize([tmp_path / "walk.json"])
