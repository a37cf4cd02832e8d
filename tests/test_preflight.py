"""The command that says what a cluster has, and what is wrong with it."""

from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from dcgan_dist import preflight
from dcgan_dist.errors import ClusterError
from dcgan_dist.preflight import main


@pytest.mark.system
@pytest.mark.ray
def test_a_machine_is_examined_and_listed(tmp_path: Path, train_command: Any) -> None:
    train_command.module = "dcgan_dist.preflight"
    status, output = train_command.run("--doctor", "--storage", "runs")
    lines = output.splitlines()
    assert status == 0, output
    assert " ok " in lines[-3]
    assert lines[-2] == "storage: runs"
    # The token that it asks for is of this command, and says nothing of any cluster.
    assert lines[-1].startswith("cluster: none; this Ray was started for the check (name a cluster with --address or ")
    assert list((tmp_path / "runs").iterdir()) == []


def test_an_address_where_nobody_answers_is_told(call: Any) -> None:
    status, output, errors = call(main, "--doctor", "--address", "127.0.0.1:1")
    assert (status, output) == (2, "joining the Ray cluster at 127.0.0.1:1\n")
    assert errors.startswith("error: workers.address is 127.0.0.1:1 but no Ray cluster answers there")


def test_what_the_doctor_finds_is_no_wrong_input(call: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def examine(storage: str, line: object, *, ours: bool) -> None:
        assert ours
        raise ClusterError(f"something is wrong with a and {storage}: see above")

    monkeypatch.setattr(preflight, "connected", lambda address, cpus: nullcontext())
    monkeypatch.setattr(preflight, "_examine", examine)
    status, output, errors = call(main, "--doctor", "--storage", "kept")
    assert (status, output) == (1, "starting Ray on this machine\n")
    assert errors == "error: something is wrong with a and kept: see above\n"
