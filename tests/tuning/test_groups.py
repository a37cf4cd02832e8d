"""What trials that died held is given back."""

import sys
import time
from collections.abc import Callable

import pytest
import ray
from ray.util.placement_group import placement_group, placement_group_table

from tuning.groups import give_back, left_groups

pytestmark = pytest.mark.ray
ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])  # actors cannot import a test module


class Maker:
    """Makes a placement group, as the controller of a worker group does."""

    def make(self) -> str:
        group = placement_group([{"CPU": 1}])
        ray.get(group.ready())
        return str(group.id.hex())


def states() -> dict[str, str]:
    return {name: group["state"] for name, group in placement_group_table().items()}


def free_cpus() -> float:
    return float(ray.available_resources().get("CPU", 0.0))


def wait_for(what: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_groups_of_dead_actors_go_and_those_of_others_stay(start_ray: Callable[[int], None]) -> None:
    start_ray(4)
    mine = placement_group([{"CPU": 1}])
    ray.get(mine.ready())
    makers = [ray.remote(Maker).options(num_cpus=0).remote() for _ in range(2)]
    lives, dies = (ray.get(maker.make.remote()) for maker in makers)
    assert left_groups() == []
    assert give_back() == 0
    wait_for(lambda: free_cpus() == 1)
    ray.kill(makers[1])
    wait_for(lambda: bool(left_groups()))
    assert states()[dies] == "CREATED", "Ray keeps it, or this would not be needed"
    assert give_back() == 1
    wait_for(lambda: free_cpus() == 2)
    assert states()[dies] == "REMOVED"
    assert states()[lives] == states()[mine.id.hex()] == "CREATED"
    assert give_back() == 0
