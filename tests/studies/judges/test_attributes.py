"""What judges of rooms and of faces see, in one form."""

import numpy as np

from dcgan_dist.data.scenes import draw
from dcgan_dist.studies.judges.attributes import attributes_of, names_of
from dcgan_dist.studies.judges.faces import ATTRIBUTES, FaceJudge
from dcgan_dist.studies.judges.rooms import OBJECTS, STATES, RoomJudge


def test_each_attribute_is_what_the_judge_sees() -> None:
    images = np.stack([draw("rooms", 32, 9, number).image for number in range(7)])
    rooms, faces = RoomJudge.untrained(3), FaceJudge.untrained(3)
    found, seen = attributes_of(rooms, images), rooms.see(images)
    assert tuple(found) == names_of(RoomJudge) == (*OBJECTS, *STATES)
    assert found["door"].tolist() == seen.present[:, OBJECTS.index("door")].tolist()
    assert found["lamp_lit"].tolist() == seen.states[:, STATES.index("lamp_lit")].tolist()
    of_faces, faces_seen = attributes_of(faces, images), faces.see(images)
    assert tuple(of_faces) == names_of(FaceJudge) == ATTRIBUTES
    for name in ATTRIBUTES:
        assert of_faces[name].dtype == bool
        assert of_faces[name].tolist() == faces_seen.has(name).tolist()
