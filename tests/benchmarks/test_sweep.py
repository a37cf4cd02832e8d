"""The report on what a sweep costs and saves."""

from benchmarks.sweep import IMAGES, TRIALS, Turn, Whole, report


def test_bars_say_what_was_missed() -> None:
    swept = Whole(
        images=TRIALS * IMAGES // 2,
        best=0.9,
        values=[0.8, 0.9, *[0.7] * (TRIALS - 2)],
        states=["finished", "finished", *["cut"] * (TRIALS - 2)],
        same=False,
        stop_s=[1.0, 2.0, 6.0],
        seconds=600.0,
    )
    turns = {True: [Turn(9.0, 95.0), Turn(10.0, 96.0), Turn(30.0, 97.0)], False: [Turn(8.0, 100.0)] * 3}
    found = report(swept, turns)
    assert found.ratios == {"trial_over_command": 0.96, "asha_share_of_images": 0.5}
    assert found.rates["trial_first_step_s"] == 10.0
    assert {bar.name: bar.met for bar in found.bars} == {
        "ASHA: share of the images of all trials in full": True,
        "ASHA: accuracy of the best trial over that of trial 0": True,
        "best.yaml trains to the same weights (1: yes)": False,
        "seconds until a cut trial's worker is gone, at most": False,
        "images/s of a trial over the command alone": True,
    }
    rows = dict(found.tables["sweep"].rows)
    assert rows["trials to their end"] == "2"
    assert rows["seconds until a cut trial's worker is gone: median, most"] == "2.0, 6.0"
