"""The page of duplicates, as a file."""

import re
from html.parser import HTMLParser

import numpy as np
import pytest

from dcgan_dist.data.deduplication.page import Group, Leaks, Pair, Picture, identity, page
from tests.data.deduplication.reports import HOSTILE, pair, picture, report


class Read(HTMLParser):
    """What a browser makes of a page: its elements, and its text without scripts and styles."""

    def __init__(self, data: bytes) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self._within = ""
        self._texts: list[str] = []
        self.feed(data.decode())
        self.text = " ".join(" ".join(self._texts).split())

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attributes)))
        self._within = tag

    def handle_data(self, data: str) -> None:
        if self._within not in ("script", "style"):
            self._texts.append(data)

    def handle_endtag(self, tag: str) -> None:
        self._within = ""

    def of(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


def test_the_page_says_what_was_found_and_how() -> None:
    text = Read(page(report())).text
    for told in (
        "1,300 of 20,000 images are left out by the keep-list (6.5%)",
        "37 of 9,000 images of their test images have a near copy in rooms of ours",
        "candidate pairs 41,234",
        "radius 9 bits",
        "7 of 1,500 duplicate pairs, drawn at random",
        "If all 7 are the same, the interval of the rate ends at 35.4%",
        "1,000 images",
        "and 997 more",
        "The threshold is 0.25",
        "not a random sample",
        "difference 0.249",
        "difference of thumbnails",
        "0.25 and more 39,734 10,000",
    ):
        assert told in text


def test_every_picture_is_inside_the_file_and_has_a_text() -> None:
    pictures = Read(page(report())).of("img")
    assert len(pictures) == 2 * (7 + 2 + 1 + 1) + 5
    for one in pictures:
        assert re.match(r"data:image/png;base64,[A-Za-z0-9+/=]+$", one["src"] or "")
        assert one["alt"]
    kept = [one["alt"] for one in pictures if (one["alt"] or "").endswith(", kept")]
    assert kept == ["train-00003.tar: 000020, kept", "train-00003.tar: 000030, kept"]


def test_the_page_asks_for_nothing_from_elsewhere() -> None:
    read = Read(page(report()))
    assert not [1 for tag, _ in read.elements if tag in ("link", "iframe", "object", "base")]
    for _, attributes in read.elements:
        assert (attributes.get("src") or "data:").startswith("data:")
        assert (attributes.get("href") or "#").startswith("#")
    policy = next(one["content"] for one in read.of("meta") if "http-equiv" in one) or ""
    assert policy.startswith("default-src 'none'; img-src data:; script-src 'sha256-")
    assert "unsafe" not in policy


def test_names_from_the_data_are_shown_as_text() -> None:
    hostile = picture(1, HOSTILE)
    hostile = Picture(hostile.pixels, HOSTILE, HOSTILE)
    both = Pair(hostile, hostile, 0.1)
    data = page(
        report(
            data=HOSTILE,
            recipe=[(HOSTILE, HOSTILE)],
            counts=[(HOSTILE, 3)],
            measure=HOSTILE,
            random_pairs=[both],
            groups=[Group([hostile], 2)],
            below=[both],
            above=[both],
            leaks=Leaks(HOSTILE, 1, 2, [both]),
        )
    )
    plain, read = Read(page(report())), Read(data)
    assert len(read.of("script")) == 1
    assert {tag for tag, _ in read.elements} == {tag for tag, _ in plain.elements}
    assert not [1 for _, attributes in read.elements if {"onerror", "onload"} & attributes.keys()]
    # Title, heading, sections and figure of the data; twice a picture of nine: its text and its captions.
    assert read.text.count(HOSTILE) >= 2 * 9
    assert all(HOSTILE in (one["alt"] or "") for one in read.of("img"))


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("a\x1b[31mb\x00", r"a\x1b[31mb\x00"),
        ("photo\u202egnp.exe", r"photo\u202egnp.exe"),
        ("caf\udce9", r"caf\udce9"),
        ("{{ 7 * 7 }}", "{{ 7 * 7 }}"),
        ("寝室 é 🛏", "寝室 é 🛏"),
        ("x" * 5_000, "x" * 200 + "..."),
    ],
)
def test_what_cannot_be_shown_is_shown_as_an_escape(name: str, shown: str) -> None:
    read = Read(page(report(above=[pair(1, 0.3, first=name)], data=name)))
    assert shown in {one["alt"] for one in read.of("img")}
    assert f"Duplicates in {shown}" in read.text


def test_the_page_stays_small_whatever_it_is_given() -> None:
    noise = np.random.default_rng(1).integers(0, 256, (300, 300, 3), np.uint8)
    one = Picture(noise, "one")
    many = [Pair(one, one, 0.1)] * 500
    data = page(
        report(
            random_pairs=many,
            groups=[Group([one] * 500, 500)] * 500,
            below=many,
            above=many,
            leaks=Leaks("test", 500, 500, many),
        )
    )
    assert len(Read(data).of("img")) == 2 * (100 + 12 + 12 + 24) + 12 * 6
    assert len(data) < 12e6  # noise is the worst there is; photographs take a third of it


def test_without_any_duplicate_the_page_says_so() -> None:
    none = report(
        images=0, left_out=0, random_pairs=[], groups=[], below=[], above=[], histogram=None, leaks=None, counts=[]
    )
    text = Read(page(none)).text
    assert "0 of 0 images are left out by the keep-list." in text
    assert "There are no duplicate pairs." in text
    assert "Leaks" not in text
    assert "Histogram" not in text


def test_an_infinite_difference_is_a_number_like_others() -> None:
    assert "difference inf" in Read(page(report(above=[pair(1, float("inf"))]))).text


def test_the_same_report_gives_the_same_bytes() -> None:
    assert page(report()) == page(report())


def test_the_identity_of_a_page_changes_with_its_random_pairs_alone() -> None:
    same = identity(report())
    assert re.fullmatch("[0-9a-f]{16}", same)
    assert identity(report(groups=[], above=[], images=3)) == same
    pairs = list(report().random_pairs)
    others = [
        report(random_pairs=pairs[::-1]),
        report(random_pairs=pairs[:-1]),
        report(random_pairs=[*pairs[:-1], pair(7, 0.071)]),
        report(random_pairs=[*pairs[:-1], pair(7, 0.07, second="another")]),
        report(data="others"),
        report(threshold=0.26),
        report(recipe=[("method", "paper")]),
    ]
    assert len({identity(one) for one in others} | {same}) == len(others) + 1
