"""Did a change of the code change no number? The same short run by two checkouts, tensor by tensor.

python -m benchmarks.same_state CHECKOUT --json benchmarks/results/same_state.json

CHECKOUT is a git worktree of the commit to compare with; both use this interpreter. Three runs of 200 steps of
`scenes32` (narrow networks, batch 32, fp32, averaged G): one by each checkout, and one that the other checkout stops at
half and this one resumes. All tensors of the last `state.pt` have to be equal. Lines of code are counted by the way.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch

from benchmarks.report import Bar, Report, Table, finish, parser
from dcgan_dist.errors import DataError

HERE = Path(__file__).parents[1]
STEPS, BATCH = 200, 32
SETTINGS = (
    f"--seed 7 --batch-size {BATCH} --networks.generator-maps 8 --networks.discriminator-maps 8 "
    "--data.scenes-images 1000 --optimization.average-images 1000 --optimization.precision fp32"
).split()
PACKAGES = ("dcgan_dist", "tuning", "tests")


def main() -> int:
    """The command: 0, or 1 where a run fails."""
    options = parser("Compare the state after a short run of two checkouts.")
    options.add_argument("checkout", type=Path, metavar="CHECKOUT", help="git worktree of the commit to compare with")
    given = options.parse_args()
    with tempfile.TemporaryDirectory(prefix="same-state-") as folder:
        return finish(partial(find, given.checkout.resolve(), Path(folder)), given.json)


def find(other: Path, storage: Path) -> Report:
    """Train by both checkouts into a folder, and compare.

    Raises:
        CalledProcessError: a run failed.
        DataError: the folder is no checkout of ours.
    """
    if not (other / "dcgan_dist" / "train.py").is_file():
        raise DataError(f"{other} is no checkout of dcgan-dist: give the folder of a git worktree")
    train(other, storage, "--name", "before", "--images", str(STEPS * BATCH))
    train(HERE, storage, "--name", "after", "--images", str(STEPS * BATCH))
    train(other, storage, "--name", "resumed", "--images", str(STEPS * BATCH // 2))
    train(HERE, storage, "--resume", "resumed", "--images", str(STEPS * BATCH))
    before = flat(state(storage / "before"))
    found = {
        "the whole run by each": difference(before, flat(state(storage / "after"))),
        "half of it by the one, resumed by the other": difference(before, flat(state(storage / "resumed"))),
    }
    return report(
        commit(other), commit(HERE), len(before), found, {name: lines(other, HERE, name) for name in PACKAGES}
    )


def train(checkout: Path, storage: Path, *arguments: str) -> None:
    """Run the training command of a checkout."""
    command = [sys.executable, "-m", "dcgan_dist.train", "--storage", str(storage), *arguments]
    own = [] if "--resume" in arguments else SETTINGS
    # The folder comes first in the path of `python -m`, and of the processes that Ray starts there.
    subprocess.run([*command, *own], cwd=checkout, env=os.environ | {"PYTHONPATH": str(checkout)}, check=True)


def state(run: Path) -> Any:
    """What the last checkpoint of a run holds."""
    return torch.load(run / "checkpoints" / f"{STEPS * BATCH:012d}" / "state.pt", weights_only=True)


def flat(value: Any, name: str = "") -> dict[str, torch.Tensor]:
    """All tensors in nested dictionaries and lists, by their place; numbers as tensors."""
    if isinstance(value, torch.Tensor | int | float):
        return {name: torch.as_tensor(value)}
    parts: Mapping[Any, Any] = value if isinstance(value, Mapping) else dict(enumerate(value))
    return {where: one for key, part in parts.items() for where, one in flat(part, f"{name}/{key}").items()}


def difference(one: Mapping[str, torch.Tensor], other: Mapping[str, torch.Tensor]) -> int:
    """How many tensors differ, or are in one of both alone."""
    names = one.keys() | other.keys()
    return sum(name not in one or name not in other or not torch.equal(one[name], other[name]) for name in names)


def commit(checkout: Path) -> str:
    """Its commit, short."""
    command = ["git", "-C", str(checkout), "rev-parse", "--short=12", "HEAD"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def lines(other: Path, here: Path, package: str) -> tuple[int, int]:
    """Lines of Python in a package of both checkouts."""
    return count_lines(other / package), count_lines(here / package)


def count_lines(folder: Path) -> int:
    """Lines of the Python files below a folder."""
    return sum(len(file.read_text().splitlines()) for file in folder.rglob("*.py"))


def report(
    before: str, after: str, tensors: int, found: Mapping[str, int], counted: Mapping[str, Sequence[int]]
) -> Report:
    """The report.

    Args:
        before, after: the commits.
        tensors: in a state.
        found: how many of them differ, by comparison.
        counted: lines of both, by package.
    """
    return Report(
        command="python -m benchmarks.same_state CHECKOUT",
        tables={
            "same-state": Table(
                ["200 steps of scenes32", "by", "and by", "tensors of state.pt", "different"],
                [[name, before, after, tensors, number] for name, number in found.items()],
            ),
            "same-state-lines": Table(
                ["lines of Python", before, after], [[name, *numbers] for name, numbers in counted.items()]
            ),
        },
        samples={"different": dict(found), "lines": {name: list(numbers) for name, numbers in counted.items()}},
        bars=[
            *(Bar(f"tensors that differ: {name}", number, at_most=0) for name, number in found.items()),
            Bar(
                "lines of dcgan_dist and tuning, after over before",
                sum(counted[name][1] for name in PACKAGES[:2]) / sum(counted[name][0] for name in PACKAGES[:2]),
                at_most=1,
            ),
        ],
    )


if __name__ == "__main__":
    sys.exit(main())
