"""What tests on hosts of a network of their own share."""

import pytest

from tests.harness.hosts import missing
from tests.harness.programs import do_without, want


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
