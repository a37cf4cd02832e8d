"""What a person said of the random pairs of a page: the file that the page saves."""

import json
from dataclasses import dataclass, replace

from dcgan_dist.data.deduplication.false_positives import false_positive_rate
from dcgan_dist.data.deduplication.record import Record
from dcgan_dist.errors import SettingsError
from dcgan_dist.storage import MissingFile, Place

FORMAT = "dcgan-dist marks 1"
_MOST_BYTES = 1 << 24


@dataclass(frozen=True)
class Marks:
    """How many pairs were judged, and how many of them are not the same picture."""

    marked: int
    seen: int


def read_marks(data: bytes, identity: str, name: str) -> Marks:
    """Count the marks in a file that a page saved.

    Args:
        data: the file.
        identity: of the page that it has to be from, see `page.identity`.
        name: of the file, for messages.

    Raises:
        SettingsError: it is no such file, or is from another page.
    """
    try:
        if len(data) > _MOST_BYTES:
            raise ValueError
        content = json.loads(data)
        form, page, pairs, marks = (content[key] for key in ("format", "page", "pairs", "marks"))
        judged = [mark["same"] for mark in marks]
        if form != FORMAT or len(judged) > pairs or not all(type(one) is bool for one in judged):
            raise ValueError
        # In order and without gaps: marks of chosen pairs are no random sample.
        if [mark["pair"] for mark in marks] != [*range(1, len(judged) + 1)]:
            raise ValueError
    except (ValueError, KeyError, TypeError, RecursionError):
        raise SettingsError(
            f"{name} is no file of marks that a page of duplicates saved ({FORMAT}): open the page, judge its random "
            "pairs and save the marks there"
        ) from None
    if page != identity:
        raise SettingsError(
            f"{name} has marks of another page (page {page}, and this one is {identity}): what was judged there says "
            "nothing of these pairs; judge them on this page"
        )
    return Marks(judged.count(False), len(judged))


def with_marks(record: Record, file: Place, out: Place) -> Record:
    """A complete record with what a person said of the pairs on its page.

    Args:
        record: of the folder.
        file: that the page saved.
        out: the folder.

    Raises:
        SettingsError: there is no page yet, no such file, or it is none that this page saved.
    """
    if not record.complete:
        raise SettingsError(f"marks is {file}, but {out} has no page yet whose pairs were judged: leave --marks out")
    try:
        data = file.read_bytes()
    except MissingFile as error:
        raise SettingsError(f"marks is {file}, which is not there: save it on the page in {out}") from error
    marks = read_marks(data, str(record.found["page"]), str(file))
    if not marks.seen:
        raise SettingsError(f"marks is {file}, in which no pair is judged: judge some on the page in {out}")
    rate = false_positive_rate(marks.marked, marks.seen)
    judged = {"judged": marks.seen, "false": marks.marked, "rate": rate.rate, "low": rate.low, "high": rate.high}
    return replace(record, found={**record.found, "marks": judged})
