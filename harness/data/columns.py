"""The columns of a dataset's Parquet files."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from harness.errors import HarnessError
from harness.printable import printable

LISTED = 10  # faults of a column that are named
LARGEST = 2**63 - 1  # of a number
NAMES_OF_PEOPLE = (
    " A suite that says what the columns are called (`columns: {person_id: ...}`) takes texts for "
    "the names of people."
)


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


def convert(column: str, values: Iterable[Any], place: Callable[[int], str]) -> list[Any]:
    """Return what a column holds, each value as what it is declared to be.

    `place` names a row. Raises HarnessError where values are something else, naming up to ten.
    """
    as_declared, wanted = DECLARED[column]
    found, wrong = [], []
    for row, value in enumerate(values):
        try:
            found.append(as_declared(value))
        except ValueError:
            wrong.append((row, value))
            if len(wrong) == LISTED:
                break
    if wrong:
        told = "; ".join(f"{place(row)}: {_shown(value)}" for row, value in wrong)
        texts = column == "person_id" and any(isinstance(value, str) for _, value in wrong)
        raise HarnessError(
            f"Column {column} is to hold {wanted} in each row. {told}."
            f"{NAMES_OF_PEOPLE if texts else ''}"
        )
    return found


def _as_texts(value: Any) -> list[str]:
    """Return captions; a text is one, and what is missing is an empty one."""
    texts = [value] if isinstance(value, str) else [] if value is None else value
    if not isinstance(texts, list) or not all(isinstance(text, str | None) for text in texts):
        raise ValueError
    return [text or "" for text in texts]


def _as_number(value: Any) -> int:
    """Return a whole number, which a column with gaps holds as a fraction."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not float(value).is_integer() or abs(value) > LARGEST:
        raise ValueError
    return int(value)


def _as_name(value: Any) -> str:
    if not isinstance(value, str | int) or isinstance(value, bool):
        raise ValueError
    return str(value)


DECLARED: Mapping[str, tuple[Callable[[Any], Any], str]] = {
    "captions": (_as_texts, "a text or a list of texts"),
    "person_id": (_as_number, "a whole number"),
    "image_id": (_as_name, "a text or a whole number"),
}


def _shown(value: Any) -> str:
    return "nothing" if value is None else printable(repr(value), 60)
