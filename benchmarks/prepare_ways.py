"""From a folder of photographs to tars of 64-pixel JPEGs: ways of others, each as a whole command; and the work alone.

python -m benchmarks.prepare_ways torchvision PHOTOGRAPHS TARS
python -m benchmarks.prepare_ways img2dataset PHOTOGRAPHS TARS
python -m benchmarks.prepare_ways limit PHOTOGRAPHS

PHOTOGRAPHS holds a folder of JPEGs for each class. Two processes share them and write a tar each, in the order of the
folder. `limit` has all of them in memory first, writes nothing, and prints how many images a second were made.
"""

import io
import multiprocessing
import sys
import tarfile
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

SIZE, QUALITY, PROCESSES = 64, 95, 2
MAX_PIXELS = 1 << 24
SUFFIX = "JPEG"
"""Of the photographs."""


def in_processes(do: Callable[[int], None]) -> None:
    """Call a function in all processes at once, with their numbers; raises `RuntimeError` where one fails.

    They are forked, so that what has been imported and read is there already.
    """
    processes = [multiprocessing.get_context("fork").Process(target=do, args=(number,)) for number in range(PROCESSES)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    if failed := [process.exitcode for process in processes if process.exitcode]:
        raise RuntimeError(f"a process ended with status {failed[0]}")


def write_tar(target: Path, number: int, images: Iterable[tuple[bytes, int]]) -> None:
    """Write JPEGs and their class numbers into a tar."""
    with tarfile.open(target / f"train-{number:06d}.tar", "w") as shard:
        for row, (data, label) in enumerate(images):
            for suffix, body in (("jpg", data), ("cls", str(label).encode())):
                member = tarfile.TarInfo(f"{number}-{row:06d}.{suffix}")
                member.size = len(body)
                shard.addfile(member, io.BytesIO(body))


def by_torchvision(source: Path, target: Path) -> None:
    """torchvision's `ImageFolder`, its transforms, and Pillow's encoder, as examples and recipes have it."""
    import torch
    from torchvision.datasets import ImageFolder
    from torchvision.transforms import CenterCrop, Compose, Resize

    torch.set_num_threads(1)
    pictures = ImageFolder(str(source), Compose([Resize(SIZE), CenterCrop(SIZE)]))

    def encoded(row: int) -> tuple[bytes, int]:
        image, label = pictures[row]
        file = io.BytesIO()
        image.save(file, "JPEG", quality=QUALITY, subsampling=0)
        return file.getvalue(), label

    in_processes(lambda number: write_tar(target, number, map(encoded, range(number, len(pictures), PROCESSES))))


def by_img2dataset(source: Path, target: Path) -> None:
    """What img2dataset's `Resizer` does for `resize_mode="center_crop"`, on files instead of downloads.

    Its sampling of colors is OpenCV's default; here it is that of all others, 4:4:4.
    """
    import cv2

    cv2.setNumThreads(1)
    photographs, classes = listed(source)
    options = [
        cv2.IMWRITE_JPEG_QUALITY,
        QUALITY,
        cv2.IMWRITE_JPEG_SAMPLING_FACTOR,
        cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444,
    ]

    def encoded(photograph: Path) -> tuple[bytes, int]:
        import numpy as np

        image = cv2.imdecode(np.frombuffer(photograph.read_bytes(), np.uint8), cv2.IMREAD_COLOR)
        assert image is not None
        height, width = image.shape[:2]
        scale = SIZE / min(height, width)
        image = cv2.resize(image, (round(width * scale), round(height * scale)), interpolation=cv2.INTER_AREA)
        top, left = (image.shape[0] - SIZE) // 2, (image.shape[1] - SIZE) // 2
        found, data = cv2.imencode(".jpg", image[top : top + SIZE, left : left + SIZE], options)
        assert found
        return data.tobytes(), classes.index(photograph.parent.name)

    in_processes(lambda number: write_tar(target, number, map(encoded, photographs[number::PROCESSES])))


def limit(source: Path) -> float:
    """Images per second of our decoder and encoder alone, from bytes in memory."""
    import numpy as np

    from dcgan_dist.data.image_decoding import decode
    from dcgan_dist.data.preparation.encoding import ImageFormat, encode_pixels

    form = ImageFormat(SIZE, "resize", 3, "jpeg", QUALITY, MAX_PIXELS, MAX_PIXELS)
    files = [photograph.read_bytes() for photograph in listed(source)[0]]

    def work(number: int) -> None:
        out = np.empty((SIZE, SIZE, 3), np.uint8)
        for data in files[number::PROCESSES]:
            decode(data, out, fit="resize", max_pixels=MAX_PIXELS)
            encode_pixels(out, form, lossless=False)

    start = time.perf_counter()
    in_processes(work)
    return len(files) / (time.perf_counter() - start)


def listed(source: Path) -> tuple[list[Path], list[str]]:
    """The photographs in a folder of folders, and the names of these, both sorted."""
    photographs = sorted(source.glob(f"*/*.{SUFFIX}"))
    return photographs, sorted({photograph.parent.name for photograph in photographs})


def main(arguments: Sequence[str]) -> None:
    """The command."""
    way, source, *target = arguments
    if way == "limit":
        print(limit(Path(source)))
        return
    {"torchvision": by_torchvision, "img2dataset": by_img2dataset}[way](Path(source), Path(*target))


if __name__ == "__main__":
    main(sys.argv[1:])
