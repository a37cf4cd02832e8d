"""Rules of health on made-up curves."""

from collections.abc import Callable

import pytest

from dcgan_dist.monitoring.collapse import WINDOW_IMAGES, Finding, Health

EVERY = 1_000


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
    ("name", "value", "reason"),
    [
        ("loss/generator", 6.9, "D wins"),
        ("samples/spread", 0.1, "G repeats itself"),
        ("samples/drift", 0.95, "samples oscillate"),
    ],
)
def test_what_is_wrong_for_a_window_is_told_once_with_its_onset(name: str, value: float, reason: str) -> None:
    begins = 50_000
    (found,) = findings(lambda images: healthy(images) | ({name: value} if images > begins else {}))
    assert found.reason == reason
    assert found.onset <= begins + WINDOW_IMAGES / 2
    assert begins + WINDOW_IMAGES / 5 < found.images <= begins + WINDOW_IMAGES + 2 * EVERY
    assert str(found).startswith(f"{reason} since {found.onset:,} images: ")
    # For half of a window: a bad moment.
    end = begins + WINDOW_IMAGES // 2
    assert findings(lambda images: healthy(images) | ({name: value} if begins < images < end else {})) == []


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_number_that_is_none_is_told_at_once(value: float) -> None:
    (found,) = findings(lambda images: healthy(images) | ({"loss/generator": value} if images > 5_000 else {}))
    assert (found.reason, found.onset, found.images) == ("not a number", 5_000, 6_000)
    assert found.words.startswith("loss/generator is ")


def test_what_a_lost_attempt_measured_does_not_count() -> None:
    health = Health()
    for at in range(EVERY, 19_000, EVERY):
        assert health.add(at, healthy(at) | {"samples/spread": 0.1}) is None
    # It goes on from a checkpoint at 2,000, and differs.
    for at in range(3_000, 60_000, EVERY):
        assert health.add(at, healthy(at)) is None


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
