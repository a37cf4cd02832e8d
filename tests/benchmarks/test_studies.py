"""The table of what studies found, from their records."""

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks.studies import summarize
from dcgan_dist.errors import DataError


def write(folder: Path, study: str, run: str, numbers: dict[str, Any], name: str = "") -> Path:
    file = folder / f"{name or study}-{run}.json"
    file.write_text(json.dumps({"study": study, "run": run, "numbers": numbers}))
    return file


def forgotten(left: float, bed: float) -> dict[str, Any]:
    one = {"left": left, "kept": {"bed": bed, "door": 0.1}}
    random = [{"left": 0.97}, {"left": 0.95}]
    return {"by_weight": one, "random": random}


def summed(one: float, three: float) -> dict[str, Any]:
    def found(exemplars: int, share: float) -> dict[str, Any]:
        bounds = {"share": share, "low": share - 0.05, "high": share + 0.05}
        return {"exemplars": exemplars, **bounds, "both": {key: value / 2 for key, value in bounds.items()}}

    kinds = [found(1, one), found(3, three), found(10, 0.99)]
    return {"measured": {"z": kinds, "pixels": [found(3, 0.9)], "neighbors": []}}


def walked(sharp: list[int]) -> dict[str, Any]:
    return {
        "pixels": {"sharp": sharp},
        "features of D": {"sharp": []},
        "nearest training images": {"relative_median": 1.04},
    }


def test_each_seed_has_a_column_and_the_worst_is_compared_with_what_is_asked(tmp_path: Path) -> None:
    files = [
        write(tmp_path, "forget", "rooms-1", forgotten(0.3, 0.99)),
        write(tmp_path, "forget", "rooms-2", forgotten(0.7, 0.79)),
        write(tmp_path, "arithmetic", "faces-2", summed(0.5, 0.58)),
        write(tmp_path, "arithmetic", "faces-1", summed(0.5, 0.8)),
        write(tmp_path, "walk", "rooms-2", walked([3, 4])),
    ]
    found = summarize(files)
    table = found.tables["studies"]
    assert table.columns[4:] == ["seed 1", "seed 2"]
    rows = {(row[0], row[1], row[2]): list(row[4:]) for row in table.rows}
    assert rows["forget", "rooms", "windows left, maps of positive weight dropped"] == ["30 %", "70 %"]
    assert rows["walk", "rooms", "sharp transitions of a walk"] == ["", "2"]
    assert rows["arithmetic", "faces", "sums of pixels, the same"] == ["45 %", "45 %"]
    bars = {bar.name: (round(bar.value, 6), bar.met) for bar in found.bars}
    assert bars["forget, rooms: windows left, maps of positive weight dropped, the worst of 2 seeds"] == (0.7, False)
    assert bars["forget, rooms: the same, worst of 10, the worst of 2 seeds"] == (0.95, True)
    assert bars["arithmetic, faces: 3 exemplars above 1, between intervals, the worst of 2 seeds"] == (-0.02, False)
    assert bars["arithmetic, faces: 3 exemplars above sums of pixels, between intervals, the worst of 2 seeds"] == (
        -0.21,
        False,
    )
    assert bars["walk, rooms: sharp transitions of a walk, the worst of 1 seeds"] == (2, False)
    assert not any("turn" in name for name in bars)


def test_two_records_of_a_run_and_files_that_are_none_are_refused(tmp_path: Path) -> None:
    first, second = (write(tmp_path, "walk", "rooms-2", walked([]), name) for name in ("a", "b"))
    with pytest.raises(DataError, match=r"b-rooms-2\.json is the second record of study walk and run rooms-2"):
        summarize([first, second])
    (tmp_path / "none.json").write_text("{}")
    with pytest.raises(DataError, match=r"none\.json is no record of a study \(KeyError"):
        summarize([tmp_path / "none.json"])
