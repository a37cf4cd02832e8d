"""The page of a report: one HTML file with nothing beside it and no script, which works from a mail or a disk.

It asks for nothing from a network: its own content security policy forbids that. It takes less than `LIMIT` bytes:
pictures are made smaller, and then left out, until it does.
"""

import base64
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup, escape

from dcgan_dist import __version__
from dcgan_dist.errors import DataError
from dcgan_dist.html import content_hash, environment, visible
from dcgan_dist.reporting.charts import Chart
from dcgan_dist.reporting.comparison import Comparison
from dcgan_dist.reporting.figures import svg
from dcgan_dist.reporting.pictures import Embedded, Shot, embed
from dcgan_dist.reporting.run_report import RunReport
from dcgan_dist.reporting.sweep import SweepReport

LIMIT = 5_000_000
"""Bytes of a page, at most."""
MARK = "dcgan-dist report"
"""Name of the generator in the page's head: a file with it may be written again."""
LONGEST_TEXT = 600
LONGEST_COMMAND = 20_000
"""Characters; a command is not cut as other texts are, since half of one is worse than none."""
_TEMPLATES = {RunReport: "run.html.jinja", Comparison: "runs.html.jinja", SweepReport: "sweep.html.jinja"}


@dataclass(frozen=True)
class Page:
    """A page.

    Attributes:
        html: in UTF-8.
        left_out: files of the pictures that there is no room for.
    """

    html: bytes
    left_out: Sequence[str]


def page(shown: RunReport | Comparison | SweepReport, made: str) -> Page:
    """The page. The same report gives the same bytes.

    Args:
        made: when, as a text.

    Raises:
        DataError: it would be too large without any picture, which the limits of its tables do not allow.
    """
    drawn = {id(chart): _address(svg(chart)) for chart in _charts(shown)}
    # What is around the pictures depends little on how many there are: their captions stay, and a note more is short.
    bare = len(_rendered(shown, made, drawn, {}, [shot.file for shot in shown.shots]))
    pictures, left_out = embed(shown.shots, LIMIT - bare)
    html = _rendered(shown, made, drawn, pictures, left_out)
    if len(html) > LIMIT:
        raise DataError(
            f"the report is larger than {LIMIT:,} bytes, also without pictures: this is a defect, report it"
        )
    return Page(html, left_out)


def _rendered(
    shown: RunReport | Comparison | SweepReport,
    made: str,
    drawn: Mapping[int, Markup],
    pictures: Mapping[Shot, Embedded],
    left_out: Sequence[str],
) -> bytes:
    here = Path(__file__).parent
    templates = environment(here, LONGEST_TEXT)
    by_identity = {id(shot): one for shot, one in pictures.items()}
    find: Callable[[Shot], Embedded | None] = lambda shot: by_identity.get(id(shot))  # noqa: E731
    templates.globals["embedded"] = find
    templates.globals["figure"] = lambda chart: drawn[id(chart)]
    templates.filters["address"] = Markup
    # `capitalize` would put the rest in small letters, with the paths in it.
    templates.filters["sentence"] = lambda text: text[:1].upper() + text[1:]
    templates.filters["command"] = lambda text: escape(visible(text, LONGEST_COMMAND))
    style = (here / "page.css").read_text("utf-8")
    html = templates.get_template(_TEMPLATES[type(shown)]).render(
        shown=shown,
        made=made,
        mark=MARK,
        version=__version__,
        left_out=left_out,
        smaller=sum(one.smaller for one in pictures.values()),
        style=Markup(style),
        style_hash=content_hash(style),
    )
    return html.encode()


def _charts(shown: RunReport | Comparison | SweepReport) -> Sequence[Chart]:
    if isinstance(shown, SweepReport):
        return shown.best.charts if shown.best else []
    return shown.charts


def _address(file: bytes) -> Markup:
    return Markup("data:image/svg+xml;base64," + base64.b64encode(file).decode())
