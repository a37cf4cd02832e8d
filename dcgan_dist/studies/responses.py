"""The strongest responses of networks to a whole data set, which is streamed once over evaluators; no Ray.

Images are read in batches that are the same however many evaluators there are, and each batch is computed by one of
them, so that the responses are the same to the last bit on machines of one kind.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from torch import Tensor

from dcgan_dist.arrays import Pixels
from dcgan_dist.data.streaming.plan import Integers
from dcgan_dist.evaluation.actor_state import Stage, makes, reads
from dcgan_dist.evaluation.encoders.discriminator import DiscriminatorFeatures, OwnFeatures
from dcgan_dist.evaluation.encoders.maps import to_float
from dcgan_dist.evaluation.service.evaluator import Evaluator, Evaluators
from dcgan_dist.evaluation.task import STATISTICS_BATCH, Labeled
from dcgan_dist.model.batchnorm import with_statistics
from dcgan_dist.studies.guided_backprop import Maps
from dcgan_dist.studies.strongest import Floats, Strongest, merge, strongest

Fitted = DiscriminatorFeatures | OwnFeatures
"""With statistics."""
ROUND: Final = 64 * STATISTICS_BATCH
"""Images of an evaluator in one call: what is read anew where it dies, and how often somebody hears how far it is."""


@dataclass(frozen=True, eq=False)
class Responses:
    """What networks respond to most.

    Attributes:
        strongest: of each network, by name; the images by their places.
        seen: how many images could be decoded.
    """

    strongest: Mapping[str, Strongest]
    seen: int


class Responder(Evaluator):
    """An evaluator that looks at its part of a data set and holds none of it."""

    @makes(Stage.IMAGES)
    def watch(self, images: Labeled, networks: Mapping[str, Fitted]) -> None:
        """Say what is looked at, and by which networks, fitted."""
        self._images = images
        self._maps = {name: fixed_maps(one, self._device) for name, one in networks.items()}

    @reads
    def respond(self, first: int, end: int, k: int) -> Responses:
        """The `k` strongest responses to what this part has of the images at places from `first` to before `end`."""
        mine = self._images.part(self._number, self._parts)
        found: dict[str, Strongest] = {}
        seen = 0
        for places, pixels in read(self._images, mine[(mine >= first) & (mine < end)]):
            x = to_float(pixels, self._device)
            seen += len(places)
            for name, maps in self._maps.items():
                batch = strongest([(places, responses_of(maps, x))], k)
                found[name] = merge([one for one in (found.get(name), batch) if one is not None], k)
        return Responses(found, seen)


def find_responses(
    evaluators: Evaluators,
    images: Labeled,
    networks: Mapping[str, Fitted],
    k: int,
    say: Callable[[str], None],
) -> Responses:
    """The images to which each feature responds most, of all that can be decoded.

    Args:
        evaluators: of the kind `Responder`.
        networks: by name, fitted; each looks at every image that is read.
        k: how many images of each feature.
        say: is told how far it is.

    Returns:
        nothing of any network where no image can be decoded.

    Raises:
        DataError: a shard is gone, or its store fails.
    """
    parts = len(evaluators.each("watch", images, networks))
    found: dict[str, list[Strongest]] = {name: [] for name in networks}
    seen = 0
    for first in range(0, len(images), ROUND * parts):
        say(f"looked at {first:,} of {len(images):,} images")
        for part in evaluators.each("respond", first, min(first + ROUND * parts, len(images)), k):
            seen += part.seen
            for name, one in part.strongest.items():
                found[name] = [merge([*found[name], one], k)]
    return Responses({name: one for name, (one,) in found.items()} if seen else {}, seen)


def read(images: Labeled, places: Integers) -> Iterator[tuple[Integers, Pixels]]:
    """Places of images and the images, uint8 [n, S, S, 3], batch by batch, without those that cannot be decoded."""
    size = images.pictures.image_size
    for first in range(0, len(places), STATISTICS_BATCH):
        batch = places[first : first + STATISTICS_BATCH]
        pixels = np.empty((len(batch), size, size, 3), np.uint8)
        bad = images.pictures.read(images.samples[batch], pixels, np.arange(len(batch)))
        if not bad.all():
            yield batch[~bad], pixels[~bad]


def fixed_maps(encoder: Fitted, device: torch.device) -> Maps:
    """The maps of a copy of a fitted encoder's network on a device, in which images do not change each other.

    Of images [n, 3, S, S], also where the network takes shades of gray: all three channels are the same then, and share
    what goes back to them.
    """
    if encoder.statistics is None:
        raise RuntimeError("responses need statistics: fit the encoder first")
    maps: Maps = with_statistics(encoder.discriminator, encoder.statistics).eval().to(device).maps  # type: ignore[assignment]
    networks = encoder.networks if isinstance(encoder, OwnFeatures) else encoder.discriminator.settings
    return maps if networks.channels == 3 else lambda images: maps(images.mean(1, keepdim=True))


@torch.no_grad()
def responses_of(maps: Maps, images: Tensor) -> Floats:
    """The largest response of each feature of the last layer, over all positions: float32 array [n, C]."""
    found: Floats = maps(images)[-1].flatten(2).amax(2).float().cpu().numpy()
    return found
