"""Judges are kept beside a run's scenes, and learn only where they are of use."""

from pathlib import Path

import pytest

from dcgan_dist.data.scenes import Kind
from dcgan_dist.studies.judges.faces import FaceJudge
from dcgan_dist.studies.judges.rooms import RoomJudge
from dcgan_dist.study import main
from tests.studies.judged_run import judged_run


@pytest.mark.parametrize(
    ("kind", "words", "sentence"),
    [
        ("rooms", ["turn"], "study turn needs --exemplars FILE"),
        ("faces", ["forget"], "study forget has no boxes"),
        ("rooms", ["forget", "--object", "tree"], "object is 'tree' but needs to be one of bed, window"),
        ("faces", ["arithmetic", "--a", "tree", "--b", "no smile", "--c", "smile"], "tree"),
    ],
)
def test_wrong_input_is_told_before_a_judge_learns(
    kind: Kind,
    words: list[str],
    sentence: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    run = judged_run(tmp_path, kind)
    (kept,) = tmp_path.rglob("judge-*.safetensors")
    kept.unlink()

    def learn(*given: object) -> None:
        raise AssertionError("it learns")

    for judge in (RoomJudge, FaceJudge):
        monkeypatch.setattr(judge, "learn", learn)
    assert main([words[0], str(run), *words[1:]]) == 2
    assert sentence in capsys.readouterr().err
