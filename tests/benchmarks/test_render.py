from pathlib import Path

import pytest

from benchmarks.render import documents, main
from benchmarks.report import Bar, Report, Table, write


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A project with one report and two documents."""
    report = Report(
        command="python -m benchmarks.ingest",
        tables={"ingest": Table(["what", "rate"], [["ours", 25]]), "other": Table(["x"], [["y"]])},
        ratios={"over theirs, all": 6.123},
        bars=[Bar("over theirs", 6.1, at_least=5.0)],
    )
    write(tmp_path / "benchmarks" / "results" / "ingest.json", report.to_json())
    (tmp_path / "docs" / "lab").mkdir(parents=True)
    (tmp_path / "README.md").write_text("Top\n\n<!-- table: ingest -->\nold\n<!-- end -->\n\nBottom\n")
    (tmp_path / "docs" / "lab" / "page.md").write_text(
        "<!-- bars: ingest -->\n<!-- end -->\n<!-- table: other -->\n<!-- end -->\n"
    )
    return tmp_path


def test_the_documents_show_what_was_measured() -> None:
    assert main(["--check"]) == 0


def test_a_table_replaces_what_is_between_its_marks_and_nothing_else(root: Path) -> None:
    assert main([], root) == 0
    text = (root / "README.md").read_text()
    assert text.startswith("Top\n\n<!-- table: ingest -->\n| what | rate |\n| --- | ---: |\n| ours | 25 |\n\n`python")
    assert text.endswith(".\n<!-- end -->\n\nBottom\n")
    assert "old" not in text


def test_bars_and_several_tables_of_a_report_are_rendered(root: Path) -> None:
    assert main([], root) == 0
    text = (root / "docs" / "lab" / "page.md").read_text()
    assert "| over theirs | at least 5 | 6.1 | yes |" in text
    assert "| y |" in text


def test_a_value_is_rendered_within_its_sentence(root: Path) -> None:
    (root / "README.md").write_text("is <!-- value: ingest over theirs, all -->?<!-- end --> times as fast\n")
    assert main([], root) == 0
    text = (root / "README.md").read_text()
    assert text == "is <!-- value: ingest over theirs, all -->6.12<!-- end --> times as fast\n"


def test_rendering_twice_changes_nothing(root: Path) -> None:
    main([], root)
    once = [file.read_text() for file in documents(root)]
    assert main(["--check"], root) == 0
    assert main([], root) == 0
    assert [file.read_text() for file in documents(root)] == once


def test_the_check_names_files_that_differ_and_leaves_them(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = (root / "README.md").read_text()
    assert main(["--check"], root) == 1
    assert "README.md, docs/lab/page.md differ from benchmarks/results" in capsys.readouterr().err
    assert (root / "README.md").read_text() == before


def test_the_check_sees_a_number_that_was_changed_by_hand(root: Path) -> None:
    main([], root)
    readme = root / "README.md"
    readme.write_text(readme.read_text().replace("| 25 |", "| 26 |"))
    assert main(["--check"], root) == 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("<!-- table: gone -->\n<!-- end -->\n", "there is no gone in benchmarks/results"),
        ("<!-- bars: gone -->\n<!-- end -->\n", "there is no gone in benchmarks/results"),
        ("<!-- table: ingest -->\nno end\n", "cannot be filled"),
        ("<!-- table: ingest -->\n<!-- table: other -->\n<!-- end -->\n", "<!-- table: ingest --> cannot be filled"),
        ("x <!-- value: ingest gone --><!-- end -->\n", "there is no gone in benchmarks/results"),
        ("x <!-- value: ingest -->6<!-- end -->\n", "cannot be filled"),
        ("<!-- table: -->\n<!-- end -->\n", "cannot be filled"),
    ],
)
def test_a_place_that_cannot_be_filled_is_named(
    root: Path, capsys: pytest.CaptureFixture[str], text: str, said: str
) -> None:
    (root / "README.md").write_text(text)
    assert main([], root) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: README.md: ")
    assert said in error
    assert (root / "README.md").read_text() == text


def test_two_tables_of_one_name_are_refused(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    results = root / "benchmarks" / "results"
    (results / "second.json").write_text((results / "ingest.json").read_text())
    assert main([], root) == 2
    assert "table ingest is in ingest.json and in second.json" in capsys.readouterr().err
