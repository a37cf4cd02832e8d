"""What is passed over in shards: of each kind how many, with an example, and the rule."""

from collections.abc import Iterable

from dcgan_dist.data.image_decoding import SUFFIXES
from dcgan_dist.storage import Place

DOTS = ("member with more than one dot", "members with more than one dot")
SECOND = ("further image of a key", "further images of a key")
LINK = ("link to another file", "links to other files")
WITHOUT_IMAGE = ("key without an image", "keys without an image")
WITHOUT_KEY = ("member without a suffix", "members without a suffix")
NO_CLASS = ("KEY.cls that holds no class number", "KEY.cls that hold no class number")
EMPTY = ("shard without any file", "shards without any file")
Kind = tuple[str, str]
"""What was passed over, for one of them and for several."""
Passed = tuple[tuple[Kind, int, str], ...]
"""Of a shard: of each kind how many, and the first one by name."""
RULE = (
    f"an image is KEY.{', KEY.'.join(SUFFIXES[:-1])} or KEY.{SUFFIXES[-1]}: a key ends at the first dot of the name, "
    "and has one image"
)


def passed_over(shards: Iterable[tuple[str, Passed]]) -> str:
    """What was passed over in shards: how many of each kind, with an example, and the rule; "" where nothing was.

    Args:
        shards: address, and what was passed over, of each.
    """
    counts: dict[Kind, int] = {}
    examples: dict[Kind, str] = {}
    for address, passed in shards:
        for kind, number, example in passed:
            counts[kind] = counts.get(kind, 0) + number
            shard = Place(address).name
            examples.setdefault(kind, f"{shard}: {shown(example)}" if example else shard)
    told = [
        f"{number:,} {kind[number != 1]}, {'for example ' if number != 1 else ''}{examples[kind]}"
        for kind, number in sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    ]
    return f"{'; '.join(told)} ({RULE})" if told else ""


def shown(name: str) -> str:
    """A name from a shard as it can be printed."""
    return ascii(name)[1:-1][:120]
