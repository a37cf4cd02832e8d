"""How good the features of a run's discriminator are, by linear classifiers on them:

python -m dcgan_dist.evaluate runs/cifar32 --tasks cifar10
python -m dcgan_dist.evaluate runs/cifar32 --tasks cifar10=FOLDER --features discriminator,random,pixels
python -m dcgan_dist.evaluate s3://bucket/runs/NAME --tasks cifar10,mine=s3://bucket/mine --actors 4
python -m dcgan_dist.evaluate --features pixels,kmeans1600,published-imagenet --tasks cifar10
"""

import re
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated, Any

import torch
import tyro

from dcgan_dist.checkpoint import Checkpoint, named_checkpoint
from dcgan_dist.cluster import connected, set_environment
from dcgan_dist.errors import DcganDistError, SettingsError
from dcgan_dist.evaluation.baselines.kmeans import KMeansFeatures
from dcgan_dist.evaluation.descriptions import (
    Description,
    DiscriminatorFeatures,
    PixelFeatures,
    of_discriminator,
    of_random,
)
from dcgan_dist.evaluation.job import FOLDER, Job
from dcgan_dist.evaluation.probe import Evaluators, load
from dcgan_dist.evaluation.tables import table
from dcgan_dist.evaluation.task import Task
from dcgan_dist.evaluation.tasks import parse_tasks
from dcgan_dist.monitoring.terminal import Line
from dcgan_dist.networks import Discriminator
from dcgan_dist.preflight import gather_facts, set_aside
from dcgan_dist.published import SVHN, load_published
from dcgan_dist.settings import NetworkSettings, Settings, WorkerSettings
from dcgan_dist.storage import Place, place

arg = tyro.conf.arg


@dataclass(frozen=True)
class EvaluateOptions:
    """Train linear classifiers on frozen features of a run's discriminator, and say how often they are right."""

    run: Annotated[str, tyro.conf.Positional, arg(metavar="RUN")] = ""
    """The run's folder, on a disk or in an object store; not needed for features that are no run's."""
    tasks: Annotated[str, arg(metavar="NAME[=FOLDER],...")] = "cifar10"
    """What to judge on: folders with labelled `train-*.tar` and `test-*.tar`, for `svhn` also with its .mat files;
    without one, $DCGAN_DIST_DATA/NAME."""
    features: Annotated[str, arg(metavar="NAME,...")] = "discriminator"
    """Whose: `discriminator` of the run; `random`, which is the same network with initial weights; `pixels`;
    `published-svhn` and `published-imagenet`, the authors' (the first four layers of the latter); `kmeans1600` and
    other numbers (paper, table 1)."""
    published: Annotated[str, arg(metavar="FOLDER")] = "$DCGAN_DIST_DATA/published"
    """Where the authors' weights lie."""
    out: Annotated[str, arg(metavar="FOLDER")] = ""
    """Where results go; empty: RUN/evaluation, or `evaluation` in this folder without a run."""
    size: Annotated[int, arg(metavar="PIXELS")] = 32
    """Height and width of the images without a run; those of a run's networks are its own."""
    checkpoint: Annotated[str, arg(metavar="NAME")] = "latest"
    """Name of a folder in RUN/checkpoints, `latest`, or `best`: the one that the run's probe chose."""
    actors: Annotated[int, arg(metavar="N")] = 1
    """Evaluation actors, which share the images."""
    cpus: Annotated[float, arg(metavar="CPUS")] = 1.0
    """Logical CPUs that Ray sets aside for each."""
    gpus: Annotated[float, arg(metavar="GPUS")] = 0.0
    """GPUs of each; may be a fraction."""
    threads: Annotated[int, arg(metavar="THREADS")] = 0
    """Threads of each one's tensor operations; 0: the cores of its host over the actors."""
    half: bool = False
    """Keep features as float16, in half the memory."""
    resize: bool = False
    """Fit images that are of another size than the networks'."""
    seed: Annotated[int, arg(metavar="NUMBER")] = 0
    """Of the order of the images, of the draws, and of random networks."""
    again: bool = False
    """Compute results that are there already."""
    address: Annotated[str, arg(metavar="HOST:PORT")] = ""
    """Ray cluster to join; empty: `$RAY_ADDRESS`, else one started on this machine."""

    def __post_init__(self) -> None:
        require_pool(self.actors, self.cpus, self.gpus, self.threads)
        for name in self.features.split(","):
            if name not in FEATURES and not KMEANS.fullmatch(name):
                known = ", ".join([*FEATURES, "kmeans1600"])
                raise SettingsError(f"features is {self.features!r} but needs names of {known}")
            if name in OF_A_RUN and not self.run:
                raise SettingsError(f"features {name} are those of a run: give its folder")


def require_pool(actors: int, cpus: float, gpus: float, threads: int) -> None:
    """See that evaluation actors can be as they are asked for; raises `SettingsError`."""
    if actors < 1:
        raise SettingsError(f"actors is {actors} but needs at least 1")
    for name, value in (("cpus", cpus), ("gpus", gpus), ("threads", threads)):
        if value < 0:
            raise SettingsError(f"{name} is {value:g} but needs at least 0")


@dataclass(frozen=True)
class Sources:
    """What descriptions are made from."""

    checkpoint: Checkpoint | None
    published: str
    seed: int

    @property
    def networks(self) -> NetworkSettings:
        """Of the run."""
        assert self.checkpoint is not None, "options were checked"
        return self.checkpoint.settings.networks

    def of_run(self) -> Description:
        """The features of the run's discriminator."""
        assert self.checkpoint is not None, "options were checked"
        return of_discriminator(self.checkpoint)

    def of_authors(self, which: str) -> Description:
        """The features of one of the authors' discriminators."""
        network: Discriminator = getattr(load_published(place(self.published).local_path), which)
        return DiscriminatorFeatures(network.to(memory_format=torch.channels_last))


FEATURES: dict[str, Callable[[Sources], Description]] = {
    "discriminator": Sources.of_run,
    "random": lambda sources: of_random(sources.networks, sources.seed),
    "pixels": lambda sources: PixelFeatures(),
    "published-svhn": lambda sources: sources.of_authors("svhn_discriminator"),
    "published-imagenet": lambda sources: sources.of_authors("imagenet_discriminator"),
}
"""What can be asked for, and what makes it."""
OF_A_RUN = ("discriminator", "random")
KMEANS = re.compile(r"kmeans([1-9]\d*)")


def describe(name: str, sources: Sources, task: Task) -> Description:
    """The description of that name, for a task; raises `SettingsError` where they do not fit."""
    if name.startswith("published-") and task.train.pictures.image_size != SVHN.image_size:
        raise SettingsError(
            f"features {name} are made for images of {SVHN.image_size} x {SVHN.image_size} pixels but those of task "
            f"{task.name} have {task.train.pictures.image_size}: leave the run out, or take another one"
        )
    match = KMEANS.fullmatch(name)
    return KMeansFeatures(int(match[1]), len(task.train)) if match else FEATURES[name](sources)


def results_folder(options: EvaluateOptions) -> Place:
    """Where results go."""
    return place(options.out or (f"{options.run}/{FOLDER}" if options.run else FOLDER))


def evaluate(options: EvaluateOptions, say: Callable[[str], None]) -> dict[str, list[dict[str, Any]]]:
    """Results by task; those that are there already are read, the others computed and written.

    Raises:
        DcganDistError: what a user can mend, before anything starts where it can be seen then.
    """
    run = place(options.run) if options.run else None
    checkpoint = named_checkpoint(run, options.checkpoint) if run else None
    size = checkpoint.settings.networks.image_size if checkpoint else options.size
    tasks = [named.open(size, resize=options.resize, seed=options.seed) for named in parse_tasks(options.tasks)]
    sources = Sources(checkpoint, options.published, options.seed)
    jobs = []
    for task in tasks:
        for name in options.features.split(","):
            about = ("", "", 0)
            if name in OF_A_RUN and run is not None and checkpoint is not None:
                about = (run.name, checkpoint.name, checkpoint.images)
            dtype = torch.float16 if options.half else torch.float32
            jobs.append(Job(results_folder(options), *about, task, name, describe(name, sources, task), dtype))
    results = {job.file: None if options.again else job.read() for job in jobs}
    waiting = [job for job in jobs if results[job.file] is None]
    if waiting:
        with open_pool(options.actors, options.cpus, options.gpus, options.threads, options.address) as pool:
            needed = [task for task in tasks if any(job.task is task for job in waiting)]
            say(f"reading {sum(len(task.train) + len(task.test) for task in needed):,} images")
            checksums = load(pool, needed)
            for job in waiting:
                results[job.file] = job.compute(pool, checksums, options.actors, say)
    by_task: dict[str, list[dict[str, Any]]] = {task.name: [] for task in tasks}
    for job in jobs:
        by_task[job.task.name].append(results[job.file] or {})
    return by_task


@contextmanager
def open_pool(actors: int, cpus: float, gpus: float, threads: int, address: str) -> Iterator[Evaluators]:
    """Evaluation actors, on the cluster at the address or one that is started here; they end with the block.

    Raises:
        ClusterError: there is no room for them, or no cluster.
    """
    workers = WorkerSettings(number=actors, cpus=max(cpus, 0.01), address=address)
    settings = Settings(images=1, workers=workers)
    set_environment(settings)
    with connected(settings):
        from dcgan_dist.evaluation.pool import Pool  # Ray's environment is set by now

        set_aside(gather_facts(free=True), actors, cpus, gpus)
        pool = Pool(actors, cpus, gpus, threads)
        yield pool
        pool.close()


def main(arguments: Sequence[str] | None = None) -> int:
    """The command. Returns 0, 2 for wrong input, 130 after Ctrl-C."""
    line = Line(sys.stderr)
    try:
        options = tyro.cli(
            EvaluateOptions,
            prog="python -m dcgan_dist.evaluate",
            args=arguments,
            config=(tyro.conf.FlagCreatePairsOff,),
        )
        results = evaluate(options, line.say)
        line.clear()
        for task, of_task in results.items():
            print(f"\n{task}: a linear classifier on frozen features", *table(task, of_task), sep="\n")
        print(f"\nwritten to {results_folder(options)}")
    except DcganDistError as error:
        line.clear()
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        line.clear()
        print("left; what is finished is kept, and the same command goes on from there", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
