"""Sums of concepts whose exemplars a judge finds."""

from pathlib import Path

import pytest

from dcgan_dist.errors import SettingsError
from dcgan_dist.studies.arithmetic import DEFAULTS, ArithmeticOptions, arithmetic
from dcgan_dist.studies.concepts import concept_of, wanted_of
from dcgan_dist.studies.judges.attributes import names_of
from dcgan_dist.studies.judges.faces import FaceJudge
from dcgan_dist.studies.judges.rooms import RoomJudge
from dcgan_dist.studies.measured_sums import COUNTS, SUMS
from dcgan_dist.study import main
from tests.studies.judged_run import judged_run
from tests.studies.linear_faces import TESTED, judged, subject


@pytest.fixture
def _judged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dcgan_dist.studies.arithmetic.judge_of", lambda subject, say, **asked: judged())


def options(a: str, b: str, c: str, exemplars_each: int = 2) -> ArithmeticOptions:
    return ArithmeticOptions(run="mine", a=a, b=b, c=c, exemplars_each=exemplars_each, seed=3)


@pytest.mark.usefixtures("_judged")
def test_sums_are_measured_where_a_judge_finds_exemplars() -> None:
    asked = options("glasses, no smile", "no glasses, no smile", "no glasses, smile")
    found = arithmetic(subject(), asked, print)
    measured = found.numbers["measured"]
    assert (measured["sums"], measured["wanted"]) == (SUMS, "glasses, smile")
    one, _, ten = measured["z"]
    assert one["high"] < ten["low"]
    assert [entry["exemplars"] for entry in measured["pixels"]] == list(COUNTS)
    assert found.numbers["judge"] == TESTED
    assert found.depends_on == {"judge_sha256": judged().sha256}
    assert found.shows.startswith(
        "(glasses, no smile) - (no glasses, no smile) + (no glasses, smile): three rows of 2 "
    )
    assert f"1: {one['share']:.1%} ({one['low']:.1%} to {one['high']:.1%}); 3: " in found.lines[2]
    # Two exemplars with their mean, three results, and the sum of pixels, of 96 pixels each; below lines of text.
    assert found.figure.shape == (3 * (14 + 96), (3 * 98 - 2) + 14 + (3 * 98 - 2) + 14 + 96, 3)


@pytest.mark.usefixtures("_judged")
@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        (
            options("hat", "no hat", "smile"),
            "a is 'hat' but needs to name attributes, .* there are smile, glasses, long_",
        ),
        (options("smile", "no smile", ""), "c is '' but needs to name attributes"),
        (options("smile", "no smile", "no smile"), "each need to differ from b"),
        # Long hair goes with a smile here.
        (
            options("smile, long_hair", "no smile, long_hair", "no smile, no long_hair"),
            r"of 4,000 samples show 'no smile, l",
        ),
    ],
)
def test_what_cannot_be_summed_is_one_sentence(asked: ArithmeticOptions, sentence: str) -> None:
    with pytest.raises(SettingsError, match=sentence):
        arithmetic(subject(), asked, print)


def test_without_a_judge_exemplars_are_asked_for() -> None:
    with pytest.raises(
        SettingsError, match="study arithmetic needs --exemplars FILE for mine: it finds some itself only"
    ):
        arithmetic(subject(), options("smile", "no smile", "glasses"), print)


def test_a_run_that_has_not_learned_what_is_asked_for_is_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = judged_run(tmp_path, "rooms")
    assert main(["arithmetic", str(run), "--a", "bed, night", "--b", "no bed, night", "--c", "no bed, no night"]) == 2
    assert "of 4,000 samples show '" in capsys.readouterr().err
    assert not list((run / "studies").glob("*.json"))


@pytest.mark.parametrize(
    ("kind", "wanted"),
    [(FaceJudge, {"smile": True, "long_hair": False}), (RoomJudge, {"night": True, "bed": True})],
)
def test_default_concepts_are_a_sum(kind: type[FaceJudge | RoomJudge], wanted: dict[str, bool]) -> None:
    names = names_of(kind)
    assert wanted_of(*(concept_of(text, "x", names) for text in DEFAULTS[kind])) == wanted
