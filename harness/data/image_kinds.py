"""The kinds of image file that are read, and what a file of another kind is; no torch here."""

from __future__ import annotations

import functools
import importlib
from collections.abc import Mapping

# By Pillow's names. Others that it knows are left out: they are drawings, run a program
# (EPS), or cannot be told from what is no image (TGA).
FORMATS = ("JPEG", "PNG", "BMP", "WEBP", "TIFF", "GIF", "PPM", "JPEG2000", "AVIF", "HEIF")
OPTIONAL = {"WEBP": "webp", "JPEG2000": "jpg_2000", "AVIF": "avif"}  # what Pillow is built with
INSTALL = {"HEIF": "pip install pillow-heif", "AVIF": "pip install -U pillow"}

SUFFIXES: Mapping[str, tuple[str, ...]] = {
    "JPEG": (".jpg", ".jpeg", ".jpe", ".jfif"),
    "PNG": (".png", ".apng"),
    "BMP": (".bmp", ".dib"),
    "WEBP": (".webp",),
    "TIFF": (".tif", ".tiff"),
    "GIF": (".gif",),
    "PPM": (".ppm", ".pgm", ".pbm", ".pnm", ".pfm"),
    "JPEG2000": (".jp2", ".j2k", ".j2c", ".jpc", ".jpf", ".jpx"),
    "AVIF": (".avif", ".avifs"),
    "HEIF": (".heic", ".heif", ".hif"),
}
# Of images too, but never read: what cameras call raw, drawings, and what only few programs write.
NEVER_READ = (
    *(".3fr", ".arw", ".cr2", ".cr3", ".dng", ".nef", ".nrw", ".orf", ".pef", ".raf", ".raw"),
    *(".rw2", ".sr2", ".srw", ".ai", ".cdr", ".eps", ".svg", ".svgz", ".wmf", ".emf"),
    *(".cur", ".dds", ".exr", ".hdr", ".icns", ".ico", ".jls", ".jxl", ".jxr", ".pcx", ".psd"),
    *(".qoi", ".sgi", ".tga", ".xbm", ".xcf", ".xpm"),
)
BEGINNINGS = {  # of files; a BMP begins with two letters, as texts may
    "JPEG": (b"\xff\xd8\xff",),
    "PNG": (b"\x89PNG",),
    "WEBP": (b"RIFF",),
    "TIFF": (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"),
    "GIF": (b"GIF87a", b"GIF89a"),
    "JPEG2000": (b"\0\0\0\x0cjP  ", b"\xff\x4f\xff\x51"),
}
BRANDS = {  # of what begins with a box
    "HEIF": (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"),
    "AVIF": (b"avif", b"avis"),
}


@functools.cache
def readable_formats() -> tuple[str, ...]:
    """Return the kinds that are read here: Pillow's, and HEIF where its plug-in is installed."""
    from PIL import Image, features

    _register_heif()
    Image.init()
    known = [kind for kind in FORMATS if kind in Image.OPEN]
    return tuple(k for k in known if k not in OPTIONAL or features.check(OPTIONAL[k]))


@functools.cache
def readable_suffixes() -> tuple[str, ...]:
    """Return what the names of image files end with that are read here."""
    return tuple(suffix for kind in readable_formats() for suffix in SUFFIXES[kind])


def why_unread(suffix: str) -> str:
    """Say why a file with a suffix of images is not read; nothing where it is none, or is read."""
    if suffix in NEVER_READ:
        return f"is of a kind that is not read; {', '.join(readable_formats())} are"
    unread = (kind for kind in FORMATS if suffix in SUFFIXES[kind])
    return next((_without_decoder(k) for k in unread if k not in readable_formats()), "")


def why_unidentified(encoded: bytes) -> str:
    """Say what a file is in which no kind of image was found."""
    kind = _kind_by_beginning(encoded)
    if not kind:
        return f"is none of {', '.join(readable_formats())}"
    if kind not in readable_formats():
        return _without_decoder(kind)
    return f"cannot be decoded: it begins as {kind} does and does not go on so"


def _kind_by_beginning(encoded: bytes) -> str:
    brand = encoded[8:12] if encoded[4:8] == b"ftyp" else b""
    if kind := next((kind for kind, brands in BRANDS.items() if brand in brands), ""):
        return kind
    return next((kind for kind, marks in BEGINNINGS.items() if encoded.startswith(marks)), "")


def _without_decoder(kind: str) -> str:
    how = f" ({INSTALL[kind]})" if kind in INSTALL else ""
    return f"is {kind}, for which no decoder is installed{how}"


def _register_heif() -> None:
    try:
        importlib.import_module("pillow_heif").register_heif_opener()
    except (ImportError, OSError):  # not here, or its library is not
        return
