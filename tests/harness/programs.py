"""Tests that take a program which not every machine has."""

import os
import shutil

import pytest


def want(package: str, *programs: str) -> None:
    """Do without the test where Debian's package is missing."""
    if lacking := [program for program in programs if shutil.which(program) is None]:
        do_without(f"install Debian's {package}: there is no {', '.join(lacking)}")


def do_without(reason: str) -> None:
    """Skip a test; in CI, which has all that it takes, it fails."""
    (pytest.fail if "CI" in os.environ else pytest.skip)(reason)
