import contextlib
import io
import struct
import warnings
import zlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
import simplejpeg
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image, ImageCms, ImageOps, PngImagePlugin

from dcgan_dist.data import image_decoding as images
from dcgan_dist.data.image_decoding import BadImage, Fit, decode, decode_whole, is_ready

Pixels = NDArray[np.uint8]
LIMIT = 64_000_000


def smooth(width: int, height: int) -> Image.Image:
    """A picture without symmetry in which every place can be told by its color."""
    across, down = np.meshgrid(np.linspace(0, 255, width), np.linspace(0, 255, height))
    return Image.fromarray(np.stack([across, down, (across * down / 255 + 60) % 256], axis=2).astype(np.uint8))


def encoded(image: Image.Image, kind: str = "png", **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def decoded(data: bytes, size: int, fit: Fit = "resize", max_pixels: int = LIMIT) -> Pixels:
    batch = np.full((3, size, size, 3), 7, np.uint8)
    decode(data, batch[1], fit=fit, max_pixels=max_pixels)
    assert (batch[0] == 7).all()
    assert (batch[2] == 7).all()
    return batch[1]


def reference(image: Image.Image, size: int, fit: Fit) -> Pixels:
    """The same in plain steps: scale the whole, then crop."""
    width, height = image.size
    if fit == "resize" or min(width, height) < size:
        scale = size / min(width, height)
        width, height = int(width * scale + 0.5), int(height * scale + 0.5)
        image = image.resize((width, height), Image.Resampling.BILINEAR)
    left, top = (width - size + 1) // 2, (height - size + 1) // 2
    return np.asarray(image.crop((left, top, left + size, top + size)))


# Sizes


@pytest.mark.parametrize("fit", ["resize", "crop"])
@pytest.mark.parametrize("shape", [(64, 64), (32, 32), (100, 40), (41, 133), (64, 200), (33, 47), (9, 300), (640, 480)])
def test_picture_is_fitted_as_by_scaling_the_whole_and_cropping(shape: tuple[int, int], fit: Fit) -> None:
    image = smooth(*shape)
    difference = decoded(encoded(image), 32, fit).astype(int) - reference(image, 32, fit)
    # Pillow's filter weights are rounded from slightly different positions.
    assert np.abs(difference).max() <= 1
    assert (difference == 0).mean() > 0.97


@pytest.mark.parametrize("margin", [0, 1, 2, 3])
def test_crop_is_exact_and_puts_the_odd_pixel_at_the_top_and_left(margin: int) -> None:
    image = smooth(32 + margin, 32)
    first = (margin + 1) // 2
    assert np.array_equal(decoded(encoded(image), 32, "crop"), np.asarray(image)[:, first : first + 32])


def test_picture_of_the_size_is_left_alone() -> None:
    image = smooth(32, 32)
    for fit in ("resize", "crop"):
        assert np.array_equal(decoded(encoded(image), 32, fit), np.asarray(image))


@pytest.mark.parametrize("shape", [(1, 1), (1, 5000), (5000, 1), (2, 3)])
def test_tiny_and_thin_pictures_are_scaled_up(shape: tuple[int, int]) -> None:
    data = encoded(Image.new("RGB", shape, (10, 20, 30)))
    for fit in ("resize", "crop"):
        assert (decoded(data, 16, fit) == (10, 20, 30)).all()


# JPEG


@pytest.mark.parametrize("subsampling", ["4:4:4", "4:2:2", "4:2:0"])
@pytest.mark.parametrize("progressive", [False, True])
def test_jpeg_of_the_size_has_pillows_pixels(subsampling: str, progressive: bool) -> None:
    data = encoded(smooth(64, 64), "jpeg", quality=90, subsampling=subsampling, progressive=progressive)
    assert np.array_equal(decoded(data, 64), np.asarray(Image.open(io.BytesIO(data))))


@pytest.mark.parametrize("shape", [(100, 80), (127, 64), (90, 400)])
def test_jpeg_below_four_times_the_target_is_scaled_from_all_its_pixels(shape: tuple[int, int]) -> None:
    data = encoded(smooth(*shape), "jpeg", quality=95)
    whole = Image.open(io.BytesIO(data)).convert("RGB")
    assert np.abs(decoded(data, 64).astype(int) - reference(whole, 64, "resize")).max() <= 1


@pytest.mark.parametrize("shape", [(600, 500), (301, 1207), (513, 511)])
def test_halving_while_decoding_stays_close_to_scaling_all_pixels(shape: tuple[int, int]) -> None:
    noise = np.random.default_rng(0).normal(0, 20, (shape[1], shape[0], 3))
    image = Image.fromarray((np.asarray(smooth(*shape)) * 0.7 + 40 + noise).clip(0, 255).astype(np.uint8))
    data = encoded(image, "jpeg", quality=95)
    whole = reference(Image.open(io.BytesIO(data)).convert("RGB"), 32, "resize")
    assert np.abs(decoded(data, 32).astype(int) - whole).mean() < 1.5


def test_large_jpeg_is_halved_only_while_twice_the_target_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[int, ...]] = []
    whole = simplejpeg.decode_jpeg

    def watch(*arguments: Any, **options: Any) -> Pixels:
        pixels: Pixels = whole(*arguments, **options)
        seen.append(pixels.shape)
        return pixels

    monkeypatch.setattr(simplejpeg, "decode_jpeg", watch)
    data = encoded(smooth(1030, 520), "jpeg")
    decoded(data, 64, "resize")
    decoded(data, 64, "crop")
    assert 128 <= min(seen[0][:2]) < 256
    assert seen[1] == (520, 1030, 3)


def test_grey_jpeg_is_repeated_over_the_colors() -> None:
    data = encoded(smooth(64, 64).convert("L"), "jpeg")
    pixels = decoded(data, 64)
    assert np.array_equal(pixels, np.repeat(np.asarray(Image.open(io.BytesIO(data)))[:, :, None], 3, axis=2))


@pytest.mark.parametrize("size", [16, 8])
def test_jpeg_of_a_sampling_without_a_name_is_decoded(size: int) -> None:
    # 4:4:1 has four blocks of grey on top of each other where 4:1:1 has them side by side: the bytes stay as they are.
    row = np.repeat(np.array([30, 90, 150, 210], np.uint8), 8)
    wide = np.ascontiguousarray(np.broadcast_to(row[None, :, None], (8, 32, 3)))
    data = bytearray(simplejpeg.encode_jpeg(wide, quality=95, colorsubsampling="411"))
    frame = data.index(b"\xff\xc0")
    data[frame + 5 : frame + 9] = data[frame + 7 : frame + 9] + data[frame + 5 : frame + 7]
    data[frame + 11] = 0x14
    with pytest.raises(KeyError):
        simplejpeg.decode_jpeg_header(bytes(data))
    assert not is_ready(bytes(data), size)
    pillow = Image.open(io.BytesIO(data))
    assert np.asarray(pillow)[::8, 0, 0].tolist() == [30, 90, 150, 210]
    assert np.abs(decoded(bytes(data), size).astype(int) - reference(pillow, size, "resize")).max() <= 1


@pytest.mark.parametrize("spelling", ["CMYK by Adobe", "CMYK", "YCCK"])
@pytest.mark.parametrize("size", [64, 32])
def test_jpegs_of_four_colors_look_as_pillow_shows_them(spelling: str, size: int) -> None:
    data = encoded(smooth(64, 64).convert("CMYK"), "jpeg", quality=95)
    marker = data.index(b"\xff\xee\x00\x0eAdobe")
    if spelling == "CMYK":
        data = data[:marker] + data[marker + 16 :]
    if spelling == "YCCK":
        data = data[: marker + 15] + b"\x02" + data[marker + 16 :]
    pillow = Image.open(io.BytesIO(data)).convert("RGB").resize((size, size), Image.Resampling.BILINEAR)
    assert np.abs(decoded(data, size).astype(int) - np.asarray(pillow)).max() <= 1


def test_cmyk_jpeg_has_the_colors_of_the_picture() -> None:
    image = smooth(64, 64)
    pixels = decoded(encoded(image.convert("CMYK"), "jpeg", quality=95), 64)
    assert np.abs(pixels.astype(int) - np.asarray(image)).mean() < 4


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["jpeg", "png", "webp"])
def test_every_exif_orientation_is_turned_upright(orientation: int, kind: str) -> None:
    upright = smooth(48, 32)
    exif = Image.Exif()
    exif[0x0112] = orientation
    # What a camera stores is the inverse of how the picture has to be turned.
    turn = {6: 8, 8: 6}.get(orientation, orientation)
    turned = Image.Exif()
    turned[0x0112] = turn
    marked = upright.copy()
    marked.info["exif"] = turned.tobytes()
    stored = ImageOps.exif_transpose(Image.open(io.BytesIO(encoded(upright, "png", exif=turned))))
    stored.info.clear()
    options = {"webp": {"lossless": True}, "jpeg": {"quality": 100, "subsampling": 0}, "png": {}}[kind]
    pixels = decoded(encoded(stored, kind, exif=exif, **options), 32)
    assert np.abs(pixels.astype(int) - np.asarray(upright)[:, 8:40]).max() <= 6


@pytest.mark.parametrize("order", ["little", "big"])
@pytest.mark.parametrize("before", [b"", b"\xff\xe0\x00\x10JFIF\0" + bytes(9), b"\xff\xe2\x01\x02" + bytes(256)])
def test_orientation_is_found_behind_other_segments_in_either_byte_order(order: Any, before: bytes) -> None:
    def number(value: int, width: int) -> bytes:
        return value.to_bytes(width, order)

    entries = [(0x010F, 2, 4, b"abc\0"), (0x0112, 3, 1, number(6, 2) + b"\0\0")]
    tiff = (b"II" if order == "little" else b"MM") + number(42, 2) + number(8, 4) + number(len(entries), 2)
    for tag, kind, count, value in entries:
        tiff += number(tag, 2) + number(kind, 2) + number(count, 4) + value
    tiff += bytes(4)
    segment = b"\xff\xe1" + struct.pack(">H", 8 + len(tiff)) + b"Exif\0\0" + tiff
    plain = encoded(smooth(48, 32), "jpeg")
    assert images._orientation(plain[:2] + before + segment + plain[2:]) == 6


def test_text_that_only_looks_like_exif_is_passed_over() -> None:
    plain = encoded(smooth(64, 64), "jpeg")
    comment = b"\xff\xfe\x00\x0cExif\0\0II*\0"
    assert np.array_equal(decoded(plain[:2] + comment + plain[2:], 64), decoded(plain, 64))


@given(st.binary(max_size=200))
def test_noise_in_exif_is_no_reason_to_refuse_a_picture(noise: bytes) -> None:
    plain = encoded(smooth(8, 8), "jpeg")
    segment = b"\xff\xe1" + struct.pack(">H", 8 + len(noise)) + b"Exif\0\0" + noise
    data = plain[:2] + segment + plain[2:]
    if images._orientation(data) == 1:
        assert np.array_equal(decoded(data, 8), decoded(plain, 8))


def tiff_of(*entries: bytes) -> bytes:
    """EXIF data of these tags, 12 bytes each."""
    return b"Exif\0\0II*\0\x08\0\0\0" + struct.pack("<H", len(entries)) + b"".join(entries) + bytes(4)


UPSIDE_DOWN = struct.pack("<HHII", 0x0112, 3, 1, 3)


@pytest.mark.filterwarnings("ignore")  # Pillow looks for the resolution in it, and tells that it is rubbish
@pytest.mark.parametrize("kind", ["jpeg", "png", "webp", "CMYK"])
@pytest.mark.parametrize(
    ("exif", "turned"),
    [
        (b"Exif\0\0rubbish", False),
        (b"Exif\0\0II*\0\xff\xff\xff\xff", False),
        (b"Exif\0\0II*\0\x08\0\0\0\xff\xff", False),
        (tiff_of(UPSIDE_DOWN, b"\xff" * 12, struct.pack("<HHII", 0x9003, 2, 20, 2**32 - 1)), True),
        (tiff_of(UPSIDE_DOWN, struct.pack("<HHII", 0x8769, 4, 1, 2**31), struct.pack("<HHII", 0x0100, 5, 9, 8)), True),
    ],
    ids=lambda value: repr(value[6:14]) if isinstance(value, bytes) else "turned" if value else "upright",
)
def test_rubbish_in_exif_is_no_reason_to_refuse_a_picture_of_any_kind(kind: str, exif: bytes, turned: bool) -> None:
    image = smooth(32, 32).convert("CMYK" if kind == "CMYK" else "RGB")
    options: dict[str, Any] = {"webp": {"lossless": True}, "png": {}}.get(kind, {"quality": 95})
    kind = "jpeg" if kind == "CMYK" else kind
    pixels = decoded(encoded(image, kind, exif=exif, **options), 32)
    plain = decoded(encoded(image, kind, **options), 32)
    # simplejpeg and Pillow round four colors differently.
    assert np.abs(pixels.astype(int) - (plain[::-1, ::-1] if turned else plain)).max() <= (image.mode == "CMYK")


@pytest.mark.parametrize("rubbish", ["", "zz", "\nexif\n       9\n4949", "\nexif\n  -1\n\n", "exif 12 4949x"])
def test_exif_as_text_is_read_and_rubbish_in_it_passed_over(rubbish: str) -> None:
    # As ImageMagick 6 writes it.
    text = PngImagePlugin.PngInfo()
    exif = tiff_of(UPSIDE_DOWN)
    lines = [exif.hex()[i : i + 72] for i in range(0, 2 * len(exif), 72)]
    text.add_text("Raw profile type exif", "\nexif\n{:8}\n{}\n".format(len(exif), "\n".join(lines)), zip=True)
    image = smooth(32, 32)
    assert np.array_equal(decoded(encoded(image, pnginfo=text), 32), np.asarray(image)[::-1, ::-1])
    text = PngImagePlugin.PngInfo()
    text.add_text("Raw profile type exif", rubbish)
    assert np.array_equal(decoded(encoded(image, pnginfo=text), 32), np.asarray(image))


@pytest.mark.parametrize("value", [0, 9, 65535])
def test_orientation_that_does_not_exist_is_upright(value: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = value
    assert is_ready(encoded(smooth(8, 8), "jpeg", exif=exif), 8)


# Other kinds


def test_lossless_webp_is_exact() -> None:
    image = smooth(32, 32)
    assert np.array_equal(decoded(encoded(image, "webp", lossless=True), 32), np.asarray(image))


def test_palette_is_looked_up() -> None:
    image = smooth(32, 32).quantize(64)
    assert np.array_equal(decoded(encoded(image), 32), np.asarray(image.convert("RGB")))


@pytest.mark.parametrize("mode", ["1", "L"])
def test_grey_png_is_repeated_over_the_colors(mode: str) -> None:
    image = smooth(32, 32).convert(mode)
    assert np.array_equal(decoded(encoded(image), 32), np.asarray(image.convert("RGB")))


def test_sixteen_bit_grey_keeps_its_high_byte() -> None:
    high = np.asarray(smooth(32, 32).convert("L")).astype(np.uint16)
    image = Image.fromarray(high * 256 + 200)
    assert image.mode == "I;16"
    assert np.array_equal(decoded(encoded(image), 32), np.repeat(high[:, :, None], 3, axis=2))


def test_sixteen_bit_color_keeps_its_high_byte() -> None:
    high = np.asarray(smooth(32, 32))
    rows = b"".join(b"\0" + (row.astype(">u2") * 256 + 200).astype(">u2").tobytes() for row in high)
    assert np.array_equal(decoded(png_of(32, 32, zlib.compress(rows), depth=16), 32), high)


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_transparent_parts_show_white(mode: str) -> None:
    pixels = np.zeros((32, 32, 4), np.uint8)
    pixels[:, :16, 3] = 255
    pixels[:, 16:24, 3] = 128
    result = decoded(encoded(Image.fromarray(pixels).convert(mode)), 32)
    assert (result[:, :16] == 0).all()
    assert np.abs(result[:, 16:24].astype(int) - 127).max() <= 1
    assert (result[:, 24:] == 255).all()


def test_transparent_color_of_a_palette_shows_white() -> None:
    image = Image.new("P", (32, 32), 0)
    image.putpalette([255, 0, 0, 0, 255, 0])
    image.paste(1, (0, 0, 16, 32))
    result = decoded(encoded(image, transparency=0), 32)
    assert (result[:, :16] == (0, 255, 0)).all()
    assert (result[:, 16:] == 255).all()


def test_every_color_of_a_palette_may_be_transparent_in_part() -> None:
    image = Image.new("P", (32, 32), 0)
    image.putpalette([0, 0, 0, 0, 0, 0, 0, 255, 0])
    image.paste(1, (8, 0, 16, 32))
    image.paste(2, (16, 0, 32, 32))
    result = decoded(encoded(image, transparency=bytes([0, 128])), 32).astype(int)
    assert (result[:, :8] == 255).all()
    assert np.abs(result[:, 8:16] - 127).max() <= 1
    assert (result[:, 16:] == (0, 255, 0)).all()


@pytest.mark.parametrize(
    ("kind", "left", "right", "transparent"),
    [
        ((1, 0), b"\xff\xff", b"\0\0", b"\0\1"),
        ((8, 0), b"\x09" * 16, b"\0" * 16, b"\0\x09"),
        ((16, 0), b"\x12\x34" * 16, b"\0\xff" * 16, b"\x12\x34"),
        ((8, 2), b"\1\2\3" * 16, b"\0\0\0" * 16, b"\0\1\0\2\0\3"),
    ],
)
def test_transparent_color_of_a_png_without_palette_shows_white(
    kind: tuple[int, int], left: bytes, right: bytes, transparent: bytes
) -> None:
    rows = (b"\0" + left + right) * 32
    result = decoded(png_of(32, 32, zlib.compress(rows), *kind, before=[(b"tRNS", transparent)]), 32)
    assert (result[:, :16] == 255).all()
    assert (result[:, 16:] == 0).all()


def test_grey_of_sixteen_bits_with_transparency_keeps_its_high_bytes() -> None:
    rows = (b"\0" + b"\x12\x34\x00\x00" * 16 + b"\x56\x78\xff\xff" * 16) * 32
    result = decoded(png_of(32, 32, zlib.compress(rows), 16, 4), 32)
    assert (result[:, :16] == 255).all()
    assert (result[:, 16:] == 0x56).all()


def test_transparent_webp_shows_white() -> None:
    result = decoded(encoded(Image.new("RGBA", (32, 32), (9, 9, 9, 0)), "webp", lossless=True), 32)
    assert (result == 255).all()


def test_color_profile_does_not_change_the_pixels() -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    plain, marked = (encoded(smooth(64, 64), "jpeg", icc_profile=icc) for icc in (None, profile))
    assert np.array_equal(decoded(plain, 64), decoded(marked, 64))


@pytest.mark.parametrize("kind", ["jpeg", "png", "webp"])
@pytest.mark.parametrize("profile", [b"rubbish", b"\xff" * 200, bytes(70_000)], ids=["text", "noise", "long"])
def test_rubbish_for_a_color_profile_does_not_change_the_pixels(kind: str, profile: bytes) -> None:
    options: dict[str, Any] = {"webp": {"lossless": True}}.get(kind, {})
    plain, marked = (encoded(smooth(32, 32), kind, icc_profile=icc, **options) for icc in (None, profile))
    assert np.array_equal(decoded(plain, 32), decoded(marked, 32))


def test_interlaced_png_is_put_together() -> None:
    pixels = np.asarray(smooth(32, 32))
    # Adam7: first place and step, down and across, of each pass.
    passes = [(0, 8, 0, 8), (0, 8, 4, 8), (4, 8, 0, 4), (0, 4, 2, 4), (2, 4, 0, 2), (0, 2, 1, 2), (1, 2, 0, 1)]
    rows = [row for top, down, left, across in passes for row in pixels[top::down, left::across]]
    data = zlib.compress(b"".join(b"\0" + row.tobytes() for row in rows))
    assert np.array_equal(decoded(png_of(32, 32, data, interlaced=1), 32), pixels)
    with pytest.raises(BadImage):
        decoded(png_of(32, 32, data[: len(data) // 2], interlaced=1), 32)


@pytest.mark.parametrize("kind", ["png", "webp"])
def test_first_picture_of_an_animation_is_shown(kind: str) -> None:
    image = smooth(32, 32)
    pages = [Image.new("RGB", (32, 32), "red"), Image.new("RGB", (32, 32), "blue")]
    options: dict[str, Any] = {"lossless": True} if kind == "webp" else {}
    data = encoded(image, kind, save_all=True, append_images=pages, duration=100, **options)
    with Image.open(io.BytesIO(data)) as animation:
        assert animation.n_frames == 3
    assert np.array_equal(decoded(data, 32), np.asarray(image))


# Bad pictures


def png_of(
    width: int,
    height: int,
    data: bytes,
    depth: int = 8,
    colors: int = 2,
    *,
    interlaced: int = 0,
    before: Sequence[tuple[bytes, bytes]] = (),
) -> bytes:
    """A PNG of these pixels, RGB unless `colors` says otherwise, with chunks `before` them."""
    header = struct.pack(">IIBBBBB", width, height, depth, colors, 0, 0, interlaced)
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in [(b"IHDR", header), *before, (b"IDAT", data), (b"IEND", b"")]
    )


def jpeg_of(width: int, height: int) -> bytes:
    """A small JPEG whose header declares another size."""
    data = bytearray(encoded(smooth(16, 16), "jpeg"))
    at = data.index(b"\xff\xc0")
    data[at + 5 : at + 9] = struct.pack(">HH", height, width)
    return bytes(data)


def webp_of(width: int, height: int) -> bytes:
    """A small lossless WebP whose header declares another size, in 14 bits each."""
    data = bytearray(encoded(smooth(16, 16), "webp", lossless=True))
    at = data.index(b"VP8L") + 9
    declared = int.from_bytes(data[at : at + 4], "little") >> 28 << 28 | (height - 1) << 14 | (width - 1)
    data[at : at + 4] = declared.to_bytes(4, "little")
    return bytes(data)


@pytest.mark.parametrize("make", [lambda w, h: png_of(w, h, zlib.compress(bytes(1000))), jpeg_of, webp_of])
def test_bomb_is_refused_by_its_declared_size(make: Callable[[int, int], bytes]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(BadImage, match=r"15000 x 15000 pixels, more than the 64,000,000"):
            decoded(make(15_000, 15_000), 32)


def scans_of(mode: str, scans: int, progressive: bool = True) -> bytes:
    """A small JPEG in which the last scan comes again and again, until there are so many."""
    data = encoded(smooth(40, 40).convert(mode), "jpeg", progressive=progressive)
    last = data.rindex(b"\xff\xda")
    return data[:-2] + data[last:-2] * (scans - data.count(b"\xff\xda")) + data[-2:]


def test_jpeg_of_many_scans_is_refused_before_it_is_decoded() -> None:
    # Pillow, which decodes what has four colors, does not mind scans that come again.
    decoded(scans_of("CMYK", 100), 16)
    for mode in ("CMYK", "RGB", "L"):
        with pytest.raises(BadImage, match="has 101 scans, more than the 100 that are allowed"):
            decoded(scans_of(mode, 101), 16)
        with pytest.raises(BadImage, match="has 5,000 scans"):
            decoded(scans_of(mode, 5000), 40)


def test_scans_do_not_hide_behind_a_frame_that_no_decoder_sees() -> None:
    # Decoders skip filling before a marker. Who takes it for a marker takes what follows for a length that leads into
    # the comment, to a frame of one scan.
    data = scans_of("CMYK", 101)
    decoy = b"\xff\xc0\0\x14" + bytes(5) + b"\4" + bytes(12) + b"\xff\xda\0\x0e\4" + bytes(11)
    comment = bytearray(0xFFFF - 2)
    comment[0xFEFF + 4 - 7 : 0xFEFF + 4 - 7 + len(decoy)] = decoy
    data = data[:2] + b"\xff\xff\xfe\xff\xff" + comment + data[2:]
    with pytest.raises(BadImage, match="has 102 scans"):
        decoded(bytes(data), 16)


def test_scans_are_not_counted_where_only_one_is_decoded() -> None:
    comment = b"\xff\xfe\x01\xf4" + b"\xff\xda" * 249
    for mode in ("RGB", "L", "CMYK"):
        plain = encoded(smooth(40, 40).convert(mode), "jpeg")
        assert np.array_equal(decoded(plain[:2] + comment + plain[2:], 16), decoded(plain, 16))


def test_limit_counts_pixels_exactly() -> None:
    data = encoded(smooth(40, 50))
    decoded(data, 32, max_pixels=2000)
    with pytest.raises(BadImage, match="declares 40 x 50 pixels, more than the 1,999 that are allowed"):
        decoded(data, 32, max_pixels=1999)


def test_limit_alone_decides_and_not_pillows_own() -> None:
    # More than twice of what Pillow allows: it is the missing pixels that are found, not the size.
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(BadImage, match="truncated"):
            decoded(png_of(14_000, 13_000, b""), 8, max_pixels=200_000_000)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff\xd8",
        b"hello",
        bytes(1000),
        b"GIF89a" + bytes(100),
        png_of(0, 10, b""),
        png_of(10, 0, b""),
        jpeg_of(0, 16),
        jpeg_of(16, 0),
        png_of(2**31 - 1, 1, b""),
        encoded(smooth(32, 32), "gif"),
        encoded(smooth(32, 32), "gif", save_all=True, append_images=[Image.new("RGB", (32, 32))]),
        png_of(32, 32, zlib.compress(bytes(33 * 32)), 8, 3),  # a palette is missing
        png_of(32, 32, zlib.compress(bytes(97 * 32)), 3),
        png_of(32, 32, zlib.compress(bytes(97 * 32)), interlaced=2),
        jpeg_of(0, 0),
        encoded(smooth(32, 32), "bmp"),
        encoded(smooth(32, 32), "tiff"),
    ],
    ids=lambda data: repr(data[:12]),
)
def test_what_is_no_picture_that_can_be_used_is_bad(data: bytes) -> None:
    with pytest.raises(BadImage) as caught:
        decoded(data, 32)
    assert str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (encoded(smooth(32, 32), "gif"), "it is a GIF, and only JPEG, PNG and WebP are read"),
        (encoded(smooth(32, 32), "bmp"), "it is a BMP,"),
        (encoded(smooth(32, 32), "tiff"), "it is a TIFF,"),
        (b"\0\0\0\x1cftypheic" + bytes(100), "it is a HEIC,"),
        (b"<!doctype html><html>", "it is a page of HTML or XML"),
        (b"", "it is empty"),
        (b"hello", "cannot identify image file"),
    ],
)
def test_a_file_of_another_kind_is_told_by_its_kind(data: bytes, reason: str) -> None:
    with pytest.raises(BadImage) as caught:
        decoded(data, 32)
    assert str(caught.value).startswith(f"cannot be decoded: {reason}")


@pytest.mark.parametrize("size", [32, 64, 24])
@pytest.mark.parametrize("progressive", [False, True])
def test_bytes_before_the_end_of_a_jpeg_change_nothing(progressive: bool, size: int) -> None:
    whole = encoded(smooth(64, 64), "jpeg", quality=90, progressive=progressive)
    more = whole[:-2] + b"\0\x11\x22" * 80 + whole[-2:]
    with Image.open(io.BytesIO(more)) as image:
        expected = np.asarray(image.convert("RGB"))
    assert np.abs(decoded(more, 64).astype(int) - expected).max() <= 3
    # Where it is scaled, libjpeg may halve an ordinary one first.
    assert np.abs(decoded(more, size).astype(int) - decoded(whole, size)).max() <= 12


@pytest.mark.parametrize("size", [32, 64])
def test_pixels_that_libjpeg_makes_up_are_none(size: int) -> None:
    """Of a file that was cut, with an end put on; of bits that were flipped, where it notices."""
    whole = encoded(smooth(64, 64), "jpeg", quality=90, subsampling=0)
    with pytest.raises(BadImage, match="premature end of data segment"):
        decoded(whole[: len(whole) // 2] + b"\xff\xd9", size)
    with pytest.raises(BadImage):
        decoded(whole[:-2], size)


@pytest.mark.parametrize("kind", ["jpeg", "png", "webp"])
@pytest.mark.parametrize("part", [0.1, 0.5, 0.95])
@pytest.mark.parametrize("size", [32, 64])
def test_cut_file_is_bad_and_never_half_a_picture(kind: str, part: float, size: int) -> None:
    data = encoded(smooth(64, 64), kind)
    with pytest.raises(BadImage):
        decoded(data[: int(len(data) * part)], size)


@pytest.mark.parametrize("kind", ["jpeg", "png", "webp"])
@settings(max_examples=60, deadline=None)
@given(choice=st.data())
def test_flipped_bytes_end_in_a_picture_or_a_finding(kind: str, choice: st.DataObject) -> None:
    exif = Image.Exif()
    exif[0x0112] = 3
    data = bytearray(encoded(smooth(40, 40), kind, exif=exif))
    for _ in range(choice.draw(st.integers(1, 4))):
        data[choice.draw(st.integers(0, len(data) - 1))] = choice.draw(st.integers(0, 255))
    with contextlib.suppress(BadImage), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow warns of odd EXIF data, which is what is made here
        decoded(bytes(data), 32, max_pixels=1_000_000)


# Files that need nothing


def test_only_an_upright_jpeg_of_the_size_is_ready() -> None:
    image = smooth(32, 32)
    turned = Image.Exif()
    turned[0x0112] = 6
    assert is_ready(encoded(image, "jpeg"), 32)
    assert is_ready(encoded(image.convert("L"), "jpeg"), 32)
    assert not is_ready(encoded(image, "jpeg"), 64)
    assert not is_ready(encoded(image, "jpeg", exif=turned), 32)
    assert not is_ready(encoded(image.convert("CMYK"), "jpeg"), 32)
    assert not is_ready(encoded(image, "png"), 32)
    assert not is_ready(b"\xff\xd8", 32)


@pytest.mark.parametrize("kind", ["jpeg", "png", "webp"])
def test_a_whole_picture_keeps_its_size(kind: str) -> None:
    data = encoded(smooth(150, 90), kind, quality=100)
    whole = decode_whole(data, max_pixels=LIMIT)
    assert whole.shape == (90, 150, 3)
    assert np.abs(whole.astype(int) - np.asarray(smooth(150, 90))).mean() < 3


def test_a_whole_picture_is_upright_and_in_colors() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned to the right
    turned = decode_whole(encoded(smooth(150, 90), "jpeg", quality=100, exif=exif), max_pixels=LIMIT)
    assert np.abs(turned.astype(int) - np.rot90(np.asarray(smooth(150, 90)), -1)).mean() < 3
    assert decode_whole(encoded(smooth(20, 10).convert("L"), "png"), max_pixels=LIMIT).shape == (10, 20, 3)


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"", "it is empty"),
        (encoded(smooth(150, 90), "jpeg"), "declares 150 x 90 pixels, more than the 10,000"),
        (encoded(smooth(150, 90), "png"), "declares 150 x 90 pixels, more than the 10,000"),
        (encoded(smooth(90, 90), "jpeg")[:-900], "damaged JPEG|cannot be decoded"),
    ],
)
def test_a_whole_picture_that_is_bad_is_refused(data: bytes, told: str) -> None:
    with pytest.raises(BadImage, match=told):
        decode_whole(data, max_pixels=10_000)
