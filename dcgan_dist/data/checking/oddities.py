"""What is odd about the names in a shard: a run takes them as they are, and other programs may not."""

from collections.abc import Iterable

from dcgan_dist.data.shards.passed_over import Kind, Passed

HIDDEN = ("hidden file", "hidden files")
UNSORTED = ("key that sorts before the one in front of it", "keys that sort before the one in front of them")
APART = (
    "key whose files lie apart, so that its class may be lost",
    "keys whose files lie apart, so that classes may be lost",
)


class Oddities:
    """Counts what is odd while the names of a shard go by; it remembers a number for each key."""

    def __init__(self) -> None:
        self._keys: set[int] = set()
        self._apart: set[int] = set()
        self._last: str | None = None
        self._found: dict[Kind, tuple[int, str]] = {}

    def see(self, name: str) -> None:
        """The next member of the shard is called so."""
        folder, slash, base = name.rpartition("/")
        stem, dot, _ = base.partition(".")
        if not stem or folder.startswith("__"):
            self._count(HIDDEN, name)
            return
        if not dot:
            return  # it has no key, and is told as passed over
        key = folder + slash + stem
        if key == self._last:
            return
        if hash(key) in self._keys:
            if hash(key) not in self._apart:
                self._count(APART, name)
            self._apart.add(hash(key))
        elif self._last is not None and key < self._last:
            self._count(UNSORTED, name)
        self._keys.add(hash(key))
        self._last = key

    @property
    def found(self) -> Passed:
        """Of each kind how many, and the first one by name."""
        return tuple((kind, number, example) for kind, (number, example) in self._found.items())

    def _count(self, kind: Kind, name: str) -> None:
        number, example = self._found.get(kind, (0, name))
        self._found[kind] = number + 1, example


def oddities(names: Iterable[str]) -> Passed:
    """What is odd about names of a shard, in their order."""
    seen = Oddities()
    for name in names:
        seen.see(name)
    return seen.found
