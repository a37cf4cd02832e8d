"""The table of the judges, and the samples that a person marked."""

import json

import numpy as np
import pytest

from benchmarks.judges import MARKED, OBJECTS, SAMPLES, agreement_on_faces, agreement_on_rooms, report, samples
from dcgan_dist.storage import Place
from dcgan_dist.studies.judges.faces import ATTRIBUTES, FaceJudge, FacesSeen
from dcgan_dist.studies.judges.rooms import OBJECTS as KINDS
from dcgan_dist.studies.judges.rooms import RoomJudge, RoomsSeen
from dcgan_dist.studies.labels import read_boxes


@pytest.mark.parametrize("kind", ["rooms", "faces"])
def test_there_are_fifty_different_samples(kind: str) -> None:
    images = samples(kind)
    assert images.shape == (SAMPLES, 32, 32, 3)
    assert len({image.tobytes() for image in images}) == SAMPLES


def test_all_marks_are_of_samples_and_of_what_judges_know() -> None:
    boxes = {name: read_boxes(Place(str(MARKED / "rooms.json")), name, SAMPLES) for name in OBJECTS}
    assert [sum(map(len, boxes[name].values())) for name in OBJECTS] == [44, 27, 13]
    marks = json.loads((MARKED / "faces.json").read_text())
    assert list(marks) == [str(number) for number in range(SAMPLES)]
    assert {name for one in marks.values() for name in one} == set(ATTRIBUTES)


def test_a_judge_that_sees_nothing_agrees_where_nothing_is_marked(monkeypatch: pytest.MonkeyPatch) -> None:
    nothing = RoomsSeen(np.zeros((SAMPLES, len(KINDS), 32, 32), bool), np.zeros((SAMPLES, 2), bool))
    monkeypatch.setattr(RoomJudge, "see", lambda self, images: nothing)
    agreed = agreement_on_rooms(RoomJudge.untrained())
    assert {name: int(one.sum()) for name, one in agreed.items()} == {"bed": 6, "window": 23, "door": 37}
    zeros = np.zeros(SAMPLES, np.int64)
    blank = FacesSeen(zeros.astype(float), np.zeros((SAMPLES, len(ATTRIBUTES)), bool), zeros, zeros)
    monkeypatch.setattr(FaceJudge, "see", lambda self, images: blank)
    glasses = agreement_on_faces(FaceJudge.untrained())["glasses"]
    assert not glasses[1]
    assert glasses[0]


def test_the_worst_shares_are_compared_with_what_is_asked_for() -> None:
    right = dict.fromkeys((*KINDS, "night"), 0.99) | {"lamp": 0.3, "window": 0.97}
    tested = {
        "rooms": {"right": right, "boxes": dict.fromkeys(KINDS, 0.96) | {"door": 0.93}},
        "faces": {"right": {"smile": 0.98, "skin": 0.9}, "yaw_correlation": 0.8, "yaw_error_degrees": 4.0},
    }
    agreed = {name: np.arange(SAMPLES) < 40 for name in (*OBJECTS, *ATTRIBUTES)} | {"bed": np.ones(SAMPLES, bool)}
    found = report(tested, agreed)
    assert [(bar.value, bar.met) for bar in found.bars] == [
        (0.93, False),
        (0.9, False),
        (pytest.approx((40 + 40 + 50) / 150), False),
        (0.8, False),
    ]
    rows = {str(row[0]): row[1:] for row in found.tables["judges"].rows}
    assert rows["window"] == ["97.0 %", "96.0 %", "80 % [67, 89]"]
    assert rows["skin"] == ["90.0 %", "", ""]
