"""What the words of the command name: the format, the addresses, and where the shards go."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from dcgan_dist.errors import SettingsError

FACES = "faces"
"""The word before a source whose pictures are photographs with faces to be cut out."""


@dataclass(frozen=True)
class Named:
    """What the words name.

    Attributes:
        faces: whether faces are cut out of the pictures.
        reader: name of the format, "" where the first address is to be recognized.
        addresses: of the source; none where the publisher's files are downloaded, or pictures drawn.
        out: address of the folder for the shards.
    """

    faces: bool
    reader: str
    addresses: tuple[str, ...]
    out: str


def name_words(words: Sequence[str], readers: Collection[str], without_address: Collection[str] = ()) -> Named:
    """What the words `[faces] [FORMAT] ADDRESS... OUT` name.

    A word that is a format always names it: a folder of that name is written `./NAME`.

    Args:
        words: of the command line, without options.
        readers: names of the formats.
        without_address: those of them that need no address here.

    Raises:
        SettingsError: an address or the target is missing.
    """
    rest = list(words)
    faces = bool(rest) and rest[0] == FACES
    if faces:
        del rest[0]
    reader = rest.pop(0) if rest and rest[0] in readers else ""
    least = 1 if reader in without_address else 2
    if len(rest) < least:
        taken = [*([FACES] if faces else []), *([reader] if reader else [])]
        as_format = f" (a folder that is called {taken[-1]} is written ./{taken[-1]})" if taken else ""
        needed = "OUT, the folder for the shards" if least == 1 else "ADDRESS... and OUT, the folder for the shards"
        raise SettingsError(f"{' '.join(words) or 'nothing'} was given but the command needs {needed}{as_format}")
    return Named(faces, reader, tuple(rest[:-1]), rest[-1])
