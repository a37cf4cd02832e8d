"""How our commands are called: their names, and lines that can be pasted into another shell."""

import os
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

CONSOLE = "dcgan-dist"
"""The console command that an installation brings along."""

COMMANDS: dict[str, tuple[str, str]] = {
    "train": ("dcgan_dist.train", "train a DCGAN, on this machine or on a cluster"),
    "sample": ("dcgan_dist.sample", "draw samples from a run, or export its generator"),
    "evaluate": ("dcgan_dist.evaluate", "evaluate the features of a run's discriminator"),
    "study walk": ("dcgan_dist.study walk", "walk through the latent space, and tell whether anything jumps"),
    "study pick": ("dcgan_dist.study pick", "draw numbered samples, to choose exemplars from"),
    "study arithmetic": ("dcgan_dist.study arithmetic", "add and subtract what samples show"),
    "study turn": ("dcgan_dist.study turn", "turn samples by the vector between two kinds of them"),
    "study directions": ("dcgan_dist.study directions", "find directions of z in which images change most"),
    "study invert": ("dcgan_dist.study invert", "find how near a generator comes to given pictures"),
    "study forget": ("dcgan_dist.study forget", "make a generator forget an object, by dropping what draws it"),
    "study features": ("dcgan_dist.study features", "show what features of the discriminator respond to"),
    "study memorised": ("dcgan_dist.memorised", "check whether a run's samples repeat its training images"),
    "prepare": ("dcgan_dist.data.prepare", "turn a folder of pictures, or a published data set, into shards"),
    "check": ("dcgan_dist.data.check", "check shards before training on them"),
    "dedup": ("dcgan_dist.data.dedup", "find near duplicates in shards, and keep one of each"),
    "sweep": ("tuning.sweep", "search for good settings, with many runs"),
    "claims": ("tuning.claims", "put what is said about training GANs to the test"),
    "status": ("dcgan_dist.status", "show the state of a run"),
    "report": ("dcgan_dist.report", "make one page of a run, of several, or of a sweep"),
    "doctor": ("dcgan_dist.preflight --doctor", "check the machines of a cluster"),
}
"""Each command: the module that `python -m` takes, and what it does."""

ON_RAY = frozenset({"train", "evaluate", "study memorised", "sweep", "claims", "doctor"})
"""Commands that join or start Ray."""
IN_A_JOB = "RAY_JOB_CONFIG_JSON_ENV_VAR"
"""What Ray sets for the processes of a job that was submitted to a cluster."""


def prog(command: str) -> str:
    """What a command is called in its own help."""
    return f"{CONSOLE} {command}" if _is_console(sys.argv[0]) else f"python -m {COMMANDS[command][0]}"


def command_line(command: str, *arguments: str) -> str:
    """A shell line that runs the command from this folder, with arguments quoted where needed."""
    # A shell for clusters has an address that takes jobs alone (cluster/client.env).
    takes_jobs = os.environ.get("RAY_ADDRESS", "").startswith(("http://", "https://"))
    job = in_a_job() or (takes_jobs and command in ON_RAY)
    return command_line_from(command, arguments, sys.argv[0], sys.executable, _here(), job=job)


def tool_line(name: str, *arguments: str) -> str:
    """The same for a program that was installed beside this interpreter, such as `tensorboard`."""
    beside = Path(sys.executable).parent / name
    is_here = not in_a_job() and beside.is_file()
    return shlex.join([_from(_here(), str(beside)) if is_here else name, *arguments])


def in_a_job() -> bool:
    """Whether this process belongs to a job that was submitted to a cluster."""
    return bool(os.environ.get(IN_A_JOB))


def command_line_from(
    command: str, arguments: Sequence[str], started: str, python: str, folder: str, *, job: bool
) -> str:
    """As `command_line`, from facts of the process.

    Args:
        started: its `sys.argv[0]`, which says whether it was started as the console command.
        python: its interpreter; a fresh shell may find another one, or none, by that name.
        folder: in which it works; what lies below it is written from there.
        job: whether it is a job of a cluster: so is what is done next, and its files are of a machine there.
    """
    module = COMMANDS[command][0].split()
    if job:
        words = ["ray", "job", "submit", "--working-dir", ".", "--", "python", "-m", *module]
    elif _is_console(started):
        words = [_from(folder, started), *command.split()]
    else:
        words = [_from(folder, python) if python else "python", "-m", *module]
    return shlex.join([*words, *arguments])


def _here() -> str:
    """The current folder; where that has been deleted, as Ray may do with that of a job, one that holds nothing."""
    try:
        return os.getcwd()
    except FileNotFoundError:
        return os.devnull


def _is_console(started: str) -> bool:
    return Path(started).name == CONSOLE


def _from(folder: str, path: str) -> str:
    """A path as it is written in a folder; a bare name would be looked for in $PATH."""
    there, here = Path(path), Path(folder)
    if not there.is_absolute() or not there.is_relative_to(here):
        return path
    short = there.relative_to(here)
    return str(short) if len(short.parts) > 1 else f"./{short}"
