"""With which versions, and on which machines, a run was trained. Pure."""

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

from dcgan_dist.numerals import count
from dcgan_dist.reporting.facts import Fact

MOST_MACHINES = 12


def software(record: Mapping[str, Any]) -> list[Fact]:
    """Versions in the record of a run."""
    versions = record.get("versions")
    if not isinstance(versions, Mapping):
        return []
    return [Fact(str(name), str(value), str(value), "run.json", f"versions.{name}") for name, value in versions.items()]


def machines(workers: Mapping[int, Sequence[Mapping[str, Any]]]) -> list[Fact]:
    """Machines of the newest attempt that told where it is, each with its workers; others than before are named too."""
    if not workers:
        return []
    newest = max(workers)
    found = []
    places = [(str(worker.get("host", "")), str(worker.get("device", ""))) for worker in workers[newest]]
    for (host, device), same in groupby(sorted(places)):
        of_host = len(list(same))
        text = f"{count(of_host, 'worker')}: {device}"
        found.append(Fact(host, text, text, f"workers/{newest:06d}.json", "host, device"))
    left_out = len(found) - MOST_MACHINES
    if left_out > 0:
        text = f"and {count(left_out, 'more machine')}"
        found = [*found[:MOST_MACHINES], Fact("", left_out, text, f"workers/{newest:06d}.json", "host")]
    before = {str(worker.get("host", "")) for number in workers if number != newest for worker in workers[number]}
    if gone := sorted(before - {host for host, _ in places}):
        text = ", ".join(gone[:MOST_MACHINES]) + (
            f" and {len(gone) - MOST_MACHINES} more" * (len(gone) > MOST_MACHINES)
        )
        found.append(Fact("In earlier attempts alone", text, text, "workers/*.json", "host"))
    return found
