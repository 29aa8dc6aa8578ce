"""The columns of a dataset's Parquet files."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def schema() -> Any:
    """Return them as an Arrow schema, from which datasets and the hub know an image."""
    from datasets import Features, List, Value
    from datasets import Image as ImageFeature

    text = Value("string")
    return Features(
        image=ImageFeature(),  # the encoded file, as it was
        captions=List(text),
        person_id=Value("int64"),  # unique over the splits
        image_id=text,  # unique within a split
        camera=text,
        source_path=text,
    ).arrow_schema


def stored_image(stored: Any) -> tuple[bytes | None, str | None]:
    """Return the encoded image or its path, of the forms in which `datasets` stores one."""
    if isinstance(stored, Mapping):
        return stored.get("bytes"), stored.get("path")
    return (stored, None) if isinstance(stored, bytes) else (None, stored)
