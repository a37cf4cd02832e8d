"""Claims that other benchmarks have measured, by pairs of the same generator or of the same draw of labels; pure."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.report import Cell
from dcgan_dist.errors import DataError
from tuning.verdicts import paired_effect, verdict

Found = Mapping[str, Any]
"""Content of a report, as `benchmarks.report` writes it."""
Values = Callable[[Mapping[str, Found]], Sequence[float]]
"""Gives the numbers of an arm from all reports, by their names."""


@dataclass(frozen=True)
class Elsewhere:
    """A claim that other benchmarks have measured.

    Attributes:
        said, source: as of `tuning.claims.Claim`.
        ours, other: what is compared, in words.
        of: what the pairs are, in words.
        values: of our arm.
        other_values: of the other arm, those of one place belonging together. More is better.
    """

    said: str
    source: str
    ours: str
    other: str
    of: str
    values: Values
    other_values: Values


def few_labels(features: str, run: str = "") -> Values:
    """Accuracies with 400 labels a class of CIFAR-10, of the ten draws of labels that all features have in common."""

    def values(reports: Mapping[str, Found]) -> Sequence[float]:
        found = [
            one["few_labels"]["draws"]
            for one in reports["probes"]["samples"]["results"]
            if (one["features_of"], one["run"]) == (features, run)
        ]
        if len(found) != 1:
            raise DataError(f"probes.json has {len(found)} results of features {features} of run {run or '(none)'}")
        draws: Sequence[float] = found[0]
        return draws

    return values


def studied(*rows: tuple[str, str, str]) -> Values:
    """Shares of rows of the table of studies, of all seeds, each row named by study, data set and what was measured."""

    def values(reports: Mapping[str, Found]) -> Sequence[float]:
        table = reports["studies"]["tables"]["studies"]["rows"]
        found = [row for wanted in rows for row in table if tuple(row[:3]) == wanted]
        if [tuple(row[:3]) for row in found] != list(rows):
            raise DataError(f"studies.json does not have each of the rows {rows} once")
        return [float(cell.removesuffix(" %")) / 100 for row in found for cell in row[4:]]

    return values


KINDS = ("faces", "rooms")
SIX = "3 generators of faces, 3 of rooms"
DRAWS = "10 draws of labels, one network each"
ELSEWHERE = (
    Elsewhere(
        "sums of z of three exemplars show what is wanted more often than those of single ones",
        "paper, section 6.3.2",
        "3 exemplars",
        "1 exemplar",
        SIX,
        studied(*(("arithmetic", kind, "... 3 exemplars") for kind in KINDS)),
        studied(*(("arithmetic", kind, "sums of z that show it, 1 exemplar") for kind in KINDS)),
    ),
    *(
        Elsewhere(
            f"sums of z show what is wanted, and look like samples, more often than the same sums of pixels: {kind}",
            "paper, section 6.3.2",
            "sums of z",
            "sums of pixels",
            f"3 generators of {kind}",
            studied(("arithmetic", kind, "... 3, and look like samples")),
            studied(("arithmetic", kind, "sums of pixels, the same")),
        )
        for kind in KINDS
    ),
    Elsewhere(
        "features that D has learned of images of another domain serve on CIFAR-10",
        "paper, section 5.1",
        "D of Tiny ImageNet",
        "D with random weights",
        DRAWS,
        few_labels("discriminator", "tiny32"),
        few_labels("random", "cifar32-40"),
    ),
    Elsewhere(
        "with few labels features of D are better than the same network trained on the labels alone",
        "paper, section 5.2, on SVHN with 100 labels a class",
        "D of CIFAR-10, 250,752 images",
        "trained on 400 labels a class",
        DRAWS,
        few_labels("discriminator", "cifar32-avg"),
        few_labels("supervised", "best36"),
    ),
    Elsewhere(
        "fine-tuning D with labels could improve it further",
        "paper, section 5.1, which leaves it to others",
        "fine-tuned from that D",
        "that D as it is",
        DRAWS,
        few_labels("finetuned", "tuned36"),
        few_labels("discriminator", "cifar32-avg"),
    ),
    Elsewhere(
        "features of D are better than those of K-means",
        "paper, table 1",
        "the authors' D of ImageNet, four of its six layers",
        "K-means, 4,000 centroids, 1 layer",
        DRAWS,
        few_labels("published-imagenet"),
        few_labels("kmeans4000"),
    ),
    Elsewhere(
        "the same of a D that has seen half a million images of CIFAR-10",
        "no one",
        "D of CIFAR-10, 526,080 images",
        "K-means, 4,000 centroids, 1 layer",
        DRAWS,
        few_labels("discriminator", "cifar32-40"),
        few_labels("kmeans4000"),
    ),
)
"""All of them."""


def elsewhere(claim: Elsewhere, reports: Mapping[str, Found], together: int) -> list[Cell]:
    """Its row, where so many claims are judged together."""
    ours, other = claim.values(reports), claim.other_values(reports)
    by = paired_effect(ours, other, together)
    bounds = "" if by.low is None else f" ({by.low:+.3f} to {by.high:+.3f})"
    means = (f"{sum(arm) / len(arm):.3f}" for arm in (ours, other))
    return [claim.said, claim.source, claim.ours, claim.other, claim.of, *means, f"{by.size:+.3f}{bounds}", verdict(by)]
