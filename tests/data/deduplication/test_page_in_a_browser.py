"""The page of duplicates in Chromium: marks, by mouse and keys, and the estimate from them."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from dcgan_dist.data.deduplication.false_positives import false_positive_rate
from dcgan_dist.data.deduplication.marks import Marks, read_marks
from dcgan_dist.data.deduplication.page import Report, identity, page
from tests.data.deduplication.reports import HOSTILE, pair, report
from tests.harness.browser import browser as chromium

browser = chromium


class Shown:
    """A report in a tab of its own."""

    def __init__(self, browser: Browser, folder: Path, shown: Report, *, javascript: bool = True) -> None:
        self.report = shown
        self.context = browser.new_context(java_script_enabled=javascript)
        self.file = folder / "report.html"
        self.file.write_bytes(page(shown))
        self.asked_for: list[str] = []
        self.complaints: list[str] = []
        self.tab = self.open()

    def open(self) -> Page:
        tab = self.context.new_page()
        tab.on("request", lambda request: self.asked_for.append(request.url))
        tab.on("console", lambda message: self.complaints.append(message.text))
        tab.on("pageerror", lambda error: self.complaints.append(str(error)))
        tab.goto(self.file.as_uri())
        return tab

    def judge(self, number: int, words: str) -> None:
        self.tab.locator(".pair").nth(number - 1).get_by_role("button", name=words, exact=True).click()

    def estimate(self) -> tuple[int, int, float | None, float, float]:
        """Marked, seen, rate, low and high, as JavaScript computed them."""
        said = self.tab.locator("output").evaluate("one => ({...one.dataset})")
        return tuple(json.loads(said[name]) for name in ("marked", "seen", "rate", "low", "high"))  # type: ignore[return-value]

    def saved(self) -> bytes:
        with self.tab.expect_download() as download:
            self.tab.get_by_role("button", name="Save marks.json").click()
        assert download.value.suggested_filename == "marks.json"
        return Path(download.value.path()).read_bytes()


@pytest.fixture
def shown(browser: Browser, tmp_path: Path) -> Iterator[Shown]:
    shown = Shown(browser, tmp_path, report())
    yield shown
    assert shown.complaints == []
    assert {*shown.asked_for} == {shown.file.as_uri()}
    shown.context.close()


def test_marks_by_mouse_give_the_rate_that_python_computes(shown: Shown) -> None:
    assert shown.estimate() == (0, 0, None, 0, 1)
    for number, words, marked, seen in (
        (1, "same", 0, 1),
        (2, "not the same", 1, 2),
        (3, "same", 1, 3),
        (3, "not the same", 2, 3),
        (3, "not the same", 1, 2),  # a second click takes the mark away
        (3, "same", 1, 3),
    ):
        shown.judge(number, words)
        expected = false_positive_rate(marked, seen)
        assert shown.estimate()[:2] == (marked, seen)
        assert shown.estimate()[2:] == pytest.approx((expected.rate, expected.low, expected.high), abs=1e-12)
    assert shown.tab.locator("output").inner_text() == (
        "3 of 7 pairs judged, 4 to go; 1 not the same. False positives: 33.3%, interval 6.1% to 79.2%."
    )


def test_marks_of_chosen_pairs_give_no_rate(shown: Shown) -> None:
    shown.judge(3, "not the same")
    assert shown.estimate() == (1, 1, None, 0, 1)
    assert shown.tab.locator("output").inner_text().endswith("unknown, as 2 before the last mark are not judged.")
    assert shown.tab.get_by_role("button", name="Save marks.json").is_disabled()
    shown.judge(1, "same")
    assert shown.estimate() == (1, 2, None, 0, 1)
    shown.judge(2, "same")
    assert shown.estimate()[:3] == (1, 3, 1 / 3)


def test_all_pairs_without_a_mark_can_be_called_the_same_at_once(shown: Shown) -> None:
    shown.judge(4, "not the same")
    rest = shown.tab.get_by_role("button", name="The other 6 are the same")
    rest.click()
    assert shown.estimate()[:2] == (1, 7)
    assert shown.tab.get_by_role("button", name="All are judged").is_disabled()
    assert shown.tab.locator(".pair.different").count() == 1


def test_keys_judge_and_go_on_to_the_next_pair(shown: Shown) -> None:
    shown.tab.locator(".pair button").first.focus()
    for key in ("s", "N", "ArrowRight", "n", "ArrowLeft", "ArrowLeft", "ArrowLeft", "Backspace", "Control+n", "x"):
        shown.tab.keyboard.press(key)
    # After the fourth pair the focus was on the fifth, and went back to the second, whose mark was taken away.
    pressed = shown.tab.locator(".pair").evaluate_all(
        "pairs => pairs.map(one => one.querySelector('[aria-pressed=true]')?.textContent ?? '')"
    )
    assert pressed == ["same", "", "", "not the same", "", "", ""]
    assert shown.estimate()[:2] == (1, 2)


def test_saved_marks_give_the_same_numbers_in_python(shown: Shown) -> None:
    shown.judge(2, "not the same")
    shown.judge(6, "not the same")
    shown.tab.get_by_role("button", name="The other 5 are the same").click()
    data = shown.saved()
    marks = read_marks(data, identity(shown.report), "marks.json")
    assert marks == Marks(marked=2, seen=7)
    expected = false_positive_rate(marks.marked, marks.seen)
    assert shown.estimate()[2:] == pytest.approx((expected.rate, expected.low, expected.high), abs=1e-12)
    wrong = [(mark["pair"], mark["second"]) for mark in json.loads(data)["marks"] if not mark["same"]]
    assert wrong == [(2, "copy of 2"), (6, "copy of 6")]
    assert len(data) < 2_000


def test_marks_survive_a_reload_and_can_be_cleared(shown: Shown) -> None:
    shown.judge(5, "not the same")
    shown.tab.reload()
    assert shown.estimate()[:2] == (1, 1)
    shown.tab.once("dialog", lambda dialog: dialog.accept())
    shown.tab.get_by_role("button", name="Clear all marks").click()
    assert shown.estimate()[:2] == (0, 0)
    shown.tab.reload()
    assert shown.estimate()[:2] == (0, 0)
    assert shown.tab.get_by_role("button", name="Save marks.json").is_disabled()


def test_marks_of_another_report_are_not_taken_over(shown: Shown) -> None:
    shown.judge(1, "not the same")
    shown.file.write_bytes(page(report(threshold=0.3)))
    shown.tab.reload()
    assert shown.estimate()[:2] == (0, 0)


def test_a_hostile_name_is_text_on_the_page_and_in_the_marks(browser: Browser, tmp_path: Path) -> None:
    hostile = Shown(browser, tmp_path, report(data=HOSTILE, random_pairs=[pair(1, 0.1, HOSTILE, HOSTILE)]))
    assert hostile.tab.title() == f"Duplicates in {HOSTILE}: 1,300 of 20,000 images"
    assert hostile.tab.locator(".pair figcaption").first.inner_text().startswith(HOSTILE)
    hostile.judge(1, "not the same")
    assert json.loads(hostile.saved())["marks"][0]["first"] == HOSTILE
    assert hostile.tab.locator("script").count() == 1
    assert hostile.complaints == []
    hostile.context.close()


def test_a_script_that_is_not_the_pages_own_does_not_run(browser: Browser, tmp_path: Path) -> None:
    tampered = Shown(browser, tmp_path, report())
    tampered.file.write_bytes(page(report()).replace(b"</main>", b"<script>document.title='owned'</script></main>"))
    tampered.tab.reload()
    assert tampered.tab.title().startswith("Duplicates in")
    tampered.context.close()


def test_without_javascript_all_but_marking_is_there(browser: Browser, tmp_path: Path) -> None:
    plain = Shown(browser, tmp_path, report(), javascript=False)
    assert plain.tab.get_by_text("Judging them takes JavaScript").is_visible()
    assert plain.tab.get_by_role("button").count() == 0
    assert plain.tab.get_by_role("img").count() == 2 * 11 + 5 + 1
    plain.context.close()


@pytest.mark.parametrize(("scheme", "width"), [("light", 1400), ("dark", 320)])
def test_texts_have_enough_contrast_and_nothing_sticks_out(
    browser: Browser, tmp_path: Path, scheme: str, width: int
) -> None:
    shown = Shown(browser, tmp_path, report(data="anamewithoutanyspace" * 9))
    shown.tab.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    shown.tab.set_viewport_size({"width": width, "height": 700})
    shown.judge(1, "same")
    shown.judge(2, "not the same")
    shown.tab.locator("summary").click()
    assert shown.tab.evaluate("document.documentElement.scrollWidth") == width
    poor = shown.tab.evaluate(CONTRAST)
    assert poor == []
    shown.context.close()


CONTRAST = """() => {
  // Contrast of each text with what is behind it, as WCAG 2 has it: 4.5 and more, by relative luminance.
  const parts = (color) => color.match(/[\\d.]+/g).map(Number);
  const luminance = (color) => parts(color).slice(0, 3)
    .map((c) => c / 255).map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = (one) => {
    for (; one; one = one.parentElement) {
      const color = getComputedStyle(one).backgroundColor;
      if ((parts(color)[3] ?? 1) > 0) return color;
    }
    return "rgb(255, 255, 255)";
  };
  const texts = [...document.body.querySelectorAll("*")].filter((one) =>
    !one.closest("script, noscript, svg title") && !one.disabled && one.checkVisibility() &&
    [...one.childNodes].some((node) => node.nodeType === 3 && node.data.trim()));
  if (texts.length < 50) return ["too few texts"];
  return texts.flatMap((one) => {
    const style = getComputedStyle(one);
    const pair = [one.closest("svg") ? style.fill : style.color, behind(one)].map(luminance).sort((a, b) => b - a);
    const contrast = (pair[0] + 0.05) / (pair[1] + 0.05);
    return contrast >= 4.5 ? [] : [`${one.tagName} ${one.textContent.slice(0, 30)} ${contrast}`];
  });
}"""
