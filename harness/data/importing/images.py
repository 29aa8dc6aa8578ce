"""The image files of a benchmark, checked without being changed."""

from __future__ import annotations

import io
import warnings

from harness.data.importing.records import Record

FORMATS = ("JPEG", "PNG", "BMP")
MOST_PIXELS = 50_000_000  # the benchmarks' crops have well under one million
MOST_BYTES = 100_000_000


def read_image(record: Record) -> bytes:
    """Return an image file after it was decoded once.

    Raises:
        ValueError: it cannot be decoded, or is no image of a person; the message says why.
    """
    size = record.file.stat().st_size
    if size > MOST_BYTES:
        raise ValueError(f"it has {size:,} bytes, more than {MOST_BYTES:,}")
    encoded = record.file.read_bytes()
    check_image(encoded)
    return encoded


def check_image(encoded: bytes) -> None:
    """Decode an image file once.

    Raises:
        ValueError: it cannot be decoded, or is no image of a person; the message says why.
    """
    from PIL import Image, UnidentifiedImageError

    if not encoded:
        raise ValueError("it is empty")
    with warnings.catch_warnings():
        # Our own bound is below the one that Pillow warns of.
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        try:
            with Image.open(io.BytesIO(encoded), formats=FORMATS) as image:
                _refuse_size(*image.size)
                image.load()
        except UnidentifiedImageError as error:
            raise ValueError(f"it is none of {', '.join(FORMATS)}") from error
        except Image.DecompressionBombError as error:
            raise ValueError("it has more pixels than any photograph of a person") from error
        except (OSError, SyntaxError, EOFError) as error:  # what Pillow raises for broken files
            raise ValueError(f"it cannot be decoded: {error}") from error


def _refuse_size(width: int, height: int) -> None:
    if width * height > MOST_PIXELS:
        raise ValueError(f"it has {width} x {height} pixels, more than {MOST_PIXELS:,}")
