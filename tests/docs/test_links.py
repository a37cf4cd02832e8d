"""Pages lead somewhere: every link to a file of ours, and to a heading in it."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]
LINK = re.compile(r"\]\((?!https?:)([^)#\s]*)(?:#([^)\s]*))?\)|<img src=\"(?!https?:)([^\"]*)\"")
HEADING = re.compile(r"^#+ +(.*)$", re.MULTILINE)


def anchors(page: Path) -> set[str]:
    """Of the headings, as GitHub makes them: lower case, words joined by hyphens, no punctuation."""
    return {
        re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")
        for heading in HEADING.findall(page.read_text())
    }


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_of_a_page_lead_to_files_and_headings_that_exist(page: Path) -> None:
    for match in LINK.finditer(page.read_text()):
        file, heading, image = match.groups()
        target = page if not (file or image) else page.parent / (file or image)
        assert target.exists(), f"{match.group()} leads nowhere"
        if heading:
            assert heading in anchors(target), f"{match.group()}: {target.name} has no such heading"
