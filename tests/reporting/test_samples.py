import re
from itertools import pairwise
from pathlib import Path

import pytest

import dcgan_dist.reporting
from dcgan_dist.reporting.samples import MOST_FRAMES, Grid, frames, grids


def test_grids_are_the_files_of_that_name_in_order() -> None:
    names = [
        "walk-000001280-raw.png", "000000640-raw.png", "1000000000-averaged.png", "000001280-averaged.png",
        "000001280-raw.png", ".000000640-raw.png.unfinished", "notes.txt", "000000640-raw.png.bak",
    ]  # fmt: skip
    assert grids(names) == [
        Grid(640, "raw", "000000640-raw.png"),
        Grid(1_280, "averaged", "000001280-averaged.png"),
        Grid(1_000_000_000, "averaged", "1000000000-averaged.png"),
    ]


@pytest.mark.parametrize("number", [0, 1, MOST_FRAMES, MOST_FRAMES + 1, 1_000])
def test_frames_are_spread_over_the_run_with_both_its_ends(number: int) -> None:
    every = [Grid(images, "raw", str(images)) for images in range(number)]
    chosen = frames(every)
    assert len(chosen) == min(number, MOST_FRAMES)
    assert chosen == sorted(set(chosen))
    if number:
        assert (chosen[0], chosen[-1]) == (every[0], every[-1])
    gaps = {after.images - before.images for before, after in pairwise(chosen)}
    assert not gaps or max(gaps) - min(gaps) <= 1


def test_the_slider_has_a_position_for_each_frame() -> None:
    css = (Path(dcgan_dist.reporting.__file__).parent / "page.css").read_text()
    for place in range(1, MOST_FRAMES + 1):
        assert f"#time-{place}:checked ~ .frames > :nth-child({place})" in css
        assert f"#time-{place}:checked ~ .track > :nth-child({place})::after" in css
    assert max(map(int, re.findall(r"#time-(\d+)", css))) == MOST_FRAMES
