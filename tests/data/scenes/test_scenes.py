"""The embedded data set: the same scene every time and at every size, and the truth is what the picture shows."""

import dataclasses
import itertools
import json
from typing import get_args

import numpy as np
import pytest

from dcgan_dist.data.scenes import Kind, draw
from dcgan_dist.data.scenes.face_drawing import render_face
from dcgan_dist.data.scenes.faces import BALD_RATE, GLASSES_RATE, LONG_HAIR_RATE, SMILE_RATE, face_boxes, plan_face
from dcgan_dist.data.scenes.room_drawing import render_room
from dcgan_dist.data.scenes.rooms import BED_RATE, DOOR_RATE, LAMP_RATE, NIGHT_RATE, WINDOW_RATE, plan_room, room_boxes

KINDS: tuple[Kind, ...] = get_args(Kind)
PLANS = 2000


def _rooms(number):
    return [plan_room(np.random.default_rng((7, 0, i))) for i in range(number)]


def _faces(number):
    return [plan_face(np.random.default_rng((7, 1, i))) for i in range(number)]


def _rate_is(flags, rate):
    """Four standard deviations of a binomial: one test in 16,000 would miss by chance, and the seeds are fixed."""
    return abs(np.mean(flags) - rate) <= 4 * (rate * (1 - rate) / len(flags)) ** 0.5


def _pixels(box, size):
    x0, y0, x1, y1 = (max(0, min(size, round(edge * size))) for edge in box)
    return slice(y0, y1), slice(x0, x1)


@pytest.mark.parametrize("kind", KINDS)
def test_seed_and_index_give_the_same_bytes_in_any_order(kind):
    forwards = [draw(kind, 32, 5, i) for i in range(6)]
    backwards = [draw(kind, 32, 5, i) for i in reversed(range(6))][::-1]
    for first, second in zip(forwards, backwards, strict=True):
        np.testing.assert_array_equal(first.image, second.image)
        assert first.truth == second.truth


@pytest.mark.parametrize("kind", KINDS)
def test_another_seed_or_index_gives_another_scene(kind):
    image = draw(kind, 32, 5, 0).image
    assert not np.array_equal(image, draw(kind, 32, 6, 0).image)
    assert not np.array_equal(image, draw(kind, 32, 5, 1).image)


def test_no_two_of_a_thousand_scenes_are_equal():
    for kind in KINDS:
        assert len({draw(kind, 16, 0, i).image.tobytes() for i in range(1000)}) == 1000


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [16, 32, 64, 128, 256])
def test_images_are_rgb_bytes_of_the_asked_size(kind, size):
    image = draw(kind, size, 0, 3).image
    assert image.shape == (size, size, 3)
    assert image.dtype == np.uint8
    assert image.flags.c_contiguous


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("large", [64, 128])
def test_a_scene_is_the_same_at_every_size(kind, large):
    for index in range(20):
        small, big = draw(kind, 32, 1, index), draw(kind, large, 1, index)
        factor = large // 32
        shrunk = big.image.reshape(32, factor, 32, factor, 3).mean(axis=(1, 3))
        difference = np.abs(shrunk - small.image).mean()
        # Outlines include their last canvas pixel, so they are a quarter of a pixel wider at 32: a few levels on edges.
        assert difference < 6
        assert difference < np.abs(shrunk - draw(kind, 32, 1, index + 1).image).mean() / 3
        assert small.truth == big.truth


@pytest.mark.parametrize("kind", KINDS)
def test_truth_survives_json(kind):
    for index in range(20):
        truth = draw(kind, 32, 2, index).truth
        assert json.loads(json.dumps(truth)) == truth
        assert truth["kind"] == kind


@pytest.mark.parametrize("kind", KINDS)
def test_boxes_lie_in_the_picture_and_are_at_least_two_pixels_of_32(kind):
    for index in range(500):
        for thing in draw(kind, 16, 3, index).truth["objects"]:
            x0, y0, x1, y1 = thing["box"]
            assert 0 <= x0 < x1 <= 1, thing
            assert 0 <= y0 < y1 <= 1, thing
            assert min(x1 - x0, y1 - y0) >= (1.2 if thing["name"] in ("mouth", "picture") else 2) / 32, thing


def test_objects_and_attributes_of_a_room_agree():
    for index in range(200):
        truth = draw("rooms", 16, 4, index).truth
        names = [thing["name"] for thing in truth["objects"]]
        for name in ("bed", "window", "door", "lamp"):
            assert names.count(name) == truth["attributes"][name]
        assert names.count("picture") == truth["attributes"]["pictures"]
        assert truth["attributes"]["lamp"] or not truth["attributes"]["lamp_lit"]


@pytest.mark.parametrize("name", ["bed", "window", "door", "lamp"])
def test_a_thing_changes_the_pixels_of_its_box(name):
    seen = 0
    for room in _rooms(400):
        if getattr(room, name) is None:
            continue
        seen += 1
        box = dict(room_boxes(room))[name]
        without = render_room(dataclasses.replace(room, **{name: None}), 32).astype(int)
        change = np.abs(render_room(room, 32) - without).sum(axis=2)
        inside = change[_pixels(box, 32)]
        # A lamp is thin, and the box of a bed seen from aside has empty corners.
        assert np.mean(inside > 12) > {"lamp": 0.2, "bed": 0.5, "window": 0.6, "door": 0.8}[name], room
        if name == "lamp" or (name == "window" and not room.night):
            continue  # these light what is around them
        change[_pixels(np.add(box, (-0.1, -0.07, 0.1, 0.07)), 32)] = 0  # a bed's shadow, a window's curtains
        assert change.max() == 0, room
    assert seen > 80


@pytest.mark.parametrize("name", ["window", "door"])
def test_windows_and_doors_are_not_hidden_by_what_stands_before_them(name):
    for room in _rooms(300):
        if getattr(room, name) is None:
            continue
        y, x = _pixels(dict(room_boxes(room))[name], 64)
        alone = dataclasses.replace(room, bed=None, lamp=None)
        # The glow of a lamp is not a cover: compare with the same light.
        dark = room if room.lamp is None else dataclasses.replace(room, lamp=dataclasses.replace(room.lamp, lit=False))
        covered = np.any(render_room(alone, 64)[y, x] != render_room(dark, 64)[y, x], axis=2)
        assert covered.mean() < 0.2


def test_door_and_window_stand_out_from_the_wall():
    for room in _rooms(400):
        boxes = dict(room_boxes(room))
        for name in ("window", "door"):
            if getattr(room, name) is None:
                continue
            y, x = _pixels(boxes[name], 32)
            bare = render_room(dataclasses.replace(room, **{name: None}, bed=None, lamp=None, pictures=()), 32)
            full = render_room(dataclasses.replace(room, bed=None, lamp=None, pictures=()), 32)
            assert np.abs(full[y, x].astype(int) - bare[y, x]).mean() > 12, (name, room)


def test_rooms_have_their_things_at_the_stated_rates():
    rooms = _rooms(PLANS)
    assert _rate_is([room.bed is not None for room in rooms], BED_RATE)
    assert _rate_is([room.window is not None for room in rooms], WINDOW_RATE)
    assert _rate_is([room.door is not None for room in rooms], DOOR_RATE)
    assert _rate_is([room.lamp is not None for room in rooms], LAMP_RATE)
    assert _rate_is([room.night for room in rooms], NIGHT_RATE)


def test_rates_of_bed_window_and_door_are_20_points_apart_and_independent():
    rates = sorted((BED_RATE, WINDOW_RATE, DOOR_RATE))
    assert all(high - low >= 0.2 for low, high in itertools.pairwise(rates))
    rooms = _rooms(PLANS)
    things = np.array([[room.bed is not None, room.window is not None, room.door is not None] for room in rooms])
    correlation = np.corrcoef(things.T.astype(float))
    assert np.abs(correlation - np.eye(3)).max() < 4 / PLANS**0.5


def test_faces_have_their_attributes_at_the_stated_rates():
    faces = _faces(PLANS)
    assert _rate_is([face.smile for face in faces], SMILE_RATE)
    assert _rate_is([face.glasses for face in faces], GLASSES_RATE)
    assert _rate_is([face.hair == "long" for face in faces], LONG_HAIR_RATE)
    assert _rate_is([face.hair == "bald" for face in faces], BALD_RATE)
    assert abs(np.mean([face.yaw_degrees for face in faces])) < 2


def test_a_face_with_negative_yaw_looks_to_the_left_of_the_picture():
    for planned in _faces(50):
        face = dataclasses.replace(planned, x=0.5, light_x=0.0, hair="bald")
        mouth = {yaw: dict(face_boxes(dataclasses.replace(face, yaw_degrees=yaw)))["mouth"] for yaw in (-25, 0, 25)}
        centers = [(mouth[yaw][0] + mouth[yaw][2]) / 2 for yaw in (-25, 0, 25)]
        assert centers[0] < face.x - 0.05 < face.x + 0.05 < centers[2]
        assert centers[1] == pytest.approx(face.x)
        # A face that looks left is the mirror image of one that looks right.
        left, right = (render_face(dataclasses.replace(face, yaw_degrees=yaw), 64).astype(int) for yaw in (-25.0, 25.0))
        assert np.abs(left - right[:, ::-1]).mean() < np.abs(left - right).mean() / 2


@pytest.mark.parametrize(("attribute", "box"), [("smile", "mouth"), ("glasses", "glasses")])
def test_an_attribute_of_a_face_changes_the_pixels_of_its_box_only(attribute, box):
    for face in _faces(100):
        off, on = (dataclasses.replace(face, **{attribute: value}) for value in (False, True))
        change = np.abs(render_face(on, 32).astype(int) - render_face(off, 32)).sum(axis=2)
        place = dict(face_boxes(on))[box]
        assert np.mean(change[_pixels(place, 32)] > 20) > 0.25, face
        margin = (-0.25, -0.1, 0.25, 0.1) if attribute == "glasses" else (-0.05, -0.05, 0.05, 0.05)
        change[_pixels(np.add(place, margin), 32)] = 0
        assert change.max() == 0, face
