"""Image files of all kinds, made for tests, each with the pixels that everybody has to see."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

Pixels = NDArray[np.uint8]  # (H, W, 3)

ORIENTATION = 0x0112
HEIGHT, WIDTH = 64, 24
RED, GREEN, BLUE, DIM = (250, 10, 20), (20, 230, 30), (10, 40, 240), (90, 100, 110)
STORED = {  # by orientation: how the image lies in its file
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,  # before the turn of 270 degrees
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}
EXACT: Mapping[str, Mapping[str, object]] = {  # kinds that lose nothing, with how they are saved
    "PNG": {},
    "BMP": {},
    "WEBP": {"lossless": True},
    "TIFF": {"compression": "tiff_lzw"},
    "PPM": {},
    "JPEG2000": {"irreversible": False},
}


@dataclass(frozen=True)
class Case:
    """An image file and what it is to be decoded to."""

    encoded: bytes
    expected: Pixels
    kind: str
    conversions: tuple[str, ...] = ()
    tolerance: int = 0  # levels, where its kind loses some


def quarters() -> Image.Image:
    """Return an image of four colours, which looks another way from every side."""
    image = Image.new("RGB", (WIDTH, HEIGHT), RED)
    image.paste(GREEN, (WIDTH // 2, 0, WIDTH, HEIGHT // 2))
    image.paste(BLUE, (0, HEIGHT // 2, WIDTH // 2, HEIGHT))
    image.paste(DIM, (WIDTH // 2, HEIGHT // 2, WIDTH, HEIGHT))
    return image


def encode(image: Image.Image, kind: str = "PNG", **how: object) -> bytes:
    """Return an image as a file."""
    file = io.BytesIO()
    image.save(file, kind, **how)
    return file.getvalue()


def pixels(image: Image.Image) -> Pixels:
    """Return the pixels of an image in RGB."""
    return np.asarray(image.convert("RGB"))


def turned(orientation: int) -> Image.Exif:
    """Return metadata that say how a camera was held."""
    metadata = Image.Exif()
    metadata[ORIENTATION] = orientation
    return metadata


def png(header: tuple[int, int, int, int], samples: bytes, *chunks: tuple[bytes, bytes]) -> bytes:
    """Return a PNG file of (width, height, bits, kind of colour) and rows with their filters."""

    def chunk(name: bytes, content: bytes) -> bytes:
        checksum = struct.pack(">I", zlib.crc32(name + content))
        return struct.pack(">I", len(content)) + name + content + checksum

    parts = (
        (b"IHDR", struct.pack(">IIBBBBB", *header, 0, 0, 0)),
        *chunks,
        (b"IDAT", zlib.compress(samples)),
        (b"IEND", b""),
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts)


def srgb_profile() -> bytes:
    """Return the profile of sRGB."""
    return bytes(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())


def swapped_profile() -> bytes:
    """Return a profile in which red is blue and blue is red."""
    return srgb_profile().replace(b"rXYZ", b"????").replace(b"bXYZ", b"rXYZ").replace(
        b"????", b"bXYZ"
    )  # fmt: skip


def linear_grey_profile() -> bytes:
    """Return a profile of grey whose levels are proportional to light."""
    white = b"XYZ \0\0\0\0" + struct.pack(">3i", 63190, 65536, 54061)
    curve = b"curv\0\0\0\0" + struct.pack(">I", 0)  # no entry: the identity
    first = 128 + 4 + 2 * 12
    table = struct.pack(">I4sII4sII", 2, b"wtpt", first, 20, b"kTRC", first + 20, 12)
    body = table + white + curve
    header = struct.pack(
        ">I4sI4s4s4s12s4s4sI4s4s8xI3i4s44x",
        128 + len(body), b"lcms", 0x02400000, b"mntr", b"GRAY", b"XYZ ",
        struct.pack(">6H", 2020, 1, 1, 0, 0, 0), b"acsp", b"APPL", 0, b"none", b"none",
        0, 63190, 65536, 54061, b"lcms",
    )  # fmt: skip
    return header + body


def _grey_ramp() -> NDArray[np.uint8]:
    """Return levels of grey that differ from row to row, 0 and 255 among them: (H, W)."""
    return np.tile(np.linspace(0, 255, HEIGHT).astype(np.uint8)[:, None], (1, WIDTH))


def _grey(levels: NDArray[np.uint8]) -> Pixels:
    return np.stack([levels] * 3, axis=-1)


def _on_white(colours: Pixels, alpha: NDArray[np.uint8]) -> Pixels:
    """Lay colours on white by hand."""
    share = alpha[..., None] / 255
    return np.asarray(np.rint(colours * share + 255 * (1 - share)), np.uint8)


def _plain() -> dict[str, Case]:
    whole = quarters()
    cases = {
        f"{kind} of colours": Case(encode(whole, kind, **how), pixels(whole), kind)
        for kind, how in EXACT.items()
    }
    fine = {"quality": 98, "subsampling": 0}
    jpeg = encode(whole, "JPEG", **fine)
    cases["JPEG of colours"] = Case(jpeg, pixels(whole), "JPEG", tolerance=12)
    several = encode(whole, "MPO", save_all=True, append_images=[whole.rotate(180)], **fine)
    cases["JPEG with others beside it"] = Case(several, pixels(whole), "JPEG", tolerance=12)
    cases["grey PNG"] = Case(encode(Image.fromarray(_grey_ramp())), _grey(_grey_ramp()), "PNG")
    black = quarters().convert("1", dither=Image.Dither.NONE)
    cases["black and white TIFF"] = Case(encode(black, "TIFF"), pixels(black), "TIFF")
    few = whole.quantize(4)
    cases["PNG with a palette"] = Case(encode(few), pixels(few), "PNG")
    cases["GIF"] = Case(encode(few, "GIF"), pixels(few), "GIF")
    return cases


def _deep() -> dict[str, Case]:
    levels = _grey_ramp()
    deep = levels.astype(np.uint16) * 256 + 77
    grey = _grey(levels)
    shares = (levels / 255).astype(np.float32)
    holes = shares.copy()
    holes[0, 0], holes[1, 0], holes[2, 0] = np.nan, np.inf, -np.inf
    with_holes = grey.copy()
    with_holes[:3, 0] = [[0] * 3, [255] * 3, [0] * 3]
    files = {
        "PNG of 16 bits": (encode(Image.fromarray(deep)), grey),
        "TIFF of 16 bits": (encode(Image.fromarray(deep), "TIFF"), grey),
        "TIFF of 16 bits in 32": (encode(Image.fromarray(deep.astype(np.int32)), "TIFF"), grey),
        "TIFF of 8 bits in 32": (encode(Image.fromarray(levels.astype(np.int32)), "TIFF"), grey),
        "TIFF of shares": (encode(Image.fromarray(shares), "TIFF"), grey),
        "TIFF of fractional levels": (
            encode(Image.fromarray(levels.astype(np.float32)), "TIFF"), grey
        ),
        "TIFF of shares with holes": (encode(Image.fromarray(holes), "TIFF"), with_holes),
    }  # fmt: skip
    cases = {
        name: Case(encoded, expected, name.split()[0], ("reduced to 8 bits",))
        for name, (encoded, expected) in files.items()
    }
    colours = pixels(quarters()).astype(">u2") * 256 + 200
    rows = b"".join(b"\0" + row.tobytes() for row in colours.astype(">u2"))
    cases["PNG of 48 bits"] = Case(
        png((WIDTH, HEIGHT, 16, 2), rows), pixels(quarters()), "PNG", ("reduced to 8 bits",)
    )
    return cases | _deep_ppm()


def _deep_ppm() -> dict[str, Case]:
    """PPM files of colours and greys, in bytes and as text, up to a white beyond 255."""
    told = ("reduced to 8 bits",)
    whole, size = pixels(quarters()), f"{WIDTH} {HEIGHT}"
    levels = _grey_ramp().astype(np.uint16)
    cases = {}
    for white in (1020, 65535):
        colours = np.asarray(whole, np.uint16) * (white // 255)
        header = f"{size} {white}\n".encode()
        plain = " ".join(map(str, colours.ravel())).encode()
        cases[f"PPM of colours up to {white}"] = Case(
            b"P6 " + header + colours.astype(">u2").tobytes(), whole, "PPM", told
        )
        cases[f"PPM of colours up to {white}, as text"] = Case(
            b"P3 " + header + plain, whole, "PPM", told
        )
    for name, samples in {"": levels * 257, "dark ": levels}.items():
        expected = _grey((samples >> 8).astype(np.uint8))
        encoded = f"P5 {size} 65535\n".encode() + samples.astype(">u2").tobytes()
        cases[f"{name}grey PPM of 16 bits"] = Case(encoded, expected, "PPM", told)
    few = f"P6 {size} 15\n".encode() + (whole // 17).tobytes()
    cases["PPM of colours up to 15"] = Case(few, whole // 17 * 17, "PPM")
    return cases


def _transparent() -> dict[str, Case]:
    whole = pixels(quarters())
    alpha = np.tile(np.linspace(0, 255, WIDTH).astype(np.uint8), (HEIGHT, 1))  # (H, W)
    laid = ("laid on white",)
    ways: Mapping[str, Mapping[str, object]] = {
        "PNG": {}, "TIFF": {}, "WEBP": {"lossless": True, "exact": True}
    }  # fmt: skip
    rgba = Image.fromarray(np.dstack([whole, alpha]))
    cases = {
        f"{kind} that lets through": Case(
            encode(rgba, kind, **how), _on_white(whole, alpha), kind, laid, 1
        )
        for kind, how in ways.items()
    }
    grey = Image.fromarray(np.dstack([_grey_ramp(), alpha]))
    cases["grey PNG that lets through"] = Case(
        encode(grey), _on_white(_grey(_grey_ramp()), alpha), "PNG", laid, 1
    )
    opaque = Image.fromarray(np.dstack([whole, np.full_like(alpha, 255)]))
    cases["PNG that might let through"] = Case(encode(opaque), whole, "PNG")
    holes = whole.copy()
    holes[: HEIGHT // 2, : WIDTH // 2] = 255
    cases["PNG with a colour that lets through"] = Case(
        encode(quarters(), transparency=RED), holes, "PNG", laid
    )
    few = quarters().quantize(4)
    red = int(np.asarray(few)[0, 0])
    holes = pixels(few).copy()
    holes[: HEIGHT // 2, : WIDTH // 2] = 255
    for kind in ("PNG", "GIF"):
        cases[f"{kind} with a palette that lets through"] = Case(
            encode(few, kind, transparency=red), holes, kind, laid
        )
    partly = bytes(100 if entry == red else 255 for entry in range(4))
    half = np.where(np.asarray(few) == red, 100, 255).astype(np.uint8)
    cases["PNG with a palette that lets some through"] = Case(
        encode(few, transparency=partly), _on_white(pixels(few), half), "PNG", laid, 1
    )
    return cases | _with_a_transparent_level() | _with_a_transparent_colour()


def _with_a_transparent_level() -> dict[str, Case]:
    """Grey PNG files of all depths, in which one of the levels lets through."""
    column = np.tile(np.arange(WIDTH), (HEIGHT, 1))  # (H, W)
    cases = {}
    for bits in (1, 2, 4, 8, 16):
        deep = bits == 16
        clear = 0x0102 if deep else 2 % 2**bits
        samples = column + 0x0100 if deep else column % 2**bits
        levels = samples >> 8 if deep else samples * (255 // (2**bits - 1))
        levels = np.where(samples == clear, 255, levels).astype(np.uint8)
        chunk = (b"tRNS", clear.to_bytes(2, "big"))
        cases[f"grey PNG of {bits} bits with a level that lets through"] = Case(
            png((WIDTH, HEIGHT, bits, 0), _packed(samples, bits), chunk),
            _grey(levels), "PNG", ("laid on white", *["reduced to 8 bits"] * deep),
        )  # fmt: skip
    return cases


def _with_a_transparent_colour() -> dict[str, Case]:
    """PNG files of 16 bits a sample, in which colours have the upper or the lower bits alike."""
    red = np.tile(np.array([0x0103, 0x0202, 0x0102])[np.arange(WIDTH) % 3], (HEIGHT, 1))  # (H, W)
    colours = np.stack([red, red * 0, red * 0], axis=-1)  # (H, W, 3)
    whole = (colours >> 8).astype(np.uint8)
    holes = whole.copy()
    holes[red == 0x0102] = 255
    header, rows = (WIDTH, HEIGHT, 16, 2), _packed(colours.reshape(HEIGHT, -1), 16)
    reduced, laid = "reduced to 8 bits", "laid on white"
    return {
        "PNG of 48 bits with a colour that lets through": Case(
            png(header, rows, (b"tRNS", b"\1\2\0\0\0\0")), holes, "PNG", (laid, reduced)
        ),
        "PNG of 48 bits without the colour that lets through": Case(
            png(header, rows, (b"tRNS", b"\1\1\0\0\0\0")), whole, "PNG", (reduced,)
        ),
    }


def _packed(samples: NDArray[np.int64], bits: int) -> bytes:
    """Return (H, W) samples as the rows of a PNG, without filters."""
    shares = samples[..., None] >> np.arange(bits - 1, -1, -1) & 1  # (H, W, bits)
    rows = np.packbits(shares.reshape(len(samples), -1).astype(np.uint8), axis=1)
    return b"".join(b"\0" + row.tobytes() for row in rows)


def _of_other_colours() -> dict[str, Case]:
    whole = quarters()
    moved = ("brought to sRGB",)
    swapped = pixels(whole)[..., ::-1]
    ink = whole.convert("CMYK")
    grey = Image.fromarray(_grey_ramp())
    light = np.arange(256) / 255
    srgb = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    lighter = np.rint(255 * srgb).astype(np.uint8)[_grey_ramp()]
    profile = swapped_profile()
    return {
        "TIFF of inks": Case(encode(ink, "TIFF"), pixels(ink), "TIFF", moved),
        "JPEG of inks": Case(encode(ink, "JPEG", quality=98), pixels(ink), "JPEG", moved, 40),
        "TIFF in Lab": Case(encode(whole.convert("LAB"), "TIFF"), pixels(whole), "TIFF", moved, 14),
        **{
            f"{kind} with a profile": Case(
                encode(whole, kind, icc_profile=profile, **how), swapped, kind, moved, 2
            )
            for kind, how in EXACT.items()
            if kind in ("PNG", "WEBP", "TIFF")
        },
        "JPEG with a profile": Case(
            encode(whole, "JPEG", icc_profile=profile, quality=98, subsampling=0),
            swapped, "JPEG", moved, 14,
        ),
        "grey PNG with a profile": Case(
            encode(grey, icc_profile=linear_grey_profile()), _grey(lighter), "PNG", moved, 2
        ),
        "PNG with a palette and a profile": Case(
            encode(whole.quantize(4), icc_profile=profile),
            pixels(whole.quantize(4))[..., ::-1], "PNG", moved, 2,
        ),
        "PNG with the profile of sRGB": Case(
            encode(whole, icc_profile=srgb_profile()), pixels(whole), "PNG"
        ),
        "PNG with a broken profile": Case(
            encode(whole, icc_profile=b"no profile"), pixels(whole), "PNG"
        ),
        "PNG with a profile cut short": Case(
            encode(whole, icc_profile=profile[:200]), pixels(whole), "PNG"
        ),
        "grey PNG with a profile of colours": Case(
            encode(grey, icc_profile=profile), _grey(_grey_ramp()), "PNG"
        ),
    }  # fmt: skip


def _turned() -> dict[str, Case]:
    whole = quarters()
    upright = ("turned upright",)
    cases = {
        f"{kind} held as {number}": Case(
            encode(whole.transpose(stored), kind, exif=turned(number), **how),
            pixels(whole), kind, upright,
        )
        for kind, how in EXACT.items()
        if kind in ("PNG", "WEBP", "TIFF")
        for number, stored in STORED.items()
    }  # fmt: skip
    cases |= {
        f"JPEG held as {number}": Case(
            encode(
                whole.transpose(stored), "JPEG", exif=turned(number), quality=98, subsampling=0
            ),
            pixels(whole), "JPEG", upright, 12,
        )
        for number, stored in STORED.items()
    }  # fmt: skip
    for number in (0, 1, 9, 4711):
        cases[f"PNG held as {number}"] = Case(
            encode(whole, exif=turned(number)), pixels(whole), "PNG"
        )
    return cases


def _of_several_frames() -> dict[str, Case]:
    first, second = quarters().quantize(4), quarters().rotate(180).quantize(4)
    told = ("the first of several frames",)
    ways: Mapping[str, Mapping[str, object]] = {
        "GIF": {}, "PNG": {}, "WEBP": {"lossless": True}, "TIFF": {}
    }  # fmt: skip
    return {
        f"{kind} of several frames": Case(
            encode(first, kind, save_all=True, append_images=[second], **how),
            pixels(first), kind, told,
        )
        for kind, how in ways.items()
    }  # fmt: skip


def _of_everything() -> dict[str, Case]:
    """What is turned, lets through and has a profile."""
    whole = quarters()
    alpha = np.full((HEIGHT, WIDTH), 128, np.uint8)
    alpha[0] = 255
    image = Image.fromarray(np.dstack([pixels(whole), alpha]))
    stored = encode(image.transpose(STORED[6]), icc_profile=swapped_profile(), exif=turned(6))
    told = "brought to sRGB", "laid on white", "turned upright"
    expected = _on_white(pixels(whole)[..., ::-1], alpha)
    return {"PNG of everything": Case(stored, expected, "PNG", told, 2)}


def _avif() -> dict[str, Case]:
    from harness.data.image_kinds import readable_formats

    if "AVIF" not in readable_formats():
        return {}
    whole = quarters()
    how = {"quality": 100, "subsampling": "4:4:4"}
    plain = encode(whole, "AVIF", **how)
    stored = encode(whole.transpose(STORED[6]), "AVIF", exif=turned(6), **how)
    return {
        "AVIF": Case(plain, pixels(whole), "AVIF", tolerance=8),
        "AVIF held as 6": Case(stored, pixels(whole), "AVIF", ("turned upright",), 8),
    }


@cache
def cases() -> Mapping[str, Case]:
    """Return all files by what they are."""
    makers: tuple[Callable[[], dict[str, Case]], ...] = (
        _plain, _deep, _transparent, _of_other_colours, _turned, _of_several_frames,
        _of_everything, _avif,
    )  # fmt: skip
    return {name: case for make in makers for name, case in make().items()}
