from collections.abc import Iterator

import pytest
import ray
from ray.actor import ActorHandle

from dcgan_dist.monitoring.mailbox import create_mailbox


@pytest.fixture
def mailbox() -> Iterator[ActorHandle]:
    """A mailbox in the Ray that the module has started."""
    handle = create_mailbox()
    yield handle
    ray.kill(handle)
