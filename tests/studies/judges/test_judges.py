"""Judges of samples: what they learn in little time, what they refuse, and where they are kept."""

from pathlib import Path

import numpy as np
import pytest
import torch

from dcgan_dist.data.scenes import draw, face
from dcgan_dist.errors import DataError
from dcgan_dist.storage import Place
from dcgan_dist.studies.judges.boxes import Box
from dcgan_dist.studies.judges.faces import FaceJudge, _drawn
from dcgan_dist.studies.judges.learning import HELD_OUT, SEED, SIZE, to_tensor, worn
from dcgan_dist.studies.judges.rooms import OBJECTS, RoomJudge, RoomsSeen, matching
from dcgan_dist.studies.judges.store import load_or_learn


@pytest.fixture(scope="module")
def rooms() -> RoomJudge:
    """That has learned from a fourth of the scenes."""
    return RoomJudge.learn(2_400, 6, 77)


@pytest.fixture(scope="module")
def faces() -> FaceJudge:
    return FaceJudge.learn(2_400, 6, 77)


def test_a_room_judge_finds_the_boxes_of_rooms_that_it_never_saw(rooms: RoomJudge) -> None:
    tested = rooms.tested(300, 78)
    assert tested["scenes"] == 300
    assert min(tested["right"][name] for name in ("bed", "window", "door", "night")) > 0.85
    assert min(tested["boxes"][name] for name in ("bed", "window")) > 0.85


def test_a_face_judge_sees_poses_and_attributes_of_faces_that_it_never_saw(faces: FaceJudge) -> None:
    tested = faces.tested(300, 78)
    assert tested["yaw_correlation"] > 0.9
    assert min(tested["right"][name] for name in ("smile", "glasses", "long_hair")) > 0.9
    seen = faces.see(np.stack([draw("faces", SIZE, 79, index).image for index in range(100)]))
    true = [face(79, index).yaw_degrees for index in range(100)]
    assert np.mean(np.sign(seen.yaw) == np.sign(true)) > 0.9


def test_larger_pictures_of_the_same_scenes_look_the_same(faces: FaceJudge) -> None:
    small, large = (np.stack([draw("faces", side, 80, index).image for index in range(60)]) for side in (32, 64))
    assert np.abs(faces.see(small).yaw - faces.see(large).yaw).mean() < 5


def test_learning_again_gives_the_same_judge_and_leaves_the_callers_random_state() -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    one, same, other = (RoomJudge.learn(128, 1, seed) for seed in (3, 3, 4))
    assert torch.equal(torch.rand(3), expected)
    states = [judge.network.state_dict()["states.weight"] for judge in (one, same, other)]
    assert torch.equal(states[0], states[1])
    assert not torch.equal(states[0], states[2])


def test_judges_learn_from_none_of_the_scenes_that_they_are_tested_on_or_that_runs_train_on() -> None:
    assert len({0, SEED, HELD_OUT}) == 3


def test_the_truth_about_faces_is_what_was_drawn() -> None:
    _, true = _drawn(40, 81)
    for index in range(40):
        drawn = draw("faces", SIZE, 81, index).truth["attributes"]
        assert true.yaw[index] == drawn["yaw_degrees"]
        assert true.has("glasses")[index] == drawn["glasses"]
        assert true.has("long_hair")[index] == drawn["long_hair"]
        assert (true.hair[index] == -1) == drawn["bald"]


def test_a_part_counts_from_six_pixels_on() -> None:
    masks = np.zeros((3, len(OBJECTS), SIZE, SIZE), bool)
    masks[1, 1, 4, :5] = True
    masks[2, 1, 4, :6] = True
    seen = RoomsSeen(masks, np.zeros((3, 2), bool))
    assert seen.present[:, 1].tolist() == [False, False, True]
    assert [len(boxes) for boxes in seen.boxes("window")] == [0, 0, 1]
    assert seen.areas[2, 1] == 6 / SIZE**2


@pytest.mark.parametrize(
    ("found", "true", "matches"),
    [
        ([], [], True),
        ([(0, 0, 1, 1)], [], False),
        ([], [(0, 0, 1, 1)], False),
        ([(0, 0, 1, 0.5)], [(0, 0, 1, 1)], True),
        ([(0, 0, 1, 0.49)], [(0, 0, 1, 1)], False),
        ([(0, 0, 0.5, 1), (0.5, 0, 1, 1)], [(0, 0, 0.5, 1)], False),
    ],
)
def test_boxes_match_one_by_one(found: list[Box], true: list[Box], matches: bool) -> None:
    assert matching([found], [true]) == [matches]


@pytest.mark.parametrize("shape", [(2, 16, 16, 3), (2, 32, 64, 3)])
def test_small_pictures_and_oblongs_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="need to be squares of at least 32 pixels"):
        to_tensor(np.zeros(shape, np.uint8))


def test_worn_images_are_others_each_time_but_still_images() -> None:
    images, random = torch.full((4, 3, 32, 32), 0.5), np.random.default_rng(2)
    one, other = worn(images, random), worn(images, random)
    assert one.shape == images.shape
    assert not torch.equal(one, other)
    assert float(one.abs().max()) <= 1


def test_a_judge_is_kept_and_a_damaged_one_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    learned = RoomJudge.learn
    monkeypatch.setattr(RoomJudge, "learn", classmethod(lambda cls: learned(64, 1, 9)))
    monkeypatch.setattr(RoomJudge, "tested", lambda self: {"scenes": 11})
    said: list[str] = []
    first, again = (load_or_learn("rooms", Place(str(tmp_path)), said.append) for _ in range(2))
    assert len(said) == 1
    assert first.sha256 == again.sha256
    assert first.tested == again.tested == {"scenes": 11}
    images = np.stack([draw("rooms", 32, 1, index).image for index in range(3)])
    assert np.array_equal(first.judge.see(images).states, again.judge.see(images).states)  # type: ignore[union-attr]
    (file,) = tmp_path.iterdir()
    file.write_bytes(file.read_bytes()[:-400])
    with pytest.raises(DataError, match=r"is damaged .* delete it, and it is made again"):
        load_or_learn("rooms", Place(str(tmp_path)), said.append)


def test_where_a_judge_cannot_be_kept_it_judges_all_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(RoomJudge, "learn", classmethod(lambda cls: RoomJudge.untrained(9)))
    monkeypatch.setattr(RoomJudge, "tested", lambda self: {"scenes": 11})
    (tmp_path / "data").mkdir()

    def refuse(place: Place, data: bytes) -> None:
        raise DataError(f"{place} cannot be written: read-only file system")

    monkeypatch.setattr(Place, "write_bytes", refuse)
    said: list[str] = []
    found = load_or_learn("rooms", Place(str(tmp_path / "data")), said.append)
    assert found.sha256 == load_or_learn("rooms", Place(str(tmp_path / "data")), said.append).sha256
    assert [line.partition(":")[0] for line in said] == [
        "learning to judge rooms, once",
        "the judge is not kept for other studies",
    ] * 2
