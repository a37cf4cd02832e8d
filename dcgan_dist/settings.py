"""Every setting of a run with its default, unit and source; the presets; YAML in and out.

This is the only place where a default is written down. The command line is made from these dataclasses: the text
under a field is its help. Sources: "paper" is Radford, Metz, Chintala 2016 (arXiv 1511.06434v2); "published code" is
the authors' Theano code (Newmu/dcgan_code). "original GAN" is the code of Goodfellow et al. 2014 (arXiv 1406.2661v1):
goodfeli/adversarial.
"""

import contextlib
import dataclasses
import difflib
import re
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

import tyro
import yaml

from dcgan_dist.bounds import Above, AtLeast, Below, From, check_bounds, shows_bounds
from dcgan_dist.errors import SettingsError
from dcgan_dist.numerals import real, whole

arg = tyro.conf.arg


LOSSES = ("bce", "saturating", "hinge", "least_squares")
"""Losses that are built in (model/losses.py)."""
CROSS_ENTROPIES = ("bce", "saturating")
"""Those by which D gives probabilities."""
IMPORT_PATH = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*")
"""`module:function`, as in `folder.file:function`."""
MAXOUT = ("maxout", "maxout-conv")
"""Values of networks.structure that are the original GAN."""
MAXOUT_ACTIVATIONS = ("relu", "sigmoid")
"""Of its G's hidden layers."""
HIDDEN_ACTIVATIONS = ("relu", "leaky_relu", "tanh", "maxout")
"""Of hidden layers of the other structures (model/activations.py)."""
OPTIMIZERS = {"adam": ("beta1", "beta2", "eps"), "momentum": ("momentum", "final_momentum", "momentum_images")}
"""Optimizers, each with the settings that are its alone."""
TRACKERS = ("wandb", "mlflow")
IMAGE_SIZES = tuple(sorted([*(4 << i for i in range(1, 7)), *(7 << i for i in range(1, 6))]))
"""Heights and widths of images: 4 or 7, the size of the smallest maps, doubled by each layer of stride 2."""
MOST_IMAGES, MOST_EPOCHS = 2**53, 1_000_000
"""The longest runs that are accepted: larger numbers of images are not counted exactly, and are typing errors."""
CONVOLUTION_SIZES = tuple(size for size in IMAGE_SIZES if size % 3 == 2 and size >= 14)
"""Images that G of networks.structure maxout-conv can draw, from n x n maps 3 n + 2 pixels, and its D can look at."""
SLOPES_ALONE = ("nowhere", "generator")
"""Values of networks.batchnorm by which D has none."""
RAYS_OWN = ("CPU", "GPU", "memory", "object_store_memory")
"""Resources of Ray that have settings of their own."""


def _require(condition: bool, sentence: str) -> None:
    if not condition:
        raise SettingsError(sentence)


def _defaults(settings: Any) -> dict[str, object]:
    """Default of each setting of a group."""
    return {item.name: item.default for item in dataclasses.fields(settings)}


def require_countable(cpus: float, gpus: float, prefix: str = "") -> None:
    """See that Ray can reserve so many CPUs and GPUs for an actor: it counts in steps of 1/10,000, and GPUs above 1
    whole. Raises `SettingsError`; `prefix` is put before the name, as in `probe.`."""
    for name, amount in (("cpus", cpus), ("gpus", gpus)):
        _require(amount == 0 or amount >= 0.0001, f"{prefix}{name} is {amount} but needs to be 0, or at least 0.0001")
    _require(
        gpus <= 1 or gpus == int(gpus), f"{prefix}gpus is {gpus} but needs to be a fraction of 1, or a whole number"
    )


@shows_bounds
@dataclass(frozen=True)
class DataSettings:
    """Which images, and in what order."""

    path: Annotated[str, arg(aliases=("--data",), metavar="ADDRESS")] = "scenes"
    """`scenes` (drawn at the first run, no download), or WebDataset shards: a folder, a glob, braces as in
    `train-{0000..0099}.tar`, on a disk, `s3://`, `gs://`, `hdfs://`; several joined by commas."""
    scenes: Literal["rooms", "faces"] = "rooms"
    """What the embedded data set shows."""
    scenes_images: Annotated[int, AtLeast(1), arg(metavar="IMAGES")] = 20_000
    """How many images of the embedded data set are drawn."""
    keep: Annotated[str, arg(metavar="FILE")] = ""
    """Keep-list that de-duplication wrote: images that it leaves out are not trained on. Empty: all images are."""
    label: Annotated[str, arg(metavar="ATTRIBUTE,...")] = ""
    """The class of an image, where networks.classes is above 0: an attribute of the shards, or several that are 0 or 1,
    the first the lowest binary digit. Empty: `KEY.cls`."""
    fit: Literal["resize", "crop"] = "resize"
    """How an image of another size is fitted: `resize` scales its shorter side, then crops the center (paper, section
    4.3); `crop` crops the center without scaling (published code, faces)."""
    window: Annotated[int, AtLeast(1, "image"), arg(metavar="IMAGES")] = 4_096
    """Shuffle window, and the smallest chunk that is read: an epoch's images are shuffled within windows of about this
    size."""
    cache: Literal["auto", "on", "off"] = "auto"
    """Keep decoded images in Ray's object store. `auto`: if they take at most a quarter of it and are read more than
    once."""
    cpus: Annotated[float, arg(metavar="CPUS")] = 0.0
    """Most logical CPUs that reading may use; 0: all that are free."""
    max_bad_fraction: Annotated[float, Below(1), arg(metavar="FRACTION")] = 0.01
    """The run stops if more than this fraction of the images cannot be decoded."""
    max_image_pixels: Annotated[int, AtLeast(1), arg(metavar="PIXELS")] = 64_000_000
    """An image that declares more pixels counts as bad and is not decoded."""
    max_image_bytes: Annotated[int, AtLeast(1), arg(metavar="BYTES")] = 64 << 20
    """An image whose file is larger counts as bad and is not read."""

    def __post_init__(self) -> None:
        check_bounds(self, "data.")
        _require(bool(self.path.strip()), "data.path is empty but needs an address, for example scenes or folder/*.tar")
        _require(
            self.cpus == 0 or self.cpus >= 1,
            f"data.cpus is {self.cpus:g} but needs at least 1, which a read task takes, or 0 for all that are free",
        )
        _require(
            not self.keep or self.path != "scenes",
            f"data.keep is {self.keep} but data.path is scenes, which are drawn and have no keep-list: give the shards "
            "that it was made of with --data, or leave it out",
        )


@shows_bounds
@dataclass(frozen=True)
class NetworkSettings:
    """Structure of generator and discriminator."""

    structure: Literal["5x5", "3x3", "maxout", "maxout-conv"] = "5x5"
    """`5x5`: every convolution is 5x5 with stride 2 (paper, figure 1); `3x3`: two 3x3 per resolution, one of them with
    stride 2 (published code, imagenet); `maxout`: fully connected, `maxout-conv`: with convolutions (original GAN)."""
    image_size: Annotated[int, arg(metavar="PIXELS")] = 64
    """Height and width of an image: a power of two from 8 to 256, or 14, 28, 56, 112, 224."""
    channels: Literal[1, 3] = 3
    """Colors of an image: 3, or 1 for shades of gray."""
    classes: Annotated[int, AtLeast(0), arg(metavar="N")] = 0
    """Both networks know an image's class, one of so many: every layer gets its one-hot code (published code, mnist).
    0: no classes."""
    generator_maps: Annotated[int, AtLeast(1), arg(metavar="MAPS")] = 128
    """Width of G: maps of its last hidden layer (`ngf` in the published code), or with `maxout` units of each layer."""
    discriminator_maps: Annotated[int, AtLeast(1), arg(metavar="MAPS")] = 128
    """Width of D: maps of its first layer (`ndf` in the published code), or with `maxout` units of each layer."""
    maxout_pieces: Annotated[int, AtLeast(2), arg(metavar="N")] = 5
    """Linear maps of a fully connected unit of `maxout` and `maxout-conv`, the largest of which it is; others have
    2."""
    generator_activations: Annotated[str, arg(metavar="|".join(HIDDEN_ACTIVATIONS))] = "relu"
    """Activation of G's hidden layers (paper, section 3: `relu`). With `maxout` and `maxout-conv` one for each,
    `relu` or `sigmoid`, joined by commas."""
    discriminator_activations: Literal["leaky_relu", "relu", "tanh", "maxout"] = "leaky_relu"
    """Of D's hidden layers (paper: `leaky_relu`)."""
    resampling: Literal["strided", "pooling"] = "strided"
    """How maps change their size: by strided convolutions (paper, section 3), or by max pooling in D and
    nearest-neighbor upsampling in G, which takes D four times the operations."""
    latent_size: Annotated[int, AtLeast(1), arg(metavar="NUMBERS")] = 100
    """Numbers in z (paper, figure 1)."""
    latent: Literal["uniform", "normal"] = "uniform"
    """Distribution of z: uniform on [-1, 1] (paper, figure 1), or standard normal (published SVHN model)."""
    dense_units: Annotated[int, AtLeast(0), arg(metavar="UNITS")] = 0
    """Units of a fully connected layer behind z, and of one before D's logit (published code, mnist: 1,024); with
    `maxout-conv` of D's alone. 0: none (paper, section 3)."""
    output: Literal["tanh", "sigmoid", "linear"] = "tanh"
    """Last activation of G: `tanh` (paper, section 3); `sigmoid`, pixels from 0 to 1 for both networks (published code,
    mnist); `linear`, none (original GAN)."""
    head: Literal["flattened", "average"] = "flattened"
    """What D's logit is a linear function of: its last maps, flattened (paper, section 3), or their global average."""
    batchnorm: Literal["prescribed", "everywhere", "nowhere", "ends", "generator"] = "prescribed"
    """Layers with batch normalization. `prescribed`: all but G's output and D's input (paper, section 3); `ends`: those
    two; `generator`: as prescribed, none in D."""
    initial_sd: Annotated[float, Above(0), arg(metavar="NUMBER")] = 0.02
    """Standard deviation of initial weights, around 0 (paper, section 4)."""
    batchnorm_gain: bool = True
    """Learned gain and shift (published code, mnist: none)."""
    batchnorm_over: Literal["global", "worker"] = "global"
    """Over the global batch, or each worker's share."""
    factory: Annotated[str, arg(metavar="MODULE:FUNCTION")] = ""
    """Your own networks (docs/extending.md)."""

    def __post_init__(self) -> None:
        check_bounds(self, "networks.")
        if self.structure not in MAXOUT and self.generator_activations == "relu,relu":
            # The default of every structure before others than the original GAN's had a choice: runs have it on record.
            object.__setattr__(self, "generator_activations", "relu")
        size = self.image_size
        _require(
            size in IMAGE_SIZES,
            f"networks.image_size is {size} but needs to be one of {', '.join(map(str, IMAGE_SIZES))}",
        )
        _require(
            not self.factory or IMPORT_PATH.fullmatch(self.factory) is not None,
            f"networks.factory is {self.factory!r} but needs to be module:function, as in mine:build for the function "
            "build in mine.py",
        )
        if not self.factory:
            self._check_structure()

    @property
    def is_original(self) -> bool:
        """Whether the networks are those of the original GAN (model/original_gan.py)."""
        return not self.factory and self.structure in MAXOUT

    @property
    def begins_with_mean(self) -> bool:
        """Whether G begins with the mean image of the data (published, MNIST: where its output is a sigmoid)."""
        return self.is_original and self.output == "sigmoid"

    def _check_structure(self) -> None:
        """See that nothing is asked for that networks of this structure have no place for."""
        if self.is_original:
            chosen = self.generator_activations.split(",")
            _require(
                set(chosen) <= set(MAXOUT_ACTIVATIONS),
                f"networks.generator_activations is {self.generator_activations!r} but needs to be of "
                f"{', '.join(MAXOUT_ACTIVATIONS)}, joined by commas, with networks.structure {self.structure}",
            )
            lacks: dict[str, object] = {"classes": 0, "batchnorm": "nowhere", "head": "flattened"}
            lacks |= {"discriminator_activations": "leaky_relu", "resampling": "strided", "initial_sd": 0.02}
            if self.structure == "maxout":
                lacks["dense_units"] = 0
            else:
                self._check_convolutions()
        else:
            _require(
                self.generator_activations in HIDDEN_ACTIVATIONS,
                f"networks.generator_activations is {self.generator_activations!r} but needs to be one of "
                f"{', '.join(HIDDEN_ACTIVATIONS)} with networks.structure {self.structure}",
            )
            lacks = {"maxout_pieces": _defaults(self)["maxout_pieces"]}
        for name, needed in lacks.items():
            value = getattr(self, name)
            _require(
                value == needed,
                f"networks.{name} is {value} but networks.structure {self.structure} has no such thing: give "
                f"--networks.{name.replace('_', '-')} {needed}",
            )

    def _check_convolutions(self) -> None:
        """See that the layers of structure maxout-conv fit."""
        _require(
            self.image_size in CONVOLUTION_SIZES,
            f"networks.image_size is {self.image_size} but needs to be one of "
            f"{', '.join(map(str, CONVOLUTION_SIZES))} with networks.structure maxout-conv",
        )
        _require(
            self.dense_units > 0,
            "networks.dense_units is 0 but networks.structure maxout-conv needs such a layer: give, for example, "
            "--networks.dense-units 500",
        )


@shows_bounds
@dataclass(frozen=True)
class OptimizationSettings:
    """How both networks learn."""

    batch_size: Annotated[int, AtLeast(2, "images"), arg(aliases=("--batch-size",), metavar="IMAGES")] = 128
    """Global batch size: images per step, over all workers (paper, section 4)."""
    optimizer: Literal["adam", "momentum"] = "adam"
    """`adam` (paper) or `momentum` (original GAN)."""
    lr: Annotated[float, Above(0), arg(aliases=("--lr",), metavar="RATE")] = 2e-4
    """Learning rate (paper, section 4)."""
    beta1: Annotated[float, Below(1), arg(aliases=("--beta1",), metavar="FRACTION")] = 0.5
    """Decay rate of Adam's first moment (paper, section 4)."""
    beta2: Annotated[float, Below(1), arg(metavar="FRACTION")] = 0.999
    """Decay rate of Adam's second moment (published code)."""
    eps: Annotated[float, Above(0), arg(metavar="NUMBER")] = 1e-8
    """Added to the square root of Adam's second moment (published code)."""
    momentum: Annotated[float, Below(1), arg(metavar="FRACTION")] = 0.5
    """Part of the last step that is taken again, at first (original GAN)."""
    final_momentum: Annotated[float, Below(1), arg(metavar="FRACTION")] = 0.7
    """The same after momentum_images, changed linearly (original GAN)."""
    momentum_images: Annotated[int, AtLeast(0), arg(metavar="IMAGES")] = 12_500_000
    """Images over which momentum changes (original GAN: 250 passes); 0: at once."""
    weight_decay: Annotated[float, AtLeast(0), arg(metavar="RATE")] = 0.0
    """L2 penalty, added to the gradient before Adam's moments (published code, faces: 1e-5)."""
    schedule: Literal["both", "alternate", "simultaneous"] = "both"
    """`both`: each step updates D, then G. `alternate`: steps update G and D in turn, G first (published code).
    `simultaneous`: both, by the D of before (original GAN)."""
    loss: Annotated[str, arg(metavar="|".join((*LOSSES, "MODULE:FUNCTION")))] = "bce"
    """`bce`: binary cross-entropy (paper, section 2); `saturating`: with G's loss of the original formula; `hinge`;
    `least_squares`; or your own (docs/extending.md)."""
    real_label: Annotated[float, From(0.5, 1), arg(metavar="PROBABILITY")] = 1.0
    """Label of real images for `bce` and `saturating`: 0.9 is one-sided smoothing (Salimans et al., 2016)."""
    r1: Annotated[float, AtLeast(0), arg(metavar="FACTOR")] = 0.0
    """Penalty on D's slope at real images: half of this times the squared gradient of its logit (Mescheder et al.,
    2018: 10), for D without batch normalization."""
    discriminator_weight: Annotated[float, Above(0), arg(metavar="FACTOR")] = 1.0
    """Factor of D's loss (original GAN: 0.5)."""
    decay: Annotated[float, From(0, 1), arg(metavar="FRACTION")] = 0.0
    """Last part of the run, over which the rate falls linearly to 0 (0.5: half)."""
    lr_divisor: Annotated[float, AtLeast(1), arg(metavar="FACTOR")] = 1.0
    """Divides the rate after each step (original GAN: 1.000004)."""
    lr_floor: Annotated[float, AtLeast(0), arg(metavar="RATE")] = 0.0
    """Lowest rate (original GAN: 1e-6)."""
    average_images: Annotated[int, AtLeast(0), arg(metavar="IMAGES")] = 0
    """Half-life of G's moving average; 0: none."""
    average_discriminator_images: Annotated[int, AtLeast(0), arg(metavar="IMAGES")] = 0
    """Of D's, for `--features averaged`; 0: none."""
    precision: Literal["auto", "fp32", "bf16", "fp64"] = "auto"
    """Of the convolutions; weights and optimizers stay in fp32. `auto`: bf16 on GPUs and on CPUs with AMX, else
    fp32."""
    channels_last: bool = True
    """Images and maps are channels-last in memory."""

    def __post_init__(self) -> None:
        check_bounds(self, "optimization.")
        _require(
            self.loss in LOSSES or IMPORT_PATH.fullmatch(self.loss) is not None,
            f"optimization.loss is {self.loss!r} but needs to be {', '.join(LOSSES)}, or module:function, as in "
            "mine:hinge for the function hinge in mine.py",
        )
        _require(
            self.lr_floor <= self.lr,
            f"optimization.lr_floor is {self.lr_floor:g} but needs to be at most optimization.lr, {self.lr:g}",
        )
        _require(
            self.real_label == 1 or IMPORT_PATH.fullmatch(self.loss) is not None or self.loss in CROSS_ENTROPIES,
            f"optimization.real_label is {self.real_label:g} but the loss {self.loss} has no probabilities to smooth: "
            f"leave it out, or give --optimization.loss {CROSS_ENTROPIES[0]}",
        )
        defaults = _defaults(self)
        for optimizer, names in OPTIMIZERS.items():
            for name in names if optimizer != self.optimizer else ():
                value = getattr(self, name)
                _require(
                    value == defaults[name],
                    f"optimization.{name} is {value} but optimization.optimizer is {self.optimizer}, which has no such "
                    f"thing: give --optimization.{name.replace('_', '-')} {defaults[name]}, or "
                    f"--optimization.optimizer {optimizer}",
                )


@shows_bounds
@dataclass(frozen=True)
class WorkerSettings:
    """What the run takes of the cluster."""

    number: Annotated[int, AtLeast(1), arg(aliases=("--workers",), metavar="N")] = 1
    """Training workers, each with a GPU if there are any. `--workers 2:8`: up to 8, at least 2."""
    at_least: Annotated[int | None, arg(metavar="N")] = None
    """Fewest workers: with fewer machines the run continues with as few as this, and adds workers when machines come.
    None: it needs all of them."""
    gpu: Literal["auto", "on", "off"] = "auto"
    """Train on GPUs. `auto`: if the cluster has any."""
    cpus: Annotated[float, AtLeast(0.0001), arg(metavar="CPUS")] = 1.0
    """Logical CPUs that Ray reserves for each worker."""
    threads: Annotated[int, AtLeast(0), arg(metavar="THREADS")] = 0
    """PyTorch threads per worker; 0: the cores of its host divided by the workers on it."""
    gradients: Literal["fp32", "bf16", "powersgd"] = "fp32"
    """How gradients are sent between workers: as they are, in half of the bytes, or as products of low rank."""
    exchange_steps: Annotated[int, AtLeast(1), arg(metavar="STEPS")] = 1
    """Steps that each worker takes on its own between two averages of the weights, for slow networks; batch statistics
    are then those of each worker. 1: gradients are averaged in each step."""
    outer_lr: Annotated[float, Above(0), arg(metavar="RATE")] = 1.0
    """How far an exchange takes the weights towards their average (DiLoCo); 1: all the way."""
    outer_momentum: Annotated[float, Below(1), arg(metavar="MOMENTUM")] = 0.0
    """Nesterov's momentum of exchanges (DiLoCo: 0.9, at an outer_lr of 0.7)."""
    cuda_graph: bool = True
    """Capture the training step as a CUDA graph and replay it, which saves the time of kernel launches. Only a single
    worker on a GPU does so."""
    address: Annotated[str, arg(metavar="HOST:PORT")] = ""
    """Ray cluster to join; empty: `$RAY_ADDRESS`, or if that is unset, one started on this machine for this run."""
    wait_s: Annotated[float, Above(0), arg(metavar="SECONDS")] = 60.0
    """How long to wait for missing machines, and for workers to start, before the run gives up. Machines that an
    autoscaler is starting get longer."""
    return_s: Annotated[float, AtLeast(0), arg(metavar="SECONDS")] = 1800.0
    """How long to wait for machines to return when too few are left to continue."""
    hang_s: Annotated[float, Above(0), arg(metavar="SECONDS")] = 300.0
    """If no rank makes progress for this long, the worker group is restarted from its newest checkpoint."""
    max_failures: Annotated[int, AtLeast(0), arg(metavar="N")] = 3
    """How many losses of worker processes in a row, without a new checkpoint in between, the run survives."""
    max_nodes_lost: Annotated[int, AtLeast(0), arg(metavar="N")] = 20
    """The same for machines lost without notice."""
    max_hangs: Annotated[int, AtLeast(0), arg(metavar="N")] = 3
    """The same for restarts because no rank made progress (see hang_s)."""

    def __post_init__(self) -> None:
        check_bounds(self, "workers.")
        _require(
            self.at_least is None or 1 <= self.at_least <= self.number,
            f"workers.at_least is {self.at_least} but needs to be from 1 to workers.number, which is {self.number}",
        )

    @property
    def fewest(self) -> int:
        """The fewest workers that the run can continue with."""
        return self.number if self.at_least is None else self.at_least


@shows_bounds
@dataclass(frozen=True)
class CheckpointSettings:
    """When checkpoints are written, and which are kept."""

    minutes: Annotated[float, Above(0), arg(metavar="MINUTES")] = 10.0
    """Time between checkpoints; others are written at each quarter of the run and at its end."""
    images: Annotated[int, AtLeast(0), arg(metavar="IMAGES")] = 0
    """Also write a checkpoint each time this many images have been seen; 0: go by time alone."""
    keep: Annotated[int, AtLeast(1), arg(metavar="N")] = 3
    """How many of the newest checkpoints are kept, in addition to those at the quarters."""
    patience_s: Annotated[float, AtLeast(0), arg(metavar="SECONDS")] = 300.0
    """How long to retry when the storage refuses a checkpoint, before the run ends."""

    def __post_init__(self) -> None:
        check_bounds(self, "checkpoints.")


@shows_bounds
@dataclass(frozen=True)
class MonitoringSettings:
    """What is recorded during the run."""

    steps: Annotated[int, AtLeast(1), arg(metavar="STEPS")] = 10
    """Steps that each point of the curves averages over."""
    line_s: Annotated[float, Above(0), arg(metavar="SECONDS")] = 10.0
    """Time between two progress lines in a job's log."""
    samples_images: Annotated[int, AtLeast(1), arg(metavar="IMAGES")] = 50_000
    """Images between sample grids, which are all drawn from the same z."""
    samples: Annotated[int, AtLeast(2), arg(metavar="N")] = 64
    """Samples in a grid."""
    walk_images: Annotated[int, AtLeast(1), arg(metavar="IMAGES")] = 250_000
    """Images between walks: strips of images along a path through z (paper, section 6.1)."""
    measure_images: Annotated[int, AtLeast(1), arg(metavar="IMAGES")] = 10_000
    """Images between measurements of samples/spread and samples/drift: how samples of a fixed set of z differ from each
    other, and from the last measurement."""
    trackers: Annotated[str, arg(metavar="wandb,mlflow")] = ""
    """Experiment trackers that also get curves and samples; their own environment variables configure them. Empty:
    none."""
    audit: bool = False
    """Record which samples each worker used in each step, in `RUN/audit/ATTEMPT-RANK.jsonl` (local storage only)."""

    def __post_init__(self) -> None:
        check_bounds(self, "monitoring.")
        _require(
            all(name in TRACKERS for name in self.trackers.split(",") if self.trackers),
            f"monitoring.trackers is {self.trackers!r} but needs to be of {', '.join(TRACKERS)}, joined by commas",
        )


@shows_bounds
@dataclass(frozen=True)
class ProbeSettings:
    """Probes: linear classifiers on D's frozen features, evaluated by separate actors during training."""

    tasks: Annotated[str, arg(aliases=("--probe",), metavar="NAME[=FOLDER],...")] = ""
    """Tasks that each new checkpoint is evaluated on: folders with labeled `train-*.tar` and `test-*.tar`; without
    FOLDER, $DCGAN_DIST_DATA/NAME. `fidelity`: distances between samples and held-out images. The checkpoint that does
    best on the first task is kept. Empty: none."""
    fidelity_features: Annotated[str, arg(metavar="NAME")] = "efficientnet_lite0"
    """What `fidelity` compares by: `efficientnet_lite0`, `own_discriminator`, `discriminator=RUN`, `inception=FILE`."""
    fidelity_samples: Annotated[int, AtLeast(100), arg(metavar="N")] = 10_000
    """How many samples `fidelity` draws, and compares with at most as many images."""
    actors: Annotated[int, AtLeast(1), arg(metavar="N")] = 1
    """Evaluation actors, which divide the images among them."""
    cpus: Annotated[float, AtLeast(0), arg(metavar="CPUS")] = 1.0
    """Logical CPUs that Ray reserves for each actor."""
    gpus: Annotated[float, AtLeast(0), arg(metavar="GPUS")] = 0.0
    """GPUs per actor; may be a fraction."""
    resource: Annotated[str, arg(metavar="RESOURCE")] = ""
    """Custom Ray resource of which each actor takes one, so that it runs on machines that offer it, and an autoscaler
    starts such machines: `evaluator` in the cluster files. Empty: `evaluator` if the cluster already offers it."""
    threads: Annotated[int, AtLeast(0), arg(metavar="THREADS")] = 1
    """PyTorch threads per actor; 0: the cores of its host divided by the actors."""
    half: bool = False
    """Store features as float16, in half the memory."""
    resize: bool = False
    """Resize images whose size differs from that of the networks."""

    def __post_init__(self) -> None:
        check_bounds(self, "probe.")
        require_countable(self.cpus, self.gpus, "probe.")
        _require(
            self.resource not in RAYS_OWN,
            f"probe.resource is {self.resource} but needs to be one that machines offer by --resources; use probe.cpus "
            "for CPUs, probe.gpus for GPUs",
        )


@shows_bounds
@dataclass(frozen=True)
class SupervisedSettings:
    """Training D's layers on labels, without a G: the paper's supervised control, and fine-tuning."""

    task: Annotated[str, arg(aliases=("--supervised",), metavar="NAME[=FOLDER]")] = ""
    """Learn the classes of this task's labeled `train-*.tar`, of which the last tenth is held out to judge the
    network; without FOLDER, $DCGAN_DIST_DATA/NAME. Empty: a DCGAN is trained, on images without labels."""
    per_class: Annotated[int, AtLeast(0), arg(metavar="LABELS")] = 0
    """How many labeled images of each class are drawn to learn from; 0: all."""
    begin_with: Annotated[str, arg(metavar="RUN")] = ""
    """Fine-tune the discriminator of this run, of its newest checkpoint or of the one given by its folder. Empty:
    start from initial weights."""
    dropout: Annotated[float, Below(1), arg(metavar="FRACTION")] = 0.0
    """Share of the last layer's inputs that is dropped in each step (ours: the paper does not say what it searched)."""

    def __post_init__(self) -> None:
        check_bounds(self, "supervised.")
        given = [name for name in ("per_class", "begin_with", "dropout") if getattr(self, name)]
        _require(
            bool(self.task) or not given,
            f"supervised.{' and supervised.'.join(given)} is given without supervised.task, the labeled data to learn "
            "from: give --supervised NAME, as in --supervised cifar10",
        )


@shows_bounds
@dataclass(frozen=True)
class Settings:
    """A run: where it is stored, how long it lasts."""

    name: Annotated[str, arg(metavar="NAME")] = ""
    """Name of the run, whose folder is STORAGE/NAME; empty: the preset and the time of the start."""
    storage: Annotated[str, arg(metavar="ADDRESS")] = "runs"
    """Where runs, drawn data and indexes are stored: a folder that all machines share, or a store (`s3://...`)."""
    seed: Annotated[int, arg(metavar="NUMBER")] = 42
    """Random seed of the weights, z and the order of the images (published code: 42)."""
    images: Annotated[int | None, AtLeast(1), arg(metavar="IMAGES")] = None
    """Length of the run in images; give this or epochs."""
    epochs: Annotated[float | None, Above(0), arg(metavar="EPOCHS")] = None
    """Length of the run in passes over the data."""
    minutes: Annotated[float | None, Above(0), arg(metavar="MINUTES")] = None
    """Stop after this time, with a checkpoint, even if the run is not finished."""
    on_collapse: Literal["warn", "stop"] = "warn"
    """What to do if training goes wrong: warn, or also stop with a checkpoint."""
    data: DataSettings = field(default_factory=DataSettings)
    networks: NetworkSettings = field(default_factory=NetworkSettings)
    optimization: OptimizationSettings = field(default_factory=OptimizationSettings)
    workers: WorkerSettings = field(default_factory=WorkerSettings)
    checkpoints: CheckpointSettings = field(default_factory=CheckpointSettings)
    monitoring: MonitoringSettings = field(default_factory=MonitoringSettings)
    probe: ProbeSettings = field(default_factory=ProbeSettings)
    supervised: SupervisedSettings = field(default_factory=SupervisedSettings)

    def __post_init__(self) -> None:
        check_bounds(self)
        _require(bool(self.storage.strip()), "storage is empty but needs a folder or an address")
        _require(
            self.name not in {".", ".."} and not set(self.name) & set("/\\\n\0"),
            f"name is {self.name!r} but needs to be a plain folder name",
        )
        _require(self.images is None or self.epochs is None, "images and epochs are both given: give one of them")
        _require(
            self.images is not None or self.epochs is not None, "neither images nor epochs is given: give one of them"
        )
        _require(0 <= self.seed < 2**63, f"seed is {self.seed} but needs to be from 0 to 2**63 - 1")
        _require(
            not self.networks.factory or self.optimization.precision != "bf16",
            f"optimization.precision is bf16 but networks from networks.factory ({self.networks.factory}) take and "
            "return float32: leave it out, and use torch.autocast in their forward",
        )
        _require(
            not self.optimization.r1 or self.networks.factory != "" or self.networks.batchnorm in SLOPES_ALONE,
            f"optimization.r1 is {self.optimization.r1:g} but networks.batchnorm is {self.networks.batchnorm}, by "
            "which D's logit of an image depends on the images beside it and has no slope of its own: give "
            "--networks.batchnorm generator",
        )
        _require((self.images or 0) <= MOST_IMAGES, f"images is {self.images} but needs at most {MOST_IMAGES}")
        _require((self.epochs or 0) <= MOST_EPOCHS, f"epochs is {self.epochs} but needs at most {MOST_EPOCHS:,}")
        _require(
            not self.data.label or self.networks.classes > 0,
            f"data.label is {self.data.label} but networks.classes is 0, so no class is looked at: give the number of "
            "classes with --networks.classes, or leave data.label out",
        )
        batch, workers = self.optimization.batch_size, self.workers.number
        _require(
            batch >= workers,
            f"optimization.batch_size is {batch} but needs at least 1 image for each of {workers} workers",
        )
        exchanges = self.workers.exchange_steps
        alone = (
            f"workers.exchange_steps {exchanges}"
            if exchanges > 1
            else f"networks.batchnorm_over={self.networks.batchnorm_over}"
        )
        _require(
            (self.networks.batchnorm_over == "global" and exchanges == 1)
            or self.networks.batchnorm == "nowhere"
            or batch >= 2 * workers,
            f"optimization.batch_size is {batch} but {alone} needs at least 2 images for each of {workers} workers",
        )
        given = self.workers
        for name, plain in (("outer_lr", 1.0), ("outer_momentum", 0.0)):
            _require(
                given.exchange_steps > 1 or getattr(given, name) == plain,
                f"workers.{name} is {getattr(given, name):g} but workers.exchange_steps is 1, so that nothing is "
                f"exchanged but gradients: give --workers.exchange-steps, or leave workers.{name} out",
            )
        _require(
            given.exchange_steps == 1 or given.gradients != "powersgd",
            f"workers.gradients is powersgd but workers.exchange_steps is {given.exchange_steps}, by which no "
            "gradients are sent: give bf16, which halves what is sent of weights too, or leave it out",
        )
        if self.supervised.task:
            self._require_supervised()

    def _require_supervised(self) -> None:
        _require(
            self.workers.number == 1,
            f"workers.number is {self.workers.number} but needs to be 1 with supervised.task: labels are few, and one "
            "worker learns from them",
        )
        _require(
            not self.networks.factory,
            f"networks.factory is {self.networks.factory} but supervised.task trains the layers of the paper's "
            "discriminator: leave it out",
        )
        _require(
            self.networks.structure not in MAXOUT,
            f"networks.structure is {self.networks.structure} but supervised.task trains the layers of the paper's "
            "discriminator: give 5x5 or 3x3",
        )
        plain = OptimizationSettings()
        for name in ("optimizer", "lr_divisor", "lr_floor"):
            value, only = getattr(self.optimization, name), getattr(plain, name)
            _require(
                value == only,
                f"optimization.{name} is {value} but supervised.task learns by Adam, whose rate may only fall at the "
                f"end (optimization.decay): give --optimization.{name.replace('_', '-')} {only}",
            )
        _require(
            not self.networks.classes,
            f"networks.classes is {self.networks.classes}, which tells the networks the class that supervised.task "
            "trains them to find: leave it out",
        )
        _require(
            not self.probe.tasks,
            f"probe.tasks is {self.probe.tasks} but a network that is trained on labels is judged by its own held-out "
            "images: leave --probe out",
        )


def scenes32() -> Settings:
    """Rooms drawn on the spot, sized for a laptop's CPU; not from the paper. A smaller batch and a higher learning rate
    than the paper's learn these scenes in fewer images."""
    return Settings(
        images=240_000,
        networks=NetworkSettings(image_size=32, generator_maps=32, discriminator_maps=32),
        optimization=OptimizationSettings(batch_size=64, lr=4e-4, average_images=10_000),
        checkpoints=CheckpointSettings(minutes=1.0),
        monitoring=MonitoringSettings(samples_images=40_000, walk_images=120_000),
    )


def own64() -> Settings:
    """Your own pictures at 64 pixels, sized for two cores; not from the paper. With a quarter of the paper's feature
    maps a step takes a sixteenth of the operations. The learning rate falls in the second half, so that G settles on
    pictures of many kinds: at a constant rate it swings between textures, and its average is blurred."""
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
        data=DataSettings(path="$DCGAN_DIST_DATA/lsun/train-*.tar"),
        optimization=OptimizationSettings(schedule="alternate"),
    )


def faces64() -> Settings:
    """Faces at 64 pixels, cropped from the center without scaling: 25 passes over 350,000 (published code, faces)."""
    return Settings(
        images=8_750_000,
        data=DataSettings(path="$DCGAN_DIST_DATA/faces/train-*.tar", fit="crop"),
        optimization=OptimizationSettings(schedule="alternate", weight_decay=1e-5),
    )


def celeba64() -> Settings:
    """CelebA at 64 pixels; not from the paper. The recipe of `faces64`, with 25 passes over the 162,770 images of the
    training split (Liu et al., 2015)."""
    return Settings(
        images=4_069_250,
        data=DataSettings(path="$DCGAN_DIST_DATA/celeba/train-*.tar"),
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
    """SVHN at 32 pixels: structure, z, lr, batch size and 200 passes are in the name of the published model. Which
    images it saw is not published: here the 73,257 of the training split (Netzer et al., 2011), without the extra."""
    return Settings(
        images=14_651_400,
        data=DataSettings(path="$DCGAN_DIST_DATA/svhn/train-*.tar"),
        networks=NetworkSettings(image_size=32, generator_maps=64, discriminator_maps=64, latent="normal"),
        optimization=OptimizationSettings(schedule="alternate", batch_size=64, lr=5e-4),
    )


def mnist28() -> Settings:
    """MNIST at 28 pixels, networks that know its ten classes: structure, loop, weight decay and 200 passes over 50,000
    images, the second half of them while lr falls to 0, are those of the published code (mnist)."""
    return Settings(
        images=10_000_000,
        data=DataSettings(path="$DCGAN_DIST_DATA/mnist/train-*.tar"),
        networks=NetworkSettings(
            image_size=28,
            channels=1,
            classes=10,
            generator_maps=64,
            discriminator_maps=64,
            dense_units=1_024,
            output="sigmoid",
            batchnorm_gain=False,
        ),
        optimization=OptimizationSettings(schedule="alternate", weight_decay=2.5e-5, decay=0.5),
        monitoring=MonitoringSettings(samples=100),
    )


def original28() -> Settings:
    """The original GAN for MNIST, to compare with (original GAN, mnist.yaml). No rule is published for when it ends:
    here after 250 passes over 50,000 images, when momentum has risen."""
    return Settings(
        images=12_500_000,
        data=DataSettings(path="$DCGAN_DIST_DATA/mnist/train-*.tar"),
        networks=NetworkSettings(
            structure="maxout",
            image_size=28,
            channels=1,
            generator_maps=1_200,
            generator_activations="relu,relu",
            discriminator_maps=240,
            latent="normal",
            output="sigmoid",
            batchnorm="nowhere",
        ),
        optimization=OptimizationSettings(
            batch_size=100,
            optimizer="momentum",
            lr=0.1,
            schedule="simultaneous",
            discriminator_weight=0.5,
            lr_divisor=1.000004,
            lr_floor=1e-6,
        ),
        monitoring=MonitoringSettings(samples=100),
    )


def original32() -> Settings:
    """The original GAN for CIFAR-10, the fully connected one, to compare with (original GAN,
    cifar10_fully_connected.yaml), without its contrast normalization, which no sample could be brought back from. No
    rule is published for when it ends: here after 250 passes over 40,000 images, when momentum has risen."""
    return Settings(
        images=10_000_000,
        data=DataSettings(path="$DCGAN_DIST_DATA/cifar10/train-*.tar"),
        networks=NetworkSettings(
            structure="maxout",
            image_size=32,
            generator_maps=8_000,
            discriminator_maps=1_600,
            generator_activations="relu,sigmoid",
            latent="normal",
            output="linear",
            batchnorm="nowhere",
        ),
        optimization=OptimizationSettings(
            batch_size=100,
            optimizer="momentum",
            lr=0.025,
            momentum_images=10_000_000,
            schedule="simultaneous",
            discriminator_weight=0.5,
            lr_divisor=1.000004,
            lr_floor=1e-6,
        ),
    )


def original32conv() -> Settings:
    """The original GAN for CIFAR-10, the convolutional one, to compare with (original GAN, cifar10_convolutional.yaml):
    80 maps make the published 8,000 units. What it says of contrast normalization and length is as in `original32`."""
    dense = original32()
    return dataclasses.replace(
        dense,
        networks=dataclasses.replace(
            dense.networks, structure="maxout-conv", generator_maps=80, discriminator_maps=32, dense_units=500
        ),
        optimization=dataclasses.replace(dense.optimization, batch_size=128, lr=0.004),
    )


def cifar32() -> Settings:
    """CIFAR-10 at 32 pixels: the structure of the SVHN model; the widths and the length, 50 passes over the 50,000
    training images, are ours."""
    return Settings(
        images=2_500_000,
        data=DataSettings(path="$DCGAN_DIST_DATA/cifar10/train-*.tar"),
        networks=NetworkSettings(image_size=32, generator_maps=64, discriminator_maps=64),
    )


PRESETS: dict[str, Callable[[], Settings]] = {
    preset.__name__: preset
    for preset in (
        scenes32,
        own64,
        lsun64,
        faces64,
        celeba64,
        imagenet32,
        svhn32,
        mnist28,
        cifar32,
        original28,
        original32,
        original32conv,
    )
}
PRESET_IMAGES: dict[str, int] = {
    "scenes32": 20_000,
    "own64": 400_000,
    "lsun64": 3_033_042,
    "faces64": 350_000,
    "celeba64": 162_770,
    "imagenet32": 1_281_167,
    "svhn32": 73_257,
    "mnist28": 50_000,
    "cifar32": 50_000,
    "original28": 50_000,
    "original32": 40_000,
    "original32conv": 40_000,
}
"""Images of the data set that a preset's length is meant for; the presets name the sources. `own64` is meant for a data
set of any size: this is the largest one of which it shows each image once."""


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
        SettingsError: names `source` and what is unknown, of the wrong type or impossible.
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
    """Settings from the text of a YAML file; what it leaves out keeps its default.

    Raises:
        SettingsError: names `source` and the dotted name of what is unknown, of the wrong type or impossible.
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
        known = value in allowed and type(value) in map(type, allowed)  # True equals 1
        _require(known, f"{name} is {value!r} but needs to be one of {', '.join(map(str, allowed))}")
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
