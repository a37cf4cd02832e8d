import json
from dataclasses import replace
from typing import Any

import pytest

from benchmarks.claims import RESULTS
from benchmarks.claims_elsewhere import ELSEWHERE, elsewhere, few_labels, studied
from dcgan_dist.errors import DataError


def reports() -> dict[str, Any]:
    return {name: json.loads((RESULTS / f"{name}.json").read_text()) for name in ("studies", "probes")}


def test_claims_that_others_measured_are_judged_by_the_same_rule() -> None:
    claim = replace(ELSEWHERE[0], values=lambda found: [0.8, 0.82, 0.81], other_values=lambda found: [0.5, 0.49, 0.52])
    row = elsewhere(claim, {}, together=1)
    assert row[5:7] == ["0.810", "0.503"]
    assert str(row[7]).startswith("+0.307 (+0.2")
    assert row[8] == "holds"
    turned = replace(claim, values=claim.other_values, other_values=claim.values)
    assert elsewhere(turned, {}, together=1)[8] == "does not hold"
    assert elsewhere(claim, {}, together=500)[8] == "cannot tell"
    one = replace(claim, values=lambda found: [0.75], other_values=lambda found: [0.5])
    assert elsewhere(one, {}, together=1)[7:] == ["+0.250", "cannot tell"]


def test_each_arm_has_the_numbers_of_its_words() -> None:
    """The first three of each, as the reports of the day give them to a reader."""
    found = reports()
    table = {tuple(row[:3]): row[4:] for row in found["studies"]["tables"]["studies"]["rows"]}
    shares = {
        "3 exemplars": ("faces", "... 3 exemplars"),
        "1 exemplar": ("faces", "sums of z that show it, 1 exemplar"),
        "sums of z": ("faces", "... 3, and look like samples"),
        "sums of pixels": ("faces", "sums of pixels, the same"),
    }
    wanted = {arm: [float(cell.split()[0]) / 100 for cell in table["arithmetic", *key]] for arm, key in shares.items()}
    networks = {
        "D of Tiny ImageNet": ("discriminator", "tiny32"),
        "D with random weights": ("random", "cifar32-40"),
        "D of CIFAR-10, 250,752 images": ("discriminator", "cifar32-avg"),
        "trained on 400 labels a class": ("supervised", "best36"),
        "fine-tuned from that D": ("finetuned", "tuned36"),
        "that D as it is": ("discriminator", "cifar32-avg"),
        "the authors' D of ImageNet, four of its six layers": ("published-imagenet", ""),
        "K-means, 4,000 centroids, 1 layer": ("kmeans4000", ""),
        "D of CIFAR-10, 526,080 images": ("discriminator", "cifar32-40"),
    }
    for arm, (of, run) in networks.items():
        (one,) = [
            one
            for one in found["probes"]["samples"]["results"]
            if one["features_of"] == of and one["run"] == run and "few_labels" in one
        ]
        wanted[arm] = one["few_labels"]["draws"][:3]
    told = [claim for claim in ELSEWHERE if "rooms" not in claim.said]
    assert len(told) == len(ELSEWHERE) - 1
    for claim in told:
        assert list(claim.values(found)[:3]) == wanted[claim.ours], claim.said
        assert list(claim.other_values(found)[:3]) == wanted[claim.other], claim.said


def test_numbers_are_those_of_the_reports() -> None:
    found = reports()
    (knn,) = [one for one in found["probes"]["samples"]["results"] if one["features_of"] == "knn"]
    assert few_labels("knn")(found) == knn["few_labels"]["draws"]
    name = "sums of z that show it, 1 exemplar"
    cells = [
        row[4:] for row in found["studies"]["tables"]["studies"]["rows"] if row[:3] == ["arithmetic", "faces", name]
    ]
    assert [f"{100 * share:.0f} %" for share in studied(("arithmetic", "faces", name))(found)] == cells[0]


def test_what_is_not_there_is_named() -> None:
    with pytest.raises(DataError, match="0 results of features knn of run mine"):
        few_labels("knn", "mine")(reports())
    with pytest.raises(DataError, match="does not have each of the rows"):
        studied(("walk", "faces", "how far it is to the moon"))(reports())
    name = "sums of z that show it, 1 exemplar"
    twice = reports()
    rows = twice["studies"]["tables"]["studies"]["rows"]
    (of_faces,) = [row for row in rows if row[:3] == ["arithmetic", "faces", name]]
    rows[:] = [row for row in rows if row[:3] != ["arithmetic", "rooms", name]] + [of_faces]
    with pytest.raises(DataError, match="does not have each of the rows"):
        studied(("arithmetic", "faces", name), ("arithmetic", "rooms", name))(twice)
