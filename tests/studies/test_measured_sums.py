"""How often sums show what they should, where that is known: pictures follow z, and so do the judge's answers."""

import numpy as np
import pytest
import torch

from dcgan_dist.errors import SettingsError
from dcgan_dist.studies.concepts import concept_of, shows, wanted_of
from dcgan_dist.studies.measured_sums import LIKE, Pool, each, measure_sums
from tests.studies.linear_faces import SCALE, judged, subject

NAMES = ("smile", "glasses")
A, B, C = (concept_of(text, "x", NAMES) for text in ("smile, glasses", "no smile, glasses", "no smile, no glasses"))


@pytest.fixture(scope="module")
def pool() -> Pool:
    return Pool.of(subject(), judged().judge, seed=4, number=1_200)


def test_the_pool_is_the_first_samples_of_the_seed_and_what_is_seen_on_them(pool: Pool) -> None:
    assert torch.equal(pool.z, subject().generator.latents(1_200, 4))
    clear = (pool.z[:, 1].abs() > 0.05).numpy()
    assert (pool.attributes["smile"] == (pool.z[:, 1] > 0).numpy())[clear].all()


def test_sets_of_exemplars_show_the_concept_and_differ(pool: Pool) -> None:
    sets = pool.sets(B, 50, 12, seed=3)
    assert sets.shape == (50, 12)
    assert shows(B, pool.attributes)[sets].all()
    assert all(len(set(one)) == 12 for one in sets.tolist())
    assert len({tuple(one) for one in sets.tolist()}) == 50
    assert (sets == pool.sets(B, 50, 12, seed=3)).all()
    assert (sets != pool.sets(B, 50, 12, seed=2)).any()


def test_a_concept_that_too_few_samples_show_is_one_sentence(pool: Pool) -> None:
    sentence = r"^0 of 1,200 samples show 'bald', but 30 are needed: name other attributes, or train for longer$"
    with pytest.raises(SettingsError, match=sentence):
        pool.sets({"bald": True}, 5, 10, seed=0)
    shown = int(shows(C, pool.attributes).sum())
    with pytest.raises(SettingsError, match=f"^{shown} of 1,200 .* but {shown + 1} are needed"):
        pool.sets(C, 5, shown + 1, seed=0)


def test_means_of_more_exemplars_show_what_they_should_more_often(pool: Pool) -> None:
    sets = [pool.sets(one, 400, 10, seed=1) for one in (A, B, C)]
    wanted = wanted_of(A, B, C)
    found = measure_sums(subject(), pool, sets, wanted, seed=1)
    assert (found["sums"], found["wanted"]) == (400, "smile, no glasses")
    by_chance = float(((pool.z[:, 1] > 0) & (pool.z[:, 2] < 0)).float().mean())
    assert found["by_chance"]["share"] == pytest.approx(by_chance, abs=0.02)
    one, three, ten = found["z"]
    assert [entry["exemplars"] for entry in (one, three, ten)] == [1, 3, 10]
    # Each component is the sum of two uniform numbers less a third: it has the right sign 5 times in 6.
    assert one["low"] < (5 / 6) ** 2 < one["high"] < three["low"] < three["high"] < ten["low"]
    for name in ("smile", "glasses"):
        assert one["each"][name] == pytest.approx(5 / 6, abs=0.06)
    # Sums of pixels are the same here but for their rounding, and neighbors lie on all sides.
    for kind, within in (("pixels", 0.03), ("neighbors", 0.1)):
        assert [entry["share"] for entry in found[kind]] == pytest.approx(
            [entry["share"] for entry in found["z"]], abs=within
        )
    apart = [pool.z[torch.from_numpy(rows[:, :3])].mean(1) for rows in sets]
    assert found["length_of_z"][1] == pytest.approx(float((apart[0] - apart[1] + apart[2]).norm(dim=1).mean()))
    for entry in (*found["z"], *found["pixels"]):
        assert entry["both"]["share"] <= min(entry["share"], entry["like_samples"]["share"])
    # One exemplar of each leads out of where samples are, and more do not.
    assert one["like_samples"]["share"] < 0.8 < ten["like_samples"]["share"]


def test_a_picture_looks_like_a_sample_if_it_is_as_near_to_one_as_they_are_to_another(pool: Pool) -> None:
    other = Pool.of(subject(), judged().judge, seed=5, number=1_000)
    assert pool.like(other.images).mean() == pytest.approx(LIKE, abs=0.03)
    assert pool.like(pool.images[:50]).all()
    middle = np.full((1, 32, 32, 3), 127, np.uint8)
    far = np.full((1, 32, 32, 3), round(127.5 * (1 + 1.5 / SCALE)), np.uint8)
    assert (pool.like(middle).tolist(), pool.like(far).tolist()) == ([True], [False])


def test_each_attribute_is_counted_as_it_is_wanted() -> None:
    seen = {"smile": np.array([1, 1, 1, 0], bool), "glasses": np.array([1, 0, 0, 0], bool)}
    assert each({"glasses": False, "smile": True}, seen) == {"glasses": 0.75, "smile": 0.75}
    assert each({"glasses": True}, seen) == {"glasses": 0.25}
