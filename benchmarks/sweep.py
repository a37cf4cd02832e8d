"""What a sweep costs and saves.

python -m benchmarks.sweep [--json benchmarks/results/sweep.json]

1. A sweep of 12 short trials by ASHA: images that they take of those that all trials in full would; the best trial
   beside trial 0; whether `best.yaml` trains to the same weights again; seconds from a trial's being cut until its
   worker's process is gone.
2. One trial, whose objective is logged so that nothing else computes, and the same run by `python -m dcgan_dist.train`
   take turns: seconds from its start to its first step, and images/s.
"""

import csv
import json
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from benchmarks.report import Bar, Report, Table, parser, publish
from dcgan_dist.monitoring.sinks.curves import read_points
from dcgan_dist.run_folder.attempts import attempts
from dcgan_dist.run_folder.checkpoint import load_checkpoint
from dcgan_dist.storage import Place
from tests.harness.processes import GaveUpError, Home, Run

TRIALS, IMAGES, AT_ONCE = 12, 36_000, 1
TURNS, TURN_IMAGES = 3, 40_000
LOOK_S = 0.1
MAX_SHARE, MAX_STOP_S, MIN_RATE = 0.6, 5.0, 0.95
SEARCH = ("--search", "lr=loguniform(1e-5,1e-2)", "beta1=uniform(0,0.9)")
WORKER = "ray::RayTrainWorker"
WARM_IMAGES = 8_000
"""Images of a turn that count for nothing."""


@dataclass(frozen=True)
class Whole:
    """A sweep from its beginning to its end.

    Attributes:
        images: that its trials took.
        best: accuracy of the best trial, which is a whole one.
        values: accuracy of each trial, of a cut one where it was cut.
        states: how each ended.
        same: whether the best one's settings train to the same weights again.
        stop_s: of each trial that was cut, until its worker was gone.
        seconds: of the sweep.
    """

    images: int
    best: float
    values: list[float]
    states: list[str]
    same: bool
    stop_s: list[float]
    seconds: float


def whole() -> Whole:
    """Sweep, and train the best one again."""
    with Home() as home:
        sweep = home.work / "runs" / "sweep"
        command = ["tuning.sweep", "--storage=runs", "--name=sweep", f"--images={IMAGES}", f"--trials={TRIALS}"]
        command += [f"--at-once={AT_ONCE}", *SEARCH]
        began = time.monotonic()
        run = Run(home, sweep, command, command, None)
        stop_s: list[float] = []
        told: set[str] = set()
        leaving: dict[str, tuple[float, set[int]]] = {}
        while run.process.poll() is None:
            workers = {pid for pid, name in home.processes().items() if name.startswith(WORKER)}
            for file in sorted((sweep / "records").glob("*.json")):
                if file.name not in told and json.loads(file.read_text())["state"] == "cut":
                    told.add(file.name)
                    leaving[file.name] = file.stat().st_mtime, workers
            for name, (since, theirs) in list(leaving.items()):
                if not theirs & workers:
                    stop_s.append(time.time() - since)
                    del leaving[name]
            time.sleep(LOOK_S)
        seconds = time.monotonic() - began
        if run.process.returncode != 0:
            raise GaveUpError(f"the sweep has failed:\n{run.said()}")
        rows = list(csv.DictReader((sweep / "results.csv").open()))
        best = next(row for row in rows if row["rank"] == "1")
        again = ["dcgan_dist.train", f"--config={sweep / 'best.yaml'}", "--name=again", "--storage=runs"]
        train = Run(home, home.work / "runs" / "again", again, again, None)
        train.process.wait()
        if train.process.returncode != 0:
            raise GaveUpError(f"the run of best.yaml has failed:\n{run.said()}\n{train.said()}\n{rows}")
        one = load_checkpoint(Place(str(sweep / "trials" / best["run"])))
        other = load_checkpoint(Place(str(home.work / "runs" / "again")), one.name)
        same = all(
            torch.equal(value, other.state[part][name])
            for part in ("generator", "discriminator")
            for name, value in one.state[part].items()
        )
    return Whole(
        sum(int(row["images"]) for row in rows),
        float(best["objective"]),
        [float(row["objective"] or "nan") for row in rows],
        [row["state"] for row in rows],
        same,
        stop_s,
        seconds,
    )


@dataclass(frozen=True)
class Turn:
    """One run: seconds until its first step was done, counted from what started it, and images/s from then on."""

    first_s: float
    speed: float


def turn(*, inside: bool) -> Turn:
    """Train for some time, as a trial or not."""
    options = ["--storage=runs", "--name=run", f"--images={TURN_IMAGES}", "--workers.threads=1", "--monitoring.steps=1"]
    options += ["--monitoring.measure-images=4000"]  # as often as trials are compared by it
    with Home() as home:
        runs = home.work / "runs"
        if inside:
            more = ["--objective=samples/spread", "--trials=1", "--at-once=1", "--scheduler=none", *SEARCH[:2]]
            command, folder = ["tuning.sweep", *options, *more], runs / "run" / "trials" / "000"
        else:
            command, folder = ["dcgan_dist.train", *options], runs / "run"
        since = time.time()
        run = Run(home, folder, command, command, None)
        run.process.wait()
        if run.process.returncode != 0:
            raise GaveUpError(f"the run has failed:\n{run.said()}")
        if inside:
            since = float(json.loads((runs / "run" / "records" / "000.json").read_text())["started"])
        place = Place(str(folder))
        points = read_points(place)
        assert attempts(place)
    late = [point for point in points if point["images"] > WARM_IMAGES]
    speeds = [float(point["values"]["speed/images_per_second"] or "nan") for point in late]
    return Turn(points[0]["time"] - since, statistics.median(speeds))


def report(swept: Whole, turns: dict[bool, Sequence[Turn]]) -> Report:
    """Tables and bars."""
    share = swept.images / (TRIALS * IMAGES)
    best = swept.best
    speed = {inside: statistics.median(one.speed for one in some) for inside, some in turns.items()}
    first = {inside: statistics.median(one.first_s for one in some) for inside, some in turns.items()}
    stop_s = max(swept.stop_s)
    ratio = speed[True] / speed[False]
    return Report(
        command="python -m benchmarks.sweep --json benchmarks/results/sweep.json",
        tables={
            "sweep": Table(
                ["sweep of 12 trials by ASHA", ""],
                [
                    ("images taken, of those of 12 full trials", f"{100 * share:.1f} %"),
                    ("trials to their end", str(swept.states.count("finished"))),
                    ("best trial, accuracy on rooms", f"{100 * best:.2f} %"),
                    ("trial 0, the preset", f"{100 * swept.values[0]:.2f} %"),
                    ("seconds until a cut trial's worker is gone: median, most", _seconds(swept.stop_s)),
                    ("seconds in all", f"{swept.seconds:.0f}"),
                ],
            ),
            "sweep-overhead": Table(
                ["one run", "s until its first step", "images/s", "over the command alone"],
                [
                    ("python -m dcgan_dist.train", first[False], speed[False], 1.0),
                    ("a trial, from its being chosen", first[True], speed[True], ratio),
                ],
            ),
        },
        ratios={"trial_over_command": ratio, "asha_share_of_images": share},
        rates={"trial_first_step_s": first[True], "command_first_step_s": first[False], "stop_s": stop_s},
        samples={
            "accuracies": swept.values,
            "states": swept.states,
            "stop_s": swept.stop_s,
            "trial": [[one.first_s, one.speed] for one in turns[True]],
            "command": [[one.first_s, one.speed] for one in turns[False]],
        },
        bars=[
            Bar("ASHA: share of the images of all trials in full", share, at_most=MAX_SHARE),
            Bar("ASHA: accuracy of the best trial over that of trial 0", best / swept.values[0], at_least=1.0),
            Bar("best.yaml trains to the same weights (1: yes)", float(swept.same), at_least=1.0),
            Bar("seconds until a cut trial's worker is gone, at most", stop_s, at_most=MAX_STOP_S),
            Bar("images/s of a trial over the command alone", ratio, at_least=MIN_RATE),
        ],
    )


def _seconds(values: Sequence[float]) -> str:
    return f"{statistics.median(values):.1f}, {max(values):.1f}"


def main() -> None:
    """The command."""
    given = parser("what a sweep costs and saves").parse_args()
    turns: dict[bool, list[Turn]] = {False: [], True: []}
    swept = whole()
    for _ in range(TURNS):
        for inside, some in turns.items():
            some.append(turn(inside=inside))
    publish(report(swept, dict(turns)), given.json)


if __name__ == "__main__":
    main()
