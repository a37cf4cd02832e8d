"""What makes a page safe, whatever names are in the data."""

import base64
import hashlib
from pathlib import Path

import pytest
from jinja2 import UndefinedError

from dcgan_dist.html import content_hash, environment, visible


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a name", "a name"),
        ("a\nb\x1b[2J", "a\\nb\\x1b[2J"),
        ("x\u202etxt.exe", "x\\u202etxt.exe"),
        ("1234567890123", "123456789012..."),
    ],
)
def test_a_text_is_shown_without_what_a_browser_hides(text: str, shown: str) -> None:
    assert visible(text, 12 if text.startswith("1") else 200) == shown


def test_templates_escape_all_text_and_miss_nothing(tmp_path: Path) -> None:
    (tmp_path / "a.jinja").write_text('<b title="{{ name }}">{{ name }}</b>{{ number | whole }}')
    made = environment(tmp_path, 30).get_template("a.jinja")
    shown = made.render(name="\"><script>'&", number=12_345)
    assert shown == '<b title="&#34;&gt;&lt;script&gt;&#39;&amp;">&#34;&gt;&lt;script&gt;&#39;&amp;</b>12,345'
    with pytest.raises(UndefinedError):
        environment(tmp_path).from_string("{{ nothing }}").render()


def test_a_hash_is_what_a_policy_names() -> None:
    assert content_hash("p {}") == "sha256-" + base64.b64encode(hashlib.sha256(b"p {}").digest()).decode()
