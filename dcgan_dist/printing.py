"""Text for people as a terminal takes it, whatever names of files and classes are in it."""

from typing import TextIO


def printable(line: str, stream: TextIO) -> str:
    """A line with escapes for what the stream's encoding lacks, and for characters that act on a terminal.

    Names of files, classes and hosts may hold anything. A line feed in one would begin a line of its own, and an
    escape sequence could take back what was printed, or change the title, the clipboard and what is typed next.

    Args:
        line: one line; line feeds in it are escaped as well.
        stream: where it is printed.
    """
    # As Python's `repr` has it: neither controls, nor lone surrogates, nor what turns the direction of writing.
    if not line.isprintable():
        line = "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in line)
    encoding = stream.encoding or "ascii"
    return line.encode(encoding, "backslashreplace").decode(encoding)


def tell(line: str, stream: TextIO) -> None:
    """Print a line at once, see `printable`."""
    print(printable(line, stream), file=stream, flush=True)
