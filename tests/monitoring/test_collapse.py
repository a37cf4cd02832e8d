"""Rules of health on made-up curves."""

from collections.abc import Callable

import pytest

from dcgan_dist.monitoring.collapse import (
    OSCILLATING_DRIFT,
    REPEATING_SPREAD,
    WINDOW_IMAGES,
    WON,
    Finding,
    Health,
)

EVERY = 1_000
WON_LOSS, WON_SCORE = WON["bce"]


def findings(values_at: Callable[[int], dict[str, float]], images: int = 100_000) -> list[Finding]:
    health = Health()
    told = (health.add(at, values_at(at)) for at in range(EVERY, images, EVERY))
    return [found for found in told if found is not None]


def healthy(images: int) -> dict[str, float]:
    return {
        "loss/generator": 3.0,
        "score/real": 0.95,
        "samples/spread": 0.9,
        "samples/drift": 1.0 if images < WINDOW_IMAGES / 2 else 0.4,
    }


def test_a_healthy_run_has_no_findings() -> None:
    assert findings(healthy) == []


@pytest.mark.parametrize(
    ("name", "value", "reason", "words"),
    [
        ("loss/generator", 6.9, "D wins", "G's loss is 5.1 while D is 95% sure of real images: G learns little"),
        ("samples/spread", 0.1, "G repeats itself", "samples differ by 10% of what real images differ by"),
        (
            "samples/drift",
            0.95,
            "samples oscillate",
            "samples of the same z move by 95% of the distance between unrelated ones from one measurement to the next",
        ),
    ],
)
def test_what_is_wrong_for_a_window_is_told_once_with_its_onset(
    name: str, value: float, reason: str, words: str
) -> None:
    begins = 50_000
    (found,) = findings(lambda images: healthy(images) | ({name: value} if images > begins else {}))
    assert found.reason == reason
    assert found.onset <= begins + WINDOW_IMAGES / 2
    assert begins + WINDOW_IMAGES / 5 < found.images <= begins + WINDOW_IMAGES + 2 * EVERY
    assert str(found) == f"{reason} since {found.onset:,} images: {words}"
    # For half of a window: a bad moment.
    end = begins + WINDOW_IMAGES // 2
    assert findings(lambda images: healthy(images) | ({name: value} if begins < images < end else {})) == []


def test_no_problem_hides_another() -> None:
    """Samples at a single point that jumps, and a D that wins: as without batch normalization, or with beta1 0.9."""
    wrong = {"samples/spread": 0.04, "samples/drift": 2.1, "loss/generator": 6.5, "score/real": 0.99}
    found = findings(lambda images: wrong)
    assert [one.reason for one in found] == ["D wins", "G repeats itself", "samples oscillate"]
    later = findings(lambda images: wrong if images > 50_000 else healthy(images) | {"samples/drift": 1.2})
    assert [one.reason for one in later] == ["samples oscillate", "D wins", "G repeats itself"]


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_number_that_is_none_is_told_at_once(value: float) -> None:
    (found,) = findings(lambda images: healthy(images) | ({"loss/generator": value} if images > 5_000 else {}))
    assert (found.reason, found.onset, found.images) == ("not a number", 5_000, 6_000)
    assert found.words.startswith("loss/generator is ")


def test_before_the_first_point_of_a_run_all_was_well() -> None:
    for points, onset in (((2_000,), 0), ((1_000, 2_000), 1_000)):
        health = Health()
        *before, last = points
        assert [health.add(at, healthy(at)) for at in before] == [None] * len(before)
        found = health.add(last, {"loss/discriminator": float("-inf")})
        assert found == Finding("not a number", onset, 2_000, "loss/discriminator is -inf")


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"loss/generator": WON_LOSS, "score/real": 0.99}, None),
        ({"loss/generator": WON_LOSS + 1, "score/real": WON_SCORE}, None),
        ({"loss/generator": WON_LOSS + 0.01, "score/real": WON_SCORE + 0.01}, "D wins"),
        ({"samples/spread": REPEATING_SPREAD}, None),
        ({"samples/spread": REPEATING_SPREAD - 0.01}, "G repeats itself"),
        ({"samples/drift": 1.0}, None),
    ],
)
def test_two_points_are_enough_if_a_window_lies_between_them(values: dict[str, float], reason: str | None) -> None:
    for between, wrong in ((WINDOW_IMAGES - 1, None), (WINDOW_IMAGES, reason)):
        health = Health()
        assert health.add(EVERY, healthy(EVERY)) is None
        found = health.add(EVERY + between, healthy(EVERY + between) | values)
        assert (found and found.reason) == wrong


@pytest.mark.parametrize(
    ("drifts", "wrong"),
    [
        ((0.9, 0.9), False),
        ((0.9, 0.9, OSCILLATING_DRIFT), False),
        ((0.9, 0.9, OSCILLATING_DRIFT + 0.01), True),
    ],
)
def test_samples_oscillate_if_they_moved_far_at_each_of_three_looks(drifts: tuple[float, ...], wrong: bool) -> None:
    health = Health()
    every = WINDOW_IMAGES // len(drifts)
    points = [(0, 0.1), *enumerate(drifts, start=1)]
    found = [health.add(every * number, {"samples/drift": drift}) for number, drift in points]
    assert found[:-1] == [None] * len(drifts)
    assert (found[-1] is not None) == wrong


def test_what_a_lost_attempt_measured_does_not_count() -> None:
    health = Health()
    for at in range(EVERY, 19_000, EVERY):
        assert health.add(at, healthy(at) | {"samples/spread": 0.1}) is None
    # It goes on from a checkpoint at 2,000, and differs.
    for at in range(3_000, 60_000, EVERY):
        assert health.add(at, healthy(at)) is None


def test_a_point_that_is_measured_again_takes_the_place_of_the_lost_one() -> None:
    health, end = Health(), EVERY + WINDOW_IMAGES
    for at, loss in ((EVERY, 3.0), (end - 1, 100.0), (end - 1, WON_LOSS - 1.5), (end, WON_LOSS + 1)):
        assert health.add(at, healthy(at) | {"loss/generator": loss}) is None


def test_a_number_that_is_none_hides_nothing_that_comes_after_it() -> None:
    health, end = Health(), EVERY + WINDOW_IMAGES
    won = {"loss/generator": WON_LOSS + 1, "score/real": WON_SCORE + 0.05}
    found = [
        health.add(EVERY, healthy(EVERY)),
        health.add(2 * EVERY, healthy(EVERY) | {"loss/generator": float("nan")}),
    ]
    found += [health.add(at, healthy(at) | won) for at in (3 * EVERY, end)]
    assert [one and one.reason for one in found] == [None, "not a number", None, "D wins"]


def test_the_scale_of_another_loss_says_nothing_of_who_wins() -> None:
    """G's hinge loss is as large as D's logits; all other rules are of samples, or of numbers that are none."""

    def told(loss: str, wrong: dict[str, float]) -> list[str]:
        health = Health(loss)
        found = (health.add(at, healthy(at) | wrong) for at in range(EVERY, 100_000, EVERY))
        return [one.reason for one in found if one is not None]

    won = {"loss/generator": 40.0, "score/real": 0.99}
    assert told("bce", won) == ["D wins"]
    assert told("mine:hinge", won) == []
    assert told("mine:hinge", won | {"samples/spread": 0.1}) == ["G repeats itself"]
    assert told("mine:hinge", won | {"loss/generator": float("nan")}) == ["not a number"]
