"""What may stand in a line for people."""

import io

import pytest

from dcgan_dist.printing import printable, tell


@pytest.mark.parametrize(
    ("line", "encoding", "printed"),
    [
        ("Zürich ▶ ok, 写真 🙂", "utf-8", "Zürich ▶ ok, 写真 🙂"),
        ("Zürich ▶ ok", "ascii", "Z\\xfcrich \\u25b6 ok"),
        ("a\x1b]0;title\x07\x1b[2Jb", "utf-8", "a\\x1b]0;title\\x07\\x1b[2Jb"),
        ("a\x9b31mb\x7f", "utf-8", "a\\x9b31mb\\x7f"),  # C1, which some terminals take for an escape
        ("a\nb\rc\td\x0be", "utf-8", "a\\nb\\rc\\td\\x0be"),
        ("cat\u202egpj.exe\u2066\u2028", "utf-8", "cat\\u202egpj.exe\\u2066\\u2028"),
        ("name \udcff", "utf-8", "name \\udcff"),
        ("", "utf-8", ""),
    ],
)
def test_what_acts_on_a_terminal_and_what_it_lacks_is_escaped(line: str, encoding: str, printed: str) -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding, newline="")
    assert printable(line, stream) == printed
    tell(line, stream)
    assert stream.buffer.getvalue().decode(encoding) == f"{printed}\n"  # type: ignore[attr-defined]
