"""Pages in Chromium, opened from a disk: wide, on a phone, and on paper; with JavaScript and without."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from dcgan_dist.reporting.comparison import Comparison, comparison
from dcgan_dist.reporting.fidelity import fidelity_tables
from dcgan_dist.reporting.page import page
from dcgan_dist.reporting.run_files import read_run
from dcgan_dist.reporting.run_report import RunReport, run_report
from dcgan_dist.reporting.sweep import SweepReport, read_sweep
from dcgan_dist.storage import Place
from tests.data.deduplication.reports import HOSTILE
from tests.data.deduplication.test_page_in_a_browser import CONTRAST
from tests.harness.browser import browser as chromium
from tests.reporting.test_fidelity import FIDELITY
from tests.reporting.test_sweep import sweep as made_sweep
from tuning.folder import SweepFolder

sweep = made_sweep
browser = chromium
LONG = "anamewithoutanyspace" * 9
PHONE = 390
Shown = RunReport | Comparison | SweepReport


@pytest.fixture
def open_page(browser: Browser, tmp_path: Path) -> Iterator[Callable[..., Page]]:
    """`open_page(SHOWN, WIDTH)` opens a report from a file; what goes wrong meanwhile fails the test."""
    complaints: list[str] = []
    asked_for: list[str] = []
    file = tmp_path / "report.html"
    contexts = []

    def opened(shown: Shown, width: int, *, javascript: bool = True) -> Page:
        file.write_bytes(page(shown, "2026-01-02 03:04:05 UTC").html)
        context = browser.new_context(java_script_enabled=javascript, viewport={"width": width, "height": 800})
        contexts.append(context)
        tab = context.new_page()
        tab.on("request", lambda request: asked_for.append(request.url))
        tab.on("console", lambda message: complaints.append(message.text))
        tab.on("pageerror", lambda error: complaints.append(str(error)))
        tab.goto(file.as_uri())
        return tab

    yield opened
    assert complaints == []
    assert {url for url in asked_for if not url.startswith("data:")} == {file.as_uri()}
    for context in contexts:
        context.close()


@pytest.fixture(params=["run", "runs", "sweep"])
def shown(request: pytest.FixtureRequest, made_run: Place, copied: Any) -> Shown:
    """A page of each kind."""
    if request.param == "run":
        measured = fidelity_tables({f"evaluation/000000900-fidelity-{LONG}.json": FIDELITY})
        return replace(run_report(read_run(made_run), 0.0, 0.5), fidelity=measured)
    if request.param == "runs":
        return comparison([read_run(made_run), read_run(copied(LONG)), read_run(copied("third"))], 0.0)
    found: SweepFolder = request.getfixturevalue("sweep")
    return read_sweep(found.place, 0.0)


@pytest.mark.parametrize("width", [1_280, PHONE, 320])
def test_a_page_has_all_its_pictures_and_nothing_sticks_out(
    width: int, shown: Shown, open_page: Callable[..., Page]
) -> None:
    tab = open_page(shown, width)
    assert tab.evaluate("document.documentElement.scrollWidth") == width
    pictures = tab.evaluate("[...document.images].map(one => [one.naturalWidth > 0, one.alt.length > 0])")
    assert len(pictures) >= 4
    assert pictures == [[True, True]] * len(pictures)
    beyond = (
        "[...document.querySelectorAll('body *')].filter(one => one.getBoundingClientRect().right > innerWidth + 1)"
    )
    assert tab.evaluate(f"{beyond}.map(one => one.tagName + ' ' + one.className)") == []
    assert tab.evaluate(CONTRAST) == []


def test_the_first_screen_shows_samples_state_minutes_cost_and_the_number(
    made_run: Place, open_page: Callable[..., Page]
) -> None:
    tab = open_page(run_report(read_run(made_run), 0.0, 0.5), 1_280)
    for what in (
        tab.locator("header img"),
        tab.get_by_text("stopped", exact=True),
        tab.locator(".number strong"),
        tab.locator(".number span"),
        tab.locator("dt", has_text="Minutes"),
        tab.locator("dt", has_text="Cost"),
        tab.get_by_text("As of 2026-01-02 03:04:05 UTC"),
    ):
        box = what.bounding_box()
        assert box is not None
        assert box["y"] + box["height"] <= 800


@pytest.mark.parametrize("javascript", [True, False])
def test_the_slider_works_by_mouse_and_keys_without_javascript(
    javascript: bool, made_run: Place, open_page: Callable[..., Page]
) -> None:
    tab = open_page(run_report(read_run(made_run), 0.0), 1_280, javascript=javascript)
    frames = tab.locator(".frames figure")

    def seen() -> list[bool]:
        return [frames.nth(place).is_visible() for place in range(frames.count())]

    assert seen() == [False, False, True]
    tab.locator(".track label").first.click()
    assert seen() == [True, False, False]
    tab.keyboard.press("ArrowRight")
    assert seen() == [False, True, False]
    assert tab.get_by_text("after 2,560 images, raw generator").is_visible()
    assert tab.get_by_role("radio", name="2,560 images").is_checked()


def test_on_paper_all_times_are_shown(made_run: Place, open_page: Callable[..., Page], tmp_path: Path) -> None:
    tab = open_page(run_report(read_run(made_run), 0.0), 720)
    tab.emulate_media(media="print")
    frames = tab.locator(".frames figure")
    assert [frames.nth(place).is_visible() for place in range(3)] == [True, True, True]
    assert tab.evaluate("document.documentElement.scrollWidth") == 720
    assert tab.pdf(format="A4").startswith(b"%PDF")


def test_hostile_names_are_text(made_run: Place, open_page: Callable[..., Page]) -> None:
    made = run_report(read_run(made_run), 0.0)
    tab = open_page(replace(made, name=HOSTILE, notes=[HOSTILE, LONG]), PHONE)
    assert tab.title() == f"{HOSTILE}: stopped"
    assert tab.get_by_role("heading", level=1).inner_text() == HOSTILE
    assert tab.locator("script").count() == 0
    assert tab.evaluate("document.documentElement.scrollWidth") == PHONE


def test_a_script_or_a_picture_from_elsewhere_is_refused(made_run: Place, browser: Browser, tmp_path: Path) -> None:
    code = page(run_report(read_run(made_run), 0.0), "then").html
    extra = b"<script>document.title='owned'</script><img src='http://127.0.0.1:9/x.png'></main>"
    (tmp_path / "tampered.html").write_bytes(code.replace(b"</main>", extra))
    tab = browser.new_page()
    failed: list[str] = []
    tab.on("requestfailed", lambda request: failed.append(request.failure or ""))
    tab.goto((tmp_path / "tampered.html").as_uri())
    assert tab.title() == "rooms: stopped"
    assert [why for why in failed if "csp" not in why.lower()] == []
    tab.close()
