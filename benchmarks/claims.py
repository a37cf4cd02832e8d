"""What came of the claims, as the tables of docs/claims.md:

python -m tuning.claims
python -m benchmarks.claims runs/claims/claims.json --json benchmarks/results/claims.json

With `--keep REPORT`, a file that an earlier call has written, claims keep their runs of then where not all of them are
in the storage of now, which may be that of another machine.

Claims about features and vector arithmetic are judged by what other benchmarks have found, studies.json and probes.json
beside the file that is written: by pairs of the same generator, or of the same draw of labels.
"""

import json
import statistics
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import yaml

from benchmarks.report import Bar, Cell, Report, Table, finish, machine, parser
from dcgan_dist.errors import DataError, SettingsError
from dcgan_dist.settings import from_yaml
from tuning.claim_measures import MEASURES, VERSION
from tuning.claims import CLAIMS, Claim, Setup
from tuning.claims_figure import draw
from tuning.claims_table import Judged, declared, rows
from tuning.verdicts import effect, paired_effect, verdict

RESULTS = Path(__file__).parent / "results"
Found = Mapping[str, Any]
"""Content of a report, as `benchmarks.report` writes it."""
AT_ONCE = 2
"""Runs on two cores, each with one thread."""
MOST_HOURS = 8.0
"""Of two cores, for the runs of all claims."""
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
        if len(found) != len(rows):
            raise DataError(f"studies.json lacks one of the rows {rows}")
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


def report(found: Mapping[str, Any], reports: Mapping[str, Found], earlier: Found | None = None) -> Report:
    """The tables.

    Args:
        found: what `claims.json` holds.
        reports: other reports, by name.
        earlier: report of before, whose claims are kept where all their runs were there and now are not.

    Raises:
        DataError: these are not all claims, they were measured in another way, or another report lacks something.
    """
    if len(found["claims"]) != len(CLAIMS) or found.get("version") != VERSION:
        raise DataError(f"the file does not hold all {len(CLAIMS)} claims of today: write it anew by --report")
    now = {key: value for key, value in machine().items() if key in ("processor", "cores", "commit", "date")}
    claims, listed = [], []
    for claim, entry, row in zip(CLAIMS, found["claims"], found["rows"], strict=True):
        kept = _kept(claim, earlier) if earlier is not None and not entry["verdict"] else None
        if kept is None and not entry["verdict"] and _had_verdict(claim, earlier):
            print(f"{claim.name} is not kept: it was tried or measured in another way", file=sys.stderr)
        judged, made = kept or (None, (entry["verdict"] and _made(entry, earlier)) or now)
        claims.append({**(entry if judged is None else judged.as_json()), "made": made})
        listed.append(row if judged is None else rows([judged])[0])
    setups = _costs(found["setups"], now, earlier)
    hours = sum(setup["seconds"] for setup in setups) / AT_ONCE / 3600
    used = dict.fromkeys(claim["measure"] for claim in claims)
    together = len(claims) + len(ELSEWHERE)
    equal = [claim for claim in claims if claim["redraws"]["alone"]]
    return Report(
        command="python -m tuning.claims; python -m benchmarks.claims runs/claims/claims.json --json "
        "benchmarks/results/claims.json",
        tables={
            "claims": Table(found["columns"], listed),
            "claims-cost": Table(
                ["on", "runs", "seconds a run", "hours of two cores", "date", "commit"],
                [
                    [
                        setup["name"],
                        setup["runs"],
                        setup["median_s"],
                        setup["seconds"] / AT_ONCE / 3600,
                        setup["made"]["date"],
                        setup["made"]["commit"],
                    ]
                    for setup in setups
                ],
            ),
            "claim-measures": Table(
                ["measure", "what", "better"],
                [[name, MEASURES[name].what, "less" if MEASURES[name].better == "min" else "more"] for name in used],
            ),
            "claims-elsewhere": Table(
                ["claim", "source", "arm", "compared with", "pairs", "ours", "other", "effect", "verdict"],
                [elsewhere(claim, reports, together) for claim in ELSEWHERE],
            ),
            "claims-redraws": Table(
                ["measure", "ways", "verdicts at 95 %", "verdicts as one of all claims"],
                [
                    [
                        claim["measure"],
                        claim["redraws"]["alone"]["ways"],
                        claim["redraws"]["alone"]["verdicts"],
                        claim["redraws"]["together"]["verdicts"],
                    ]
                    for claim in equal
                ],
            ),
        },
        rates={"hours_of_two_cores": hours},
        samples={"version": VERSION, "claims": claims, "setups": setups},
        bars=[Bar("hours of two cores for the runs of all claims", hours, at_most=MOST_HOURS)]
        if all(claim["verdict"] for claim in claims)
        else [],
    )


def _made(entry: Found, earlier: Found | None) -> Found | None:
    """Where and when the runs of a claim were made, if these are the ones of the earlier report."""
    entries = earlier["samples"]["claims"] if earlier is not None else []
    same = (one for one in entries if one["name"] == entry["name"] and one["measured"] == entry["measured"])
    return next((one["made"] for one in same), None)


def _had_verdict(claim: Claim, earlier: Found | None) -> bool:
    entries = earlier["samples"]["claims"] if earlier is not None else []
    return any(entry["name"] == claim.name and entry["verdict"] for entry in entries)


def _kept(claim: Claim, earlier: Found) -> tuple[Judged, Found] | None:
    """A claim by the runs of an earlier report, and where and when these were made; None where it lacks some, or they
    were runs of other settings or measured in another way."""
    samples = earlier["samples"]
    settings = {setup["name"]: setup["settings"] for setup in samples["setups"]}
    entry = next((one for one in samples["claims"] if one["name"] == claim.name), None)
    if entry is None or samples["version"] != VERSION:
        return None
    ours, others = entry["measured"]["ours"], entry["measured"]["other"]
    same = all(entry[key] == value for key, value in json.loads(json.dumps(declared(claim))).items())
    same = same and all(_is_of(setup, settings.get(setup.name)) for setup in claim.setups)
    if not same or [len(ours), len(others)] != [len(runs) for runs in claim.runs()]:
        return None
    measure = MEASURES[claim.measure]
    by = effect(ours, others, measure.better, measure.worst, len(CLAIMS))
    condemned = entry["condemned"]["ours"], entry["condemned"]["other"]
    return Judged(claim, ours, others, condemned, by, [], len(CLAIMS)), entry["made"]


def _is_of(setup: Setup, settings: Mapping[str, Any] | None) -> bool:
    """Whether these were its settings, where what was no setting then counts as what it is by default."""
    try:
        return settings is not None and from_yaml(yaml.safe_dump(settings), setup.name) == setup.settings
    except SettingsError:  # one of them is none any more
        return False


def _costs(setups: Sequence[Mapping[str, Any]], now: Found, earlier: Found | None) -> list[dict[str, Any]]:
    """Of each setup that has runs, how long these took; as in the earlier report where that has more of them, or
    the same."""
    of = {setup.name: setup for claim in CLAIMS for setup in claim.setups}
    before = {setup["name"]: setup for setup in earlier["samples"]["setups"]} if earlier is not None else {}
    costs = []
    for setup in setups:
        name, seconds = setup["name"], setup["seconds"]
        known = before.get(name)
        more = known is not None and (known["runs"], known["seconds"]) >= (len(seconds), sum(seconds))
        if known is not None and more and _is_of(of[name], known["settings"]):
            costs.append(dict(known))
        elif seconds:
            times = {"runs": len(seconds), "seconds": sum(seconds), "median_s": statistics.median(seconds)}
            costs.append({"name": name, "settings": setup["settings"], **times, "made": now})
    return costs


def elsewhere(claim: Elsewhere, reports: Mapping[str, Found], together: int) -> list[Cell]:
    """Its row, where so many claims are judged together."""
    ours, other = claim.values(reports), claim.other_values(reports)
    by = paired_effect(ours, other, together)
    interval = f"{by.size:+.3f} ({by.low:+.3f} to {by.high:+.3f})"
    means = (f"{sum(arm) / len(arm):.3f}" for arm in (ours, other))
    return [claim.said, claim.source, claim.ours, claim.other, claim.of, *means, interval, verdict(by)]


def main(arguments: Sequence[str] | None = None) -> int:
    """The command: 0, 1 where a result is not there."""
    options = parser("the claims and their verdicts")
    options.add_argument("found", type=Path, metavar="FILE", help="claims.json, as tuning.claims wrote it")
    options.add_argument(
        "--keep",
        type=Path,
        metavar="REPORT",
        help="keep the claims of this earlier report whose runs FILE lacks",
    )
    options.add_argument(
        "--figure", type=Path, metavar="PNG", help="draw the claims whose runs are all there, as a PNG"
    )
    given = options.parse_args(arguments)
    return finish(partial(_read, given.found, given.keep, given.figure), given.json)


WRITTEN_BY_CLAIMS = "give claims.json of STORAGE/claims, as tuning.claims wrote it"
A_REPORT = "give a report that a benchmark has written by --json"


def _content(file: Path, wanted: str) -> Any:
    try:
        return json.loads(file.read_bytes())
    except FileNotFoundError:
        raise DataError(f"{file} is not there: {wanted}") from None
    except ValueError:
        raise DataError(f"{file} holds no JSON: {wanted}") from None


def _read(found: Path, keep: Path | None, figure: Path | None) -> Report:
    reports = {name: _content(RESULTS / f"{name}.json", A_REPORT) for name in ("studies", "probes")}
    earlier = None if keep is None else _content(keep, A_REPORT)
    made = report(_content(found, WRITTEN_BY_CLAIMS), reports, earlier)
    if figure is not None:
        whole = [_kept(claim, {"samples": made.samples}) for claim in CLAIMS]
        figure.write_bytes(draw([kept[0] for kept in whole if kept is not None]))
    return made


if __name__ == "__main__":
    sys.exit(main())
