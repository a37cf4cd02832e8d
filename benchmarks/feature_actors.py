"""Whether evaluation actors find the responses that one process finds, whatever happens to one of them.

python -m benchmarks.feature_actors runs/rooms [--json benchmarks/results/feature_actors.json]

RUN is a run on the embedded scenes, or on any images that are at hand. All of them are looked at by its discriminator
and by one with initial weights, as `study features` does: in one process, on one and on two actors, and on two of which
one is killed half-way.
"""

import hashlib
import os
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks.report import Bar, Cell, Report, Table, finish, parser
from dcgan_dist.evaluation.encoders.discriminator import features_of, of_random
from dcgan_dist.evaluation.encoders.encoder import fit
from dcgan_dist.evaluation.service.actor_options import ActorOptions
from dcgan_dist.evaluation.service.evaluator import ThisProcess
from dcgan_dist.evaluation.service.options import open_pool
from dcgan_dist.evaluation.task import Labeled
from dcgan_dist.studies.features import INITIAL, MEASURED, STATISTICS_IMAGES, TRAINED
from dcgan_dist.studies.options import StudyOptions
from dcgan_dist.studies.responses import Fitted, Responder, Responses, find_responses, read
from dcgan_dist.studies.subject import open_subject
from dcgan_dist.studies.training_images import own_images

HERE = "this process"
WAYS = {HERE: 0, "1 actor": 1, "2 actors": 2, "2 actors, one killed": 2}
"""Who looks at the images, and how many actors that is."""
KILLED_ROUND, KILLED_S = 6, 0.5
"""The round in which an actor is killed, of the 13 that two actors take, and seconds after its beginning."""


def open_run(name: str) -> tuple[Labeled, dict[str, Fitted]]:
    """The images of a run, and two networks that are fitted to them."""
    subject = open_subject(StudyOptions(run=name))
    discriminator = subject.require_discriminator("features")
    run, checkpoint = subject.require_run("features", "looks at the images that a run was trained on")
    images, _, _ = own_images(run, checkpoint.settings, "")
    networks = checkpoint.settings.networks
    encoders: dict[str, Fitted] = {
        TRAINED: features_of(discriminator, networks, checkpoint.code),
        INITIAL: of_random(networks, 0, checkpoint.code),
    }
    places = np.unique(np.linspace(0, len(images) - 1, STATISTICS_IMAGES).astype(np.int64))
    some = [batch for _, batch in read(images, places)]
    return images, {name: fit(one, lambda one: [one.gather(some)]) for name, one in encoders.items()}


def killing(pool: object, say: Callable[[str], None], after: int) -> Callable[[str], None]:
    """`say`, which kills the last actor of a pool while it computes, once it has been told of `after` rounds."""
    told = 0

    def kill(text: str) -> None:
        nonlocal told
        told += 1
        say(text)
        if told == after:
            threading.Timer(KILLED_S, os.kill, (pool.pids()[-1], signal.SIGKILL)).start()  # type: ignore[attr-defined]

    return kill


def digest(found: Responses) -> str:
    """Tells responses from others, to the last bit."""
    sums = hashlib.sha256(str(found.seen).encode())
    for name, one in sorted(found.strongest.items()):
        sums.update(name.encode() + one.numbers.tobytes() + one.responses.tobytes())
    return sums.hexdigest()[:16]


def measure(name: str) -> Report:
    """Look at all images in each way."""

    def say(text: str) -> None:
        print(text, file=sys.stderr, flush=True)

    images, networks = open_run(name)
    rows: list[list[Cell]] = []
    digests: dict[str, str] = {}
    replaced: dict[str, int] = {}
    features = 0
    for way, actors in WAYS.items():
        say(way)
        if actors:
            with open_pool(ActorOptions(actors=actors, threads=1), say, Responder) as pool:
                tell = killing(pool, say, KILLED_ROUND) if "killed" in way else say
                found = find_responses(pool, images, networks, MEASURED, tell)
                replaced[way] = pool.replaced  # type: ignore[attr-defined]
        else:
            found = find_responses(ThisProcess(Responder), images, networks, MEASURED, say)
            replaced[way] = 0
        features = sum(len(one.numbers) for one in found.strongest.values())
        digests[way] = digest(found)
        same = "yes" if digests[way] == digests[HERE] else "no"
        rows.append([way, found.seen, features, replaced[way], digests[way], same])
    others = [way for way in WAYS if way != HERE]
    columns = ["who looks", "images", "features", "actors replaced", "digest of the responses", "the same"]
    return Report(
        command="python -m benchmarks.feature_actors RUN --json benchmarks/results/feature_actors.json",
        tables={"feature-actors": Table(columns, rows)},
        samples={"digests": digests, "replaced": replaced},
        bars=[
            Bar("images", len(images), at_least=200_000),
            Bar("ways with other responses", sum(digests[way] != digests[HERE] for way in others), at_most=0),
            Bar("actors killed and replaced", replaced["2 actors, one killed"], at_least=1, at_most=1),
        ],
    )


def main() -> int:
    """The command."""
    options = parser("whether evaluation actors find the responses that one process finds")
    options.add_argument("run", metavar="RUN", help="a run, whose images are at hand")
    given = options.parse_args()
    file: Path | None = given.json
    return finish(lambda: measure(given.run), file)


if __name__ == "__main__":
    sys.exit(main())
