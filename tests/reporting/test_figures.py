import re
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

import dcgan_dist.reporting
from dcgan_dist.errors import SettingsError
from dcgan_dist.reporting.charts import Chart
from dcgan_dist.reporting.figures import COLORS, FINDING, RESTART, require_matplotlib, svg
from dcgan_dist.reporting.series import thinned

CSS = Path(dcgan_dist.reporting.__file__).parent / "page.css"
NAN = float("nan")


def chart(**changed: object) -> Chart:
    lines = [thinned([(64.0, 0.5), (128.0, NAN), (192.0, 0.75)], "$a_{b}$ <script>", 3)]
    return Chart(**{"title": "T", "axis": "loss", "series": lines, "source": "s", **changed})  # type: ignore[arg-type]


def test_a_figure_is_the_same_bytes_each_time_and_has_no_text_of_a_run() -> None:
    first, second = svg(chart()), svg(chart())
    assert first == second
    ElementTree.fromstring(first)
    assert b"script" not in first
    assert b"<text" not in first
    assert COLORS[3].encode() in first


def test_restarts_and_findings_are_marked() -> None:
    for marked, color in (({"restarts": [100]}, RESTART), ({"findings": [100]}, FINDING)):
        assert color.encode() in svg(chart(**marked))
        assert color.encode() not in svg(chart())


def test_intervals_and_bands_are_drawn() -> None:
    plain, bars = svg(chart()), svg(chart(intervals=True))
    assert plain != bars
    many = [thinned([(float(x), x % 7) for x in range(2_000)], "", 0)]
    assert b"FillBetween" in svg(chart(series=many)) or b"PolyCollection" in svg(chart(series=many))
    assert b"FillBetween" not in plain
    assert b"PolyCollection" not in plain


def test_the_page_shows_lines_in_the_colors_of_the_figures() -> None:
    assert tuple(re.findall(r"\.c\d \{ background: (#[0-9a-f]{6})", CSS.read_text())) == COLORS
    assert RESTART in CSS.read_text()
    assert FINDING in CSS.read_text()


def test_without_matplotlib_it_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    require_matplotlib()
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(SettingsError, match=r"pip install 'dcgan-dist\[report\]'"):
        require_matplotlib()
