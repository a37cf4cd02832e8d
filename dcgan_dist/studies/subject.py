"""What is studied: a generator, and the discriminator that it learned with, wherever they come from; no Ray."""

from dataclasses import dataclass

import torch
from torch import nn

from dcgan_dist.errors import SettingsError
from dcgan_dist.model.adversarial_step import load_weights
from dcgan_dist.model.dcgan import new_networks
from dcgan_dist.model.exported import load_safetensors
from dcgan_dist.model.generate import About, FrozenGenerator, describe_frozen, freeze
from dcgan_dist.model.published_weights import SVHN, load_published
from dcgan_dist.run_folder.checkpoint import Checkpoint, named_checkpoint
from dcgan_dist.run_folder.load_generator import load_frozen
from dcgan_dist.run_folder.naming import find_run
from dcgan_dist.storage import Place, place
from dcgan_dist.studies.options import StudyOptions

PUBLISHED = "published-svhn"
PUBLISHED_BATCH = 64
"""Images of a batch in its training (published code, name of the model)."""
FOLDER = "studies"
"""Of a run: for results."""


@dataclass(frozen=True, eq=False)
class Subject:
    """What is studied.

    Attributes:
        generator: with fixed statistics, on the CPU.
        discriminator: that it learned with, not fitted to any statistics; None where only the generator is at hand.
        out: folder for results.
        run: its folder; None where it is none.
        checkpoint: of the run; None where it is none.
    """

    generator: FrozenGenerator
    discriminator: nn.Module | None
    out: Place
    run: Place | None = None
    checkpoint: Checkpoint | None = None

    @property
    def about(self) -> About:
        """What draws."""
        return self.generator.about

    def require_discriminator(self, study: str) -> nn.Module:
        """The discriminator; raises `SettingsError` where there is none."""
        if self.discriminator is None:
            raise SettingsError(
                f"study {study} looks at the discriminator too, but {self.about.run} is an exported generator alone: "
                "give the run that it is of"
            )
        return self.discriminator

    def require_run(self, study: str, why: str) -> tuple[Place, Checkpoint]:
        """The run and its checkpoint; raises `SettingsError` where it is none.

        Args:
            study: that asks.
            why: it does, as the end of a sentence.
        """
        if self.run is None or self.checkpoint is None:
            raise SettingsError(f"study {study} {why}, but {self.about.run} is no run: give the folder of one")
        return self.run, self.checkpoint


def open_subject(options: StudyOptions) -> Subject:
    """Load what is to be studied.

    Raises:
        CheckpointError: it is not there, or is damaged.
        SettingsError: its networks are a user's own, and are not trusted.
    """
    if options.run == PUBLISHED:
        return _published(options)
    if options.run.endswith(".safetensors"):
        _refuse_of_run(options)
        generator = load_safetensors(place(options.run)).of_class(options.label)
        return Subject(generator, None, place(options.out or FOLDER))
    named = find_run(options.run, options.storage)
    run = named.place
    checkpoint = named_checkpoint(run, named.choose(options.checkpoint), trust_code=options.trust_code)
    networks = checkpoint.settings.networks
    if networks.classes and options.label is None:
        raise SettingsError(
            f"the networks of {run.name} know classes 0 to {networks.classes - 1}, and a study is of one class: "
            "give it with --class"
        )
    generator = load_frozen(checkpoint, run.name, options.generator, torch.device("cpu")).of_class(options.label)
    _, discriminator = new_networks(networks, checkpoint.code)
    load_weights(discriminator, checkpoint.state["discriminator"], "discriminator")
    out = place(options.out) if options.out else run / FOLDER
    return Subject(generator, discriminator.eval(), out, run, checkpoint)


def _published(options: StudyOptions) -> Subject:
    _refuse_of_run(options)
    networks = load_published(place(options.published).local_path)
    generator = networks.svhn_generator.eval()
    statistics = describe_frozen(generator, PUBLISHED_BATCH)
    about = About(PUBLISHED, "published", 0, "raw", SVHN, PUBLISHED_BATCH, statistics)
    frozen = FrozenGenerator(freeze(generator, SVHN, PUBLISHED_BATCH), about).of_class(options.label)
    return Subject(frozen, networks.svhn_discriminator.eval(), place(options.out or FOLDER))


def _refuse_of_run(options: StudyOptions) -> None:
    """Refuse options that only a run can fulfil."""
    for name in ("checkpoint", "generator"):
        given = getattr(options, name)
        if given not in ("", "auto"):
            raise SettingsError(f"{name} is {given}, but {options.run} holds one generator alone: leave --{name} out")
