"""What is said to make GANs train, as experiments on the training job: a row a claim, and one command for all of them.

python -m tuning.claims                       (hours on a few cores; the same command goes on)
python -m tuning.claims --only beta1 batchnorm --minutes 60
python -m tuning.claims --report

The results are in STORAGE/claims: `claims.md`, `claims.json` and `claims.png`, and below `runs` a sweep for each setup,
with the runs of all claims that share it.
"""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Literal

import tyro

from dcgan_dist.bounds import Above, AtLeast, check_bounds, shows_bounds
from dcgan_dist.cli.arguments import read
from dcgan_dist.cli.invocation import prog
from dcgan_dist.errors import DcganDistError, SettingsError, complain
from dcgan_dist.settings import PRESETS, Settings, flatten, replaced
from tuning.claim_data import DUPLICATES, SHARDS

arg = tyro.conf.arg

SEEDS = (1, 2, 3, 4, 5)
"""Of the runs of each arm."""
MORE_SEEDS = (101, 102, 103, 104, 105)
"""Of further runs of one of them: of five and ten equal runs one order in 1,500 has no more than one pair out of place,
so that claims can be judged though there are many. Most have the arm in common that gets these."""
MADE = "{made}"
"""In paths of a setup: the folder of data that are made for claims."""
APART = 200
"""Added to the seeds of the other arm of a claim whose arms are equal."""

Arm = Mapping[str, object]
"""What the runs of an arm have other than their setup, by dotted name of a setting."""


@dataclass(frozen=True, eq=False)
class Setup:
    """What all runs of some claims have in common.

    Attributes:
        name: for people.
        preset: that it begins with.
        changes: what it has other than that, by dotted name of a setting; the length among it.
        made: whether its data are made for it; `MADE` in its settings stands for their folder (claim_data.py).
    """

    name: str
    preset: str
    changes: Mapping[str, object]
    made: bool = False

    @property
    def settings(self) -> Settings:
        """Settings of a run of it, with neither name nor storage; equal wherever its data lie."""
        return replaced(PRESETS[self.preset](), self.changes, f"setup {self.name}")

    def settings_at(self, made: str) -> Settings:
        """The same, where `made` is the folder of data that are made for claims."""
        settings = self.settings
        data = replace(
            settings.data,
            path=settings.data.path.replace(MADE, made, 1),
            keep=settings.data.keep.replace(MADE, made, 1),
        )
        return replace(settings, data=data)


@dataclass(frozen=True)
class Claim:
    """Something that was said, and how it is put to the test.

    Attributes:
        name: for `--only`.
        said: in words.
        source: who said it, and where.
        setup: of all its runs.
        ours: the arm that it is for.
        other: the arm that ours is said to be better than.
        measure: by which it is (see claim_measures.py).
        seeds: of the runs of both arms.
        more: seeds of further runs of the arm that is as its setup, of ours where both or none are.
        against: setup of the runs of the other arm, where it is not the same.
    """

    name: str
    said: str
    source: str
    setup: Setup
    ours: Arm
    other: Arm
    measure: str
    seeds: Sequence[int] = SEEDS
    more: Sequence[int] = MORE_SEEDS
    against: Setup | None = None

    def runs(self) -> tuple[list[Arm], list[Arm]]:
        """All runs of both arms, each with its seed; those of one place in the lists have the same one, as long as
        both have any.

        What an arm says that its setup has anyway is left out: arms that are the same are the same runs.
        """
        ours, other = (_needed(arm, setup) for arm, setup in zip((self.ours, self.other), self.setups, strict=True))
        shift = 0 if self.arms_differ else APART
        of_ours, of_other = [*self.seeds], [seed + shift for seed in self.seeds]
        (of_other if ours and not other else of_ours).extend(self.more)
        return [{**ours, "seed": seed} for seed in of_ours], [{**other, "seed": seed} for seed in of_other]

    @property
    def arms_differ(self) -> bool:
        """In something else than their seeds."""
        ours, other = (_needed(arm, self.setup) for arm in (self.ours, self.other))
        return self.against is not None or ours != other

    @property
    def setups(self) -> tuple[Setup, Setup]:
        """Of our runs and of the others."""
        return self.setup, self.against or self.setup


def _needed(arm: Arm, setup: Setup) -> Arm:
    """What an arm has that its setup has not anyway."""
    flat = flatten(setup.settings)
    return {name: value for name, value in arm.items() if flat[name] != value}


ROOMS = Setup(
    "rooms at 32 pixels",
    "scenes32",
    {
        "images": 64_000,
        "optimization.average_images": 0,
        "monitoring.measure_images": 5_000,
        "monitoring.samples_images": 32_000,
        "checkpoints.keep": 1,
        "workers.threads": 1,
    },
)
"""Rooms drawn on the spot. G as it is at the end, since the paper averages none."""

ROOMS_64 = Setup(
    "rooms at 64 pixels",
    "scenes32",
    {
        **ROOMS.changes,
        "networks.image_size": 64,
        "networks.generator_maps": 16,
        "networks.discriminator_maps": 16,
    },
)
"""The same rooms, larger; networks of one layer more and half the width, which have about as many weights. With the
full width a run took five times as long as one at 32 pixels."""
ROOMS_LONG = Setup("rooms at 32 pixels, five times as long", "scenes32", {**ROOMS.changes, "images": 320_000})
"""Where what training too long does would show."""
REPEATED = Setup(
    "2,000 rooms, 200 of which appear 20 times each",
    "scenes32",
    {**ROOMS.changes, "images": 160_000, "data.path": f"{MADE}/{SHARDS}/train-*.tar"},
    made=True,
)
"""In files of different quality."""
KEPT = Setup(
    "2,000 rooms, near duplicates left out",
    "scenes32",
    {**REPEATED.changes, "data.keep": f"{MADE}/{DUPLICATES}/keep.parquet"},
    made=True,
)
"""As dcgan_dist.data.dedup finds them."""
PHOTOS = Setup(
    "CIFAR-10 at 32 pixels",
    "cifar32",
    {
        **ROOMS.changes,
        "networks.generator_maps": 32,
        "networks.discriminator_maps": 32,
        "optimization.batch_size": 64,
        "optimization.lr": 4e-4,
    },
)
"""Photographs of ten classes, with the networks and the settings of the rooms."""
BEDROOMS = Setup("LSUN bedrooms at 64 pixels", "lsun64", {"monitoring.measure_images": 500_000, "checkpoints.keep": 1})
"""What the paper trained on, as long as it did; for a cluster."""
IMAGENET = Setup("ImageNet at 32 pixels", "imagenet32", {"monitoring.measure_images": 2_500_000, "checkpoints.keep": 1})
"""What the paper trained on to learn features of photographs, as long as its networks were trained."""
AT_PAPER = {
    "attributes": "kernel",
    "rooms": "kernel",
    "sooner": "kernel-sooner",
    "reached": "kernel-sooner",
    "colors": "kernel-sooner",
}
"""Measures of rooms alone, and what takes their place where images are others."""
PAPERS = {ROOMS.name: BEDROOMS, PHOTOS.name: IMAGENET}
"""Setups at the paper's size, by what takes their place on a few cores."""
SMALL_ONLY = ("nothing-rooms", "obvious", "average-later")
"""Claims that would be the same as others with the measures of the paper's size, or far from its learning rate."""
Scale = Literal["small", "paper"]

CLAIMS = (
    Claim(
        "nothing",
        "two arms that differ in nothing but their seeds are equal",
        "no one: it shows what chance does",
        ROOMS,
        ours={},
        other={},
        measure="attributes",
    ),
    Claim(
        "nothing-rooms",
        "the same by another measure",
        "no one",
        ROOMS,
        ours={},
        other={},
        measure="rooms",
    ),
    Claim(
        "nothing-drift",
        "the same by a third measure",
        "no one",
        ROOMS,
        ours={},
        other={},
        measure="drift",
    ),
    Claim(
        "obvious",
        "a learning rate of 0.0004 is better than one of 0.05",
        "no one: it shows what a large effect looks like",
        ROOMS,
        ours={},
        other={"optimization.lr": 0.05},
        measure="rooms",
    ),
    Claim(
        "beta1",
        "beta1 0.5 in place of 0.9 makes training more stable",
        "paper, section 4",
        ROOMS,
        ours={},
        other={"optimization.beta1": 0.9},
        measure="drift",
    ),
    Claim(
        "lr",
        "a learning rate of 0.0002 is better than 0.001, which is too high",
        "paper, section 4",
        ROOMS,
        ours={"optimization.lr": 2e-4},
        other={"optimization.lr": 1e-3},
        measure="rooms",
    ),
    Claim(
        "batchnorm",
        "batch normalization gets G to begin learning, and keeps it from collapsing all samples to a single point",
        "paper, section 3",
        ROOMS,
        ours={},
        other={"networks.batchnorm": "nowhere"},
        measure="spread",
    ),
    Claim(
        "batchnorm-everywhere",
        "batch normalization of G's output and D's input too makes samples oscillate",
        "paper, section 3",
        ROOMS,
        ours={},
        other={"networks.batchnorm": "everywhere"},
        measure="drift",
    ),
    Claim(
        "batchnorm-ends",
        "batch normalization belongs in all layers but G's output and D's input, not in these alone",
        "paper, section 3; a talk about it says the opposite",
        ROOMS,
        ours={},
        other={"networks.batchnorm": "ends"},
        measure="rooms",
    ),
    Claim(
        "strided",
        "strided convolutions are better than pooling",
        "paper, section 3",
        ROOMS,
        ours={},
        other={"networks.resampling": "pooling"},
        measure="rooms",
    ),
    Claim(
        "average-stable",
        "global average pooling in front of D's logit makes training more stable",
        "paper, section 3",
        ROOMS,
        ours={"networks.head": "average"},
        other={},
        measure="drift",
    ),
    Claim(
        "average-slow",
        "global average pooling in front of D's logit makes training converge more slowly",
        "paper, section 3",
        ROOMS,
        ours={},
        other={"networks.head": "average"},
        measure="sooner",
    ),
    Claim(
        "average-later",
        "the same by when a given quality is reached",
        "paper, section 3",
        ROOMS,
        ours={},
        other={"networks.head": "average"},
        measure="reached",
    ),
    Claim(
        "no-dense",
        "networks without fully connected hidden layers are better",
        "paper, section 3",
        ROOMS,
        ours={},
        other={"networks.dense_units": 256},
        measure="rooms",
    ),
    Claim(
        "relu-leaky",
        "ReLU in G is better than LeakyReLU",
        "paper, section 3, names the former alone",
        ROOMS,
        ours={},
        other={"networks.generator_activations": "leaky_relu"},
        measure="rooms",
    ),
    Claim(
        "relu-tanh",
        "ReLU in G is better than tanh",
        "paper, section 3, names the former alone",
        ROOMS,
        ours={},
        other={"networks.generator_activations": "tanh"},
        measure="rooms",
    ),
    Claim(
        "relu-maxout",
        "ReLU in G is better than maxout",
        "paper, section 3, names the former alone",
        ROOMS,
        ours={},
        other={"networks.generator_activations": "maxout"},
        measure="rooms",
    ),
    Claim(
        "leaky-relu",
        "LeakyReLU in D is better than ReLU",
        "paper, section 3",
        ROOMS,
        ours={},
        other={"networks.discriminator_activations": "relu"},
        measure="rooms",
    ),
    Claim(
        "leaky-tanh",
        "LeakyReLU in D is better than tanh",
        "paper, section 3, names the former alone",
        ROOMS,
        ours={},
        other={"networks.discriminator_activations": "tanh"},
        measure="rooms",
    ),
    Claim(
        "leaky-maxout",
        "LeakyReLU in D is better than maxout, which the original GAN used",
        "paper, section 3",
        ROOMS,
        ours={},
        other={"networks.discriminator_activations": "maxout"},
        measure="rooms",
    ),
    Claim(
        "leaky-relu-64",
        "LeakyReLU in D is better than ReLU, especially at higher resolution",
        "paper, section 3",
        ROOMS_64,
        ours={},
        other={"networks.discriminator_activations": "relu"},
        measure="rooms",
    ),
    Claim(
        "tanh-output",
        "a bounded output lets G learn to cover the colors of the data sooner",
        "paper, section 3",
        ROOMS,
        ours={},
        other={"networks.output": "linear"},
        measure="colors",
    ),
    Claim(
        "adam",
        "Adam is better than momentum, which the original GAN used",
        "paper, section 4, names the former alone",
        ROOMS,
        ours={},
        other={
            "optimization.optimizer": "momentum",
            "optimization.lr": 0.02,
            "optimization.momentum": 0.5,
            "optimization.final_momentum": 0.5,
            "optimization.momentum_images": 0,
        },
        measure="rooms",
    ),
    Claim(
        "small-weights",
        "initial weights of a standard deviation of 0.02 are better than those of 0.1",
        "paper, section 4, names the former alone",
        ROOMS,
        ours={},
        other={"networks.initial_sd": 0.1},
        measure="rooms",
    ),
    Claim(
        "both",
        "for the same number of images, networks learn more if each batch updates both of them, not D and G in turn",
        "our presets for small machines; the published code does the latter",
        ROOMS,
        ours={"optimization.schedule": "both"},
        other={"optimization.schedule": "alternate"},
        measure="rooms",
    ),
    Claim(
        "beta1-losses",
        "beta1 0.5 in place of 0.9 keeps the losses of training from oscillating",
        "paper, section 4",
        ROOMS,
        ours={},
        other={"optimization.beta1": 0.9},
        measure="swings",
    ),
    Claim(
        "not-too-long",
        "models that are trained too long collapse some filters to one oscillating mode",
        "paper, section 7",
        ROOMS,
        ours={},
        other={},
        measure="oscillation",
        against=ROOMS_LONG,
    ),
    Claim(
        "deduplicated",
        "leaving out near duplicates makes G memorize less of what is there many times",
        "paper, section 4.1",
        KEPT,
        ours={},
        other={},
        measure="copies",
        against=REPEATED,
    ),
    Claim(
        "lr-photos",
        "a learning rate of 0.0002 is better than 0.001, which is too high",
        "paper, section 4",
        PHOTOS,
        ours={"optimization.lr": 2e-4},
        other={"optimization.lr": 1e-3},
        measure="kernel",
    ),
    Claim(
        "beta1-photos",
        "beta1 0.5 in place of 0.9 makes training more stable",
        "paper, section 4",
        PHOTOS,
        ours={},
        other={"optimization.beta1": 0.9},
        measure="drift",
    ),
    Claim(
        "batchnorm-photos",
        "batch normalization lets D learn better features",
        "ours; the paper says in section 3 that it helps training",
        PHOTOS,
        ours={},
        other={"networks.batchnorm": "nowhere"},
        measure="probe",
    ),
    Claim(
        "strided-photos",
        "a D of strided convolutions learns better features than one of pooling",
        "ours; the paper says in section 3 that it learns its own downsampling",
        PHOTOS,
        ours={},
        other={"networks.resampling": "pooling"},
        measure="probe",
    ),
    Claim(
        "leaky-relu-photos",
        "a D of LeakyReLU learns better features than one of ReLU",
        "ours; the paper says in section 3 that it works well",
        PHOTOS,
        ours={},
        other={"networks.discriminator_activations": "relu"},
        measure="probe",
    ),
    Claim(
        "average-photos",
        "a D with global average pooling learns better features",
        "ours; the paper gave it up since training converged slowly",
        PHOTOS,
        ours={"networks.head": "average"},
        other={},
        measure="probe",
    ),
    Claim(
        "features",
        "training lets D learn features that its initial weights do not have",
        "paper, section 5",
        PHOTOS,
        ours={},
        other={"optimization.lr": 1e-9},
        measure="probe",
    ),
)
"""All of them."""


def at_scale(scale: Scale) -> list[Claim]:
    """All claims: as they are declared, or at the paper's size: those about rooms of 32 pixels on bedrooms of 64, those
    about photographs on ImageNet."""
    if scale == "small":
        return list(CLAIMS)
    return [
        replace(claim, setup=PAPERS[claim.setup.name], measure=AT_PAPER.get(claim.measure, claim.measure))
        for claim in CLAIMS
        if claim.setup.name in PAPERS and claim.against is None and claim.name not in SMALL_ONLY
    ]


def chosen(names: Sequence[str], claims: Sequence[Claim]) -> list[Claim]:
    """The claims of these names, or all of them; raises `SettingsError` for a name that is none."""
    known = [claim.name for claim in claims]
    for name in names:
        if name not in known:
            raise SettingsError(f"--only names {name}, which is no claim: there are {', '.join(known)}")
    return [claim for claim in claims if not names or claim.name in names]


@shows_bounds
@dataclass(frozen=True)
class ClaimOptions:
    """Put what is said about training GANs to the test: train the runs of the claims that are missing, and write a
    table of effects and verdicts. The same command goes on where it was ended."""

    only: Annotated[tuple[str, ...], arg(metavar="NAME")] = ()
    """Only the claims of these names, separated by spaces."""
    scale: Scale = "small"
    """`small`: on drawn rooms, sized for a few cores; `paper`: on LSUN bedrooms, with the paper's networks and length,
    for a cluster."""
    storage: Annotated[str, arg(metavar="ADDRESS")] = "runs"
    """Where runs are stored: a folder, or an object store. Those of claims are in `claims` there."""
    minutes: Annotated[float | None, Above(0), arg(metavar="MINUTES")] = None
    """Stop training after this time, with checkpoints. What has ended is measured after that."""
    at_once: Annotated[int, AtLeast(0), arg(metavar="N")] = 0
    """Runs that are trained at once; 0: as many as the cluster has room for."""
    address: Annotated[str, arg(metavar="HOST:PORT")] = ""
    """Ray cluster to join; empty: that of RAY_ADDRESS, or one that is started on this machine."""
    report: bool = False
    """Write the table of the runs that are there, and train none."""

    def __post_init__(self) -> None:
        check_bounds(self)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command. Returns 0 when all runs of the claims are there, 1 when a budget or failures left some out, 2 for
    wrong input, 130 or 143 by signals."""
    try:
        options = read(ClaimOptions, arguments, prog=prog("claims"))
        every = at_scale(options.scale)
        claims = chosen(options.only, every)
        # What imports Ray is imported once its environment is set.
        from tuning.claim_runs import Experiments

        experiments = Experiments(claims, every, options.scale, options.storage, options.address)
        return experiments.run(minutes=options.minutes, at_once=options.at_once, only_report=options.report)
    except DcganDistError as error:
        complain(error)
        return 2
    except KeyboardInterrupt:
        print("stopped; the same command goes on", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
