"""What was found, as lines, as counts, and as the pairs and groups that the page shows."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from dcgan_dist.data.deduplication import report as reports
from dcgan_dist.data.deduplication.find import Found, find_duplicates
from dcgan_dist.data.deduplication.page import Picture
from dcgan_dist.data.deduplication.pairs import Pairs
from dcgan_dist.data.deduplication.record import Record, load
from dcgan_dist.data.deduplication.report import nearest, report, summary, write_results
from dcgan_dist.data.deduplication.work import Work
from dcgan_dist.data.preparation.processes import ThisProcess
from tests.data.deduplication.works import BAD, begun, pictures, shards

A, B, C, D = pictures(4)
IMAGES = [A, B, BAD, B, C, A, B]
OTHERS = [D, C, B]


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> tuple[Work, Found]:
    folder = tmp_path_factory.mktemp("report")
    shards(folder / "data", IMAGES, classes=("cat", "dog"))
    shards(folder / "test", OTHERS, "test")
    work = begun(folder / "data", folder / "out", against=str(folder / "test"), seed=5)
    return work, find_duplicates(work, ThisProcess())


def pairs(rows: list[tuple[int, int, float]], **counts: int) -> Pairs:
    query, table, seen = (np.array([row[i] for row in rows]) for i in range(3))
    histogram = np.zeros(40, np.int64)
    histogram[3] = 50
    columns = (query.astype(np.int64), table.astype(np.int64), np.zeros(len(rows), np.uint8), seen.astype(np.float32))
    return Pairs(*columns, histogram, 70, counts.get("not_compared", 0), counts.get("not_reported", 0))


def name(row: int, split: str = "train") -> str:
    return f"{split}-000000.tar: {split}-{row:08d}.png"


def told(picture: Picture) -> tuple[str, str]:
    return picture.name, picture.caption


def test_pictures_stand_beside_their_own_names_and_classes(done: tuple[Work, Found]) -> None:
    work, found = done
    shown = report(work, found)
    assert (shown.data, shown.images, shown.left_out, shown.duplicate_pairs) == (work.images.address, 7, 3, 3)
    assert [([told(one) for one in group.pictures], group.size) for group in shown.groups] == [
        ([(name(1), "dog"), (name(3), "cat"), (name(6), "cat")], 3),
        ([(name(0), "cat"), (name(5), "class 2")], 2),
    ]
    drawn = {(pair.first.name, pair.second.name) for pair in shown.random_pairs}
    assert drawn == {(name(0), name(5)), (name(1), name(3)), (name(1), name(6))}
    thumbnails = found.seen.thumbnails.read(np.arange(7))
    names = [name(row) for row in range(7)]
    for pair in (*shown.random_pairs, *shown.below):
        for one in (pair.first, pair.second):
            assert np.array_equal(one.pixels, thumbnails[names.index(one.name)])
    assert dict(shown.recipe) == {"method": "default", "radius": "9", "threshold": "0.7", "seed": "5"}


def test_pairs_to_judge_are_drawn_at_random_by_the_seed(
    done: tuple[Work, Found], monkeypatch: pytest.MonkeyPatch
) -> None:
    work, found = done
    monkeypatch.setattr(reports, "RANDOM_PAIRS", 10)
    many = replace(found, pairs=pairs([(0, 1, number / 100) for number in range(60)]), leaks=None)

    def drawn(seed: int) -> list[int]:
        options = replace(work.asked.options, seed=seed)
        shown = report(replace(work, asked=replace(work.asked, options=options)), many)
        return [round(100 * pair.difference) for pair in shown.random_pairs]

    assert drawn(5) == drawn(5) != drawn(6)
    assert len(set(drawn(5))) == 10
    assert drawn(5) != sorted(drawn(5))


def test_leaks_show_the_image_of_the_other_set_second_and_the_closest_first(
    done: tuple[Work, Found], monkeypatch: pytest.MonkeyPatch
) -> None:
    work, found = done
    monkeypatch.setattr(reports, "LEAKED_PAIRS", 2)
    leaks = pairs([(1, 4, 0.5), (1, 0, 0.2), (2, 1, 0.1), (0, 4, 0.9)])
    shown = report(work, replace(found, leaks=leaks)).leaks
    assert shown is not None
    assert (shown.leaked, shown.images) == (2, 3)
    assert [(pair.first.name, pair.second.name, round(pair.difference, 3)) for pair in shown.pairs] == [
        (name(1), name(2, "test"), 0.1),
        (name(0), name(1, "test"), 0.2),
    ]
    assert report(work, replace(found, leaks=None)).leaks is None


def test_counts_are_of_what_they_say(done: tuple[Work, Found]) -> None:
    work, found = done
    some = pairs([(0, 5, 0.1), (1, 3, 0.7), (1, 6, 0.8)])
    assert dict(reports.counts(replace(found, pairs=some), some)) == {
        "images": 7,
        "images that cannot be decoded, which are kept": 1,
        "candidate pairs": 50,
        "duplicate pairs": 3,
        "groups": 2,
        "images in the largest group": 3,
    }
    for missing in ({"not_compared": 4}, {"not_reported": 6}):
        left = dict(reports.counts(replace(found, pairs=pairs([(0, 5, 0.1)], **missing)), some))
        assert list(left.values())[-2:] == [missing.get("not_compared", 0), missing.get("not_reported", 0)]
    shown = report(work, replace(found, pairs=some))
    assert shown.duplicate_pairs == 2
    assert [round(pair.difference, 3) for pair in (*shown.below, *shown.above)] == [0.7, 0.1, 0.8]


def test_the_pairs_nearest_to_the_threshold_come_first_and_one_on_it_is_below(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reports, "NEAREST_PAIRS", 2)
    some = pairs([(row, row + 1, seen) for row, seen in enumerate([0.9, 0.1, 0.5, 0.6, 0.25, 0.4, 0.75])])
    found = [[part.tolist() for part in nearest(some, threshold)] for threshold in (0.5, 0.05, 1.0, None)]
    assert found == [[[2, 5], [3, 6]], [[], [1, 4]], [[0, 6], []], [[], []]]


def test_random_pairs_are_of_good_images_in_different_groups(
    done: tuple[Work, Found], monkeypatch: pytest.MonkeyPatch
) -> None:
    work, found = done
    compared: list[tuple[bytes, bytes]] = []

    def difference(first: np.ndarray, second: np.ndarray) -> np.ndarray:
        compared.extend((one.tobytes(), other.tobytes()) for one, other in zip(first, second, strict=True))
        return np.full(len(first), 0.4, np.float32)

    monkeypatch.setattr(reports, "_RANDOM_DIFFERENT", 200)
    monkeypatch.setattr(reports, "difference", difference)
    shown = report(work, found).histogram
    assert shown is not None
    assert shown.candidates.tolist() == found.pairs.histogram.tolist()
    assert np.flatnonzero(shown.random).tolist() == [int(np.searchsorted(shown.edges, 0.4)) - 1]
    assert shown.random.sum() == len(compared)
    seen = [one.tobytes() for one in found.seen.thumbnails.read(np.arange(7))]
    of = dict(zip(seen, "ABxBCAB", strict=True))
    assert {(of[one], of[other]) for one, other in compared} == {
        (one, other) for one in "ABC" for other in "ABC" if one != other
    }
    alone = report(work, replace(found, instead=np.zeros(7, np.int64))).histogram
    assert alone is not None
    assert alone.random.sum() == 0


FOUND = {"images": 1_000, "left_out": 1, "groups": 1, "unreadable": 0, "not_compared": 0, "not_reported": 0}
HEADLINE = "1 of 1,000 images are near duplicates of others, in 1 group; 999 are kept"


@pytest.mark.parametrize(
    ("changed", "lines"),
    [
        ({}, [HEADLINE]),
        (
            {"images": 2_002, "left_out": 2_001, "groups": 1_500, "unreadable": 2},
            [
                "2,001 of 2,002 images are near duplicates of others, in 1,500 groups; 1 is kept",
                "2 images cannot be decoded; what cannot be decoded is kept, and a run counts it as bad",
            ],
        ),
        (
            {"not_reported": 1_234},
            [
                HEADLINE,
                "0 pairs of images with alike codes were not compared, and 1,234 not reported, since some images have "
                "too many of them: see {out}/dedup.json",
            ],
        ),
        (
            {"against": {"images": 3_000, "with_copies": 1_100}},
            [HEADLINE, "1,100 of 3,000 images of {test} have near copies in {data}"],
        ),
        (
            {"marks": {"judged": 20, "false": 1, "rate": 0.05, "low": 0.0089, "high": 0.236}},
            [HEADLINE, "1 of 20 judged pairs are false: 5.0 %, and 0.9 to 23.6 % of all pairs at 95 % confidence"],
        ),
    ],
)
def test_the_summary_says_it_in_lines(changed: dict[str, Any], lines: list[str], done: tuple[Work, Found]) -> None:
    work, _ = done
    said = summary(replace(work, record=Record({}, {**FOUND, **changed})))
    options = work.asked.options
    assert said[:-2] == [line.format(out=options.out, test=options.against, data=options.data) for line in lines]
    assert said[-2] == f"look at {options.out}/dedup.html"
    assert f"--data {options.data} --data.keep {options.out}/keep.parquet" in said[-1]


def test_the_record_is_complete_once_the_page_is_there(
    done: tuple[Work, Found], monkeypatch: pytest.MonkeyPatch
) -> None:
    work, found = done

    def stop(shown: object) -> bytes:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(reports, "page", stop)
        with pytest.raises(KeyboardInterrupt):
            write_results(work, found)
    assert not load(work.asked.out).complete
    written = write_results(work, found).record
    assert load(work.asked.out).found == written.found
    html = (work.asked.out / "dedup.html").read_bytes().decode()
    assert f'data-identity="{written.found["page"]}"' in html
