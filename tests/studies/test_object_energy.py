"""How much of a picture's energy lies on its objects."""

from typing import Any

import numpy as np
import pytest

from dcgan_dist.data.scenes import SceneObject
from dcgan_dist.studies.object_energy import (
    LEAST,
    LEAST_FEATURES,
    chance,
    covered,
    edges,
    on_objects,
    what_it_is,
)

BED: SceneObject = {"name": "bed", "box": [0.5, 0.0, 1.0, 0.5]}
LAMP: SceneObject = {"name": "lamp", "box": [0.0, 0.76, 0.24, 1.0]}


def test_pixels_are_rows_from_the_top_and_boxes_of_a_name_are_joined() -> None:
    other: SceneObject = {"name": "bed", "box": [0.25, 0.25, 0.75, 0.5]}
    found = covered([BED, LAMP, other], 4)
    assert found["bed"].astype(int).tolist() == [[0, 0, 1, 1], [0, 1, 1, 1], [0, 0, 0, 0], [0, 0, 0, 0]]
    assert found["lamp"].astype(int).tolist() == [[0] * 4, [0] * 4, [0] * 4, [1, 0, 0, 0]]


def test_edges_are_squares_of_central_differences_over_the_colors() -> None:
    images = np.zeros((2, 5, 6, 3), np.uint8)
    images[0, :, 3:, 1] = 40
    images[1, 2, :, :] = [10, 0, 4]
    found = edges(images)
    assert found[0].tolist() == [[0, 0, 400, 400, 0, 0]] * 5
    assert found[1, :, 0].tolist() == [0, 29, 0, 29, 0]
    assert found.dtype == np.float64


def test_shares_of_energy_against_those_of_edges_and_area() -> None:
    energies, flat = np.ones((30, 8, 8)), np.ones((30, 8, 8))
    energies[:, :4, 4:] = 5  # the bed: 80 of 128
    flat[:, :4, 4:] = 2  # 32 of 80
    found = on_objects(energies, flat, [[BED]] * 30, 1)["bed"]
    assert [found[name] for name in ("images", "area", "energy", "edges")] == pytest.approx([30, 0.25, 0.625, 0.4])
    for over, wanted in (("over_edges", 0.225), ("over_area", 0.375)):
        assert list(found[over].values()) == pytest.approx([wanted] * 3)


@pytest.mark.parametrize("objects", [[BED], [BED, LAMP]])
def test_the_intervals_hold_what_is_true_of_all_objects_at_once_about_as_often_as_they_say(
    objects: list[SceneObject],
) -> None:
    rng = np.random.default_rng(6)
    held = 0
    for seed in range(100):
        both = rng.exponential(size=(2, 40, 4, 4))
        found = on_objects(*both, [objects] * 40, seed)
        assert len(found) == len(objects)
        held += all(one["over_edges"]["low"] < 0 < one["over_edges"]["high"] for one in found.values())
    assert 85 <= held < 100


def test_images_without_energy_or_edges_and_boxes_without_pixels_say_nothing() -> None:
    energies, flat = np.ones((2, 2 * LEAST, 4, 4))
    energies[0] = 0
    flat[-1] = 0
    thin: SceneObject = {"name": "thin", "box": [0.4, 0, 0.45, 1]}
    rare = [[BED, LAMP, thin] if i < LEAST else [BED, thin] for i in range(2 * LEAST)]
    found = on_objects(energies, flat, rare, 1)
    assert list(found) == ["bed"]
    assert found["bed"]["images"] == 2 * LEAST - 2
    assert set(on_objects(energies[1:], flat[:-1], [[BED, LAMP]] * (2 * LEAST - 1), 1)) == {"bed", "lamp"}


def measured(**over_edges: float) -> dict[str, Any]:
    """What is found of a feature, with intervals of 0.02 to both sides."""
    return {
        name: {"over_edges": {"mean": mean, "low": mean - 0.02, "high": mean + 0.02}}
        for name, mean in over_edges.items()
    }


def test_chance_is_what_features_with_initial_weights_show() -> None:
    rng = np.random.default_rng(2)
    beds, doors = rng.normal(0.1, 0.05, 60), rng.normal(-0.2, 0.01, 60)
    found = chance([measured(bed=bed, door=door) for bed, door in zip(beds, doors, strict=True)])
    assert found.means == pytest.approx({"bed": beds.mean(), "door": doors.mean()})
    assert found.deviations == pytest.approx({"bed": beds.std(ddof=1), "door": doors.std(ddof=1)})
    scores = [(some - some.mean()) / some.std(ddof=1) for some in (beds, doors)]
    assert found.largest == pytest.approx(np.sort(np.maximum(*scores)))


def test_an_object_that_is_measured_of_few_features_is_not_judged() -> None:
    few = [measured(bed=i / 100, **({"lamp": i / 50} if i < LEAST_FEATURES - 1 else {})) for i in range(60)]
    found = chance(few)
    assert set(found.means) == {"bed"}
    assert what_it_is(measured(lamp=9), found) == {"is": "nothing"}
    assert what_it_is({}, found) == {"is": "nothing"}
    assert what_it_is(measured(bed=9), chance([])) == {"is": "nothing"}


def test_a_feature_is_named_after_the_object_that_stands_out_most_if_that_is_rare_by_chance() -> None:
    rng = np.random.default_rng(4)
    by_chance = chance([measured(bed=rng.normal(0, 0.2), door=rng.normal(0, 0.02)) for _ in range(99)])
    bed, door = (by_chance.deviations[name] for name in ("bed", "door"))
    # In deviations, and from the lower end of the interval.
    found = what_it_is(measured(bed=0.5, door=0.2), by_chance)
    assert (found["is"], found["nearest"], found["p"]) == ("door", "door", 0.01)
    assert found["score"] == pytest.approx((0.18 - by_chance.means["door"]) / door)
    # The p-value is the share of the largest ones by chance, its own one included.
    for rank, wanted in ((-1, 0.02), (-4, 0.05), (-5, 0.06)):
        at = by_chance.largest[rank] * bed + by_chance.means["bed"] + 0.02 - 1e-9
        found = what_it_is(measured(bed=at, door=-1), by_chance)
        assert found["p"] == pytest.approx(wanted)
        assert (found["is"], found["nearest"]) == ("bed" if wanted <= 0.05 else "nothing", "bed")


def test_features_by_chance_are_named_as_rarely_as_is_said() -> None:
    rng = np.random.default_rng(8)
    draw = lambda: measured(bed=rng.standard_t(4), door=rng.standard_t(4), lamp=rng.exponential())  # noqa: E731
    named = 0
    for _ in range(60):
        by_chance = chance([draw() for _ in range(60)])
        named += sum(what_it_is(draw(), by_chance)["is"] != "nothing" for _ in range(20))
    assert 20 <= named <= 80  # of 1,200; the interval of 0.02 is next to nothing here
