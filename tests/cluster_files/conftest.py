"""What tests on hosts of a network of their own share."""

import os
import shutil

import pytest

from tests.harness.hosts import missing


@pytest.fixture(scope="session")
def namespaces() -> None:
    """Hosts can be made."""
    if reason := missing():
        do_without(f"no hosts can be made: {reason}")


@pytest.fixture(scope="session")
def prometheus() -> None:
    """Its programs are there."""
    want("prometheus", "prometheus", "promtool")


@pytest.fixture(scope="session")
def slurm_programs() -> None:
    """They are there."""
    want("slurm-wlm and munge", "sbatch", "slurmctld", "slurmd", "munged")


def want(package: str, *programs: str) -> None:
    """Do without the test where Debian's package is missing."""
    if lacking := [program for program in programs if shutil.which(program) is None]:
        do_without(f"install Debian's {package}: there is no {', '.join(lacking)}")


def do_without(reason: str) -> None:
    """Skip a test; in CI, which has all that it takes, it fails."""
    (pytest.fail if "CI" in os.environ else pytest.skip)(reason)
