"""What a person sees of duplicates: one HTML file without anything beside it, which works from a mail or a disk.

Only judging the random pairs takes JavaScript. The page asks for nothing from a network: its own content security
policy forbids that, and any script but the page's own, whatever names are in the data.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup

from dcgan_dist.arrays import Pixels
from dcgan_dist.data.deduplication import histogram as figure
from dcgan_dist.data.deduplication.false_positives import false_positive_rate, normal_quantile
from dcgan_dist.data.deduplication.histogram import Histogram, drawing, span
from dcgan_dist.data.deduplication.marks import FORMAT
from dcgan_dist.data.deduplication.page_pictures import data_address
from dcgan_dist.html import content_hash, environment
from dcgan_dist.intervals import CONFIDENCE

GROUPS, OF_A_GROUP, RANDOM_PAIRS, NEAREST_PAIRS, LEAKED_PAIRS = 12, 6, 100, 12, 24
"""How many are shown at most; of the nearest pairs on each side of the threshold. Together 368 pictures."""
_LONGEST_TEXT = 200


@dataclass(frozen=True, eq=False)
class Picture:
    """One image.

    Attributes:
        pixels: uint8 [H, W, 3]: the thumbnail that was compared, or the original, of which a smaller one is shown.
        name: which one it is, such as `train-00003.tar: 000017`.
        caption: what else is known of it: its class, the size of the original.
    """

    pixels: Pixels
    name: str
    caption: str = ""


@dataclass(frozen=True, eq=False)
class Pair:
    """Two images, and how different they are: 0 is the same."""

    first: Picture
    second: Picture
    difference: float


@dataclass(frozen=True, eq=False)
class Group:
    """Images that are duplicates of one another.

    Attributes:
        pictures: some of them, the one that is kept first.
        size: how many there are.
    """

    pictures: Sequence[Picture]
    size: int


@dataclass(frozen=True, eq=False)
class Leaks:
    """Images of another set, such as the test images, that have near copies in the data.

    Attributes:
        against: name of the other set.
        leaked, images: how many of its images have copies, of how many.
        pairs: some pairs, the image of the other set second.
    """

    against: str
    leaked: int
    images: int
    pairs: Sequence[Pair]


@dataclass(frozen=True, eq=False)
class Report:
    """All that the page shows. Of each sequence no more are shown than the page has room for, the first ones.

    Attributes:
        data: name of the data.
        images, left_out: how many there are, and how many of them the keep-list leaves out.
        recipe: how duplicates were found: names and values.
        counts: what was counted, in order.
        threshold: pairs up to it are duplicates; None where candidates are, whatever they look like.
        measure: what differences are, as the label of an axis.
        duplicate_pairs: how many there are.
        random_pairs: a random sample of the duplicate pairs, in random order.
        groups: the largest ones, largest first.
        below, above: the pairs nearest to the threshold on both of its sides, nearest first; duplicates are those below
            it or on it.
        histogram: of candidate pairs and of random pairs; None where no differences were measured.
        leaks: where the data was compared with another set.
    """

    data: str
    images: int
    left_out: int
    recipe: Sequence[tuple[str, str]]
    counts: Sequence[tuple[str, int]]
    threshold: float | None
    measure: str
    duplicate_pairs: int
    random_pairs: Sequence[Pair]
    groups: Sequence[Group]
    below: Sequence[Pair]
    above: Sequence[Pair]
    histogram: Histogram | None = None
    leaks: Leaks | None = None


def page(report: Report) -> bytes:
    """The HTML file, in UTF-8. The same report gives the same bytes."""
    here = Path(__file__).parent
    templates = environment(here, _LONGEST_TEXT)
    templates.globals["picture_address"] = lambda picture: Markup(data_address(picture.pixels))
    script, style = ((here / name).read_text("utf-8") for name in ("page.js", "page.css"))
    chart = report.histogram
    html = templates.get_template("page.html.jinja").render(
        report=report,
        identity=identity(report),
        groups=[(group, group.pictures[:OF_A_GROUP]) for group in report.groups[:GROUPS]],
        random_pairs=(shown := report.random_pairs[:RANDOM_PAIRS]),
        least=false_positive_rate(0, len(shown)).high,
        nearest=[
            ("Just below the threshold: called duplicates", report.below[:NEAREST_PAIRS]),
            ("Just above the threshold: not called duplicates", report.above[:NEAREST_PAIRS]),
        ],
        leaked_pairs=report.leaks.pairs[:LEAKED_PAIRS] if report.leaks else (),
        figure=figure,
        drawing=drawing(chart, report.threshold) if chart and report.threshold is not None else None,
        bins=[
            (span(chart.edges, number), *both)
            for number, both in enumerate(zip(chart.candidates.tolist(), chart.random.tolist(), strict=True))
        ]
        if chart
        else (),
        confidence=CONFIDENCE,
        quantile=repr(normal_quantile()),
        marks_format=FORMAT,
        script=Markup(script),
        script_hash=content_hash(script),
        style=Markup(style),
        style_hash=content_hash(style),
    )
    return html.encode()


def identity(report: Report) -> str:
    """16 hexadecimal digits that name the random pairs of a page: marks of another page are not taken for its own."""
    names = [(pair.first.name, pair.second.name, float(pair.difference)) for pair in report.random_pairs[:RANDOM_PAIRS]]
    content = json.dumps([report.data, list(report.recipe), report.threshold, names])
    return hashlib.sha256(content.encode()).hexdigest()[:16]
