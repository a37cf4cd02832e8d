"""Images side by side, in the order that was asked for."""

import io
from pathlib import Path

import numpy as np
from PIL import Image

from dcgan_dist.data.contact_sheet import contact_sheet
from dcgan_dist.data.shards.index import concatenate
from dcgan_dist.data.shards.writer import ShardWriter
from dcgan_dist.storage import Place


def test_images_stand_in_the_order_of_their_rows(tmp_path: Path) -> None:
    with ShardWriter(Place(str(tmp_path)), "train", 2) as writer:
        for shade in (10, 90, 170, 250):
            file = io.BytesIO()
            Image.new("RGB", (12, 12), (shade,) * 3).save(file, "png")
            writer.add(file.getvalue(), suffix="png")
    sheet = Image.open(io.BytesIO(contact_sheet(concatenate(writer.written), np.array([3, 0, 2]), 8)))
    pixels = np.asarray(sheet)[..., 0]
    assert {10, 170, 250} <= set(pixels.ravel().tolist())
    assert 90 not in pixels
    assert [pixels.ravel().tolist().index(shade) for shade in (250, 10, 170)] == sorted(
        pixels.ravel().tolist().index(shade) for shade in (250, 10, 170)
    )
