"""Pages that stand for themselves: templates that escape all text, and hashes for a content security policy.

Such a page asks for nothing from a network, and runs no script and takes no style but its own, whatever names are in
the data.
"""

import base64
import hashlib
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup


def environment(folder: Path, longest_text: int = 200) -> Environment:
    """Templates of a folder, which escape every text.

    Args:
        longest_text: characters of a text that are shown, see `visible`.
    """
    made = Environment(
        loader=FileSystemLoader(folder),
        autoescape=True,
        finalize=lambda value: visible(value, longest_text) if type(value) is str else value,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    made.filters["whole"] = "{:,}".format
    return made


def visible(text: str, longest: int) -> str:
    """A text from the data without what a browser would not show: control characters, bytes that are no text, and
    marks that turn the direction of what follows; at most so many characters of it."""
    shown = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    return shown if len(shown) <= longest else f"{shown[:longest]}..."


def content_hash(content: str) -> Markup:
    """As a content security policy names a script or a style."""
    return Markup("sha256-" + base64.b64encode(hashlib.sha256(content.encode()).digest()).decode())
