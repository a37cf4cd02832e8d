"""Processes of this machine that do the work."""

import multiprocessing
import os
import time

import pytest

from dcgan_dist.data.preparation.processes import get_ready, processes
from dcgan_dist.errors import DataError


def add(common: int, number: int) -> tuple[int, int]:
    if number == 5:
        raise DataError("the source fails")
    return common + number, os.getpid()


def sleep(common: float, seconds: float) -> float:
    time.sleep(common * seconds)
    return seconds


@pytest.mark.parametrize("number", [1, 3])
def test_each_call_gets_what_is_common_and_its_own(number: int) -> None:
    with processes(number) as workers:
        found = list(workers.each(add, 100, ((i + 10,) for i in range(20))))
        assert workers.number == number
    assert sorted(total for total, _ in found) == list(range(110, 130))
    assert (os.getpid() in {pid for _, pid in found}) == (number == 1)


@pytest.mark.parametrize("number", [1, 2])
def test_what_fails_is_raised(number: int) -> None:
    with pytest.raises(DataError, match="the source fails"), processes(number) as workers:
        list(workers.each(add, 0, [(4,), (5,), (6,)]))


def read_environment(name: str) -> str | None:
    return os.environ.get(name)


def test_processes_have_the_environment_of_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    """What they are forked from was perhaps started before it was set."""
    get_ready(2)
    monkeypatch.setenv("SET_AFTER_THE_START", "here")
    monkeypatch.delenv("HOME")
    with processes(2) as workers:
        found = dict.fromkeys(["SET_AFTER_THE_START", "HOME"])
        for name in found:
            found[name] = next(workers.each(read_environment, name, [()]))
    assert found == {"SET_AFTER_THE_START": "here", "HOME": None}


def test_calls_that_still_run_end_with_the_block() -> None:
    """They would take an hour."""
    others = multiprocessing.active_children()

    def interrupt() -> None:
        with processes(2) as workers:
            assert next(workers.each(sleep, 3_600.0, [(1.0,), (0.0,), (1.0,)])) == 0
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupt()
    assert multiprocessing.active_children() == others
