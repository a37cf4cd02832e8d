"""The whole search on a few images: what counts as a pair, which images take part, and what is not done again."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dcgan_dist.data.deduplication import find, thumbnail_files
from dcgan_dist.data.deduplication.find import duplicates_of, find_duplicates, found_of, see
from dcgan_dist.data.deduplication.pairs import Pairs
from dcgan_dist.data.preparation.processes import ThisProcess
from dcgan_dist.errors import DataError
from tests.data.deduplication.works import BAD, begun, pictures, shards

A, B, C, D = pictures(4)
IMAGES = [A, BAD, B, A, BAD, C, B, A]
OTHERS = [D, C, BAD, C, A]


def pairs(differences: list[float]) -> Pairs:
    rows = np.arange(len(differences))
    return Pairs(
        rows, rows + 1, rows.astype(np.uint8), np.array(differences, np.float32), np.zeros(40, np.int64), 7, 8, 9
    )


@pytest.mark.parametrize(
    ("threshold", "kept"), [(0.5, [0, 2, 3]), (0.0, [3]), (2.0, [0, 1, 2, 3]), (None, [0, 1, 2, 3])]
)
def test_a_pair_on_the_threshold_is_a_duplicate(threshold: float | None, kept: Sequence[int]) -> None:
    found = duplicates_of(pairs([0.25, 0.75, 0.5, 0.0]), threshold)
    assert found.query.tolist() == [*kept]
    assert (found.compared, found.not_compared, found.not_reported) == (7, 8, 9)


def test_bad_images_are_copies_of_nothing_and_all_others_are_in_their_groups(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(thumbnail_files, "_IMAGES", 3)
    shards(tmp_path / "data", IMAGES)
    shards(tmp_path / "test", OTHERS, "test")
    work = begun(tmp_path / "data", tmp_path / "out", against=str(tmp_path / "test"), seed=5)
    found = find_duplicates(work, ThisProcess())
    assert found.instead.tolist() == [0, 1, 2, 0, 4, 5, 2, 0]
    assert found.seen.good.tolist() == [image != BAD for image in IMAGES]
    assert found.leaks is not None
    leaked = duplicates_of(found.leaks, 0.7)
    assert (leaked.query.tolist(), leaked.table.tolist()) == ([1, 3, 4, 4, 4], [5, 5, 0, 3, 7])
    content = dict(found_of(work, found).found)
    assert "simplejpeg" in content.pop("versions")  # type: ignore[operator]
    assert content == {
        "images": 8,
        "unreadable": 2,
        "candidates": 3,
        "pairs": 3,
        "groups": 2,
        "left_out": 3,
        "groups_by_size": {"2": 1, "3": 1},
        "not_compared": 0,
        "not_reported": 0,
        "against": {"images": 5, "with_copies": 3, "pairs": 5},
    }
    # A call that goes on with all of that makes nothing again, and comes to the same.
    for name in ("make_thumbnails", "fit", "make_codes", "find_pairs"):
        monkeypatch.setattr(find, name, None)
    again = find_duplicates(work, ThisProcess())
    assert again.instead.tolist() == found.instead.tolist()
    assert np.array_equal(again.leaks.query, found.leaks.query)  # type: ignore[union-attr]
    # Other numbers are other pairs.
    other = replace(work, record=replace(work.record, asked={**work.record.asked, "threshold": 0.1}))
    with pytest.raises(TypeError):
        find_duplicates(other, ThisProcess())


def test_the_autoencoder_is_fitted_to_good_images_drawn_by_the_seed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shards(tmp_path / "data", [BAD, *pictures(12), BAD])
    fitted: list[list[bytes]] = []

    class Fitted(Exception):
        pass

    def fit(thumbnails: np.ndarray, recipe: object, progress: object) -> None:
        fitted.append([one.tobytes() for one in thumbnails])
        raise Fitted

    monkeypatch.setattr(find, "fit", fit)
    for number, options in enumerate(({"seed": 1}, {"seed": 1}, {"seed": 2})):
        work = begun(tmp_path / "data", tmp_path / str(number), sample=5, cache=str(tmp_path / "cache"), **options)
        with pytest.raises(Fitted):
            find_duplicates(work, ThisProcess())
    seen = see(work, work.images, ThisProcess())
    order = [one.tobytes() for one in seen.thumbnails.read(np.arange(14))]
    places = [[order.index(one) for one in some] for some in fitted]
    assert places[0] == places[1] == sorted(set(places[0]))
    assert places[2] != places[0]
    assert all(len(some) == 5 and not {0, 13} & set(some) for some in places)


def test_no_image_that_can_be_decoded_is_told_with_the_address(tmp_path: Path) -> None:
    shards(tmp_path / "data", [BAD, BAD])
    work = begun(tmp_path / "data", tmp_path / "out")
    with pytest.raises(DataError, match=f"none of 2 images of {tmp_path}/data can be decoded"):
        see(work, work.images, ThisProcess())
