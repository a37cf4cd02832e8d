"""What is shown while a step goes on."""

import pytest

from dcgan_dist.data.preparation import progress
from dcgan_dist.data.preparation.progress import watched


@pytest.mark.parametrize(("total", "of"), [(1_500, " of 1,500"), (None, "")])
def test_a_log_gets_a_line_now_and_then(
    total: int | None, of: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert list(watched("abc", "listed", total, done=1_000)) == ["a", "b", "c"]
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(progress, "_LINE_S", 0)
    assert list(watched("abc", "listed", total, done=1_000)) == ["a", "b", "c"]
    lines = capsys.readouterr().err.splitlines()
    assert [line.partition(" pictures, ")[0] for line in lines] == [f"listed 1,00{i}{of}" for i in (1, 2, 3)]
    assert all(line.endswith(" a second") for line in lines)


def test_a_terminal_gets_a_bar_of_what_takes_long(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    assert list(watched("abc", "compared", 3)) == ["a", "b", "c"]
    assert "compared" not in capsys.readouterr().err
    monkeypatch.setattr(progress, "_BAR_AFTER_S", 0)
    assert list(watched("abc", "compared", 9, done=4)) == ["a", "b", "c"]
    assert "compared:  78%" in capsys.readouterr().err
