"""The turn of faces between exemplars that a judge finds."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from dcgan_dist.errors import SettingsError
from dcgan_dist.studies.judges.faces import FaceJudge
from dcgan_dist.studies.result import sha256_of
from dcgan_dist.studies.turn import MEASURED, POOL, TurnOptions, turn
from dcgan_dist.study import main
from tests.studies.judged_run import TESTED, judged_run
from tests.studies.linear_faces import judged, subject


def test_faces_are_turned_from_those_that_look_left_to_those_that_look_right(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dcgan_dist.studies.turn.judge_of", lambda subject, say, **asked: judged())
    generator = subject()
    found = turn(generator, TurnOptions(run="mine", exemplars_each=3, rows=2, steps=5, seed=6), print)
    z = generator.generator.latents(MEASURED + POOL, 6)
    red = z[:, 0].numpy()
    exemplars = found.numbers["exemplars"]
    left, right = (exemplars[name]["samples"] for name in ("looks left", "looks right"))
    # None of those that are turned; the reddest and the least red of all others, but for the rounding of pixels.
    assert min(left + right) >= MEASURED
    assert red[left].max() < np.sort(red[MEASURED:])[2] + 0.04
    assert red[right].min() > np.sort(red[MEASURED:])[-3] - 0.04
    vector = z[right].mean(0) - z[left].mean(0)
    assert found.numbers["length_of_vector"] == pytest.approx(float(torch.linalg.norm(vector)), rel=1e-5)
    assert found.numbers["turned"]["correlation_within_rows"]["value"] > 0.99
    assert found.numbers["turned"]["faces"] == MEASURED
    assert abs(found.numbers["random"]["correlation_within_rows"]["value"]) < 0.3
    assert found.depends_on == {"judge_sha256": judged().sha256}
    assert found.lines[1].startswith("the vector: the yaw correlates by 1.00 ")


def test_a_run_trained_on_faces_is_turned_without_exemplars(tmp_path: Path) -> None:
    assert main(["turn", str(judged_run(tmp_path, "faces")), "--steps", "3", "--seed", "2"]) == 0
    (file,) = (tmp_path / "mine" / "studies").glob("turn-*.json")
    record = json.loads(file.read_text())
    assert record["numbers"]["judge"] == TESTED
    assert record["judge_sha256"] == sha256_of(FaceJudge.untrained(7).network)
    assert record["numbers"]["turned"]["faces"] == MEASURED
    assert set(record["numbers"]["turned"]["stays"]) >= {"smile", "glasses", "long_hair", "bald", "skin"}


def test_what_cannot_be_turned_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(
        SettingsError, match=r"needs --exemplars FILE, --from and --to for mine: it finds exemplars itself"
    ):
        turn(subject(), TurnOptions(run="mine"), print)
    with pytest.raises(SettingsError, match="from and to name exemplars of a file: give --exemplars FILE too"):
        turn(subject(), TurnOptions(run="mine", to="looks up"), print)
    assert main(["turn", str(judged_run(tmp_path, "rooms"))]) == 2
    assert "only on samples of a run that was trained on drawn faces" in capsys.readouterr().err
