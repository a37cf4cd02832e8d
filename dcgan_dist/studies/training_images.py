"""The training images of a run, and images that it was not trained on."""

from dataclasses import dataclass, replace

import numpy as np
import simplejpeg

from dcgan_dist.arrays import Pixels
from dcgan_dist.data import keep_list
from dcgan_dist.data.scenes.builtin import EMBEDDED, embedded_image
from dcgan_dist.data.shards.addresses import split_addresses
from dcgan_dist.data.shards.index import Index
from dcgan_dist.errors import DataError, SettingsError
from dcgan_dist.evaluation.task import Labeled
from dcgan_dist.evaluation.tasks.labeled import digest, find_split, open_index, pictures, require_size
from dcgan_dist.evaluation.tasks.neighbours import require_unseen, training_index
from dcgan_dist.run_folder.trained_on import find_trained_on
from dcgan_dist.settings import Settings
from dcgan_dist.storage import Place, place


@dataclass(frozen=True, eq=False)
class ComparedImages:
    """What samples are compared with.

    Attributes:
        train: what the run was trained on.
        held_out: uint8 [m, S, S, 3], images that it was not trained on.
        data: what tells both from other images.
        notes: lines about what is doubtful in them.
    """

    train: Labeled
    held_out: Pixels
    data: str
    notes: tuple[str, ...] = ()


def training_images(run: Place, settings: Settings, data: str, number: int, keep: str = "") -> ComparedImages:
    """What a run was trained on, and at most so many images that it was not.

    Args:
        run: its folder.
        settings: its own.
        data: folder of both; "": that of the run's own data.
        number: of images that it was not trained on.
        keep: keep-list of those it was trained on that are compared; "": all of them.

    Raises:
        DataError: images are not there, are not those that the run was trained on, or those that are held out are; or
            the keep-list is of others.
        SettingsError: it has to be said where they are, or there are no shards for a keep-list.
    """
    size = settings.networks.image_size
    trained_on = find_trained_on(run, settings)
    data = _folder_of(data or settings.data.path) or data
    if data:
        train, test = (open_index(find_split(place(data), split)) for split in ("train", "test"))
        is_own = trained_on.is_own(train)
        if is_own is False:
            theirs = (
                "leave --data out, since it drew its own"
                if settings.data.path == EMBEDDED
                else f"give the folder that holds those of {settings.data.path} as train-*.tar"
            )
            raise DataError(
                f"the shards train-*.tar of {data} are not the ones that {run} was trained on, so copies of its "
                f"training images would not be found: {theirs}"
            )
        doubt = [] if is_own else [f"it is not known whether {run} was trained on {data}/train-*.tar"]
        train = keep_list.load(place(keep)).apply(train, doubt.append) if keep else trained_on.kept(train, doubt.append)
        notes = dict.fromkeys([*doubt, *require_unseen(test, settings, trained_on), *train.notes, *test.notes])
        others = _unlabeled(test, size, settings)
        held_out = others.read(np.arange(min(number, len(test))))
        return ComparedImages(_unlabeled(train, size, settings), held_out, digest((train, test)), tuple(notes))
    if keep:
        raise SettingsError(
            f"keep is {keep}, but there is no folder of train-*.tar and test-*.tar to apply it to: give --data FOLDER"
        )
    if settings.data.path != EMBEDDED:
        raise SettingsError(
            f"{run} was trained on {settings.data.path}, beside which there is no test-*.tar: give --data FOLDER with "
            "those images as train-*.tar, and others as test-*.tar"
        )
    first = settings.data.scenes_images
    more = (embedded_image(settings.data.scenes, size, first + i)[0] for i in range(number))
    train, doubts = training_index(run, settings, trained_on)
    if trained_on.before:
        other = next(iter(trained_on.before))
        doubts = [
            *doubts,
            f"held-out scenes may have been trained on by a run that this one began with, as {other} was",
        ]
    held_out = np.stack([simplejpeg.decode_jpeg(jpeg) for jpeg in more])
    return ComparedImages(_unlabeled(train, size, settings), held_out, digest([train]), tuple(doubts))


def own_images(run: Place, settings: Settings, data: str) -> tuple[Labeled, str, list[str]]:
    """What a run was trained on alone, what tells these images from others, and lines about what is doubtful in them.

    Args:
        run: its folder.
        settings: its own.
        data: folder of images that are taken instead, as train-*.tar; "": the run's own.

    Raises:
        DataError: images are not there, or the run's own have changed.
    """
    trained_on, size = find_trained_on(run, settings), settings.networks.image_size
    if not data:
        index, notes = training_index(run, settings, trained_on)
        return _unlabeled(index, size, settings), digest([index]), [*notes, *index.notes]
    index = open_index(find_split(place(data), "train"))
    notes = []
    if trained_on.is_own(index):
        index = trained_on.kept(index, notes.append)
    else:
        notes.append(f"{run} was not trained on {data}/train-*.tar, or it is not known")
    return _unlabeled(index, size, settings), digest([index]), [*notes, *index.notes]


def other_images(folder: str, size: int) -> tuple[Labeled, str, list[str]]:
    """Images for networks that are no run's, what tells them from others, and lines about what is doubtful in them.

    Args:
        folder: of the images, as train-*.tar.
        size: height and width of the networks' images, in pixels.

    Raises:
        DataError: images are not there, or have another size.
    """
    at = find_split(place(folder), "train")
    index = open_index(at)
    require_size(index, size, at, f"prepare them with --size {size}")
    found = Labeled(pictures(index, size), np.arange(len(index)), np.zeros(len(index), np.int64))
    return found, digest([index]), list(index.notes)


def _folder_of(address: str) -> str:
    """The folder of an address of training images, where that also holds others as `test`; else empty."""
    if address == EMBEDDED or len(split_addresses(address)) != 1:
        return ""
    where = place(address)
    for folder in (where, where.parent):
        if folder.is_folder():
            names = folder.children()
            splits = [split for split in ("train", "test") if any(name.startswith(split) for name in names)]
            return str(folder) if splits == ["train", "test"] else ""
    return ""


def _unlabeled(index: Index, size: int, settings: Settings) -> Labeled:
    shown = replace(pictures(index, size), fit=settings.data.fit, channels=settings.networks.channels)
    return Labeled(shown, np.arange(len(index)), np.zeros(len(index), np.int64))
