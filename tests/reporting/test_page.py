"""The page as text: its size, what is escaped, and that it is the same each time."""

import html
import json
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import dcgan_dist.reporting.page as module
from dcgan_dist.errors import DataError
from dcgan_dist.reporting.advice import Advice
from dcgan_dist.reporting.as_json import as_json
from dcgan_dist.reporting.comparison import comparison
from dcgan_dist.reporting.fidelity import fidelity_tables
from dcgan_dist.reporting.page import LIMIT, MARK, page
from dcgan_dist.reporting.pictures import Shot
from dcgan_dist.reporting.run_files import read_run
from dcgan_dist.reporting.run_report import RunReport, run_report
from dcgan_dist.reporting.samples import Grid
from dcgan_dist.storage import Place
from tests.data.deduplication.reports import HOSTILE
from tests.reporting.test_as_json import facts
from tests.reporting.test_fidelity import FIDELITY


@pytest.fixture(scope="module")
def shown(made_run: Place) -> RunReport:
    return run_report(read_run(made_run), 0.0, 0.5)


def test_the_same_report_is_the_same_page(shown: RunReport) -> None:
    assert page(shown, "then") == page(shown, "then")


def test_the_page_says_all_that_is_in_the_json(shown: RunReport) -> None:
    text = html.unescape(page(shown, "then").html.decode())
    content = json.loads(as_json(shown, "then", []))
    missing = [
        fact["name"]
        for fact in facts(content["runs"][0])
        if fact["shown"] not in text and fact["name"] != "Accuracy of the probe"
    ]
    assert missing == []
    for word in ("As of then", "scenes32", "C 0.0", "DCGAN trained on ImageNet-1k", "seed 4", "host-0"):
        assert word in text
    headline = content["runs"][0]["headline"]
    for value in (headline["value"], headline["low"], headline["high"]):
        assert f"{100 * value:.1f}" in text
    for fact in facts(content["runs"][0]):
        assert f"{fact['file']}: {fact['key']}" in text


def test_text_of_a_run_is_text(shown: RunReport) -> None:
    hostile = replace(
        shown,
        name=HOSTILE,
        notes=[HOSTILE],
        headline=None,
        advice=Advice(HOSTILE, HOSTILE, HOSTILE),
        machines=[replace(fact, name=HOSTILE, shown=HOSTILE, file=HOSTILE) for fact in shown.machines],
    )
    code = page(hostile, "then").html.decode()
    assert "<img src=x" not in code
    assert "<script" not in code
    assert "<b>G</b>" not in code  # of the finding
    assert "&lt;b&gt;G&lt;/b&gt;" in code
    assert set(re.findall(r'(?:src|href)="([^"#:]+):?', code)) <= {"data"}


def test_commands_stand_by_themselves_letter_for_letter(shown: RunReport) -> None:
    command = f"dcgan-dist evaluate '/Some/Folder/{'Deep/' * 200}A & B' --tasks NAME=FOLDER"
    told = replace(shown, headline=None, tables=[], advice=Advice("mind Capitals", command, "FOLDER has Images."))
    code = page(told, "then").html.decode()
    commands = [html.unescape(found) for found in re.findall("<pre>(.*?)</pre>", code, re.DOTALL)]
    assert commands.count(command) == 2  # in the first screen, and where probes would be
    assert "<p>Mind Capitals:</p>" in code
    assert '<p class="aside">FOLDER has Images.</p>' in code
    study = next(study for study in told.studies.shown if study.command)
    of = replace(study, of="checkpoint 7 of /Some/Folder", command=command)
    code = page(replace(told, studies=replace(told.studies, shown=[of])), "then").html.decode()
    assert "Checkpoint 7 of /Some/Folder" in code
    assert html.unescape(code).count(command) == 3


def test_a_run_that_is_trained_on_labels_is_no_gan_without_samples(labeled: Callable[..., Place]) -> None:
    run = labeled("Labels")
    found = run_report(read_run(run), 0.0)
    for code in (page(found, "then"), page(comparison([read_run(run), read_run(labeled("Other"))], 0.0), "then")):
        text = code.html.decode()
        assert "it has no generator and draws no samples" in text
        assert "No samples have been drawn yet" not in text
        assert "<strong>50.0 %</strong> <span>39.3 to 60.7</span>" in text
    assert found.headline is not None
    bare = replace(found.headline.fact, low=None, high=None)
    text = page(replace(found, headline=replace(found.headline, fact=bare)), "then").html.decode()
    assert "<strong>50.0 %</strong></p>" in text
    (content,) = json.loads(as_json(found, "then", []))["runs"]
    assert (content["draws_samples"], content["headline"]["value"]) == (False, 0.5)


def test_fidelity_is_a_table_with_one_caption(shown: RunReport) -> None:
    told = replace(shown, fidelity=fidelity_tables({"evaluation/some.json": FIDELITY}))
    code = page(told, "then").html.decode()
    seen = re.sub('title="[^"]*"', "", code)
    assert (seen.count("evaluation/some.json"), seen.count("1,500 samples"), seen.count("<caption>")) == (1, 1, 1)
    assert "lite/kernel" not in seen
    for words in ("Kernel distance, squared", "0.5 (0.25 to 0.75)", "lower", "Recall", "0.125", "higher"):
        assert f">{words}</t" in seen
    (run,) = json.loads(as_json(told, "then", []))["runs"]
    assert [fact["key"] for fact in run["distances"]] == ["measures.lite/kernel.value", "measures.lite/recall.value"]


def test_a_page_of_many_large_pictures_stays_below_its_limit_and_says_what_it_lacks(shown: RunReport) -> None:
    random = np.random.default_rng(0)
    frames = [
        type(shown.frames[0])(
            Grid(images, "raw", f"{images}.png"),
            Shot(f"samples/{images}.png", "noise", random.integers(0, 256, (1_000, 1_000, 3), np.uint8), 30 + images),
        )
        for images in range(10)
    ]
    made = page(replace(shown, frames=frames), "then")
    assert 1_000_000 < len(made.html) <= LIMIT
    assert made.left_out == []
    assert "pictures have fewer pixels here than in their files" in made.html.decode()


def test_pictures_without_room_are_named(shown: RunReport, monkeypatch: pytest.MonkeyPatch) -> None:
    bare = len(re.sub(rb'data:image/webp[^"]*', b"", page(shown, "then").html))
    monkeypatch.setattr(module, "LIMIT", bare + 20_000)
    made = page(shown, "then")
    assert len(made.html) <= bare + 20_000
    assert 0 < len(made.left_out) < len(shown.shots)
    code = made.html.decode()
    for file in made.left_out:
        assert f"{file} is left out: this page would be larger than 5 MB with it" in code
    assert made.left_out[0] in code.partition('id="notes"')[2]
    monkeypatch.setattr(module, "LIMIT", 10_000)
    with pytest.raises(DataError, match="larger than 10,000 bytes, also without pictures"):
        page(shown, "then")


def test_pages_can_be_told_from_other_files_by_their_beginning(shown: RunReport) -> None:
    assert MARK.encode() in page(shown, "then").html[:4_096]


def test_a_page_of_runs_shows_each_of_them(made_run: Place, copied: Any) -> None:
    every = [read_run(made_run), read_run(copied("other"))]
    code = page(comparison(every, 0.0, 1.5), "then").html.decode()
    assert code.count("<article>") == 2
    assert ">rooms</h3>" in code
    assert ">other</h3>" in code
    assert "In none: all settings are the same." in code
    assert code.count("DCGAN trained on ImageNet-1k") == 1
