"""How commands that compute on evaluation actors end."""

import os
import signal

import pytest

from dcgan_dist.cli.signals import terminable
from dcgan_dist.errors import ClusterError
from dcgan_dist.evaluation.service.options import status_of
from dcgan_dist.monitoring.sinks.terminal import Line


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_ends_a_command_with_one_sentence(
    number: int, status: int, capsys: pytest.CaptureFixture[str]
) -> None:
    before = signal.getsignal(signal.SIGTERM)
    # A shell starts what it puts into the background with SIGINT ignored.
    interrupt = signal.signal(signal.SIGINT, signal.default_int_handler)
    ran = []

    def act(line: Line) -> None:
        with terminable():
            os.kill(os.getpid(), number)
            signal.sigtimedwait([], 5)
        ran.append("to the end")

    try:
        assert status_of(act, "stopped; finished results are kept") == status
    finally:
        signal.signal(signal.SIGINT, interrupt)
    assert capsys.readouterr().err == "stopped; finished results are kept\n"
    assert ran == []
    assert signal.getsignal(signal.SIGTERM) is before


def test_an_error_has_its_own_status(capsys: pytest.CaptureFixture[str]) -> None:
    def act(line: Line) -> None:
        raise ClusterError("there is no room")

    assert status_of(act, "never said") == 2
    assert capsys.readouterr().err == "error: there is no room\n"
