"""Damages shards in many ways, each by a random generator alone, and says what has to come of it: see fuzz.py."""

import io
import re
import struct
import tarfile
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from PIL import Image

from dcgan_dist.data.shards import tar

SAMPLES = 6
"""Of each shard, one picture each."""
SIZE = 16
"""Height and width to which readers bring them; some have it already."""

ANY, BAD = -1, -2

Random = np.random.Generator


@dataclass(frozen=True)
class File:
    """A file as it lies in a shard: header blocks, the last its own; body without padding; number of its sample."""

    name: str
    head: bytes
    body: bytes
    sample: int

    @property
    def is_image(self) -> bool:
        return self.name.endswith((".jpg", ".png", ".webp"))

    @property
    def raw(self) -> bytes:
        return self.head + self.body + tar.padding(len(self.body))

    def with_body(self, body: bytes) -> "File":
        return replace(self, body=body, head=self.head[:-512] + forged(self.head[-512:], 124, b"%011o\0" % len(body)))


@dataclass(frozen=True)
class Case:
    """A mutated shard and what has to come of it.

    Attributes:
        data: the shard.
        whole: so many samples at its beginning are as they were, and come first.
        found: all that comes, where that is known: a number of a sample, `ANY` (a picture or a bad one), or `BAD`.
        labels: whether samples of `found` keep their class numbers.
        told: whether the shard has to be torn unless all is as it was, so that nothing is lost in silence.
    """

    data: bytes
    whole: int = 0
    found: tuple[int, ...] | None = None
    labels: bool = True
    told: bool = False


def files_of(data: bytes) -> list[File]:
    """The files of a whole shard, as Python's own library finds them."""
    keys: dict[str, int] = {}
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        found = [
            File(
                member.name,
                data[member.offset : member.offset_data],
                data[member.offset_data : member.offset_data + member.size],
                keys.setdefault(member.name.partition(".")[0], len(keys)),
            )
            for member in archive.getmembers()
        ]
    assert len(keys) == SAMPLES
    assert data.strip(b"\0") == joined(found).strip(b"\0")
    return found


def joined(files: Sequence[File], end: bytes = tar.END) -> bytes:
    return b"".join(file.raw for file in files) + end


def forged(block: bytes, at: int, value: bytes) -> bytes:
    """A header with other bytes, and the checksum that fits them."""
    changed = bytearray(block)
    changed[at : at + len(value)] = value
    changed[148:156] = b" " * 8
    changed[148:156] = b"%06o\0 " % sum(changed)
    return bytes(changed)


def member(name: bytes, body: bytes = b"", kind: bytes = b"0", size: bytes | None = None) -> bytes:
    """A member of any kind and name that declares any size."""
    block = forged(tar.header("x", len(body)), 0, name.ljust(100, b"\0"))
    block = forged(block, 156, kind)
    return (block if size is None else forged(block, 124, size)) + body + tar.padding(len(body))


def record(key: bytes, value: bytes) -> bytes:
    """A record of a pax header, which begins with its own length."""
    length = len(key) + len(value) + 3
    length += len(str(length + len(str(length))))
    return b"%d %s=%s\n" % (length, key, value)


def renamed(file: File, name: bytes, how: str) -> bytes:
    """The file under another name, written in one of three ways."""
    if how == "plain" and len(name) <= 100:
        return forged(forged(file.head[-512:], 345, bytes(155)), 0, name.ljust(100, b"\0")) + file.raw[len(file.head) :]
    if how == "gnu":
        extension = member(b"././@LongLink", name + b"\0", b"L")
    else:
        extension = member(b"PaxHeaders/x", record(b"path", name), b"x")
    return extension + file.head[-512:] + file.raw[len(file.head) :]


# What is done to them: each takes a random generator and the files of a shard

EVERY = tuple(range(SAMPLES))


def without(*numbers: int) -> tuple[int, ...]:
    return tuple(number for number in EVERY if number not in numbers)


def instead(sample: int, what: int) -> tuple[int, ...]:
    return tuple(what if number == sample else number for number in EVERY)


def any_file(rng: Random, files: Sequence[File]) -> int:
    return int(rng.integers(len(files)))


def any_image(rng: Random, files: Sequence[File]) -> int:
    return int(rng.choice([i for i, file in enumerate(files) if file.is_image]))


def any_of(rng: Random, choices: Sequence[bytes]) -> bytes:
    return choices[int(rng.integers(len(choices)))]


def sample_at(files: Sequence[File], position: int) -> int:
    """The sample that a byte of the shard belongs to; the number of all for the end mark."""
    end = 0
    for file in files:
        end += len(file.raw)
        if position < end:
            return file.sample
    return SAMPLES


def flipped(rng: Random, data: bytes, times: int, low: int = 0, high: int | None = None) -> bytes:
    """Data with random bits turned in [low, high)."""
    changed = bytearray(data)
    for at in rng.integers(low, len(data) if high is None else high, times if len(data) > low else 0):
        changed[at] ^= 1 << rng.integers(8)
    return bytes(changed)


def put(files: Sequence[File], i: int, raw: bytes, place_of: int = 1) -> bytes:
    """The shard with other bytes in the place of some of its files."""
    return joined(files[:i], b"") + raw + joined(files[i + place_of :])


def with_image(files: Sequence[File], i: int, body: bytes, what: int) -> Case:
    return Case(put(files, i, files[i].with_body(body).raw), found=instead(files[i].sample, what))


def flip_header(rng: Random, files: Sequence[File]) -> Case:
    i = any_file(rng, files)
    head = flipped(rng, files[i].head, 1, len(files[i].head) - 512)
    return Case(put(files, i, head + files[i].raw[len(head) :]), files[i].sample, told=True)


def flip_extension(rng: Random, files: Sequence[File]) -> Case:
    i = any_file(rng, files)
    head = flipped(rng, files[i].head, int(rng.integers(1, 9)))
    return Case(put(files, i, head + files[i].raw[len(head) :]), files[i].sample)


def flip_body(rng: Random, files: Sequence[File]) -> Case:
    i = any_file(rng, files)
    file = replace(files[i], body=flipped(rng, files[i].body, int(rng.integers(1, 9))))
    found = instead(file.sample, ANY) if file.is_image else EVERY
    return Case(put(files, i, file.raw), found=found, labels=not file.name.endswith(".cls"))


def flip_anywhere(rng: Random, files: Sequence[File]) -> Case:
    data = joined(files)
    first = int(rng.integers(len(data)))
    return Case(flipped(rng, data, int(rng.integers(1, 40)), first), sample_at(files, first))


def overwrite(rng: Random, files: Sequence[File]) -> Case:
    data = joined(files)
    at = int(rng.integers(len(data)))
    noise = rng.bytes(min(int(rng.integers(1, 3000)), len(data) - at))
    return Case(data[:at] + noise + data[at + len(noise) :], sample_at(files, at))


def hole(rng: Random, files: Sequence[File]) -> Case:
    """Zeros from the beginning of a header on."""
    data, i = joined(files), any_file(rng, files)
    at = len(joined(files[:i], b""))
    length = min(512 * int(rng.integers(1, 12)), len(data) - at - len(tar.END))
    # Where nothing but zeros follows, and not many, nobody can tell that there was more.
    last = not data[at + length :].strip(b"\0")
    return Case(data[:at] + bytes(length) + data[at + length :], files[i].sample, told=not last)


def cut(rng: Random, files: Sequence[File]) -> Case:
    data = joined(files)
    at = int(rng.integers(len(data)))
    return Case(data[:at], sample_at(files, at), told=True)


def insert(rng: Random, files: Sequence[File]) -> Case:
    data = joined(files)
    at = int(rng.integers(len(data)))
    noise = rng.bytes(int(rng.integers(1, 600))) if rng.integers(2) else bytes(int(rng.integers(1, 1100)))
    return Case(data[:at] + noise + data[at:], sample_at(files, at))


def insert_zero_block(rng: Random, files: Sequence[File]) -> Case:
    i = any_file(rng, files)
    return Case(put(files, i, bytes(512) + files[i].raw), files[i].sample, told=True)


def swap_headers(rng: Random, files: Sequence[File]) -> Case:
    i, j = sorted(rng.choice(len(files), 2, replace=False).tolist())
    changed = list(files)
    changed[i], changed[j] = replace(files[i], head=files[j].head), replace(files[j], head=files[i].head)
    return Case(joined(changed), files[i].sample)


def double_header(rng: Random, files: Sequence[File]) -> Case:
    i = any_file(rng, files)
    return Case(put(files, i, files[i].head + files[i].raw), files[i].sample)


def lose_header(rng: Random, files: Sequence[File]) -> Case:
    i = any_file(rng, files)
    return Case(put(files, i, files[i].raw[len(files[i].head) :]), files[i].sample)


def shuffle(rng: Random, files: Sequence[File]) -> Case:
    order = rng.permutation(SAMPLES).tolist()
    return Case(joined([file for sample in order for file in files if file.sample == sample]), found=tuple(order))


def repeat(rng: Random, files: Sequence[File]) -> Case:
    """Some samples are there twice, neighboring: a key has one image."""
    chosen = sorted([*EVERY, *rng.integers(SAMPLES, size=4).tolist()])
    return Case(joined([file for sample in chosen for file in files if file.sample == sample]), found=EVERY)


HOSTILE_IMAGES = (
    b"../../../x.jpg",
    b"/etc/passwd.jpg",
    b"C:\\x.jpg",
    b"~/x.jpg",
    b"x.jpg\0/../b",
    b"a\n\x1b[31mb.jpg",
    b"\xff\xfe\xfd.jpg",
    "\u202egpj.jpg".encode(),
    b"%s%n{0}$HOME.PNG",
    b"n" * 10_240 + b".jpg",
    b"d/" * 5_120 + b"x.webp",
    b"_" * 10_240 + b".jpeg",
)
HOSTILE_OTHERS = (
    b"x",
    b".jpg",
    b"x.jpg.txt",
    b"__x__/a.jpg",
    b"x.jpg/",
    b"\0x.jpg",
    b"../..",
    b"." * 10_240 + b"jpg",
    b"__" * 5_120 + b"/x.jpg",
)


def hostile_name(rng: Random, files: Sequence[File]) -> Case:
    i = any_image(rng, files)
    how = ("plain", "gnu", "pax")[int(rng.integers(3))]
    is_image = bool(rng.integers(3))
    name = any_of(rng, HOSTILE_IMAGES if is_image else HOSTILE_OTHERS)
    found = EVERY if is_image else without(files[i].sample)
    return Case(put(files, i, renamed(files[i], name, how)), found=found, labels=False)


def one_name(rng: Random, files: Sequence[File]) -> Case:
    """All images have the same name; where nothing is between them they are of one key, which has one image."""
    how = ("plain", "gnu", "pax")[int(rng.integers(3))]
    raw = [renamed(file, b"same.jpg", how) if file.is_image else file.raw for file in files]
    found = tuple(
        file.sample for i, file in enumerate(files) if file.is_image and not (i > 0 and files[i - 1].is_image)
    )
    return Case(b"".join(raw) + tar.END, found=found, labels=False)


LYING_SIZES = (
    b"77777777777\0",
    b"\x80" + b"\xff" * 11,
    b"\x80" + b"\0" * 3 + b"\x7f" + b"\xff" * 7,
    b"\xff" * 12,
    b"\xff" * 11 + b"\0",
    b"-0000000001\0",
    b"0x000000010\0",
    b"89999999999\0",
    b"1 1 1 1 1 1 ",
    b"\0" * 12,
    b" " * 12,
    b"00000000001\0",
    b"00000000777\0",
    b"00000002000\0",
    b"00000100000\0",
)


def lying_size(rng: Random, files: Sequence[File]) -> Case:
    i = any_file(rng, files)
    head = files[i].head[:-512] + forged(files[i].head[-512:], 124, any_of(rng, LYING_SIZES))
    file = replace(files[i], head=head)
    raw = file.raw if rng.integers(2) else renamed(file, b"n" * 10_240 + b".jpg", "gnu")
    return Case(put(files, i, raw), files[i].sample)


LYING_RECORDS = (
    *(
        record(b"size", value)
        for value in (b"-1", b"0", b"7", b"1e9", b"", b"9" * 19, b"9" * 400, b"0x10", b"\xd9\xa3")
    ),
    *(b"%d path=x.jpg\n" % length for length in (0, 1, 5, 12, 14, 600, 99_999_999, 999_999_999_999)),
    b"-5 path=x\n",
    b"13 path=x.jpg",
    b"nonsense",
    b"5 a=\n" * 3_000,
    b"9" * 20_000,
    b"8 " + b"k" * 20_000,
    record(b"path", b""),
    record(b"", b"x"),
    record(b"path", b"z" * (1 << 20)),
    record(b"size", b"\n" * 20_000),
    record(b"GNU.sparse.major", b"1") + record(b"GNU.sparse.name", b"x.jpg"),
    record(b"hdrcharset", b"BINARY") + record(b"path", b"\xff\xff.jpg") + record(b"size", b"99999999"),
)


def lying_extension(rng: Random, files: Sequence[File]) -> Case:
    i = any_file(rng, files)
    body = any_of(rng, LYING_RECORDS)
    size = any_of(rng, LYING_SIZES) if not rng.integers(4) else None
    extension = member(b"PaxHeaders/x", body, any_of(rng, (b"x", b"x", b"X", b"L", b"g", b"K")), size)
    return Case(put(files, i, extension + files[i].raw), files[i].sample)


def links_and_devices(rng: Random, files: Sequence[File]) -> Case:
    """They have no body, whatever they declare, and are no images, whatever they are called."""
    i = any_file(rng, files)
    raw = b"".join(
        member(b"link%d.jpg" % kind, b"", b"%d" % kind, any_of(rng, LYING_SIZES[:3] + LYING_SIZES[-4:]))
        for kind in rng.integers(1, 7, 3)
    )
    return Case(put(files, i, raw + files[i].raw), found=EVERY)


def unknown_kind(rng: Random, files: Sequence[File]) -> Case:
    """Kinds of other programs, with a body to be passed over."""
    i = any_file(rng, files)
    raw = member(
        b"x.jpg", rng.bytes(int(rng.integers(2000))), any_of(rng, (b"g", b"K", b"D", b"V", b"A", b"Z", b"\xff"))
    )
    return Case(put(files, i, raw + files[i].raw), found=EVERY)


def sparse(rng: Random, files: Sequence[File]) -> Case:
    i = any_image(rng, files)
    head = files[i].head[:-512] + forged(files[i].head[-512:], 156, b"S")
    return Case(put(files, i, head + files[i].raw[len(head) :]), files[i].sample, told=True)


def rubbish_beside(rng: Random, files: Sequence[File]) -> Case:
    """Nothing is lost by what lies beside an image, and a class number that is none is no label."""
    others = [i for i, file in enumerate(files) if not file.is_image]
    if not others:
        return unknown_kind(rng, files)
    i = int(rng.choice(others))
    choices = (rng.bytes(600), b"", b"[" * 100_000, b'{"a": ', b"-1", b"9" * 32, b"9" * 5_000, b"1e9", b"\xff\xfe1\0")
    changed = files[i].with_body(any_of(rng, choices))
    return Case(put(files, i, changed.raw), found=EVERY, labels=not changed.name.endswith(".cls"))


# Pictures


def png_chunks(data: bytes) -> list[tuple[bytes, bytes]]:
    chunks, at = [], 8
    while at < len(data):
        (length,) = struct.unpack_from(">I", data, at)
        chunks.append((data[at + 4 : at + 8], data[at + 8 : at + 8 + length]))
        at += 12 + length
    return chunks


def png_of(chunks: Sequence[tuple[bytes, bytes]]) -> bytes:
    """A PNG whose checksums are right, whatever is in it."""
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in chunks
    )


def plain_png(width: int, height: int, kind: tuple[int, int], *, pixels: bytes, interlaced: int = 0) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, *kind, 0, 0, interlaced)
    return png_of([(b"IHDR", header), (b"IDAT", pixels), (b"IEND", b"")])


def encoded(kind: str, mode: str = "RGB", side: int = 24, **options: object) -> bytes:
    file = io.BytesIO()
    Image.linear_gradient("L").resize((side, side)).convert(mode).save(file, kind, **options)
    return file.getvalue()


def jpeg_that_declares(width: int, height: int, **options: object) -> bytes:
    data = bytearray(encoded("jpeg", **options))
    at = max(data.find(b"\xff\xc0"), data.find(b"\xff\xc2"))
    data[at + 5 : at + 9] = struct.pack(">HH", height, width)
    return bytes(data)


def webp_that_declares(width: int, height: int) -> bytes:
    """An extended WebP with a canvas of any size, around a small frame."""
    frame = encoded("webp")[12:]
    canvas = struct.pack("<I", 0) + (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    body = b"WEBPVP8X" + struct.pack("<I", len(canvas)) + canvas + frame
    return b"RIFF" + struct.pack("<I", len(body)) + body


@lru_cache(maxsize=1)
def bombs() -> tuple[bytes, ...]:
    """Small files that are large pictures, or say so, or take long."""
    some = zlib.compress(bytes(1_000))
    megabyte = zlib.compress(bytes(1 << 20), 9)
    first, *rest = png_chunks(encoded("png"))
    lossless = bytearray(encoded("webp", lossless=True))
    lossless[21:25] = (int.from_bytes(lossless[21:25], "little") | 0x0FFFFFFF).to_bytes(4, "little")
    lossy = bytearray(encoded("webp"))
    lossy[26:30] = b"\xff\x3f\xff\x3f"
    scans = encoded("jpeg", "CMYK", progressive=True)
    scan = scans[scans.rindex(b"\xff\xda") : -2]
    return (
        plain_png(60_000, 60_000, (8, 2), pixels=some),
        plain_png(60_000, 60_000, (16, 6), pixels=some, interlaced=1),
        plain_png(2**31 - 1, 1, (8, 0), pixels=some),
        # This one does hold its pixels: without a limit it takes 400 MB.
        plain_png(9_000, 9_000, (1, 0), pixels=zlib.compress(bytes(9_000 * 1_126), 9)),
        jpeg_that_declares(60_000, 60_000),
        jpeg_that_declares(60_000, 60_000, progressive=True),
        jpeg_that_declares(60_000, 60_000, mode="CMYK"),
        webp_that_declares(60_000, 60_000),
        webp_that_declares(1 << 24, 1 << 24),
        bytes(lossless),
        bytes(lossy),
        png_of([first, *((b"zTXt", b"k%d\0\0" % i + megabyte) for i in range(80)), *rest]),
        png_of([first, (b"iCCP", b"k\0\0" + zlib.compress(bytes(2 << 20))), *rest]),
        scans[:-2] + scan * 20_000 + scans[-2:],
    )


def bomb(rng: Random, files: Sequence[File]) -> Case:
    return with_image(files, any_image(rng, files), any_of(rng, bombs()), BAD)


def cut_picture(rng: Random, files: Sequence[File]) -> Case:
    i = any_image(rng, files)
    body = files[i].body
    return with_image(files, i, body[: int(len(body) * rng.uniform(0, 0.9))], BAD)


def no_picture(rng: Random, files: Sequence[File]) -> Case:
    magics = (b"", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"RIFF\xff\xff\xff\xffWEBPVP8X", b"GIF89a", b"BM", b"II*\0")
    return with_image(files, any_image(rng, files), any_of(rng, magics) + rng.bytes(int(rng.integers(300))), BAD)


def stitched(rng: Random, files: Sequence[File]) -> Case:
    i, j = any_image(rng, files), any_image(rng, files)
    one, other = files[i].body, files[j].body
    body = one[: int(rng.integers(len(one)))] + other[int(rng.integers(len(other))) :]
    return with_image(files, i, body, ANY)


def other_kind(rng: Random, files: Sequence[File]) -> Case:
    """A picture is told by its bytes, not by its name."""
    i, j = any_image(rng, files), any_image(rng, files)
    return replace(with_image(files, i, files[j].body, files[j].sample), labels=False)


def edited_png(rng: Random, files: Sequence[File]) -> Case:
    i = any_image(rng, files)
    mode = ("RGB", "RGBA", "P", "1", "LA", "I;16")[int(rng.integers(6))]
    options: dict[str, object] = {"transparency": int(rng.integers(300))} if mode in ("P", "1") else {}
    chunks = png_chunks(encoded("png", mode, **options))
    for _ in range(int(rng.integers(1, 4))):
        at = int(rng.integers(len(chunks)))
        kind, body = chunks[at]
        act = rng.integers(6)
        if act == 0:
            chunks[at] = kind, flipped(rng, body, int(rng.integers(1, 9)))
        elif act == 1:
            depth, colors = int(rng.choice([1, 2, 4, 8, 16, 3])), int(rng.choice([0, 2, 3, 4, 6, 1]))
            sides = rng.integers(0, 40, 2).tolist()
            chunks[0] = b"IHDR", struct.pack(">IIBBBBB", *sides, depth, colors, 0, 0, int(rng.integers(3)))
        elif act == 2:
            chunks.insert(at, (kind, body))
        elif act == 3 and len(chunks) > 1:
            del chunks[at]
        elif act == 4:
            names = (b"tRNS", b"PLTE", b"eXIf", b"iCCP", b"acTL", b"fcTL", b"fdAT", b"gAMA", b"pHYs", b"tEXt", b"iTXt")
            chunks.insert(at, (any_of(rng, names), rng.bytes(int(rng.integers(40)))))
        else:
            keys = (b"exif", b"transparency", b"icc_profile", b"Raw profile type exif", b"XML:com.adobe.xmp")
            chunks.insert(at, (b"tEXt", any_of(rng, keys) + b"\0" + rng.bytes(int(rng.integers(40)))))
    return with_image(files, i, png_of(chunks), ANY)


def edited_jpeg(rng: Random, files: Sequence[File]) -> Case:
    i = any_image(rng, files)
    mode = ("RGB", "L", "CMYK")[int(rng.integers(3))]
    data = encoded("jpeg", mode, side=int(rng.choice([SIZE, 24])), progressive=bool(rng.integers(2)))
    for _ in range(int(rng.integers(1, 4))):
        if rng.integers(2):
            data = flipped(rng, data, int(rng.integers(1, 4)), 2, data.find(b"\xff\xda") + 12)
            continue
        starts = (
            b"Exif\0\0II*\0",
            b"Exif\0\0",
            b"ICC_PROFILE\0\1\2",
            b"Adobe\0d\0\0\0\0",
            b"MPF\0II*\0",
            b"JFIF\0",
            b"",
        )
        body = any_of(rng, starts) + rng.bytes(int(rng.integers(60)))
        kind = int(rng.choice([0xE0, 0xE1, 0xE2, 0xED, 0xEE, 0xFE, 0xDB, 0xC4, 0xDD, 0xC0, 0xFF, 0xD0]))
        data = data[:2] + bytes([0xFF, kind]) + struct.pack(">H", len(body) + 2) + body + data[2:]
    return with_image(files, i, data, ANY)


def odd_sampling(rng: Random, files: Sequence[File]) -> Case:
    """A JPEG that says of one color that it is sampled otherwise than it is."""
    i = any_image(rng, files)
    data = bytearray(encoded("jpeg"))
    across, down, color = int(rng.integers(1, 5)), int(rng.integers(1, 5)), int(rng.choice([0, 0, 0, 1, 2]))
    data[data.index(b"\xff\xc0") + 11 + 3 * color] = across << 4 | down
    return with_image(files, i, bytes(data), ANY)


def edited_webp(rng: Random, files: Sequence[File]) -> Case:
    i = any_image(rng, files)
    frames: dict[str, object] = {}
    if rng.integers(2):
        pages = [Image.new("RGBA", (24, 24), (9 * page, 0, 0, 99)) for page in range(3)]
        frames = {"save_all": True, "append_images": pages}
    data = bytearray(encoded("webp", "RGBA", exif=b"Exif\0\0II*\0rubbish", **frames))
    for _ in range(int(rng.integers(1, 4))):
        at = int(rng.choice([found.start() for found in re.finditer(b"RIFF|VP8X|VP8L|VP8 |ALPH|ANIM|ANMF|EXIF", data)]))
        size = int(rng.choice([0, 1, 7, 2**31, 2**32 - 1, int(rng.integers(200))]))
        data[at + 4 : at + 8] = struct.pack("<I", size)
        data[:] = flipped(rng, bytes(data), int(rng.integers(4)), 12)
        if not re.search(b"RIFF|VP8|ALPH|ANIM|ANMF|EXIF", data[at:]):
            break
    return with_image(files, i, bytes(data), ANY)


MUTATIONS: tuple[Callable[[Random, Sequence[File]], Case], ...] = (
    flip_header,
    flip_extension,
    flip_body,
    flip_anywhere,
    overwrite,
    hole,
    cut,
    insert,
    insert_zero_block,
    swap_headers,
    double_header,
    lose_header,
    shuffle,
    repeat,
    hostile_name,
    one_name,
    lying_size,
    lying_extension,
    links_and_devices,
    unknown_kind,
    sparse,
    rubbish_beside,
    bomb,
    cut_picture,
    no_picture,
    stitched,
    other_kind,
    edited_png,
    edited_jpeg,
    odd_sampling,
    edited_webp,
)


def crowd() -> bytes:
    """One key has 20,000 images and as many class numbers."""
    return member(b"a.jpg") * 20_000 + member(b"a.cls", b"7") * 20_000 + tar.END
