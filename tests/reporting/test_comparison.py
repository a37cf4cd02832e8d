from typing import Any

import pytest

from dcgan_dist.reporting.comparison import comparison, names
from dcgan_dist.reporting.run_files import read_run


@pytest.mark.parametrize(
    ("addresses", "called"),
    [
        (["/a/runs/x", "/a/runs/y"], ["x", "y"]),
        (["/a/runs/x", "/b/runs/x"], ["a/runs/x", "b/runs/x"]),
        (["/a/x", "s3://bucket/x/"], ["a/x", "bucket/x"]),
        (["/x"], ["x"]),
        (["/same/x", "/same/x"], ["/same/x", "/same/x"]),
    ],
)
def test_runs_are_called_by_what_tells_them_apart(addresses: list[str], called: list[str]) -> None:
    assert names(addresses) == called


def test_runs_stand_side_by_side(copied: Any) -> None:
    first, second = copied("first"), copied("second")
    text = (second / "settings.yaml").read_bytes().decode()
    (second / "settings.yaml").write_bytes(text.replace("seed: 42", "seed: 7").encode())
    found = comparison([read_run(first), read_run(second)], 0.0, price=2.0)
    assert [run.name for run in found.runs] == ["first", "second"]
    assert [len(run.shots) for run in found.runs] == [1, 1]
    assert found.settings == [("seed", ["42", "7"])]
    (table,) = found.tables
    assert [row.features for row in table.rows if row.ours] == [
        "discriminator of first at 5,120 images",
        "random of first at 2,560 images",
        "discriminator of second at 5,120 images",
        "random of second at 2,560 images",
    ]
    assert all({line.label for line in chart.series} == {"first", "second"} for chart in found.charts)
    assert found.notes == []
    assert not found.unlike
    (newest,) = [name for name in (second / "evaluation").names() if "discriminator" in name]
    result = (second / "evaluation" / newest).read_bytes()
    (second / "evaluation" / newest).write_bytes(result.replace(b'"images": 5120', b'"images": 5056'))
    assert comparison([read_run(first), read_run(second)], 0.0).unlike
    (second / "settings.yaml").write_bytes(b"no: settings")
    found = comparison([read_run(first), read_run(second)], 0.0)
    assert found.settings is None
    assert found.notes[0].startswith("second: the settings are left out: ")
    assert found.notes[1:] == ["settings are not compared, since not all of them can be read"]
