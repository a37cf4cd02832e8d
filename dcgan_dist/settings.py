"""Every setting of a run with its default, unit and source; the presets; YAML in and out.

This is the only place where a default is written down. The command line is made from these dataclasses: the text
under a field is its help. Sources: "paper" is Radford, Metz, Chintala 2016 (arXiv 1511.06434v2); "published code" is
the authors' Theano code (Newmu/dcgan_code).
"""

import contextlib
import dataclasses
import difflib
import math
import re
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

import tyro
import yaml

from dcgan_dist.errors import SettingsError
from dcgan_dist.numerals import real, whole

arg = tyro.conf.arg


BCE = "bce"
"""The paper's loss, the one that is built in."""
IMPORT_PATH = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*")
"""`module:function`, as in `folder.file:function`."""
TRACKERS = ("wandb", "mlflow")
MOST_IMAGES, MOST_EPOCHS = 2**53, 1_000_000
"""Lengths of a run that still count exactly; any other is a slip of the keys."""
RAYS_OWN = ("CPU", "GPU", "memory", "object_store_memory")
"""Resources that are asked for in other ways."""


def _require(condition: bool, sentence: str) -> None:
    if not condition:
        raise SettingsError(sentence)


@dataclass(frozen=True)
class DataSettings:
    """Which images, and in what order."""

    path: Annotated[str, arg(aliases=("--data",), metavar="ADDRESS")] = "scenes"
    """`scenes` (drawn at the first run, no download), or WebDataset shards: a folder, a glob, braces as in
    `train-{0000..0099}.tar`, on a disk, `s3://`, `gs://`, `hdfs://`; several joined by commas."""
    scenes: Literal["rooms", "faces"] = "rooms"
    """What the embedded data set shows."""
    scenes_images: Annotated[int, arg(metavar="IMAGES")] = 20_000
    """How many images of the embedded data set are drawn."""
    fit: Literal["resize", "crop"] = "resize"
    """How an image of another size is fitted: `resize` scales its shorter side, then crops the centre (paper, section
    4.3); `crop` cuts the centre without scaling (published code, faces)."""
    window: Annotated[int, arg(metavar="IMAGES")] = 4_096
    """Least size of a chunk: images of an epoch are shuffled within windows of about that size."""
    cache: Literal["auto", "on", "off"] = "auto"
    """Keep decoded images in Ray's object store. `auto`: where they take a quarter of it at most and are read more than
    once."""
    cpus: Annotated[float, arg(metavar="CPUS")] = 0.0
    """Logical CPUs that reading takes at most; 0: all that are free."""
    max_bad_fraction: Annotated[float, arg(metavar="FRACTION")] = 0.01
    """The run stops when more than this part of the images cannot be decoded."""
    max_image_pixels: Annotated[int, arg(metavar="PIXELS")] = 64_000_000
    """A picture that declares more pixels is bad, and is not decoded."""
    max_image_bytes: Annotated[int, arg(metavar="BYTES")] = 64 << 20
    """A picture whose file is larger is bad, and is not read."""

    def __post_init__(self) -> None:
        _require(bool(self.path.strip()), "data.path is empty but needs an address, for example scenes or folder/*.tar")
        _require(self.scenes_images >= 1, f"data.scenes_images is {self.scenes_images} but needs at least 1")
        _require(self.window >= 1, f"data.window is {self.window} but needs at least 1 image")
        _require(
            self.cpus == 0 or self.cpus >= 1,
            f"data.cpus is {self.cpus:g} but needs at least 1, which a read task takes, or 0 for all that are free",
        )
        _require(
            0 <= self.max_bad_fraction < 1,
            f"data.max_bad_fraction is {self.max_bad_fraction} but needs to be at least 0 and below 1",
        )
        _require(self.max_image_pixels >= 1, f"data.max_image_pixels is {self.max_image_pixels} but needs at least 1")
        _require(self.max_image_bytes >= 1, f"data.max_image_bytes is {self.max_image_bytes} but needs at least 1")


@dataclass(frozen=True)
class NetworkSettings:
    """Structure of generator and discriminator."""

    structure: Literal["5x5", "3x3"] = "5x5"
    """`5x5`: every convolution 5x5 with stride 2 (paper, figure 1); `3x3`: two 3x3 convolutions a size, one of them
    with stride 2 (published code, imagenet)."""
    image_size: Annotated[int, arg(metavar="PIXELS")] = 64
    """Height and width of an image: a power of two from 8 to 256."""
    generator_maps: Annotated[int, arg(metavar="MAPS")] = 128
    """Base maps of G: feature maps of its last hidden layer (`ngf` in the published code)."""
    discriminator_maps: Annotated[int, arg(metavar="MAPS")] = 128
    """Base maps of D: feature maps of its first layer (`ndf` in the published code)."""
    latent_size: Annotated[int, arg(metavar="NUMBERS")] = 100
    """Length of the latent vector z (paper, figure 1)."""
    latent: Literal["uniform", "normal"] = "uniform"
    """Distribution of z: uniform on [-1, 1] (paper, figure 1), or standard normal (published SVHN model)."""
    head: Literal["flattened", "average"] = "flattened"
    """How D's last maps become one logit: all of them weighed (paper, section 3), or their global average."""
    batchnorm: Literal["prescribed", "everywhere", "nowhere"] = "prescribed"
    """`prescribed`: in all layers but G's output and D's input (paper, section 3)."""
    batchnorm_over: Literal["global", "worker"] = "global"
    """Statistics over the whole batch of a step, as on one device, or over each worker's own share."""
    factory: Annotated[str, arg(metavar="MODULE:FUNCTION")] = ""
    """Networks of your own: a function that makes both from these settings (docs/extending.md). Empty: the paper's."""

    def __post_init__(self) -> None:
        size = self.image_size
        _require(
            8 <= size <= 256 and size & (size - 1) == 0,
            f"networks.image_size is {size} but needs to be a power of two from 8 to 256",
        )
        for name in ("generator_maps", "discriminator_maps", "latent_size"):
            _require(getattr(self, name) >= 1, f"networks.{name} is {getattr(self, name)} but needs at least 1")
        _require(
            not self.factory or IMPORT_PATH.fullmatch(self.factory) is not None,
            f"networks.factory is {self.factory!r} but needs to be module:function, as in mine:build for the function "
            "build in mine.py",
        )


@dataclass(frozen=True)
class OptimizationSettings:
    """How both networks learn."""

    batch_size: Annotated[int, arg(aliases=("--batch-size",), metavar="IMAGES")] = 128
    """Images of a step, over all workers (paper, section 4)."""
    lr: Annotated[float, arg(aliases=("--lr",), metavar="RATE")] = 2e-4
    """Learning rate of Adam (paper, section 4)."""
    beta1: Annotated[float, arg(aliases=("--beta1",), metavar="FRACTION")] = 0.5
    """Decay of Adam's first moment (paper, section 4)."""
    beta2: Annotated[float, arg(metavar="FRACTION")] = 0.999
    """Decay of Adam's second moment (published code)."""
    eps: Annotated[float, arg(metavar="NUMBER")] = 1e-8
    """Added to the root of Adam's second moment (published code)."""
    weight_decay: Annotated[float, arg(metavar="RATE")] = 0.0
    """L2 penalty, added to the gradient before Adam's moments (published code, faces: 1e-5)."""
    schedule: Literal["both", "alternate"] = "both"
    """A step updates D and then G on the same batch, or, as the published loop does, one of them in turn, G first."""
    loss: Annotated[str, arg(metavar="bce|MODULE:FUNCTION")] = BCE
    """`bce`: binary cross-entropy (paper, section 2), or a loss of your own (docs/extending.md)."""
    decay: Annotated[float, arg(metavar="FRACTION")] = 0.0
    """Last part of the run over which the learning rate falls to 0 in a line (0.5: the second half)."""
    average_images: Annotated[int, arg(metavar="IMAGES")] = 0
    """Half-life of the averaged G that is kept beside G; 0 keeps none."""
    precision: Literal["auto", "fp32", "bf16", "fp64"] = "auto"
    """Of convolutions; weights and optimizers stay in fp32. `auto`: bf16 on GPUs and on CPUs with AMX, else fp32."""
    channels_last: bool = True
    """Memory layout of images and maps."""

    def __post_init__(self) -> None:
        _require(self.batch_size >= 2, f"optimization.batch_size is {self.batch_size} but needs at least 2 images")
        _require(self.lr > 0 and math.isfinite(self.lr), f"optimization.lr is {self.lr} but needs to be above 0")
        for name in ("beta1", "beta2"):
            value = getattr(self, name)
            _require(0 <= value < 1, f"optimization.{name} is {value} but needs to be at least 0 and below 1")
        _require(
            self.loss == BCE or IMPORT_PATH.fullmatch(self.loss) is not None,
            f"optimization.loss is {self.loss!r} but needs to be bce, or module:function, as in mine:hinge for the "
            "function hinge in mine.py",
        )
        _require(self.eps > 0, f"optimization.eps is {self.eps} but needs to be above 0")
        _require(self.weight_decay >= 0, f"optimization.weight_decay is {self.weight_decay} but needs at least 0")
        _require(0 <= self.decay <= 1, f"optimization.decay is {self.decay} but needs to be from 0 to 1")
        _require(self.average_images >= 0, f"optimization.average_images is {self.average_images} but needs at least 0")


@dataclass(frozen=True)
class WorkerSettings:
    """What the run takes of the cluster."""

    number: Annotated[int, arg(aliases=("--workers",), metavar="N")] = 1
    """Train workers, each with a GPU where there are GPUs. `--workers 2:8`: 8, and at least 2."""
    at_least: Annotated[int | None, arg(metavar="N")] = None
    """With fewer machines the run goes on with as few workers as this, and takes more when machines come; none: all."""
    gpu: Literal["auto", "on", "off"] = "auto"
    """`auto`: GPUs where the cluster has any."""
    cpus: Annotated[float, arg(metavar="CPUS")] = 1.0
    """Logical CPUs that Ray sets aside for a worker."""
    threads: Annotated[int, arg(metavar="THREADS")] = 0
    """Threads of a worker's tensor operations; 0: the cores of its host over the workers on it."""
    cuda_graph: bool = True
    """A worker that trains alone on a GPU records its step once and replays it, which spares the GPU the wait for
    launches; several workers launch each kernel."""
    address: Annotated[str, arg(metavar="HOST:PORT")] = ""
    """Ray cluster to join; empty: `$RAY_ADDRESS`, else one started for this run on this machine."""
    wait_s: Annotated[float, arg(metavar="SECONDS")] = 60.0
    """How long to wait for machines that are still to come, and for workers to start, before the run gives up. Those
    that an autoscaler is starting are waited for longer."""
    return_s: Annotated[float, arg(metavar="SECONDS")] = 1800.0
    """How long to wait for machines to come back when too few are left to go on."""
    hang_s: Annotated[float, arg(metavar="SECONDS")] = 300.0
    """A group in which no rank gets on for so long is ended and started again from its newest checkpoint."""
    max_failures: Annotated[int, arg(metavar="N")] = 3
    """Losses of worker processes in a row, with no new checkpoint between them, that the run survives."""
    max_nodes_lost: Annotated[int, arg(metavar="N")] = 20
    """The same for machines that are lost without notice."""
    max_hangs: Annotated[int, arg(metavar="N")] = 3
    """The same for groups that were ended since no rank got on."""

    def __post_init__(self) -> None:
        _require(self.number >= 1, f"workers.number is {self.number} but needs at least 1")
        _require(self.cpus > 0, f"workers.cpus is {self.cpus} but needs to be above 0")
        _require(self.threads >= 0, f"workers.threads is {self.threads} but needs at least 0")
        _require(
            self.at_least is None or 1 <= self.at_least <= self.number,
            f"workers.at_least is {self.at_least} but needs to be from 1 to workers.number, which is {self.number}",
        )
        _require(self.wait_s > 0, f"workers.wait_s is {self.wait_s} but needs to be above 0")
        _require(self.return_s >= 0, f"workers.return_s is {self.return_s} but needs at least 0")
        _require(self.hang_s > 0, f"workers.hang_s is {self.hang_s} but needs to be above 0")
        for name in ("max_failures", "max_nodes_lost", "max_hangs"):
            _require(getattr(self, name) >= 0, f"workers.{name} is {getattr(self, name)} but needs at least 0")

    @property
    def fewest(self) -> int:
        """Workers without which the run cannot go on."""
        return self.number if self.at_least is None else self.at_least


@dataclass(frozen=True)
class CheckpointSettings:
    """When the state of the run is saved, and what is kept."""

    minutes: Annotated[float, arg(metavar="MINUTES")] = 10.0
    """Time between two checkpoints; one more is written at each quarter of the run and at its end."""
    images: Annotated[int, arg(metavar="IMAGES")] = 0
    """Images between two checkpoints, besides; 0: time alone decides."""
    keep: Annotated[int, arg(metavar="N")] = 3
    """How many of the newest are kept; those of the quarters stay as well."""
    patience_s: Annotated[float, arg(metavar="SECONDS")] = 300.0
    """How long a storage that refuses checkpoints is tried again before the run ends."""

    def __post_init__(self) -> None:
        _require(self.minutes > 0, f"checkpoints.minutes is {self.minutes} but needs to be above 0")
        _require(self.images >= 0, f"checkpoints.images is {self.images} but needs at least 0")
        _require(self.keep >= 1, f"checkpoints.keep is {self.keep} but needs at least 1")
        _require(self.patience_s >= 0, f"checkpoints.patience_s is {self.patience_s} but needs at least 0")


@dataclass(frozen=True)
class MonitoringSettings:
    """What is written down while the run goes on."""

    steps: Annotated[int, arg(metavar="STEPS")] = 10
    """Steps over which a point of the curves is averaged; a stop is agreed on as often."""
    line_s: Annotated[float, arg(metavar="SECONDS")] = 10.0
    """Time between two lines of a job's log."""
    samples_images: Annotated[int, arg(metavar="IMAGES")] = 50_000
    """Images between two grids of samples from the same z."""
    samples: Annotated[int, arg(metavar="N")] = 64
    """Samples in a grid."""
    walk_images: Annotated[int, arg(metavar="IMAGES")] = 250_000
    """Images between two strips that walk between points of z (paper, section 6.1)."""
    measure_images: Annotated[int, arg(metavar="IMAGES")] = 10_000
    """Images between two measures of how samples from the same z differ, from each other and from the last time."""
    trackers: Annotated[str, arg(metavar="wandb,mlflow")] = ""
    """Trackers of experiments that are given the same, by the settings of their own in the environment; empty: none."""
    audit: bool = False
    """Write down which samples every worker used in every step, in `RUN/audit/ATTEMPT-RANK.jsonl` (local storage)."""

    def __post_init__(self) -> None:
        _require(
            all(name in TRACKERS for name in self.trackers.split(",") if self.trackers),
            f"monitoring.trackers is {self.trackers!r} but needs to be of {', '.join(TRACKERS)}, joined by commas",
        )
        _require(self.steps >= 1, f"monitoring.steps is {self.steps} but needs at least 1")
        _require(self.line_s > 0, f"monitoring.line_s is {self.line_s} but needs to be above 0")
        _require(self.samples_images >= 1, f"monitoring.samples_images is {self.samples_images} but needs at least 1")
        _require(self.samples >= 2, f"monitoring.samples is {self.samples} but needs at least 2")
        _require(self.measure_images >= 1, f"monitoring.measure_images is {self.measure_images} but needs at least 1")
        _require(self.walk_images >= 1, f"monitoring.walk_images is {self.walk_images} but needs at least 1")


@dataclass(frozen=True)
class ProbeSettings:
    """Linear classifiers on D's features, by actors of their own while training goes on."""

    tasks: Annotated[str, arg(aliases=("--probe",), metavar="NAME[=FOLDER],...")] = ""
    """What each new checkpoint is judged on: folders with labelled `train-*.tar` and `test-*.tar`; without one,
    $DCGAN_DIST_DATA/NAME. The best by the first of them is kept. Empty: none."""
    actors: Annotated[int, arg(metavar="N")] = 1
    """Evaluation actors, which share the images."""
    cpus: Annotated[float, arg(metavar="CPUS")] = 1.0
    """Logical CPUs that Ray sets aside for each."""
    gpus: Annotated[float, arg(metavar="GPUS")] = 0.0
    """GPUs of each; may be a fraction."""
    resource: Annotated[str, arg(metavar="RESOURCE")] = ""
    """Ray's name for what each takes one of, so that machines that offer it are used, and brought by an autoscaler:
    `evaluator` in the cluster files. Empty: `evaluator` where the cluster offers it already."""
    threads: Annotated[int, arg(metavar="THREADS")] = 1
    """Threads of each one's tensor operations; 0: the cores of its host over the actors."""
    half: bool = False
    """Keep features as float16, in half the memory."""
    resize: bool = False
    """Fit images that are of another size than the networks'."""

    def __post_init__(self) -> None:
        _require(self.actors >= 1, f"probe.actors is {self.actors} but needs at least 1")
        _require(self.cpus >= 0, f"probe.cpus is {self.cpus:g} but needs at least 0")
        _require(self.gpus >= 0, f"probe.gpus is {self.gpus:g} but needs at least 0")
        _require(self.threads >= 0, f"probe.threads is {self.threads} but needs at least 0")
        _require(
            self.resource not in RAYS_OWN,
            f"probe.resource is {self.resource} but needs to be one that machines offer by --resources; "
            "probe.cpus and probe.gpus are for the others",
        )


@dataclass(frozen=True)
class Settings:
    """A run: where it is kept, how long it lasts."""

    name: Annotated[str, arg(metavar="NAME")] = ""
    """Of the run's folder STORAGE/NAME; empty: the preset and the time of the start."""
    storage: Annotated[str, arg(metavar="ADDRESS")] = "runs"
    """Where runs, drawn data and indexes are kept: a folder that all machines share, or an object store (`s3://...`)."""
    seed: Annotated[int, arg(metavar="NUMBER")] = 42
    """Of weights, z and the order of images (published code: 42)."""
    images: Annotated[int | None, arg(metavar="IMAGES")] = None
    """Length of the run in images; give this or epochs."""
    epochs: Annotated[float | None, arg(metavar="EPOCHS")] = None
    """Length of the run in passes over the data."""
    minutes: Annotated[float | None, arg(metavar="MINUTES")] = None
    """The run stops after this time even if it is not done."""
    on_collapse: Literal["warn", "stop"] = "warn"
    """What to do where training goes wrong: say so, or also stop with a checkpoint."""
    data: DataSettings = field(default_factory=DataSettings)
    networks: NetworkSettings = field(default_factory=NetworkSettings)
    optimization: OptimizationSettings = field(default_factory=OptimizationSettings)
    workers: WorkerSettings = field(default_factory=WorkerSettings)
    checkpoints: CheckpointSettings = field(default_factory=CheckpointSettings)
    monitoring: MonitoringSettings = field(default_factory=MonitoringSettings)
    probe: ProbeSettings = field(default_factory=ProbeSettings)

    def __post_init__(self) -> None:
        _require(bool(self.storage.strip()), "storage is empty but needs a folder or an address")
        _require(
            self.name not in {".", ".."} and not set(self.name) & set("/\\\n\0"),
            f"name is {self.name!r} but needs to be a plain folder name",
        )
        _require(self.images is None or self.epochs is None, "images and epochs are both given: give one of them")
        _require(
            self.images is not None or self.epochs is not None, "neither images nor epochs is given: give one of them"
        )
        _require(self.images is None or self.images >= 1, f"images is {self.images} but needs at least 1")
        _require(self.epochs is None or self.epochs > 0, f"epochs is {self.epochs} but needs to be above 0")
        _require(self.minutes is None or self.minutes > 0, f"minutes is {self.minutes} but needs to be above 0")
        _require(0 <= self.seed < 2**63, f"seed is {self.seed} but needs to be from 0 to 2**63 - 1")
        _require(
            not self.networks.factory or self.optimization.precision != "bf16",
            f"optimization.precision is bf16 but networks of {self.networks.factory}, which networks.factory names, "
            "get and return float32: leave it out, and use torch.autocast in their forward",
        )
        for name, value in flatten(self).items():
            _require(
                not isinstance(value, float) or math.isfinite(value),
                f"{name} is {value} but needs to be a finite number",
            )
        _require((self.images or 0) <= MOST_IMAGES, f"images is {self.images} but needs at most {MOST_IMAGES}")
        _require((self.epochs or 0) <= MOST_EPOCHS, f"epochs is {self.epochs} but needs at most {MOST_EPOCHS:,}")
        batch, workers = self.optimization.batch_size, self.workers.number
        _require(
            batch >= workers,
            f"optimization.batch_size is {batch} but needs at least 1 image for each of {workers} workers",
        )
        _require(
            self.networks.batchnorm_over == "global" or self.networks.batchnorm == "nowhere" or batch >= 2 * workers,
            f"optimization.batch_size is {batch} but networks.batchnorm_over=worker needs at least 2 images for "
            f"each of {workers} workers",
        )


def scenes32() -> Settings:
    """Rooms drawn on the spot, sized for a laptop's processor: all of our own. A smaller batch and a larger step than
    the paper's learn these scenes in fewer images."""
    return Settings(
        images=240_000,
        networks=NetworkSettings(image_size=32, generator_maps=32, discriminator_maps=32),
        optimization=OptimizationSettings(batch_size=64, lr=4e-4, average_images=10_000),
        checkpoints=CheckpointSettings(minutes=1.0),
        monitoring=MonitoringSettings(samples_images=40_000, walk_images=120_000),
    )


def own64() -> Settings:
    """Pictures of your own at 64 pixels, sized for two cores: all of our own. With a quarter of the paper's maps a step
    takes a sixteenth of its operations. A learning rate that falls in the second half lets G settle where pictures are
    of many kinds: at a constant one it swings between textures, and its average is blurred."""
    return Settings(
        images=400_000,
        data=DataSettings(path="shards/train-*.tar"),
        networks=NetworkSettings(image_size=64, generator_maps=32, discriminator_maps=32),
        optimization=OptimizationSettings(batch_size=64, average_images=5_000, decay=0.5),
        checkpoints=CheckpointSettings(minutes=2.0),
        monitoring=MonitoringSettings(samples_images=25_000, walk_images=100_000),
    )


def lsun64() -> Settings:
    """LSUN bedrooms at 64 pixels: 5 passes (paper, figures 2 and 3) over the 3,033,042 images of the training split
    (TensorFlow Datasets, lsun; "a little over 3 million" in the paper, section 4.1); loop of the published code."""
    return Settings(
        images=15_165_210,
        data=DataSettings(path="$DCGAN_DIST_DATA/lsun/*.tar"),
        optimization=OptimizationSettings(schedule="alternate"),
    )


def faces64() -> Settings:
    """Faces at 64 pixels, cut from the centre without scaling: 25 passes over 350,000 (published code, faces)."""
    return Settings(
        images=8_750_000,
        data=DataSettings(path="$DCGAN_DIST_DATA/faces/*.tar", fit="crop"),
        optimization=OptimizationSettings(schedule="alternate", weight_decay=1e-5),
    )


def imagenet32() -> Settings:
    """ImageNet-1k at 32 pixels: 30 passes over 1,281,167 images, and 30 more while lr falls to 0 (published code,
    imagenet; number of images, length and decay as in a third party's copy of the training script)."""
    return Settings(
        images=76_870_020,
        data=DataSettings(path="$DCGAN_DIST_DATA/imagenet/train-*.tar"),
        networks=NetworkSettings(structure="3x3", image_size=32, latent_size=256),
        optimization=OptimizationSettings(schedule="alternate", decay=0.5),
    )


def svhn32() -> Settings:
    """SVHN at 32 pixels: structure, z, lr, batch and 200 passes as the name of the published model tells. Over which
    images is not published: here the 73,257 of the training split (Netzer et al., 2011), without the extra ones."""
    return Settings(
        images=14_651_400,
        data=DataSettings(path="$DCGAN_DIST_DATA/svhn/train-*.tar"),
        networks=NetworkSettings(image_size=32, generator_maps=64, discriminator_maps=64, latent="normal"),
        optimization=OptimizationSettings(schedule="alternate", batch_size=64, lr=5e-4),
    )


def cifar32() -> Settings:
    """CIFAR-10 at 32 pixels: structure of the SVHN model; widths, and 50 passes over its 50,000 training images, of our
    own."""
    return Settings(
        images=2_500_000,
        data=DataSettings(path="$DCGAN_DIST_DATA/cifar10/train-*.tar"),
        networks=NetworkSettings(image_size=32, generator_maps=64, discriminator_maps=64),
    )


PRESETS: dict[str, Callable[[], Settings]] = {
    preset.__name__: preset for preset in (scenes32, own64, lsun64, faces64, imagenet32, svhn32, cifar32)
}
PRESET_IMAGES: dict[str, int] = {
    "scenes32": 20_000,
    "own64": 400_000,
    "lsun64": 3_033_042,
    "faces64": 350_000,
    "imagenet32": 1_281_167,
    "svhn32": 73_257,
    "cifar32": 50_000,
}
"""Images of the data set that the length of a preset is meant for; sources stand with the presets. `own64` is meant for
any: this is the largest set of which its length shows each image once."""


def flatten(settings: Settings) -> dict[str, object]:
    """All settings as {dotted name: value}, in the order in which they are declared."""
    flat: dict[str, object] = {}
    for group in dataclasses.fields(settings):
        value = getattr(settings, group.name)
        if dataclasses.is_dataclass(value):
            flat |= {f"{group.name}.{item.name}": getattr(value, item.name) for item in dataclasses.fields(value)}
        else:
            flat[group.name] = value
    return flat


def replaced(settings: Settings, changes: Mapping[str, object], source: str) -> Settings:
    """Settings with other values, by dotted names.

    Raises:
        SettingsError: naming `source` and what is unknown, of a wrong type or impossible.
    """
    content = dataclasses.asdict(settings)
    for name, value in changes.items():
        group, _, rest = name.rpartition(".")
        (content[group] if group else content)[rest] = value
    return typing.cast(Settings, _build(Settings, content, source, ""))


def to_yaml(settings: Settings) -> str:
    """Settings as the text of a `settings.yaml`."""
    return yaml.safe_dump(dataclasses.asdict(settings), sort_keys=False)


def from_yaml(text: str, source: str) -> Settings:
    """Settings from the text of a YAML file; what it leaves out has its default.

    Raises:
        SettingsError: naming `source` and the dotted name of what is unknown, of a wrong type or impossible.
    """
    try:
        content = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise SettingsError(f"{source} is not YAML: {' '.join(str(error).split())}") from error
    _require(isinstance(content, dict), f"{source} holds no settings but needs lines such as 'images: 320000'")
    return typing.cast(Settings, _build(Settings, content, source, ""))


def _build(kind: type[Any], content: dict[str, object], source: str, prefix: str) -> object:
    hints = typing.get_type_hints(kind)
    values: dict[str, object] = {}
    for key, value in content.items():
        name = f"{prefix}{key}"
        if key not in hints:
            close = difflib.get_close_matches(str(key), hints, n=1)
            hint = f"did you mean {prefix}{close[0]}?" if close else f"there are {', '.join(hints)}"
            raise SettingsError(f"{source}: {name} is not a setting; {hint}")
        if dataclasses.is_dataclass(hints[key]):
            _require(isinstance(value, dict), f"{source}: {name} is {value!r} but needs settings of its own below it")
            values[key] = _build(hints[key], typing.cast(dict[str, object], value), source, f"{name}.")
        else:
            values[key] = _checked(value, hints[key], f"{source}: {name}")
    return kind(**values)


def _checked(value: object, hint: Any, name: str) -> object:
    """The value if it is of the type of the hint; a whole number is also a real one."""
    allowed = typing.get_args(hint) or (hint,)
    if typing.get_origin(hint) is Literal:
        _require(value in allowed, f"{name} is {value!r} but needs to be one of {', '.join(map(str, allowed))}")
        return value
    if float in allowed and type(value) is int:
        return float(value)
    # YAML 1.1 reads 1e-4 and 1e5, without a point, as text; and a command line takes 1e5 as a whole number.
    read = real if float in allowed else whole if int in allowed else None
    if read is not None and type(value) is str:
        with contextlib.suppress(ValueError):
            return read(value)
    kinds = {int: "a whole number", float: "a number", str: "text", bool: "true or false", type(None): "nothing"}
    needed = " or ".join(kinds[kind] for kind in allowed)
    _require(type(value) in allowed, f"{name} is {value!r} but needs to be {needed}")
    return value
