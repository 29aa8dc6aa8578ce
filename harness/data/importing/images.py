"""The image files of a benchmark, checked without being changed."""

from __future__ import annotations

from harness.data.decoding import check_image, read_file
from harness.data.importing.records import Record


def read_image(record: Record) -> tuple[bytes, tuple[str, ...]]:
    """Return an image file after it was decoded once, and what decoding changed of it.

    Raises:
        ValueError: it cannot be decoded, or is no image of a person; the message says why.
        OSError: it cannot be read.
    """
    encoded = read_file(record.file)
    return encoded, check_image(encoded).conversions
