"""What de-duplication finds of planted copies, beside perceptual hashes and other packages, at the same precision:

python -m benchmarks.dedup --peers peers/bin/python --fastdup fast/bin/python --json benchmarks/results/dedup.json

The sets are those of `benchmarks/dedup_truth.py`, expected in $DCGAN_DIST_DATA; the packages need environments of their
own, see `benchmarks/dedup_peers.py`. Thresholds of others are the largest that have a precision of 0.99 on the set to
choose on, counted as if that were as large as the one to measure on: false pairs grow with the square of a set.
"""

import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.dedup_changes import COPIES, NO_COPIES
from benchmarks.dedup_truth import THUMBNAIL, Ints, Planted, Split, cifar, photographs, scenes
from benchmarks.report import Bar, Report, Table, finish, parser
from dcgan_dist.arrays import Pixels
from dcgan_dist.data.deduplication.autoencoder import Autoencoder, fit
from dcgan_dist.data.deduplication.candidates import pairs_within
from dcgan_dist.data.deduplication.comparison import THRESHOLD, difference
from dcgan_dist.data.deduplication.recipes import RECIPES
from dcgan_dist.data.image_decoding import decode
from dcgan_dist.data.scenes.builtin import embedded_image
from dcgan_dist.intervals import wilson

PRECISION = 0.99
FARTHEST = 14
"""Bits of 64 in which codes of others may differ; no threshold of theirs comes near it."""
SAME_PICTURE = 2.0
"""Pairs of the data sets' own pictures up to this difference are counted neither as found nor as false.

CIFAR-10 holds many near duplicates: recolored, cut out, with another background. By eye, most pairs up to 1 are some,
and many up to 2. The bound is three times the threshold of ours, in favor of others: with 1, half as many pairs again
would be counted against a perceptual hash, and half of them show the same."""
ROOMS = 20_000
IMAGEDEDUP_THRESHOLD = 10.0
SHIFTS = ("shifted 1 px of 64", "shifted 2 px of 64")
NEEDED_ABOVE, NEEDED_KINDS = 0.1, 3
NOISE = 0.005
"""Of a recall: some pairs of a thousand."""

OURS = "ours"
CODES = "ours, codes alone"
PAPER = "the paper's recipe"
HASHES = {
    "pHash": ("imagehash", "phash"),
    "dHash": ("imagehash", "dhash"),
    "imagededup's pHash": ("imagededup", "phash"),
    "imagededup's dHash": ("imagededup", "dhash"),
}
FASTDUP = "fastdup"
DEFAULT = "imagededup as it comes"
MIRRORS_ASIDE = "fastdup, mirrored pairs aside"
FIXED = {OURS: THRESHOLD, PAPER: 0.0}
"""Thresholds that are not chosen here."""
BESIDE = ("pHash", "imagededup's pHash")
"""Methods whose recall ours is to reach on every kind."""


@dataclass(frozen=True)
class Said:
    """Pairs that a method names, and how far apart it says they are."""

    pairs: Ints
    """int64 [k, 2], the first less than the second."""
    distance: NDArray[np.float64]

    def within(self, threshold: float) -> "Said":
        """Those up to a distance."""
        near = self.distance <= threshold
        return Said(self.pairs[near], self.distance[near])


@dataclass(frozen=True)
class Judged:
    """What is true of pairs."""

    kind: NDArray[np.str_]
    """[k]: the kind of copy that it is of the other, empty where it is none."""
    false: NDArray[np.bool_]
    """[k]: neither that, nor copies of one original, nor of two that show the same picture."""
    own: NDArray[np.bool_]
    """[k]: two of the data set's own pictures, which show the same."""
    mirrored: NDArray[np.bool_]
    """[k]: false, of one original, and one of them is mirrored."""

    def mirrors_aside(self) -> "Judged":
        """As if a mirrored picture were neither a copy nor none."""
        return replace(self, false=self.false & ~self.mirrored)


@dataclass(frozen=True)
class Score:
    """What was found of a set with a threshold."""

    threshold: float
    found: Mapping[str, int]
    """By the kind of copy."""
    planted: Mapping[str, int]
    false: int
    own: int
    """Pairs of the data set's own near duplicates."""

    @property
    def precision(self) -> float:
        """Of planted pairs and false ones."""
        right = sum(self.found.values())
        return right / (right + self.false) if right else 0.0

    def recall(self, kind: str) -> float:
        """Share of the planted pairs of a kind."""
        return self.found[kind] / self.planted[kind]


def main() -> int:
    """The command: 0, 1 where a package failed, 2 where data is missing; missed bars are in its table."""
    options = parser("Find planted copies, beside other packages.")
    options.add_argument("--peers", metavar="PYTHON", help="of an environment with imagehash and imagededup")
    options.add_argument("--fastdup", metavar="PYTHON", help="of an environment with fastdup")
    options.add_argument("--work", type=Path, metavar="FOLDER", help="keep there what packages say, and read it again")
    given = options.parse_args()
    environments = {"imagehash": given.peers, "imagededup": given.peers, "fastdup": given.fastdup}
    with tempfile.TemporaryDirectory() as folder:
        work = given.work or Path(folder)
        work.mkdir(parents=True, exist_ok=True)
        return finish(
            partial(find, {name: python for name, python in environments.items() if python}, work), given.json
        )


def find(environments: Mapping[str, str], work: Path) -> Report:
    """Measure all methods on both sets of photographs, and ours on drawn scenes.

    Args:
        environments: the Python of each package's environment.
        work: where files of what they say are written, or found.
    """
    scores: dict[str, dict[str, Score]] = {}
    for name, make in SETS.items():
        sets: dict[Split, Planted] = {"choosing": make("choosing"), "measuring": make("measuring")}
        scores[name] = measure(
            {split: said(name, split, planted, environments, work) for split, planted in sets.items()}, sets
        )
    return report(scores, look_at_scenes(scenes("measuring")), rooms_found(ROOMS))


SETS: Mapping[str, Callable[[Split], Planted]] = {"CIFAR-10": cifar, "photographs": photographs}


def said(name: str, split: Split, planted: Planted, environments: Mapping[str, str], work: Path) -> dict[str, Said]:
    """What all methods say of a set, by their names."""
    thumbnails = planted.thumbnails()
    by_codes = candidates("default", thumbnails)
    answers = {
        OURS: Said(by_codes.pairs, difference_of(thumbnails, by_codes.pairs)),
        CODES: by_codes,
        PAPER: candidates("paper", thumbnails),
    }
    told = {
        package: ask(package, python, planted.pictures, work / f"{package} {name} {split}.npz")
        for package, python in environments.items()
    }
    for method, (package, kind) in HASHES.items():
        if package in told:
            answers[method] = near_codes(told[package][kind])
    if FASTDUP in told:
        answers[FASTDUP] = Said(told[FASTDUP]["pairs"], 1 - told[FASTDUP]["similarity"])
    return answers


# Methods


def fitted(recipe: str, thumbnails: Pixels) -> Autoencoder:
    """An autoencoder, fitted to the first of some thumbnails in an order drawn by its seed."""
    chosen = RECIPES[recipe]
    order = np.random.default_rng(chosen.seed).permutation(len(thumbnails))[: chosen.sample]
    return fit(thumbnails[np.sort(order)], chosen, lambda share: None)


def candidates(recipe: str, thumbnails: Pixels) -> Said:
    """Pairs of codes within the recipe's radius."""
    autoencoder = fitted(recipe, thumbnails)
    views = autoencoder.views(thumbnails)
    found = pairs_within(
        [autoencoder.codes(thumbnails)], autoencoder.recipe.radius, views=[views] if views.shape[1] else ()
    )
    return Said(np.stack([found.query, found.table], axis=1), found.distance.astype(np.float64))


def difference_of(thumbnails: Pixels, pairs: Ints) -> NDArray[np.float64]:
    """The second look, a part of the pairs at a time."""
    parts = [
        difference(thumbnails[part[:, 0]], thumbnails[part[:, 1]])
        for part in np.array_split(pairs, 1 + len(pairs) // 10_000)
    ]
    return np.concatenate(parts).astype(np.float64)


def near_codes(codes: NDArray[np.uint8], farthest: int = FARTHEST) -> Said:
    """All pairs of 64-bit codes, uint8 [n, 8], that differ in at most so many bits; each is compared with each."""
    words = codes.copy().view(np.uint64)[:, 0]
    pairs, distances = [], []
    for row in range(len(words) - 1):
        away = np.bitwise_count(words[row + 1 :] ^ words[row])
        near = np.flatnonzero(away <= farthest)
        pairs.append(np.stack([np.full(len(near), row), row + 1 + near], axis=1))
        distances.append(away[near])
    return Said(np.concatenate(pairs), np.concatenate(distances).astype(np.float64))


def ask(package: str, python: str, pictures: Pixels, file: Path) -> Mapping[str, Any]:
    """What a package says of pictures; raises `CalledProcessError` where it fails."""
    if not file.is_file():
        with tempfile.TemporaryDirectory() as folder:
            np.save(Path(folder) / "pictures.npy", pictures)
            script = Path(__file__).with_name("dedup_peers.py")
            subprocess.run([python, script, package, Path(folder) / "pictures.npy", file], check=True)
    with np.load(file) as arrays:
        return dict(arrays)


# What is true


def judge(planted: Planted, thumbnails: Pixels, pairs: Ints) -> Judged:
    """Compare pairs with the truth.

    Args:
        planted: the set.
        thumbnails: of it.
        pairs: int64 [k, 2], the first less than the second.
    """
    kinds, groups = np.array(planted.kinds), planted.groups()
    first, second = pairs.T
    kind = np.where((planted.origin[second] == first) & (groups[second] == groups[first]), kinds[second], "")
    related = planted.origin[first] == planted.origin[second]
    own = np.zeros(len(pairs), bool)
    alone = ~np.isin(kinds, list(NO_COPIES))
    asked = np.flatnonzero(~related & alone[first] & alone[second])
    origins = np.sort(planted.origin[pairs[asked]], axis=1)
    distinct, back = np.unique(origins, axis=0, return_inverse=True)
    own[asked] = (difference_of(thumbnails, distinct) <= SAME_PICTURE)[back.ravel()]
    false = ~own & (groups[first] != groups[second])
    return Judged(kind, false, own, false & related)


def score(planted: Planted, judged: Judged, distance: NDArray[np.float64], threshold: float) -> Score:
    """Count what is within a threshold."""
    near = distance <= threshold
    names, counts = np.unique(judged.kind[near], return_counts=True)
    found = dict(zip(names.tolist(), counts.tolist(), strict=True))
    return Score(
        threshold,
        {kind: found.get(kind, 0) for kind in COPIES},
        {kind: len(planted.rows(kind)) for kind in COPIES},
        int((judged.false & near).sum()),
        int((judged.own & near).sum()),
    )


def choose(judged: Judged, distance: NDArray[np.float64], copies: float, pictures: float) -> float:
    """The largest threshold with a precision of 0.99, in a set with so many times the copies and pictures.

    Returns:
        a distance that occurs, -1 where none has that precision.
    """
    order = np.argsort(distance, kind="stable")
    right = np.cumsum(judged.kind[order] != "") * copies
    wrong = np.cumsum(judged.false[order]) * pictures**2
    last = np.append(distance[order][1:] != distance[order][:-1], True)
    good = np.flatnonzero(last & (right >= PRECISION * (right + wrong)) & (right > 0))
    return float(distance[order][good[-1]]) if len(good) else -1.0


def measure(answers: Mapping[Split, Mapping[str, Said]], sets: Mapping[Split, Planted]) -> dict[str, Score]:
    """Choose each method's threshold on one set, and count on the other; ours and the paper's are what they are."""
    thumbnails = {split: planted.thumbnails() for split, planted in sets.items()}
    choosing, measuring = sets["choosing"], sets["measuring"]
    copies = sum(len(measuring.rows(kind)) for kind in COPIES) / sum(len(choosing.rows(kind)) for kind in COPIES)
    growth = len(measuring.origin) / len(choosing.origin)
    scores = {}
    for method, answer in answers["measuring"].items():
        before = answers["choosing"][method]
        known = judge(choosing, thumbnails["choosing"], before.pairs)
        judged = judge(measuring, thumbnails["measuring"], answer.pairs)
        threshold = FIXED.get(method, choose(known, before.distance, copies, growth))
        scores[method] = score(measuring, judged, answer.distance, threshold)
        if method == "imagededup's pHash":
            scores[DEFAULT] = score(measuring, judged, answer.distance, IMAGEDEDUP_THRESHOLD)
        if method == FASTDUP:  # its networks hardly tell mirrored pictures apart, which would hide what else they find
            threshold = choose(known.mirrors_aside(), before.distance, copies, growth)
            scores[MIRRORS_ASIDE] = score(measuring, judged.mirrors_aside(), answer.distance, threshold)
    return scores


def look_at_scenes(planted: Planted) -> dict[str, tuple[int, int]]:
    """Of other pictures of the same scene: how many the second look alone takes for the same, of how many, by kind."""
    thumbnails, found = planted.thumbnails(), {}
    for kind in dict.fromkeys(kind for kind in planted.kinds if kind):
        rows = planted.rows(kind)
        near = difference(thumbnails[rows], thumbnails[planted.origin[rows]]) <= THRESHOLD
        found[kind] = int(near.sum()), len(rows)
    return found


def rooms_found(number: int) -> int:
    """Pairs of different drawn rooms that are called duplicates, of the first of the built-in data set."""
    thumbnails = np.empty((number, THUMBNAIL, THUMBNAIL, 3), np.uint8)
    for index in range(number):
        data, _ = embedded_image("rooms", THUMBNAIL, index)
        decode(data, thumbnails[index], fit="resize", max_pixels=THUMBNAIL**2)
    pairs = candidates("default", thumbnails).pairs
    return int((difference_of(thumbnails, pairs) <= THRESHOLD).sum())


# The report


def report(scores: Mapping[str, Mapping[str, Score]], same_scene: Mapping[str, tuple[int, int]], rooms: int) -> Report:
    """The report from what was measured.

    Args:
        scores: by set and method.
        same_scene: what `look_at_scenes` gives.
        rooms: what `rooms_found` gives.
    """
    tables = {
        f"dedup-recall-{name}": Table(
            ["copies found, %", *methods],
            [[kind, *(shown(one.found[kind], one.planted[kind]) for one in methods.values())] for kind in COPIES],
        )
        for name, methods in scores.items()
    }
    tables["dedup-methods"] = Table(
        ["set", "method", "threshold", "precision, %", "false pairs", "near duplicates of the set's own"],
        [
            [name, method, one.threshold, shown(*right_of(one)), one.false, one.own]
            for name, methods in scores.items()
            for method, one in methods.items()
        ],
    )
    tables["dedup-scenes"] = Table(
        ["another picture of the same scene", "pairs", "called duplicates"],
        [[kind, number, near] for kind, (near, number) in same_scene.items()],
    )
    bars = []
    for name, methods in scores.items():
        ours = methods[OURS]
        bars.append(Bar(f"{name}: precision in pairs", ours.precision, at_least=PRECISION))
        for other in (method for method in BESIDE if method in methods):
            leads = {kind: ours.recall(kind) - methods[other].recall(kind) for kind in COPIES}
            bars.append(Bar(f"{name}: recall above {other}, the worst kind", min(leads.values()), at_least=-NOISE))
            above = sum(lead >= NEEDED_ABOVE for lead in leads.values())
            bars.append(Bar(f"{name}: kinds 10 points or more above {other}", above, at_least=NEEDED_KINDS))
            for kind in SHIFTS:
                bars.append(Bar(f"{name}: {kind}, above {other}", leads[kind], at_least=0))
    bars.append(Bar(f"different rooms called duplicates, of {ROOMS:,}", rooms, at_most=0))
    return Report(
        command="python -m benchmarks.dedup --peers PYTHON --fastdup PYTHON --json benchmarks/results/dedup.json",
        tables=tables,
        ratios={
            f"{name}: {method}, {kind}": one.recall(kind)
            for name, methods in scores.items()
            for method, one in methods.items()
            for kind in COPIES
        },
        samples={"rooms_called_duplicates": rooms, "threshold": THRESHOLD},
        bars=bars,
    )


def right_of(one: Score) -> tuple[int, int]:
    """Planted pairs among those that are named, and how many are named, without those of the set's own."""
    right = sum(one.found.values())
    return right, right + one.false


def shown(part: int, number: int) -> str:
    """A share in percent, with Wilson's interval."""
    if not number:
        return "-"
    low, high = wilson(part / number, number)
    return f"{100 * part / number:.1f} ({100 * max(low, 0):.1f} to {100 * min(high, 1):.1f})"


if __name__ == "__main__":
    sys.exit(main())
