"""The claims as they are declared, and the table made of made-up measures."""

import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dcgan_dist.errors import DataError
from dcgan_dist.settings import flatten, replaced, to_yaml
from tuning import claims
from tuning.claim_measures import MEASURES
from tuning.claims import CLAIMS, MADE, Arm, Claim, Scale, Setup, at_scale, chosen, main
from tuning.claims_table import judged, lines, markdown, require_same_data
from tuning.space import full_name

SETUP = Setup("small", "scenes32", {"images": 700, "workers.threads": 1})
CLAIM = Claim(
    "good", "good is better", "a paper", SETUP, {"optimization.lr": 3e-4}, {}, "spread", seeds=(4, 5, 6), more=()
)


@pytest.mark.parametrize("scale", ["small", "paper"])
def test_all_claims_can_be_tried(scale: Scale) -> None:
    every = at_scale(scale)
    assert len({claim.name for claim in every}) == len(every)
    setups = {setup for claim in every for setup in claim.setups}
    assert len({setup.name for setup in setups}) == len(setups)
    assert len({to_yaml(setup.settings) for setup in setups}) == len(setups)
    same = [(claim.setups, str(claim.ours), str(claim.other), claim.measure) for claim in every]
    assert len(set(same)) == len(every), "each is another experiment"
    for claim in every:
        for setup, runs in zip(claim.setups, claim.runs(), strict=True):
            settings = setup.settings
            for run in runs:
                changed = flatten(replaced(settings, run, claim.name))
                assert changed != flatten(settings) or "seed" in run
                for name in run:
                    full_name(name, settings)  # else the sweep refuses it
            assert settings.images is not None
            # Measures that are taken of curves need several points in the last third of a run.
            assert settings.images >= 12 * settings.monitoring.measure_images
            assert setup.made == (MADE in to_yaml(settings))
            assert MADE not in to_yaml(setup.settings_at("/somewhere"))
        assert claim.measure in MEASURES
        ours, others = claim.runs()
        assert claim.against or not [run for run in ours if run in others]
        same = ours[0].keys() == others[0].keys() == {"seed"} and claim.against is None
        assert claim.name.startswith("nothing") == same


def test_arms_have_the_same_seeds_unless_they_are_equal() -> None:
    ours, others = CLAIM.runs()
    assert ours == [{"optimization.lr": 3e-4, "seed": seed} for seed in (4, 5, 6)]
    assert others == [{"seed": seed} for seed in (4, 5, 6)]
    ours, others = replace(CLAIM, ours={}).runs()
    assert not [run for run in ours if run in others]


def test_the_arm_that_is_as_the_setup_has_more_runs() -> None:
    """Ours has where both are, or none."""

    def seeds(**changes: Any) -> tuple[list[Any], list[Any]]:
        ours, others = replace(CLAIM, more=(40, 50), **changes).runs()
        return [run["seed"] for run in ours], [run["seed"] for run in others]

    few, many = [4, 5, 6], [4, 5, 6, 40, 50]
    lr, beta1 = {"optimization.lr": 3e-4}, {"optimization.beta1": 0.8}
    assert seeds(ours=lr, other={}) == (few, many)
    assert seeds(ours={}, other=lr) == (many, few)
    assert seeds(ours=lr, other=beta1) == (many, few)
    assert seeds(ours={}, other={}, against=replace(SETUP, name="another")) == (many, few)
    assert seeds(ours={}, other={}) == (many, [204, 205, 206])


def test_what_a_setup_has_anyway_makes_no_other_run() -> None:
    same = replace(CLAIM, ours={"optimization.batch_size": 64, "optimization.lr": 3e-4})
    assert same.runs() == CLAIM.runs()


def test_at_the_papers_size_no_measure_is_of_rooms() -> None:
    every = at_scale("paper")
    assert {claim.setup.preset for claim in every} == {"lsun64", "imagenet32"}
    assert {"lr", "lr-photos", "nothing"} <= {claim.name for claim in every}
    assert not {claim.measure for claim in every} & {"attributes", "rooms", "sooner", "reached", "colors", "copies"}
    assert {"kernel-sooner", "kernel", "drift"} <= {claim.measure for claim in every}
    both = next(claim for claim in every if claim.name == "both")
    assert both.runs()[1][0] == {"seed": 1}, "the preset updates in turn"


def test_the_other_arm_may_have_another_setup() -> None:
    """Each arm's runs are looked for among those of its own setup."""
    long = Setup("long", "scenes32", {"images": 3_500, "optimization.lr": 3e-4})
    claim = replace(CLAIM, against=long, other={"optimization.lr": 3e-4, "optimization.beta1": 0.7})
    ours, others = claim.runs()
    assert ours == [{"optimization.lr": 3e-4, "seed": seed} for seed in (4, 5, 6)]
    assert others == [{"optimization.beta1": 0.7, "seed": seed} for seed in (4, 5, 6)]
    found = {SETUP: measured(ours, [0.5, 0.6, 0.7]), long: measured(others[:2], [0.1, 0.2])}
    result = judged(claim, found, claims=1)
    assert (result.ours, result.others) == ([0.5, 0.6, 0.7], [0.1, 0.2])
    assert result.lacking == [("long", others[2])]
    assert "| long, beta1 0.7 |" in markdown([replace(result, claim=replace(claim, other={"optimization.beta1": 0.7}))])
    same = replace(claim, other={}, ours={})
    assert same.runs()[0] == same.runs()[1], "the same seeds, since it is their setups that differ"
    assert result.as_json()["against"] == {"setup": "long", "images": 3_500, "optimization.lr": 3e-4}


def test_claims_are_chosen_by_name() -> None:
    assert [claim.name for claim in chosen(["lr", "nothing"], CLAIMS)] == ["nothing", "lr"]
    assert chosen([], CLAIMS) == list(CLAIMS)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (
            "--only lr beta2",
            "--only names beta2, which is no claim: there are nothing, nothing-rooms, nothing-drift, obvious, ",
        ),
        ("--minutes 0", "minutes is 0.0 but needs to be above 0"),
        ("--at-once -1", "at_once is -1 but needs at least 0"),
        ("--report --storage nowhere", "there are no runs of claims in "),
        ("--claims lr", "--claims is not an option"),
        (
            "--only lr-photos strided-photos",
            "lr-photos, strided-photos cannot be tried: the environment variable DCGAN_DIST_DATA is not set but "
            "$DCGAN_DIST_DATA/cifar10/train-*.tar needs it: export DCGAN_DIST_DATA=FOLDER; the preset's data "
            "is prepared by ",
        ),
        ("--scale paper", "$DCGAN_DIST_DATA/lsun/train-*.tar needs it"),
    ],
)
def test_wrong_input_is_one_sentence_and_leaves_nothing(
    arguments: str, told: str, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DCGAN_DIST_DATA", raising=False)
    assert main(arguments.split()) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert told in error
    assert error.count("\n") == 1
    assert not list(tmp_path.iterdir())


def measured(runs: Sequence[Arm], values: Sequence[float | None], condemned: float | None = 0.0) -> list[Any]:
    return [
        (run, {"values": {"spread": value, "condemned": None if value is None else condemned}})
        for run, value in zip(runs, values, strict=True)
    ]


def test_a_claim_is_judged_by_its_own_runs() -> None:
    ours, others = CLAIM.runs()
    found = [
        *measured([{"seed": 9}], [100.0]),  # of another claim
        *measured(others, [0.31, 0.30, None]),
        *measured(ours[::-1], [0.92, 0.91, 0.90], condemned=1.0),
    ]
    result = judged(CLAIM, {SETUP: found}, claims=3)
    assert (result.ours, result.others) == ([0.90, 0.91, 0.92], [0.31, 0.30, None])
    assert result.condemned == (3, 1)
    assert not result.lacking
    assert result.effect is not None
    assert result.effect.size == pytest.approx(0.61), "the failed one counts as 0"
    content = result.as_json()
    assert content["measured"] == {"ours": [0.90, 0.91, 0.92], "other": [0.31, 0.30, None]}
    assert content["verdict"] == result.verdict == "cannot tell"


def test_runs_that_are_not_there_are_counted() -> None:
    ours, others = CLAIM.runs()
    result = judged(CLAIM, {SETUP: [*measured(ours, [0.5, 0.6, 0.7]), *measured(others[:2], [0.1, 0.1])]}, claims=3)
    assert (result.lacking, result.verdict, result.ours) == ([("small", others[2])], None, [0.5, 0.6, 0.7])
    assert "| 0 of 3 and 0 of 2 | 5 of 6 runs so far |" in markdown([result])
    assert judged(CLAIM, {SETUP: measured(ours, [0.5, 0.6, 0.7])}, claims=3).effect is None


def test_a_run_that_was_measured_by_something_else_alone_is_not_there() -> None:
    ours, others = CLAIM.runs()
    found = [*measured(ours, [0.5, 0.6, 0.7]), *measured(others, [0.1, 0.1, 0.1])]
    found[1] = (ours[1], {"values": {"drift": 0.2, "condemned": 0.0}})
    result = judged(CLAIM, {SETUP: found}, claims=3)
    assert (result.lacking, result.ours) == ([("small", ours[1])], [0.5, 0.7])


def test_no_verdict_is_given_before_all_runs_are_there() -> None:
    claim = replace(CLAIM, seeds=(4, 5, 6, 7))
    ours, others = claim.runs()
    found = [*measured(ours, [0.9, 0.91, 0.9, 0.92]), *measured(others[:3], [0.1, 0.1, 0.1])]
    result = judged(claim, {SETUP: found}, claims=1)
    assert result.effect is not None
    assert result.effect.size > 0
    assert result.verdict is None
    assert judged(claim, {SETUP: [*found, *measured(others[3:], [0.1])]}, claims=1).verdict == "holds"


def test_the_table_says_what_was_done_and_found() -> None:
    ours, others = CLAIM.runs()
    found = {SETUP: [*measured(ours, [0.9, 0.92, 0.91]), *measured(others, [0.3, 0.31, None])]}
    result = judged(CLAIM, found, claims=1)
    assert result.verdict == "cannot tell", "three and three runs are too few"
    four = replace(CLAIM, seeds=(4, 5, 6, 7))
    ours, others = four.runs()
    found = {SETUP: [*measured(ours, [0.9, 0.92, 0.91, 0.93]), *measured(others, [0.3, 0.31, None, 0.3])]}
    result = judged(four, found, claims=1)
    *_, row, _, words = markdown([result]).splitlines()
    assert row.startswith(
        "| good | good is better | a paper | small | lr 0.0003 | as the setup | spread | 0.915 | 0.3, 1 failed | +"
    )
    assert row.endswith(" (+0.59 to +0.93) | 0 of 4 and 1 of 4 | holds |")
    assert words.startswith("- `spread`: how far samples")
    assert words.endswith("more is better")


def test_a_terminal_shows_it_in_short() -> None:
    four = replace(CLAIM, seeds=(4, 5, 6, 7))
    ours, others = four.runs()
    found = [*measured(ours, [0.9, 0.92, 0.91, 0.93]), *measured(others, [0.3, 0.31, None, 0.3])]
    head, row = lines([judged(four, {SETUP: found}, claims=1)])
    assert head.split() == ["claim", "measure", "of", "the", "arm", "of", "the", "other", "effect", "verdict"]
    assert row.startswith("good   spread (more is better)  0.915       0.3, 1 failed  +0.")
    assert row.endswith("  holds")
    assert row.index("holds") == head.index("verdict")


def test_a_failed_run_counts_as_the_worst_value_of_its_measure() -> None:
    claim = replace(CLAIM, measure="drift")
    ours, others = claim.runs()
    found = [
        (run, {"values": {"drift": value, "condemned": 0.0}})
        for run, value in zip([*ours, *others], [0.5, 0.5, 0.5, None, None, None], strict=True)
    ]
    result = judged(claim, {SETUP: found}, claims=1)
    assert result.effect is not None
    assert result.effect.size == MEASURES["drift"].worst - 0.5 == 1.5


def test_runs_of_one_kind_of_data_are_on_the_same_data() -> None:
    long = replace(SETUP, name="long", changes={**SETUP.changes, "images": 7_000})
    other = replace(SETUP, name="other", changes={**SETUP.changes, "data.scenes_images": 900})

    def on(data: str | None) -> list[Any]:
        return [({"seed": 1}, {"data_sha256": data})]

    require_same_data({SETUP: on("aa"), long: [*on("aa"), *on(None)], other: on("bb")})
    for found in ({SETUP: [*on("aa"), *on("bb")]}, {SETUP: on("aa"), long: on("bb")}):
        with pytest.raises(DataError, match=r"^not all runs of small"):
            require_same_data(found)


def test_values_of_two_judges_are_never_in_one_claim() -> None:
    claim = replace(CLAIM, measure="rooms")
    ours, others = claim.runs()

    def seen(judge: str, runs: Sequence[Arm], value: float) -> list[Any]:
        return [(run, {"values": {"rooms": value, "condemned": 0.0}, "judge": judge}) for run in runs]

    found = [*seen("new", ours, 0.5), *seen("old", others, 0.25), *seen("new", [{"seed": 99}] * 9, 0.1)]
    result = judged(claim, {SETUP: found}, claims=1)
    assert (result.judge, result.ours, result.others) == ("new", [0.5] * 3, [])
    assert [run for _, run in result.lacking] == others
    result = judged(claim, {SETUP: [*found, *seen("old", ours, 0.75)]}, claims=1)
    assert (result.judge, result.ours, result.others) == ("old", [0.75] * 3, [0.25] * 3)
    assert not result.lacking
    assert result.as_json()["judge"] == "old"


def test_equal_arms_are_told_apart_from_a_setting_that_is_the_same() -> None:
    equal = replace(CLAIM, ours={})
    result = judged(equal, {SETUP: []}, claims=1)
    assert "| as the setup | other seeds |" in markdown([result])


def test_runs_of_equal_arms_are_parted_anew() -> None:
    equal = replace(CLAIM, ours={}, seeds=(4, 5, 6, 7))
    ours, others = equal.runs()
    found = [*measured(ours, [0.5, 0.57, 0.51, 0.63]), *measured(others, [0.59, 0.54, 0.61, 0.52])]
    result = judged(equal, {SETUP: found}, claims=3)
    alone, together = result.as_json()["redraws"].values()
    assert (alone["ways"], together["ways"]) == (70, 70)
    assert alone["verdicts"] == 2, "at 5 % the critical value of 4 and 4 runs is 0"
    assert together["verdicts"] == 0
    assert judged(equal, {SETUP: found[:-1]}, claims=3).as_json()["redraws"] == {"alone": None, "together": None}
    ours, others = CLAIM.runs()
    different = [*measured(ours, [0.9, 0.92, 0.91]), *measured(others, [0.3, 0.31, 0.3])]
    assert judged(CLAIM, {SETUP: different}, claims=3).redraws(1) is None


def test_the_setup_is_one_of_its_preset() -> None:
    flat: Mapping[str, object] = flatten(SETUP.settings)
    assert (flat["images"], flat["workers.threads"], flat["optimization.batch_size"]) == (700, 1, 64)
    assert claims.ROOMS.settings.optimization.average_images == 0


def test_nothing_of_ray_is_imported_before_its_environment_is_set() -> None:
    """Else Ray would have made up its mind about tokens."""
    code = "import sys, tuning.claims, tuning.claim_runs; print('ray' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
