"""Which split each shard of a set is of, by the names of the shards and of their folders."""

from collections.abc import Sequence

from dcgan_dist.data.shards.addresses import split_of
from dcgan_dist.data.splits import FOLDERS, TEST, TRAIN
from dcgan_dist.errors import SettingsError
from dcgan_dist.storage import Place

_KNOWN = frozenset(FOLDERS.values())
_TOLD = 6


def said_split(shard: Place) -> str:
    """The split that a shard's name says, or else its folder's: `val` of `imagenet1k-validation-00.tar` and of
    `val/00000.tar`; what the name says besides numbers where that is no known split; "" where it says nothing."""
    words = split_of(shard.name)
    known = {FOLDERS[word] for word in words.lower().split("-") if word in FOLDERS}
    if len(known) == 1:
        return known.pop()
    return words if known else FOLDERS.get(shard.parent.name.lower(), words)


def choose_splits(shards: Sequence[Place], given: Sequence[str], where: str) -> list[str | None]:
    """The split of each shard, None for one that is left out.

    Args:
        shards: at least one.
        given: splits that were asked for: shards of others are left out. A single name that no shard says is that of
            all, if none of them says that it is of a known split. None: all are taken, as `train` where they have one
            name that is no split's.
        where: the shards lie, for messages.

    Raises:
        SettingsError: there is no such split, or it has to be said which names are splits.
    """
    said = [said_split(shard) for shard in shards]
    names = in_order(set(said))
    if not given:
        if all(name in _KNOWN for name in names):
            return list(said)
        if len(names) == 1:
            return [TRAIN] * len(said)
        known = [name for name in names if name in _KNOWN]
        unknown = next(shard for shard, name in zip(shards, said, strict=True) if name not in _KNOWN)
        take = known or [name for name in names if name][:_TOLD]
        raise SettingsError(
            f"{where} holds shards of {_listed(names)}, and it is not known whether all of these are splits, for "
            f"example {unknown.name}: give --split {','.join(take)} to take "
            f"{'these' if len(take) > 1 else 'this one'}"
            + ("" if known else f", or --split {TRAIN} if all of them are one")
        )
    if set(given) <= set(names):
        return [name if name in given else None for name in said]
    if len(given) == 1 and _KNOWN.isdisjoint(names):
        return [given[0]] * len(said)
    lacking = next(name for name in given if name not in names)
    raise SettingsError(f"split is {','.join(given)!r} but {where} has no shards of {lacking}: it has {_listed(names)}")


def in_order(splits: set[str]) -> list[str]:
    """Splits as they are written: `train` first, `test` last."""
    return sorted(splits, key=lambda name: (name != TRAIN, name == TEST, name))


def _listed(names: Sequence[str]) -> str:
    told = ", ".join(name or "no name" for name in names[:_TOLD])
    return told + (f" and {len(names) - _TOLD:,} others" if len(names) > _TOLD else "")
