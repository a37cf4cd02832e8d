"""What other packages say about pictures, each in an environment of its own that knows nothing of this project:

python -m venv peers && peers/bin/pip install imagehash imagededup
python -m venv fast && fast/bin/pip install fastdup
peers/bin/python benchmarks/dedup_peers.py imagehash PICTURES.npy SAID.npz

PICTURES: uint8 [n, S, S, 3]. SAID has `phash` and `dhash`, uint8 [n, 8], or, of fastdup, which knows pairs and no
codes, `pairs`, int64 [k, 2], and their `similarity`, float64 [k].
"""

import sys
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

NEIGHBORS = 20
"""That fastdup looks at of each picture; no picture of the sets has more copies."""


def imagehash(pictures: Any) -> dict[str, Any]:
    """The imagehash package, with its defaults: 64 bits."""
    import imagehash as package
    from PIL import Image

    images = [Image.fromarray(picture) for picture in pictures]
    return {
        name: np.stack([np.packbits(make(image).hash.ravel()) for image in images])
        for name, make in (("phash", package.phash), ("dhash", package.dhash))
    }


def imagededup(pictures: Any) -> dict[str, Any]:
    """The imagededup package's hashes; its network's weights are downloaded when it is first used."""
    from imagededup.methods import DHash, PHash

    return {
        name: np.stack(
            [np.frombuffer(bytes.fromhex(method.encode_image(image_array=picture)), np.uint8) for picture in pictures]
        )
        for name, method in (("phash", PHash(verbose=False)), ("dhash", DHash(verbose=False)))
    }


def fastdup(pictures: Any) -> dict[str, Any]:
    """The fastdup package: its own networks, which are in the wheel, and its graph of nearest neighbors."""
    import fastdup as package
    from PIL import Image

    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "pictures"
        source.mkdir()
        for row, picture in enumerate(pictures):
            Image.fromarray(picture).save(source / f"{row}.png")
        made = package.create(work_dir=str(Path(folder) / "work"), input_dir=str(source))
        made.run(nearest_neighbors_k=NEIGHBORS, threshold=0.8, overwrite=True, print_summary=False)
        found = made.similarity()
        rows = [[int(Path(name).stem) for name in found[side]] for side in ("filename_from", "filename_to")]
        similarity = found["distance"].to_numpy()
    pairs = np.sort(np.array(rows).T, axis=1)
    pairs, first = np.unique(pairs, axis=0, return_index=True)
    return {"pairs": pairs, "similarity": similarity[first]}


def main() -> None:
    """The command."""
    name, source, target = sys.argv[1:]
    said = {"imagehash": imagehash, "imagededup": imagededup, "fastdup": fastdup}[name](np.load(source))
    np.savez(target, version=version({"imagehash": "ImageHash"}.get(name, name)), **said)


if __name__ == "__main__":
    main()
