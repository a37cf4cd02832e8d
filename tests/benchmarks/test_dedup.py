"""How pairs are judged, thresholds chosen and tables made, on a few pictures whose truth is written out here."""

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks import dedup
from benchmarks.dedup import (
    DEFAULT,
    FASTDUP,
    MIRRORS_ASIDE,
    OURS,
    PAPER,
    Judged,
    Said,
    Score,
    ask,
    choose,
    difference_of,
    judge,
    measure,
    near_codes,
    report,
    said,
    score,
    shown,
)
from benchmarks.dedup_changes import COPIES
from benchmarks.dedup_truth import Planted, Split, plant
from dcgan_dist.arrays import Pixels
from dcgan_dist.data.deduplication.comparison import THRESHOLD
from dcgan_dist.data.scenes import draw

KINDS = ("JPEG 75", "shifted 2 px of 64", "mirrored")


def rooms(number: int, seed: int) -> list[Pixels]:
    return [draw("rooms", 32, seed, index).image for index in range(number)]


def planted(seed: int = 3) -> Planted:
    """Rows 0 to 5 are rooms, the last of which is the first again; 6, 7: JPEGs of 1, 2; 8: 2 shifted; 9: 1 mirrored."""
    pictures = rooms(5, seed)
    pictures.append(pictures[0])
    made = {"JPEG 75": np.array([1, 2]), "shifted 2 px of 64": np.array([2]), "mirrored": np.array([1])}
    return plant(pictures, 32, made, seed=1)


PAIRS = np.array([[1, 6], [2, 7], [2, 8], [7, 8], [1, 9], [6, 9], [0, 5], [3, 4], [3, 6]])


def test_pairs_are_judged_by_the_truth() -> None:
    judged = judge(planted(), planted().thumbnails(), PAIRS)
    assert judged.kind.tolist() == ["JPEG 75", "JPEG 75", "shifted 2 px of 64", "", "", "", "", "", ""]
    # Copies of one original are neither; a mirrored picture and two other rooms are no copies.
    assert judged.false.tolist() == [False] * 4 + [True, True, False, True, True]
    assert judged.own.tolist() == [False] * 6 + [True, False, False]
    assert judged.mirrored.tolist() == [False] * 4 + [True, True, False, False, False]
    assert judged.mirrors_aside().false.tolist() == [False] * 7 + [True, True]


def test_what_is_within_the_threshold_counts() -> None:
    judged = judge(planted(), planted().thumbnails(), PAIRS)
    one = score(planted(), judged, np.array([0, 3, 2, 0, 2, 9, 1, 2.5, 2]), 2.0)
    assert (one.found["JPEG 75"], one.planted["JPEG 75"], one.recall("JPEG 75")) == (1, 2, 0.5)
    assert one.recall("shifted 2 px of 64") == 1
    assert (one.false, one.own) == (2, 1)
    assert one.precision == pytest.approx(2 / 4)


def chosen(kinds: str, distances: list[float], copies: float = 1, pictures: float = 1) -> float:
    """`c`: a copy, `f`: a false pair, `-`: neither."""
    marks = np.array(list(kinds))
    none = np.zeros(len(marks), bool)
    judged = Judged(np.where(marks == "c", "JPEG 75", ""), marks == "f", none, none)
    return choose(judged, np.array(distances, float), copies, pictures)


@pytest.mark.parametrize(
    ("kinds", "distances", "expected"),
    [
        ("ccc", [1, 2, 3], 3),
        ("cf-c", [1, 3, 2, 4], 2),
        ("fc", [1, 2], -1),
        ("cf", [1, 1], -1),  # a threshold cannot part what is equally far
        ("c" * 99 + "f", [1] * 99 + [2], 2),
        ("c" * 98 + "f", [1] * 98 + [2], 1),
        ("c" * 50 + "f" + "c" * 49, [1] * 50 + [2] + [3] * 49, 3),
        ("", [], -1),
    ],
)
def test_the_largest_threshold_of_the_precision_is_chosen(kinds: str, distances: list[float], expected: float) -> None:
    assert chosen(kinds, distances) == expected


def test_false_pairs_grow_with_the_square_of_a_set() -> None:
    kinds, distances = "c" * 500 + "f", [1.0] * 500 + [2.0]
    assert chosen(kinds, distances, copies=2, pictures=3) == 2  # 9 of 1009
    assert chosen(kinds, distances, copies=2, pictures=4) == 1  # 16 of 1016


def test_near_codes_are_found_in_full() -> None:
    codes = np.random.default_rng(0).integers(0, 4, (60, 8), dtype=np.uint8)
    codes[7] = codes[3]
    found = near_codes(codes, farthest=5)
    bits = np.unpackbits(codes, axis=1).astype(int)
    away = np.abs(bits[:, None] - bits).sum(axis=2)
    expected = [(i, j, away[i, j]) for i in range(60) for j in range(i + 1, 60) if away[i, j] <= 5]
    assert [(*pair, far) for pair, far in zip(found.pairs.tolist(), found.distance.tolist(), strict=True)] == expected
    assert (3, 7, 0) in expected


def test_ours_and_the_papers_thresholds_are_not_chosen() -> None:
    sets: dict[Split, Planted] = {"choosing": planted(3), "measuring": planted(4)}
    right = Said(np.array([[1, 6], [2, 7], [1, 9]]), np.array([0.1, 0.2, 0.3]))
    far = Said(right.pairs, np.array([0.1, THRESHOLD + 0.1, 0.3]))
    methods = (OURS, PAPER, FASTDUP, "imagededup's pHash")
    answers = {split: dict.fromkeys(methods, right) | {OURS: far} for split in sets}
    scores = measure(answers, sets)
    assert {name: one.threshold for name, one in scores.items()} == {
        OURS: THRESHOLD,
        PAPER: 0,
        FASTDUP: 0.2,
        MIRRORS_ASIDE: 0.3,
        "imagededup's pHash": 0.2,
        DEFAULT: 10,
    }
    assert [
        (scores[name].found["JPEG 75"], scores[name].false) for name in (OURS, FASTDUP, MIRRORS_ASIDE, DEFAULT)
    ] == [
        (1, 1),
        (2, 0),
        (2, 0),
        (2, 1),
    ]


def test_what_packages_say_is_kept_and_read(tmp_path: Path) -> None:
    one = planted()
    codes = np.arange(len(one.origin) * 8, dtype=np.uint8).reshape(-1, 8)
    np.savez(tmp_path / "imagehash set choosing.npz", phash=codes, dhash=codes[::-1])
    np.savez(tmp_path / "fastdup set choosing.npz", pairs=PAIRS, similarity=np.linspace(1, 0.8, len(PAIRS)))
    answers = said("set", "choosing", one, {"imagehash": "nothing", "fastdup": "nothing"}, tmp_path)
    assert set(answers) == {OURS, dedup.CODES, PAPER, "pHash", "dHash", FASTDUP}
    assert answers[FASTDUP].distance[-1] == pytest.approx(0.2)
    assert np.array_equal(answers["pHash"].pairs, near_codes(codes).pairs)
    assert np.array_equal(answers[OURS].distance, difference_of(one.thumbnails(), answers[OURS].pairs))
    with pytest.raises(OSError, match="nothing"):
        ask("imagehash", "nothing", one.pictures, tmp_path / "new.npz")


def scores(jpeg: int, false: int) -> Score:
    planted_pairs = dict.fromkeys(COPIES, 1_000)
    return Score(0.7, planted_pairs | {"JPEG 50": jpeg}, planted_pairs, false, 5)


def test_the_report_says_what_was_missed() -> None:
    beside = Score(4.0, dict.fromkeys(COPIES, 880) | {"JPEG 50": 991}, dict.fromkeys(COPIES, 1_000), 30, 7)
    found = report({"set": {OURS: scores(985, 0), "pHash": beside}}, {"another wall": (3, 40)}, rooms=2)
    content = json.loads(json.dumps(found.to_json(), allow_nan=False))
    met = {bar["name"]: bar["met"] for bar in content["bars"]}
    assert met == {
        "set: precision in pairs": True,
        "set: recall above pHash, the worst kind": False,
        "set: kinds 10 points or more above pHash": True,
        "set: shifted 1 px of 64, above pHash": True,
        "set: shifted 2 px of 64, above pHash": True,
        "different rooms called duplicates, of 20,000": False,
    }
    assert content["tables"]["dedup-recall-set"]["columns"] == ["copies found, %", OURS, "pHash"]
    assert content["tables"]["dedup-recall-set"]["rows"][1] == ["JPEG 50", shown(985, 1_000), shown(991, 1_000)]
    assert content["tables"]["dedup-scenes"]["rows"] == [["another wall", 40, 3]]


def test_shares_have_intervals() -> None:
    assert shown(98, 100) == "98.0 (93.0 to 99.4)"
    assert shown(100, 100) == "100.0 (96.3 to 100.0)"
    assert shown(0, 0) == "-"
