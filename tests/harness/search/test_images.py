"""The images of a folder, whatever is in it."""

from __future__ import annotations

import errno
import io
import os
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from harness.data import image_kinds
from harness.data.decoding import decode
from harness.data.pixels import open_pixels
from harness.data.schema import Split
from harness.search import images
from harness.search.images import find_images, make_thumbnail, read_image

SIZE = 32, 16
ORIENTATION = 0x0112


def noise(width: int, height: int) -> Image.Image:
    """Return an image in which every pixel differs."""
    random = np.random.default_rng(0)
    return Image.fromarray(random.integers(0, 256, (height, width, 3), dtype=np.uint8))


def encoded(image: Image.Image, kind: str = "PNG", **how: object) -> bytes:
    """Return an image as a file."""
    file = io.BytesIO()
    image.save(file, kind, **how)
    return file.getvalue()


def declared(width: int, height: int) -> bytes:
    """Return a small PNG file that says it is large."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        checksum = struct.pack(">I", zlib.crc32(kind + content))
        return struct.pack(">I", len(content)) + kind + content + checksum

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    content = zlib.compress(bytes(1000))
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", content)
        + chunk(b"IEND", b"")
    )  # fmt: skip


def test_images_are_found_wherever_they_are(photos: Path) -> None:
    """All kinds, in nested folders, by their paths in one order, whatever else lies there."""
    (photos / "notes.txt").write_text("no image")
    (photos / ".thumbnails").mkdir()
    (photos / ".thumbnails" / "a.png").touch()
    (photos / "._a.png").touch()
    found = find_images(photos)
    assert found.images == ("a.png", "c.webp", "d.BMP", "deep/er/b.jpg")
    assert found.passed_over == ()
    assert found.others == 1  # nothing that is hidden counts


def test_links_are_not_followed(photos: Path, tmp_path: Path, paint: Callable[..., Path]) -> None:
    """Neither a linked file nor a linked folder is read; both are told."""
    outside = paint(tmp_path / "outside" / "secret.png", "red")
    (photos / "file.png").symlink_to(outside)
    (photos / "folder").symlink_to(outside.parent)
    (photos / "loop").symlink_to(photos)
    found = find_images(photos)
    assert found.images == ("a.png", "c.webp", "d.BMP", "deep/er/b.jpg")
    assert [name for name, _ in found.passed_over] == ["file.png", "folder", "loop"]
    assert all("--follow-links" in why for _, why in found.passed_over)


def test_links_are_followed_where_asked(
    photos: Path, tmp_path: Path, paint: Callable[..., Path]
) -> None:
    """Each folder once, whatever leads to it: a loop ends, and is told; so is a broken link."""
    outside = paint(tmp_path / "outside" / "secret.png", "red")
    (photos / "file.png").symlink_to(outside)
    (photos / "folder").symlink_to(outside.parent)
    (photos / "again").symlink_to(outside.parent)
    (photos / "loop").symlink_to(photos)
    (outside.parent / "back").symlink_to(photos / "deep")
    (photos / "one.png").symlink_to("two.png")
    (photos / "two.png").symlink_to("one.png")
    found = find_images(photos, follow_links=True)
    own = ("a.png", "c.webp", "d.BMP", "deep/er/b.jpg")
    assert found.images == tuple(sorted((*own, "again/secret.png", "file.png")))
    assert dict(found.passed_over) == {
        **dict.fromkeys(
            ["again/back", "folder", "loop"], "is a link to a folder that was searched already"
        ),
        **dict.fromkeys(
            ["one.png", "two.png"],
            f"is a link that cannot be followed: {os.strerror(errno.ELOOP)}",
        ),
    }


def test_what_would_wait_for_ever_is_not_opened(photos: Path) -> None:
    """A pipe that is called an image is none."""
    os.mkfifo(photos / "pipe.png")
    assert "pipe.png" not in find_images(photos).images


def test_what_is_passed_over_is_told(photos: Path) -> None:
    """An image of a kind that is not read by its name, whatever else lies there by number."""
    (photos / "deep" / "notes.txt").write_text("no image")
    (photos / "list.csv").write_text("no image")
    (photos / "raw.DNG").write_bytes(b"an image")
    os.mkfifo(photos / "pipe.png")
    found = find_images(photos)
    assert [name for name, _ in found.passed_over] == ["pipe.png", "raw.DNG"]
    assert found.passed_over[0][1] == "is no file"
    assert found.passed_over[1][1].startswith("is of a kind that is not read; JPEG, PNG")
    assert found.others == 2


def test_what_has_no_decoder_here_is_told(photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With what to install."""
    monkeypatch.setattr(image_kinds, "readable_formats", lambda: ("JPEG", "PNG"))
    monkeypatch.setattr(images, "readable_suffixes", lambda: (".jpg", ".png"))
    (photos / "IMG_1.HEIC").write_bytes(b"an image")
    found = find_images(photos)
    assert found.images == ("a.png", "deep/er/b.jpg")
    told = "is HEIF, for which no decoder is installed (pip install pillow-heif)"
    assert dict(found.passed_over)["IMG_1.HEIC"] == told


def test_images_are_decoded_as_for_a_run(tmp_path: Path) -> None:
    """A crop of a person gives the same pixels here as in training and evaluation."""
    for image, kind in ((noise(60, 150), "JPEG"), (noise(31, 77).convert("P"), "PNG")):
        file = encoded(image, kind)
        rows = np.zeros(1, np.int64)
        split = Split("test", lambda row, file=file: file, ("a",), ("a",), rows, rows)
        of_run = open_pixels(split, SIZE, None)(rows)[0].numpy()
        assert np.array_equal(decode(file, SIZE), of_run)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_images_stand_upright(orientation: int) -> None:
    """However the camera was held, the image is the one its owner sees."""
    turns = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,  # the sensor's image before the turn of 270 degrees
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    upright = noise(SIZE[1], SIZE[0])
    stored = upright.transpose(turns[orientation]) if orientation in turns else upright
    metadata = Image.Exif()
    metadata[ORIENTATION] = orientation
    found = decode(encoded(stored, exif=metadata), SIZE)
    assert np.array_equal(found, np.asarray(upright).transpose(2, 0, 1))


def test_broken_metadata_lose_no_image() -> None:
    """Pixels are shown even where the metadata are no metadata."""
    file = encoded(noise(20, 40), "JPEG", exif=b"Exif\0\0MM\0*\xff\xff\xff\xff")
    assert decode(file, SIZE).shape == (3, *SIZE)


def test_photographs_are_what_a_run_sees() -> None:
    """A large JPEG too is decoded whole: a search sees what an evaluation of the file would."""
    slow = noise(6, 12).resize((1600, 3200), Image.Resampling.BICUBIC)
    file = encoded(slow, "JPEG", quality=95)
    with Image.open(io.BytesIO(file)) as opened:
        whole = opened.convert("RGB").resize((SIZE[1], SIZE[0]), Image.Resampling.BICUBIC)
    assert np.array_equal(decode(file, SIZE), np.asarray(whole).transpose(2, 0, 1))


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "is empty"),
        (b"no image", "none of"),
        (b"GIF89a no image", "begins as GIF does"),
        (encoded(noise(40, 40))[:500], "cannot be decoded"),
        (declared(60_000, 60_000), "pixels"),
        (declared(9_000, 9_000), "9000 x 9000 pixels"),
    ],
    ids=["empty", "other", "cut shorter", "cut short", "bomb", "large"],
)
def test_what_is_no_image_is_told(content: bytes, told: str, tmp_path: Path) -> None:
    """Nothing broken or huge is decoded; the reason is one line."""
    file = tmp_path / "a.png"
    file.write_bytes(content)
    found = read_image(file, SIZE, ())
    assert found.pixels is None
    assert told in found.problem
    assert found.problem.isprintable()


def test_a_file_that_is_gone_is_told(tmp_path: Path) -> None:
    """Between finding and reading a file may vanish."""
    assert read_image(tmp_path / "gone.png", SIZE, ()).problem


def test_known_content_is_not_decoded(photos: Path) -> None:
    """A file is decoded unless its content is known, under whatever name."""
    first = read_image(photos / "a.png", SIZE, ())
    again = read_image(photos / "a.png", SIZE, {first.digest})
    assert first.pixels is not None
    assert again.digest == first.digest
    assert again.pixels is None


def test_thumbnails_carry_no_metadata(tmp_path: Path) -> None:
    """A page is passed on: where a photograph was taken does not go along."""
    metadata = Image.Exif()
    metadata[0x010E] = "at home"
    file = tmp_path / "a.jpg"
    file.write_bytes(encoded(noise(400, 1000), "JPEG", exif=metadata))
    small = make_thumbnail(file)
    assert small is not None
    assert b"at home" not in small
    with Image.open(io.BytesIO(small)) as opened:
        assert opened.height == 192
    file.unlink()
    assert make_thumbnail(file) is None
