"""Samples that a person has chosen, by their numbers, as examples of what they show: a YAML file; no Ray.

seed: 0                        # of the samples, as `study pick` was given it
run: faces                     # whose samples they are: those of another one show other things
checkpoint: "000000240000"
generator: averaged
weights: 5d2c0a9e41f7b836      # a run that was trained anew under its name is another one; may be left out
exemplars:
  smiling woman: [3, 17, 20]
  neutral woman: [5, 9, 31]
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import yaml
from torch import Tensor

from dcgan_dist.errors import SettingsError
from dcgan_dist.storage import MissingFile, Place
from dcgan_dist.studies.subject import Subject

WEIGHTS = "weights"
MOST_NUMBER = 1_000_000
"""Of a sample: all before it are drawn again."""


@dataclass(frozen=True)
class Exemplars:
    """What a file of exemplars says.

    Attributes:
        file: its address.
        seed: of the samples.
        numbers: of the samples that show each concept.
    """

    file: str
    seed: int
    numbers: Mapping[str, Sequence[int]]

    def mean(self, subject: Subject, concept: str, number: int) -> tuple[Tensor, Tensor]:
        """The z of the first samples of a concept, [number, latent_size], and their mean, [latent_size].

        Raises:
            SettingsError: there is no such concept, or it has fewer samples.
        """
        if concept not in self.numbers:
            raise SettingsError(f"{self.file} has no exemplars of {concept!r}; it has {', '.join(self.numbers)}")
        chosen = self.numbers[concept]
        if len(chosen) < number:
            raise SettingsError(
                f"{self.file} has {len(chosen)} exemplars of {concept!r}, but {number} are asked for: add some, or "
                f"give --exemplars-each {len(chosen)}"
            )
        z = subject.generator.latents(1 + max(chosen[:number]), self.seed)[list(chosen[:number])]
        return z, z.mean(0)

    def used(self, concepts: Sequence[str], number: int) -> dict[str, Any]:
        """The seed and the numbers of the first samples of some concepts, for a record."""
        return {"samples_seed": self.seed, "samples": {one: list(self.numbers[one][:number]) for one in concepts}}


def load(file: Place, subject: Subject) -> Exemplars:
    """Read a file of exemplars.

    Raises:
        SettingsError: it is missing, is none, or is one of other samples.
    """
    try:
        content = yaml.safe_load(file.read_bytes())
    except MissingFile as error:
        raise SettingsError(f"exemplars is {file}, which is not there: `study pick` writes one to fill in") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        reason = " ".join(str(error).split())
        raise SettingsError(f"exemplars is {file}, which is no YAML ({reason}): `study pick` writes one") from error
    about = subject.about
    wanted = {"run": about.run, "checkpoint": about.checkpoint, "generator": about.kind}
    if not isinstance(content, dict) or content.keys() - {WEIGHTS} != {"seed", "exemplars", *wanted}:
        raise SettingsError(
            f"{file} needs to say seed, run, checkpoint, generator and exemplars: `study pick` writes one"
        )
    for name, value in wanted.items():
        if content[name] != value:
            raise SettingsError(
                f"{file} is of samples of {name} {content[name]}, but these are of {value}, which show other things: "
                "study those, or pick others"
            )
    if content.get(WEIGHTS, here := weights_of(subject)) != here:
        raise SettingsError(
            f"{file} is of samples of {about.run} with other weights ({content[WEIGHTS]}, but these are {here}), which "
            "show other things: the run was trained anew, or another one has its name; pick others"
        )
    return Exemplars(str(file), _seed(content["seed"], file), _numbers(content["exemplars"], file))


def template(subject: Subject, seed: int) -> bytes:
    """A file of exemplars to be filled in."""
    about = subject.about
    lines = [
        f"# Samples of {about.run}, by the numbers on the sheet beside this file.",
        f"seed: {seed}",
        f"run: {json.dumps(about.run)}",
        f'checkpoint: "{about.checkpoint}"',
        f"generator: {about.kind}",
        f'{WEIGHTS}: "{weights_of(subject)}"',
        "exemplars:",
        "  # One line for each thing that samples show, with the numbers of three or more of them:",
        "  # smiling woman: [3, 17, 20]",
    ]
    return ("\n".join(lines) + "\n").encode()


def weights_of(subject: Subject) -> str:
    """Tells the weights of a generator from others, on any machine: 16 hexadecimal digits.

    Its statistics are left out: they are computed anew on each machine, and differ in the last bit.
    """
    digest = hashlib.sha256()
    for name, value in subject.generator.named_parameters():
        digest.update(name.encode() + value.detach().cpu().numpy().tobytes())
    return digest.hexdigest()[:16]


def _seed(seed: Any, file: Place) -> int:
    if type(seed) is not int:
        raise SettingsError(f"seed of {file} is {seed!r} but needs to be a whole number")
    return seed


def _numbers(given: Any, file: Place) -> dict[str, list[int]]:
    if not isinstance(given, dict) or not given:
        raise SettingsError(f"{file} has no exemplars: add a line such as `smiling woman: [3, 17, 20]`")
    for concept, numbers in given.items():
        right = isinstance(numbers, list) and all(type(one) is int and 0 <= one < MOST_NUMBER for one in numbers)
        if type(concept) is not str or not right or not numbers:
            raise SettingsError(f"{file}: {concept!r} is {numbers!r} but needs to be a list of numbers of samples")
        if len(set(numbers)) < len(numbers):
            raise SettingsError(f"{file}: {concept!r} names a sample twice: give others")
    return given


def strip(count: int, start: Tensor, end: Tensor) -> Tensor:
    """[nz], [nz] -> [count, nz]: equal steps from one z to another, both among them."""
    return torch.stack([torch.lerp(start, end, share) for share in torch.linspace(0, 1, count).tolist()])
