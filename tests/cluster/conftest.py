"""What tests on hosts of a network of their own share."""

import os

import pytest

from benchmarks.hosts import missing


@pytest.fixture(scope="session")
def namespaces() -> None:
    """Hosts can be made. Where they cannot, as without root, the test is skipped; in CI, which installs what it takes,
    that is a failure."""
    reason = missing()
    if reason and "CI" in os.environ:
        pytest.fail(f"no hosts can be made, though CI installs what that takes: {reason}")
    if reason:
        pytest.skip(f"no hosts can be made: {reason}")
