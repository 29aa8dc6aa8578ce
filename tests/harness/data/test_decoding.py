"""One decoder: whoever looks at an image file sees the same pixels, or says the same of it."""

from __future__ import annotations

import functools
import importlib
import io
import shutil
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import PIL
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from harness.data import digest, image_kinds
from harness.data.decoding import MOST_BYTES, check_image, decode, decode_whole
from harness.data.decoding_key import decoding_key
from harness.data.importing.images import read_image as import_image
from harness.data.pixels import open_pixels, pixel_folder
from harness.data.schema import Split
from harness.errors import HarnessError
from harness.search.images import make_thumbnail, read_image
from harness.sources import HARNESS_FOLDER, Roots

from .image_files import (
    EXACT,
    HEIGHT,
    WIDTH,
    cases,
    encode,
    png,
    srgb_profile,
    swapped_profile,
    turned,
)

Images = NDArray[np.uint8]  # (3, H, W)
See = Callable[[bytes, Path, tuple[int, int]], Images]  # a file, a folder, (height, width)


def split_of(encoded: bytes) -> Split:
    """Return a split of one image."""
    rows = np.zeros(1, np.int64)
    return Split("test", lambda row: encoded, ("a",), ("a",), rows, rows)


def trained_on(encoded: bytes, folder: Path, size: tuple[int, int]) -> Images:
    """Decode as a run does that keeps pixels."""
    shutil.rmtree(folder / "pixels", ignore_errors=True)
    return open_pixels(split_of(encoded), size, folder / "pixels")(np.zeros(1, np.int64))[0].numpy()


def decoded_anew(encoded: bytes, folder: Path, size: tuple[int, int]) -> Images:
    """Decode as a run does that keeps none."""
    return open_pixels(split_of(encoded), size, None)(np.zeros(1, np.int64))[0].numpy()


def searched(encoded: bytes, folder: Path, size: tuple[int, int]) -> Images:
    """Decode as a search of a folder does."""
    file = folder / "image"
    file.write_bytes(encoded)
    found = read_image(file, size, ())
    assert found.pixels is not None, found.problem
    return found.pixels


SEE: Mapping[str, See] = {"trained on": trained_on, "anew": decoded_anew, "searched": searched}


def of_page(encoded: bytes, folder: Path) -> bytes | None:
    """Return a thumbnail of a dataset's page."""
    return digest._thumbnail(encoded, None)


def of_page_by_path(encoded: bytes, folder: Path) -> bytes | None:
    """Return the same of an image that lies beside the table."""
    (folder / "image").write_bytes(encoded)
    return digest._thumbnail(None, str(folder / "image"))


def of_search(encoded: bytes, folder: Path) -> bytes | None:
    """Return a thumbnail of a search's page."""
    (folder / "image").write_bytes(encoded)
    return make_thumbnail(folder / "image")


THUMBNAILS = {"page": of_page, "page, by path": of_page_by_path, "search": of_search}


@pytest.mark.parametrize("name", cases())
def test_everybody_sees_what_the_rule_says(name: str, tmp_path: Path) -> None:
    """Whatever kind, depth, colours, transparency and orientation a file has."""
    case = cases()[name]
    height, width = case.expected.shape[:2]
    assert (height, width) == (HEIGHT, WIDTH)
    expected = case.expected.transpose(2, 0, 1).astype(int)
    for who, see in SEE.items():
        found = see(case.encoded, tmp_path, (height, width))
        assert np.abs(found - expected).max() <= case.tolerance, who


@pytest.mark.parametrize("name", cases())
def test_what_is_converted_is_told(name: str) -> None:
    """With the kind of the file; of what is used as it is, nothing."""
    case = cases()[name]
    checked = check_image(case.encoded)
    assert (checked.kind, set(checked.conversions)) == (case.kind, set(case.conversions))


@pytest.mark.parametrize("name", cases())
def test_thumbnails_show_what_is_trained_on(name: str, tmp_path: Path) -> None:
    """Small, and with the losses of a JPEG, but the same image; no metadata go along."""
    case = cases()[name]
    for who, make in THUMBNAILS.items():
        small = make(case.encoded, tmp_path)
        assert small is not None, who
        with Image.open(io.BytesIO(small)) as opened:
            assert not {"exif", "icc_profile", "comment"} & opened.info.keys()
            whole = Image.fromarray(case.expected).resize(opened.size, Image.Resampling.BICUBIC)
            difference = np.asarray(opened.convert("RGB")) - np.asarray(whole, float)
        assert np.abs(difference).mean() < 8 + case.tolerance, who


@settings(max_examples=60, deadline=None)
@given(
    kind=st.sampled_from(["JPEG", "PNG", "TIFF", "WEBP"]),
    mode=st.sampled_from(["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16", "I", "F"]),
    shape=st.tuples(st.integers(1, 70), st.integers(1, 70)),
    size=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    orientation=st.integers(0, 9),
    profile=st.sampled_from([None, srgb_profile(), swapped_profile(), b"none"]),
    seed=st.integers(0, 2**16),
)
def test_all_agree(
    tmp_path_factory: pytest.TempPathFactory,
    kind: str,
    mode: str,
    shape: tuple[int, int],
    size: tuple[int, int],
    orientation: int,
    profile: bytes | None,
    seed: int,
) -> None:
    """Whatever Pillow writes is seen as the same by all, and as large as is asked for."""
    samples = np.random.default_rng(seed).integers(0, 256, (*shape, 4), dtype=np.uint8)
    whole = Image.fromarray(samples)  # of four channels
    grey = whole.convert("L")
    image = grey.convert("I").convert(mode) if mode in ("I;16", "I", "F") else whole.convert(mode)
    try:
        encoded = encode(image, kind, exif=turned(orientation), icc_profile=profile)
    except OSError:  # a mode that this kind does not have
        encoded = encode(whole.convert("RGB"), kind, exif=turned(orientation))
    folder = tmp_path_factory.mktemp("agree")
    seen = [see(encoded, folder, size) for see in SEE.values()]
    assert all(one.shape == (3, *size) and np.array_equal(one, seen[0]) for one in seen)
    turns = orientation in range(5, 9)
    assert decode_whole(encoded).size == (shape if turns else shape[::-1])


@functools.cache
def noisy(kind: str, shape: tuple[int, int]) -> bytes:
    """Return an image of (height, width) as a file; a large one takes long to write."""
    noise = np.random.default_rng(0).integers(0, 256, (30, 20, 3), dtype=np.uint8)
    image = Image.fromarray(noise).resize(shape[::-1], Image.Resampling.BICUBIC)
    return encode(image, kind, **EXACT.get(kind, {}))


@pytest.mark.parametrize("size", [(96, 32), (384, 128), (7, 5), (150, 60)])
@pytest.mark.parametrize("kind", [*EXACT, "JPEG"])
@pytest.mark.parametrize("shape", [(150, 60), (1200, 650)])
def test_ordinary_images_keep_every_sample(
    kind: str, size: tuple[int, int], shape: tuple[int, int]
) -> None:
    """Colours of eight bits are what Pillow decodes and resizes, bit for bit, large ones too."""
    encoded = noisy(kind, shape)
    with Image.open(io.BytesIO(encoded)) as opened:
        plain = opened.convert("RGB")
    plain = plain.resize(size[::-1], Image.Resampling.BICUBIC)
    assert np.array_equal(decode(encoded, size), np.asarray(plain).transpose(2, 0, 1))
    assert check_image(encoded).conversions == ()


@pytest.mark.parametrize(
    "metadata", [b"Exif\0\0MM\0*\xff\xff\xff\xff", b"Exif\0\0", b"no metadata"]
)
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_broken_metadata_turn_nothing(kind: str, metadata: bytes) -> None:
    """The pixels are whole all the same."""
    image = Image.effect_noise((30, 50), 90).convert("RGB")
    how = EXACT.get(kind, {})
    bent, whole = encode(image, kind, exif=metadata, **how), encode(image, kind, **how)
    assert np.array_equal(decode(bent, (50, 30)), decode(whole, (50, 30)))


# Broken files.


def broken() -> dict[str, tuple[bytes, str]]:
    """Return what cannot be decoded, and what is told of it."""
    noise = Image.effect_noise((60, 80), 90).convert("RGB")
    kinds = [kind for kind in image_kinds.readable_formats() if kind not in ("PPM", "HEIF")]
    files = {kind: encode(noise, kind) for kind in kinds}
    found = {
        f"half a {kind}": (whole[: len(whole) // 2], "cannot be decoded: ")
        for kind, whole in files.items()
    }
    found |= {
        f"the beginning of a {kind}": (whole[:20], "cannot be decoded: ")
        for kind, whole in files.items()
        if kind not in ("BMP", "GIF")
    }
    return found | {
        "half a PPM": (encode(noise, "PPM")[:500], "cannot be decoded: "),
        "nothing": (b"", "is empty"),
        "a text": (b"no image at all", "is none of JPEG, PNG, BMP, "),
        "a bomb": (png((60_000, 60_000, 8, 2), bytes(9)), "has more than 50,000,000 pixels"),
        "a large one": (png((9_000, 9_000, 8, 2), bytes(9)), "has 9000 x 9000 pixels, more than"),
        "one that Pillow warns of": (png((10_000, 10_000, 8, 2), bytes(9)), "more than 50,000,000"),
        "other photographs": (b"\0\0\0\x20ftypheic", "HEIF"),
    }


@pytest.mark.parametrize("name", broken())
def test_everybody_says_the_same_of_a_broken_file(name: str, tmp_path: Path) -> None:
    """One line, which names the image where it is one of many."""
    encoded, told = broken()[name]
    with pytest.raises(ValueError, match=told) as caught:
        decode(encoded, (8, 8))
    reason = str(caught.value)
    assert reason.isprintable()
    with pytest.raises(ValueError, match=told) as checked:
        check_image(encoded)
    assert str(checked.value) == reason
    for cache in (None, tmp_path / "pixels"):
        with pytest.raises(HarnessError) as of_run:
            open_pixels(split_of(encoded), (8, 8), cache)(np.zeros(1, np.int64))
        assert str(of_run.value) == f"Split test, image 'a' {reason}"
    file = tmp_path / "image"
    file.write_bytes(encoded)
    assert read_image(file, (8, 8), ()).problem == reason
    with pytest.raises(ValueError, match=told) as imported:
        import_image(SimpleNamespace(file=file))  # type: ignore[arg-type]  # its file is enough
    assert str(imported.value) == reason
    assert [make(encoded, tmp_path) for make in THUMBNAILS.values()] == [None] * len(THUMBNAILS)


def test_large_files_are_not_decoded(tmp_path: Path) -> None:
    """Everybody holds to one bound of bytes; a file is not even read."""
    file = tmp_path / "image"
    with file.open("wb") as out:
        out.truncate(MOST_BYTES + 1)
    told = "has 100,000,001 bytes, more than 100,000,000"
    assert read_image(file, (8, 8), ()).problem == told
    with pytest.raises(ValueError, match=told):
        decode(bytes(MOST_BYTES + 1), (8, 8))
    assert make_thumbnail(file) is None


# Kinds.


def test_every_suffix_is_of_a_kind() -> None:
    """Each kind has suffixes of its own, and none of them is also said to be never read."""
    suffixes = [suffix for kind in image_kinds.FORMATS for suffix in image_kinds.SUFFIXES[kind]]
    assert len(suffixes) == len(set(suffixes))
    assert not set(suffixes) & set(image_kinds.NEVER_READ)
    assert set(image_kinds.SUFFIXES) == set(image_kinds.FORMATS)


def test_a_plug_in_of_pillow_is_used_where_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """Photographs of telephones (HEIC) are read as soon as pillow_heif is installed."""
    monkeypatch.setitem(sys.modules, "pillow_heif", None)  # cannot be imported
    monkeypatch.delitem(Image.OPEN, "HEIF", raising=False)
    assert "HEIF" not in image_kinds.readable_formats.__wrapped__()
    opener = Image.OPEN["PNG"]
    plugin = SimpleNamespace(
        register_heif_opener=lambda: monkeypatch.setitem(Image.OPEN, "HEIF", opener)
    )
    monkeypatch.setitem(sys.modules, "pillow_heif", plugin)
    assert "HEIF" in image_kinds.readable_formats.__wrapped__()


def test_what_pillow_was_built_without_is_no_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    """AVIF and WebP are read where Pillow has their libraries; else it is said how to get them."""
    features = importlib.import_module("PIL.features")
    monkeypatch.setattr(features, "check", lambda feature: False)
    kinds = image_kinds.readable_formats.__wrapped__()
    assert set(kinds) >= {"JPEG", "PNG", "BMP", "TIFF", "GIF", "PPM"}
    assert not {"AVIF", "WEBP", "JPEG2000"} & set(kinds)
    monkeypatch.setattr(image_kinds, "readable_formats", lambda: kinds)
    assert image_kinds.why_unread(".avif") == (
        "is AVIF, for which no decoder is installed (pip install -U pillow)"
    )


# What is kept of decoded images.


def test_pixels_of_another_decoder_are_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The folder of the cache stands for the dataset, for the code that decodes and for Pillow."""
    before = pixel_folder("0" * 64)
    assert before != pixel_folder("1" * 64)
    monkeypatch.setattr(PIL, "__version__", "0.0")
    decoding_key.cache_clear()
    assert pixel_folder("0" * 64) != before
    monkeypatch.undo()
    decoding_key.cache_clear()
    assert pixel_folder("0" * 64) == before


@pytest.mark.parametrize(
    ("module", "old", "new", "moves"),
    [
        ("colours", "WHITE = (255,", "WHITE = (0,", True),
        ("colours", "samples >> 8", "samples >> 7", True),
        ("transparency", '"L;2": 85', '"L;2": 84', True),
        ("decoding", "Transpose.ROTATE_270", "Transpose.ROTATE_180", True),
        ("decoding", "Resampling.BICUBIC", "Resampling.BILINEAR", True),
        ("decoding", '"is empty"', '"holds nothing"', False),
        ("digest", "QUALITY = 70", "QUALITY = 71", False),
    ],
)
def test_the_key_follows_what_decodes(
    tmp_path: Path, module: str, old: str, new: str, moves: bool
) -> None:
    """A change of the rule moves it, and another change does not."""
    shutil.copytree(HARNESS_FOLDER, tmp_path / "harness")
    file = tmp_path / "harness" / "data" / f"{module}.py"
    text = file.read_text(encoding="utf-8")
    assert old in text
    roots = Roots((("harness", tmp_path / "harness"),))
    decoding_key.cache_clear()
    assert decoding_key(roots) == decoding_key()
    file.write_text(text.replace(old, new, 1), encoding="utf-8")
    decoding_key.cache_clear()
    assert (decoding_key(roots) != decoding_key()) == moves
