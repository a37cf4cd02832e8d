"""How responses are compared, and how an actor is killed while they are looked for."""

import subprocess

import numpy as np
import pytest

from benchmarks import feature_actors
from benchmarks.feature_actors import digest, killing
from dcgan_dist.studies.responses import Responses
from dcgan_dist.studies.strongest import Strongest


def found() -> Responses:
    return Responses({"trained": Strongest(np.ones((2, 3), np.float32), np.arange(6).reshape(2, 3))}, 9)


def test_a_digest_tells_what_differs_by_a_bit() -> None:
    assert digest(found()) == digest(found())
    other = found()
    other.strongest["trained"].responses[1, 2] = np.nextafter(np.float32(1), np.float32(2))
    moved = found()
    moved.strongest["trained"].numbers[0, 0] = 7
    renamed = Responses({"initial": found().strongest["trained"]}, 9)
    fewer = Responses(found().strongest, 8)
    assert len({digest(one) for one in (found(), other, moved, renamed, fewer)}) == 5


def test_the_last_actor_is_killed_once_in_its_round(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feature_actors, "KILLED_S", 0.05)
    actors = [subprocess.Popen(["sleep", "60"]) for _ in range(2)]

    class Actors:
        asked = 0

        def pids(self) -> list[int]:
            self.asked += 1
            return [one.pid for one in actors]

    pool, said = Actors(), []
    try:
        tell = killing(pool, said.append, 2)
        tell("first")
        assert pool.asked == 0
        tell("second")
        assert actors[1].wait(timeout=30) == -9
        tell("third")
        assert said == ["first", "second", "third"]
        assert pool.asked == 1
        assert actors[0].poll() is None
    finally:
        for one in actors:
            one.kill()
            one.wait()
