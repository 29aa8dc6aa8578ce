"""The columns of a dataset's Parquet files."""

from __future__ import annotations

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
