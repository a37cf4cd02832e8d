"""From the bytes of an image file to a row of pixels: decode, turn upright, convert to RGB, fit to the size; no Ray.

Ordinary JPEGs go through simplejpeg, which takes a sixth of Pillow's time. Everything rare goes to Pillow.
"""

import io
import re
from typing import Literal

import numpy as np
import simplejpeg
from numpy.typing import NDArray
from PIL import Image

from dcgan_dist.arrays import Pixels

Fit = Literal["resize", "crop"]

SUFFIXES = ("jpg", "jpeg", "jpe", "jfif", "png", "webp")
"""Kinds of files that can be decoded, by the end of their name in lower case."""

# What simplejpeg turns into RGB; the rest is CMYK in two spellings.
_ORDINARY = ("YCbCr", "Gray", "RGB")

# How a picture of each EXIF orientation is turned upright.
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

_PILLOW_FORMATS = ("JPEG", "PNG", "WEBP")

# Pillow's own limit is one number for the whole process and only warns up to twice of it; `max_pixels` is checked here
# instead, on the declared size, before anything is decoded.
Image.MAX_IMAGE_PIXELS = None


# A progressive JPEG sends its pixels in about ten scans. Each makes the decoder go over all of them, however few bytes
# it has, so that a file of some megabytes could keep it busy for hours.
_MOST_SCANS = 100

# Frames without progression, and what may come before them: tables, restart interval, applications' own, comments.
_BASELINE = frozenset((0xC0, 0xC1))
_SEGMENTS = frozenset((0xC4, 0xDB, 0xDD, *range(0xE0, 0xF0), 0xFE))

# No JPEG that is worth its name has more bytes than pixels, three a pixel, besides its tables.
_TABLES_BYTES = 1024


# What libjpeg warns of when pixels are missing, which it makes up. Its other warnings (bytes too many before a marker,
# an unknown revision of JFIF) leave a picture that every viewer shows.
_MISSING = re.compile("premature end|bad Huffman code|bad arithmetic code|instead of RST", re.IGNORECASE)

# How files of other kinds begin, which often have the suffix of a picture.
_OTHERS = (
    (0, b"GIF8", "a GIF"),
    (0, b"BM", "a BMP"),
    (0, b"II*\0", "a TIFF"),
    (0, b"MM\0*", "a TIFF"),
    (0, b"%PDF", "a PDF"),
    (0, b"\xff\x0a", "a JPEG XL"),
    (0, b"\0\0\0\x0cJXL ", "a JPEG XL"),
    (0, b"\0\0\0\x0cjP  ", "a JPEG 2000"),
    (4, b"ftypavi", "an AVIF"),
    (4, b"ftyphei", "a HEIC"),
    (4, b"ftypmif1", "a HEIC"),
    (0, b"<", "a page of HTML or XML, perhaps of a download that failed"),
)


class BadImage(Exception):
    """The bytes are no picture that can be used; the text says why. Such files are counted, they do not stop a run."""


def decode(data: bytes, out: Pixels, *, fit: Fit, max_pixels: int) -> None:
    """Decode a JPEG, PNG or WebP file into a row of a batch.

    Whatever its mode, the picture becomes RGB: grey is repeated, 16 bits keep their high byte, transparent parts show
    white, the page that most such pictures were drawn for. EXIF orientation is applied.

    Args:
        data: the file.
        out: uint8 [S, S, 3], C-contiguous; undefined where the picture is bad.
        fit: `resize`: the shorter side is scaled to S (bilinear, antialiased as Pillow does it), then the center is cut
            out (paper, section 4.3); `crop`: the center is cut out without scaling (published
            code, faces), and a picture that is smaller than S is scaled up first as in `resize`. An odd margin is
            larger at the top and left by one pixel (published code, `center_crop`).
        max_pixels: a picture that declares more is bad, and is not decoded.

    Raises:
        BadImage: nothing that can be decoded, damaged, larger than `max_pixels`, or a JPEG of more than 100 scans.
    """
    if data[:2] == b"\xff\xd8" and _decode_jpeg(data, out, fit, max_pixels):
        return
    _put(_decode_by_pillow(data, max_pixels), out, fit)


def gray(pixels: Pixels) -> Pixels:
    """Shades of gray of uint8 [..., 3], uint8 [..., 1], as Pillow's mode L: 0.299 R + 0.587 G + 0.114 B, in whole
    numbers that leave a gray pixel as it is."""
    weighted = pixels @ np.array([19595, 38470, 7471], np.uint32)
    return ((weighted + 0x8000) >> 16).astype(np.uint8)[..., None]


def decode_whole(data: bytes, *, max_pixels: int) -> Pixels:
    """A JPEG, PNG or WebP file in its own size, uint8 [H, W, 3], upright and in RGB as `decode` makes it.

    Raises:
        BadImage: as `decode` does.
    """
    found = _jpeg_pixels(data, 0, max_pixels) if data[:2] == b"\xff\xd8" else None
    return np.asarray(_decode_by_pillow(data, max_pixels)) if found is None else found[0]


def is_ready(data: bytes, size: int) -> bool:
    """Whether a file is an upright JPEG of `size` x `size` pixels in RGB or grey, which nothing needs to be done to."""
    if data[:2] != b"\xff\xd8":
        return False
    header = _jpeg_header(data)
    return header is not None and header[:2] == (size, size) and header[2] in _ORDINARY and _orientation(data) == 1


def kind_if_ready(data: bytes, size: int) -> tuple[str, int] | None:
    """Suffix and channels of a file that nothing needs to be done to, None where something does.

    It is an upright picture of `size` x `size` pixels in RGB or grey: a JPEG; or a PNG or WebP with 8 bits a channel,
    nothing transparent, and one frame. Whether it can be decoded is not asked.
    """
    if is_ready(data, size):
        header = _jpeg_header(data)
        assert header is not None
        return "jpg", 1 if header[2] == "Gray" else 3
    if data[:2] == b"\xff\xd8":
        return (
            None  # a JPEG of another size, as almost all are: it takes Pillow a while to say that it is none of these
        )
    try:
        with Image.open(io.BytesIO(data), formats=("PNG", "WEBP")) as image:
            upright = _orientation_tag(_exif(image)) == 1
            ready = image.size == (size, size) and image.mode in ("RGB", "L") and not image.has_transparency_data
            if upright and ready and getattr(image, "n_frames", 1) == 1:
                return str(image.format).lower(), 1 if image.mode == "L" else 3
    except Exception:  # of any kind, as in `_decode_by_pillow`: then something has to be done
        pass
    return None


def fit_pixels(pixels: NDArray[np.uint8], size: int, fit: Fit) -> NDArray[np.uint8]:
    """Pixels, uint8 [H, W, 3] or [H, W], fitted to a size as `decode` does it: uint8 [S, S, 3] or [S, S]."""
    out = np.empty((size, size, *pixels.shape[2:]), np.uint8)
    _put(Image.fromarray(np.ascontiguousarray(pixels)), out, fit)
    return out


def _decode_jpeg(data: bytes, out: Pixels, fit: Fit, max_pixels: int) -> bool:
    """Decode an ordinary JPEG; False where it needs Pillow."""
    size = out.shape[0]
    small = len(data) <= out.nbytes + _TABLES_BYTES  # so that there is no room for scans that would take long
    if small and size * size <= max_pixels and _decode_ready(data, out):
        return True
    # libjpeg halves more cheaply than it decodes, but coarsely: twice the target leaves the last scaling to Pillow.
    found = _jpeg_pixels(data, 2 * size if fit == "resize" else 0, max_pixels)
    if found is None:
        return False
    pixels, declared = found
    _put(Image.fromarray(pixels), out, fit, declared)
    return True


def _jpeg_pixels(data: bytes, least: int, max_pixels: int) -> tuple[Pixels, tuple[int, int]] | None:
    """Pixels of an ordinary JPEG, and its declared width and height; None where it needs Pillow.

    With `least`, it may be halved while both sides keep so many pixels.
    """
    _check_scans(data)
    header = _jpeg_header(data)
    if header is None:
        return None
    height, width, colors = header
    _check_size(width, height, max_pixels)
    if colors not in _ORDINARY or _orientation(data) != 1:
        return None
    try:
        pixels = simplejpeg.decode_jpeg(data, min_height=least, min_width=least, strict=True)
    except ValueError as error:
        if _MISSING.search(str(error)):
            raise BadImage(f"damaged JPEG: {error}") from error
        return None  # Pillow takes what libjpeg merely warns of, and knows a file that ends early
    return pixels, (width, height)


def _jpeg_header(data: bytes) -> tuple[int, int, str] | None:
    """Height, width, colors; None for a rare sampling, which Pillow knows, or damage, which Pillow finds as well."""
    try:
        height, width, colors, _ = simplejpeg.decode_jpeg_header(data)
    except (ValueError, KeyError):  # KeyError: 4:4:1, a sampling that simplejpeg decodes but has no name for
        return None
    return height, width, colors


def _decode_ready(data: bytes, out: Pixels) -> bool:
    """Decode a JPEG that is upright and of the right size in one call; False where it is not, or is damaged."""
    try:
        pixels = simplejpeg.decode_jpeg(data, buffer=out, strict=True)
    except ValueError:
        return False
    return bool(pixels.shape == out.shape) and _orientation(data) == 1


def _check_scans(data: bytes) -> None:
    if not _is_one_scan(data):
        # Inside a scan 0xFF is followed by zero or the number of a restart.
        scans = data.count(b"\xff\xda")
        if scans > _MOST_SCANS:
            raise BadImage(f"has {scans:,} scans, more than the {_MOST_SCANS} that are allowed")


def _is_one_scan(data: bytes) -> bool:
    """Whether the first scan of a JPEG has all colors of a baseline frame: what comes behind it is not decoded then.

    To count is a tenth of the time of decoding such a file.
    """
    at, colors = 2, 0
    while at + 10 <= min(len(data), 1 << 16) and data[at] == 0xFF:
        kind = data[at + 1]
        if kind == 0xDA:
            return data[at + 4] == colors
        if kind in _BASELINE:
            colors = data[at + 9]
        elif kind not in _SEGMENTS:
            return False
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return False


def _orientation(data: bytes) -> int:
    """EXIF orientation of a JPEG, 1 (upright) where it has none; segments are walked only if "Exif" occurs at all."""
    # The tag has to come before the pixels: behind 64 KiB there can only be pixels or the rest of a profile.
    if data.find(b"Exif\0\0", 0, 1 << 16) < 0:
        return 1
    at = 2
    while at + 4 <= min(len(data), 1 << 16) and data[at] == 0xFF and data[at + 1] != 0xDA:
        length = int.from_bytes(data[at + 2 : at + 4], "big")
        if data[at + 1] == 0xE1 and data[at + 4 : at + 10] == b"Exif\0\0":
            return _orientation_tag(data[at + 10 : at + 2 + length])
        at += 2 + length
    return 1


def _orientation_tag(tiff: bytes) -> int:
    """Tag 0x0112 of the first directory of a TIFF header; 1 (upright) where there is none, or only rubbish."""
    if tiff[:4] not in (b"II*\0", b"MM\0*"):
        return 1
    order: Literal["little", "big"] = "little" if tiff[:2] == b"II" else "big"
    start = int.from_bytes(tiff[4:8], order)
    for entry in range(int.from_bytes(tiff[start : start + 2], order)):
        tag = tiff[start + 2 + 12 * entry : start + 14 + 12 * entry]
        if len(tag) < 12:
            break
        if int.from_bytes(tag[:2], order) == 0x0112:
            value = int.from_bytes(tag[8:10], order)
            return value if 2 <= value <= 8 else 1
    return 1


def _decode_by_pillow(data: bytes, max_pixels: int) -> Image.Image:
    """An upright picture in mode RGB."""
    try:
        with Image.open(io.BytesIO(data), formats=_PILLOW_FORMATS) as image:
            _check_size(*image.size, max_pixels)
            image.load()
            # Not `ImageOps.exif_transpose`: it reads and writes all tags, and fails where any of them is rubbish.
            turn = _TURNS.get(_orientation_tag(_exif(image)))
            return _to_rgb(image if turn is None else image.transpose(turn))
    except BadImage:
        raise
    except MemoryError:
        raise
    except Exception as error:
        # On damaged files Pillow lets through whatever its parsers run into: OSError, SyntaxError, struct.error, ...
        reason = str(error).partition("<")[0].strip() or type(error).__name__
        raise BadImage(f"cannot be decoded: {_what_it_is(data) or reason}") from error


def _what_it_is(data: bytes) -> str | None:
    """Of a file that is another kind of picture, or none."""
    if not data:
        return "it is empty"
    for at, magic, kind in _OTHERS:
        if data[at : at + len(magic)] == magic:
            return f"it is {kind}, and only JPEG, PNG and WebP are read"
    return None


def _exif(image: Image.Image) -> bytes:
    """The TIFF header that EXIF data is, empty where there is none."""
    exif, text = image.info.get("exif"), image.info.get("Raw profile type exif")
    if exif is None and isinstance(text, str):
        # ImageMagick's way before PNG had a chunk for it: a line "exif", one with the length, then hexadecimal digits.
        match = re.match(r"\s*exif\s+[0-9]+\s+((?:[0-9a-fA-F]{2}\s*)*)", text)
        exif = bytes.fromhex(match[1]) if match else b""
    return exif.removeprefix(b"Exif\0\0") if isinstance(exif, bytes) else b""


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):
        # `convert` would clip 16-bit greys at 255; Pillow itself reads 16-bit colors by their high byte.
        values = np.asarray(image).astype(np.uint32)
        grey = (values >> 8).astype(np.uint8)
        transparent = image.info.get("transparency")  # Pillow finds such a grey only among 8-bit ones
        if isinstance(transparent, int):
            grey[values == transparent] = 255
        return Image.fromarray(grey).convert("RGB")
    if image.has_transparency_data:
        over = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", over.size, "white"), over).convert("RGB")
    return image.convert("RGB")


def _put(image: Image.Image, out: Pixels, fit: Fit, declared: tuple[int, int] | None = None) -> None:
    """Fit an RGB picture into `out`; `declared` is its size before it was halved while decoding."""
    size = out.shape[0]
    width, height = declared or image.size
    shorter = min(width, height)
    if fit == "crop" and shorter >= size:
        left, top = _margin(width, size), _margin(height, size)
        out[:] = np.asarray(image)[top : top + size, left : left + size]
        return
    # One call scales and crops: the same as scaling the whole, without making the parts that would be cut off again.
    scaled_width, scaled_height = _round(width * size, shorter), _round(height * size, shorter)
    left, top = _margin(scaled_width, size), _margin(scaled_height, size)
    across, down = image.width / scaled_width, image.height / scaled_height
    box = (left * across, top * down, (left + size) * across, (top + size) * down)
    out[:] = np.asarray(image.resize((size, size), Image.Resampling.BILINEAR, box=box))


def _round(numerator: int, denominator: int) -> int:
    """The quotient, rounded, halves up."""
    return (2 * numerator + denominator) // (2 * denominator)


def _margin(length: int, size: int) -> int:
    return (length - size + 1) // 2


def _check_size(width: int, height: int, max_pixels: int) -> None:
    if width < 1 or height < 1:
        raise BadImage(f"declares {width} x {height} pixels")
    if width * height > max_pixels:
        raise BadImage(f"declares {width} x {height} pixels, more than the {max_pixels:,} that are allowed")
