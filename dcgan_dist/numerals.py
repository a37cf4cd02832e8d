"""Numbers as people write and read them: `240_000` and `1e5` on a command line, `1 shard` and `2 shards` in a line."""

import math
import re

_THOUSANDS = re.compile(r"[+-]?\d{1,3}([,' .]\d{3})+")
_SUFFIXED = re.compile(r"([+-]?\d+(?:\.\d+)?)\s*([kKmMgG])")
_FACTORS = {"k": 10**3, "m": 10**6, "g": 10**9}


def count(number: float, noun: str, plural: str = "") -> str:
    """`1 shard`, `2 shards`, `1,024 shards`, `0.5 CPUs`; `plural` where that is not the noun with an s."""
    written = f"{int(number):,}" if float(number).is_integer() else f"{number:g}"
    return f"{written} {noun if number == 1 else plural or noun + 's'}"


def duration(seconds: float) -> str:
    """The two largest units: `8 s`, `1 min 08 s`, `2 h 05 min`, `3 d 04 h`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02} s"
    minutes = round(seconds / 60)
    if minutes < 24 * 60:
        return f"{minutes // 60} h {minutes % 60:02} min"
    hours = round(seconds / 3600)
    return f"{hours // 24} d {hours % 24:02} h"


def whole(text: str) -> int:
    """A whole number: `240000`, `240_000`, `1e5`, `2.4e5`.

    Raises:
        ValueError: it is none; the text says what is needed, as the end of a sentence.
    """
    text = text.strip()
    try:
        return int(text)
    except ValueError:
        pass
    try:
        number = float(text)
        if number.is_integer():
            return int(number)
    except (ValueError, OverflowError):
        pass
    raise ValueError(f"needs a whole number{_meant(text, whole_only=True)}")


def real(text: str) -> float:
    """A number: `0.0002`, `2e-4`, `240_000`; `inf` is one, for whoever takes it.

    Raises:
        ValueError: it is none; the text says what is needed, as the end of a sentence.
    """
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if math.isnan(number):
        raise ValueError(f"needs a number{_meant(text.strip(), whole_only=False)}")
    return number


def _meant(text: str, *, whole_only: bool) -> str:
    """What to write in place of it."""
    if match := _SUFFIXED.fullmatch(text):
        value = float(match[1]) * _FACTORS[match[2].lower()]
        if value.is_integer():
            return f": write {value:.0f}"
    if _THOUSANDS.fullmatch(text) and not (text.count(".") == 1 and not re.search(r"[,' ]", text)):
        digits = re.sub(r"[,' .]", "", text)
        return f": write {digits}, or {int(digits):_}"
    if re.fullmatch(r"[+-]?\d+,\d+", text) and not whole_only:
        return f": write {text.replace(',', '.')}"
    return ", such as 64, 240_000 or 2.4e5" if whole_only else ", such as 0.0002 or 2e-4"
