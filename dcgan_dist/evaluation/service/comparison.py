"""One call of the command: its options, the results that exist already, and those that are computed."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import torch
import tyro

from dcgan_dist.bounds import AtLeast, shows_bounds
from dcgan_dist.errors import SettingsError
from dcgan_dist.evaluation.classifiers.networks import Networks
from dcgan_dist.evaluation.classifiers.registry import Classifiers, Linear, Nearest
from dcgan_dist.evaluation.coverage import sampler_of
from dcgan_dist.evaluation.encoders.efficientnet import NAME as EFFICIENTNET
from dcgan_dist.evaluation.encoders.registry import OF_A_RUN, OF_LABELS, Sources, make_encoder, require_known
from dcgan_dist.evaluation.fidelity.features import CHOICES, open_features
from dcgan_dist.evaluation.fidelity.features import named as named_features
from dcgan_dist.evaluation.labels import learning_of_checkpoint, of_labels
from dcgan_dist.evaluation.nearest_label import LabeledSamples
from dcgan_dist.evaluation.probe import load
from dcgan_dist.evaluation.service.actor_options import ActorOptions
from dcgan_dist.evaluation.service.job import FOLDER, FidelityJob, Job, NeighboursJob, ProbeJob
from dcgan_dist.evaluation.service.nearest_label_job import NearestLabelJob
from dcgan_dist.evaluation.service.options import open_pool
from dcgan_dist.evaluation.task import Task
from dcgan_dist.evaluation.tasks.fidelity import FEWEST, open_fidelity
from dcgan_dist.evaluation.tasks.fidelity import NAME as FIDELITY
from dcgan_dist.evaluation.tasks.mnist_nn import NAME as MNIST_NN
from dcgan_dist.evaluation.tasks.mnist_nn import open_mnist_nn, require_classes
from dcgan_dist.evaluation.tasks.neighbours import open_neighbours
from dcgan_dist.evaluation.tasks.registry import OF_SAMPLES, NamedTask, parse_tasks
from dcgan_dist.model.generate import Which
from dcgan_dist.numerals import count
from dcgan_dist.printing import tell
from dcgan_dist.run_folder.checkpoint import Checkpoint, named_checkpoint
from dcgan_dist.run_folder.naming import NamedRun
from dcgan_dist.run_folder.trained_on import TrainedOn, find_trained_on
from dcgan_dist.storage import Place, place, require_lasting, require_writable

arg = tyro.conf.arg


@shows_bounds
@dataclass(frozen=True, kw_only=True)
class EvaluateOptions(ActorOptions):
    """Train classifiers on frozen features of a run's discriminator and report their accuracy, or measure how close
    samples of its generator come to the data."""

    run: Annotated[str, tyro.conf.Positional, arg(metavar="RUN")] = ""
    """The run: its name in the storage, its folder on a disk or in an object store, or one of its checkpoints; not
    needed for features that are no run's."""
    storage: Annotated[str, arg(metavar="ADDRESS")] = "runs"
    """Where to look for a run that is given by name."""
    tasks: Annotated[str, arg(metavar="NAME[=FOLDER],...")] = "cifar10"
    """What to evaluate on: folders with labeled `train-*.tar` and `test-*.tar`, for `svhn` also one with its .mat
    files; without FOLDER, $DCGAN_DIST_DATA/NAME. `neighbours`: distances from the images that the run was trained
    on, or from the `test-*.tar` of a folder, to the nearest of 1,000, 10,000 and 100,000 samples.
    `mnist-nn`: how often the nearest of labeled samples tells the class of the `test-*.tar` wrong, for networks that
    know classes.
    `fidelity`: distances between samples and the `test-*.tar` of a folder, as sets of features; without FOLDER, for
    runs on scenes, other scenes."""
    features: Annotated[str, arg(metavar="NAME,...")] = "discriminator"
    """Features to compare: `discriminator` of the run; `averaged`, the moving average of its weights; `random`, the
    same network with initial weights; `supervised` and `finetuned`, the network of a run that was trained on labels,
    trained anew by this protocol; `pixels`;
    `published-svhn` and `published-imagenet`, the authors' (of the latter the first four layers); `kmeans1600` and
    other numbers (paper, table 1); `kmeans1600-layers2` and `-layers3`, with learned receptive fields above it, of
    a multiple of 8 centroids, at least 16; `exemplar`, an Exemplar CNN of 8,000 classes after 10 passes (paper, table
    1), and `exemplar2000-passes5` or other numbers; `knn`, nearest neighbors of the pixels instead of a linear
    classifier."""
    published: Annotated[str, arg(metavar="FOLDER")] = "$DCGAN_DIST_DATA/published"
    """Folder of the authors' published weights."""
    out: Annotated[str, arg(metavar="FOLDER")] = ""
    """Folder for the results; empty: RUN/evaluation, or `evaluation` in the current folder if there is no run."""
    size: Annotated[int, AtLeast(1), arg(metavar="PIXELS")] = 32
    """Height and width of the images if there is no run; a run has its own."""
    checkpoint: Annotated[str, arg(metavar="NAME")] = ""
    """Name of a folder in RUN/checkpoints, `latest`, or `best`, the one with the best probe accuracy. Empty: the one
    that RUN names, otherwise the latest."""
    generator: Which = "auto"
    """Which generator draws the samples for `neighbours`, `mnist-nn` and `fidelity`: see `dcgan_dist.sample`."""
    fidelity_features: Annotated[str, arg(metavar=CHOICES)] = EFFICIENTNET
    """What `fidelity` compares by: a network trained on ImageNet; the discriminator of the same checkpoint, or of
    another run, which is then the same for all; the Inception of torch-fidelity, with the file of its weights."""
    fidelity_samples: Annotated[int, AtLeast(FEWEST), arg(metavar="N")] = 10_000
    """How many samples `fidelity` draws, and compares with at most as many images."""
    mnist_nn_samples: Literal[10_000, 50_000, 1_000_000, 10_000_000] = 50_000
    """Labeled samples for `mnist-nn`, which goes on from those that were compared before, also by a call that was
    ended."""
    half: bool = False
    """Store features as float16, in half the memory."""
    resize: bool = False
    """Resize images whose size differs from that of the networks."""
    seed: Annotated[int, arg(metavar="NUMBER")] = 0
    """Random seed of the order of the images, the draws of few labels, random networks, and samples."""
    again: bool = False
    """Compute results again that already exist."""

    def __post_init__(self) -> None:
        super().__post_init__()
        named_features(self.fidelity_features)
        for name in self.features.split(","):
            require_known(name)
            if name in OF_A_RUN and not self.run:
                raise SettingsError(f"features {name} are made by a run's network: give the run's folder")


def results_folder(options: EvaluateOptions, run: Place | None) -> Place:
    """Where results go."""
    return run / FOLDER if run is not None and not options.out else place(options.out or FOLDER)


def evaluate(
    options: EvaluateOptions, of: NamedRun | None, say: Callable[[str], None]
) -> dict[str, list[dict[str, Any]]]:
    """Results by task; those that are there already are read, the others computed and written.

    Args:
        of: the run that the options name, if they name one.

    Raises:
        DcganDistError: an error that a user can fix, before anything starts where possible.
    """
    run = of.place if of else None
    checkpoint = (
        named_checkpoint(
            of.place, of.choose(options.checkpoint), trust_code=options.trust_code, of_labels=_learns_labels(options)
        )
        if of
        else None
    )
    trained_on = find_trained_on(run, checkpoint.settings) if run and checkpoint else TrainedOn()
    jobs: list[Job] = []
    tasks: list[Task] = []
    for named in parse_tasks(options.tasks):
        if named.name in OF_SAMPLES:
            jobs.append(_of_samples(named, options, run, checkpoint, trained_on))
            continue
        if named.name == FIDELITY:
            jobs.append(_fidelity(named, options, of, checkpoint, trained_on))
            continue
        size = checkpoint.settings.networks.image_size if checkpoint else options.size
        task = named.open(size, resize=options.resize, seed=options.seed).seen_by(trained_on)
        if checkpoint and checkpoint.settings.supervised.task:
            task = of_labels(task, checkpoint.settings.supervised.per_class)
        tasks.append(task)
        jobs += _probes(task, options, run, checkpoint)
    results = {job.file: None if options.again else job.read() for job in jobs}
    waiting = [job for job in jobs if results[job.file] is None]
    if len(waiting) < len(jobs):
        before = f"{len(jobs) - len(waiting)} of {count(len(jobs), 'result')}"
        print(f"{before} computed before; --again computes them anew", file=sys.stderr)
    if waiting:
        out = results_folder(options, run)
        require_lasting(out, "--out")
        require_writable(out, "--out")
        for task_name, note in dict.fromkeys((job.names[0], note) for job in jobs for note in job.notes):
            tell(f"{task_name}: {note}", sys.stderr)
        with open_pool(options, say) as pool:
            names = {job.names[0] for job in waiting}
            needed = [task for task in tasks if task.name in names]
            if needed:
                say(f"reading {sum(len(task.train) + len(task.test) for task in needed):,} images")
            checksums = load(pool, needed)
            for job in waiting:
                results[job.file] = job.compute(pool, checksums, options.actors, say)
    by_task: dict[str, list[dict[str, Any]]] = {}
    for job in jobs:
        by_task.setdefault(job.names[0], []).append(results[job.file] or {})
    return by_task


def _probes(task: Task, options: EvaluateOptions, run: Place | None, checkpoint: Checkpoint | None) -> list[Job]:
    """All features that are asked for, on a task."""
    sources = Sources(task, checkpoint, options.published, options.seed)
    dtype = torch.float16 if options.half else torch.float32
    jobs: list[Job] = []
    for name in options.features.split(","):
        about = ("", "", 0, 0)
        if name in OF_A_RUN and run is not None and checkpoint is not None:
            about = (run.name, checkpoint.name, checkpoint.step, checkpoint.images)
        encoder = make_encoder(name, sources)
        classifiers = _classifiers(name, task, checkpoint)
        jobs.append(ProbeJob(results_folder(options, run), *about, task, name, encoder, dtype, classifiers))
    return jobs


def _fidelity(
    named: NamedTask,
    options: EvaluateOptions,
    of: NamedRun | None,
    checkpoint: Checkpoint | None,
    trained_on: TrainedOn,
) -> FidelityJob:
    """Samples of the run's generator beside held-out images; raises `SettingsError` without a run."""
    if of is None or checkpoint is None:
        raise SettingsError(f"task {FIDELITY} draws samples of a run: give its folder")
    settings = checkpoint.settings
    size = settings.networks.image_size
    by = open_features(options.fidelity_features, size, options.storage, trust_code=options.trust_code)
    task = open_fidelity(named.folder, settings, trained_on, by, options.fidelity_samples, resize=options.resize)
    sampler = sampler_of(checkpoint, options.generator, options.seed)
    about = (of.place.name, checkpoint.name, checkpoint.step, checkpoint.images)
    return FidelityJob(results_folder(options, of.place), *about, task, by.of(checkpoint), sampler)


def _classifiers(name: str, task: Task, checkpoint: Checkpoint | None) -> Classifiers:
    """What learns on the features of that name."""
    if name in OF_LABELS and checkpoint is not None:
        return Networks(learning_of_checkpoint(checkpoint))
    return Nearest() if name == "knn" else Linear(task.costs)


def _learns_labels(options: EvaluateOptions) -> bool:
    """Whether features are asked for that are of a run that was trained on labels; then all are of such a run."""
    return any(name in OF_LABELS for name in options.features.split(","))


def _of_samples(
    named: NamedTask, options: EvaluateOptions, run: Place | None, checkpoint: Checkpoint | None, trained_on: TrainedOn
) -> Job:
    """A task that judges samples of the run's generator; raises `SettingsError` without a run."""
    if run is None or checkpoint is None:
        raise SettingsError(f"task {named.name} draws samples of a run: give its folder")
    settings, resize = checkpoint.settings, options.resize
    about = (results_folder(options, run), run.name, checkpoint.name, checkpoint.step, checkpoint.images)
    if named.name == MNIST_NN:
        require_classes(settings.networks, run.name)
        assert named.folder is not None
        task = open_mnist_nn(named.folder, run, settings, trained_on, resize=resize, seed=options.seed)
        samples = LabeledSamples(sampler_of(checkpoint, options.generator, options.seed), run.name)
        return NearestLabelJob(*about, task, samples, options.mnist_nn_samples, options.again)
    compared = open_neighbours(named.folder, run, settings, trained_on, resize=resize)
    return NeighboursJob(*about, compared, sampler_of(checkpoint, options.generator, options.seed))
