"""What a probe costs training, from turns."""

from benchmarks.beside import Turn, report


def turns(with_probe: float, busy: float) -> list[Turn]:
    return [
        turn
        for noise in (-1.0, 0.0, 1.0)
        for turn in (Turn(False, [100.0 + noise], 0.0), Turn(True, [with_probe + noise, with_probe + noise], busy))
    ]


def test_training_that_keeps_its_speed_meets_the_bars() -> None:
    found = report(turns(98.0, 0.9))
    assert found.ratios["with_over_without"] == 0.98
    assert all(bar.met for bar in found.bars)


def test_slower_training_and_a_probe_that_slept_miss_one() -> None:
    assert [bar.met for bar in report(turns(90.0, 0.9)).bars] == [False, True]
    assert [bar.met for bar in report(turns(99.0, 0.1)).bars] == [True, False]
