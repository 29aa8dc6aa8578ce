"""What the arrays of a file are, by their names.

Shapes: N captions and M images of the split, D the width of an embedding.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from harness.errors import HarnessError
from harness.handed_in.files import ALONE, Array, Load, load, read_arrays
from harness.printable import printable

Integers = NDArray[np.int64]

# What an array is -> the names that it goes by: the first as `harness export-embeddings` writes it,
# the second as IRRA's evaluator has it, where it has one.
FEATURES: Mapping[str, Sequence[str]] = {
    "texts": ("texts", "qfeats", "text_features", "query_features"),
    "images": ("images", "gfeats", "image_features", "gallery_features"),
}
SIMILARITY = ("similarity", "sims", "scores", ALONE)
NUMBERS: Mapping[str, Sequence[str]] = {
    "text_people": ("text_person_ids", "qids", "query_person_ids"),
    "image_people": ("image_person_ids", "gids", "gallery_person_ids"),
    "query_ids": ("query_ids",),
    "image_of_text": ("image_of_text",),
    "caption_numbers": ("caption_numbers",),
}
TEXTS: Mapping[str, Sequence[str]] = {
    "image_ids": ("image_ids", "image_paths", "img_paths"),
    "text_image_ids": ("text_image_ids", "text_image_paths"),
}
OF_IMAGES = ("image_ids", "image_people")  # the others are of captions


@dataclass(frozen=True)
class GivenIds:
    """What tells the rows of a file; None where the file does not say."""

    image_ids: Sequence[str] | None = None  # of the images
    image_people: Integers | None = None
    query_ids: Integers | None = None  # the number of a caption in the dataset's order, from 0
    text_image_ids: Sequence[str] | None = None  # the image that a caption was written for
    caption_numbers: Integers | None = None  # of a caption among those of its image, from 0
    image_of_text: Integers | None = None  # the row of the image in this file
    text_people: Integers | None = None


@dataclass(frozen=True)
class Handed:
    """What was handed in of one seed: features, or a similarity for each caption and image."""

    files: tuple[Path, ...]
    texts: Array | None  # (N, D)
    images: Array | None  # (M, D)
    similarity: Array | None  # (N, M)
    ids: GivenIds

    @property
    def name(self) -> str:
        """How messages name it."""
        return printable(" and ".join(str(file) for file in self.files))

    @property
    def counts(self) -> tuple[int, int]:
        """How many captions and images its rows are."""
        if self.similarity is not None:
            return self.similarity.shape[0], self.similarity.shape[1]
        assert self.texts is not None
        assert self.images is not None
        return len(self.texts), len(self.images)

    @property
    def widths(self) -> tuple[int, int] | None:
        """How wide features are; None of a similarity."""
        if self.texts is None or self.images is None:
            return None
        return self.texts.shape[1], self.images.shape[1]


def read_handed(files: Sequence[Path]) -> Handed:
    """Read the arrays of one seed: a file, or one of texts and one of images.

    Raises:
        HarnessError: something is missing, stands twice, or is not what its name says.
    """
    name = printable(" and ".join(map(str, files)))
    if len(files) == 2:
        texts, images = (_only(file) for file in files)
        return _checked(Handed(tuple(files), texts, images, None, GivenIds()), name)
    (file,) = files
    loads = read_arrays(file)
    texts, images = (_find(file, what, names, loads) for what, names in FEATURES.items())
    similarity = _find(file, "similarity", SIMILARITY, loads)
    if similarity is None and (texts is None or images is None):
        raise HarnessError(
            f"{name} holds {_listed(loads)}: neither texts and images (or qfeats and gfeats), nor "
            "a similarity."
        )
    if similarity is not None and not (texts is None and images is None):
        raise HarnessError(f"{name} holds features and a similarity: leave one of them out.")
    return _checked(Handed((file,), texts, images, similarity, _ids(file, loads)), name)


def _only(file: Path) -> Array:
    """Return the features of a file that holds nothing else."""
    loads = read_arrays(file)
    if set(loads) != {ALONE}:
        raise HarnessError(
            f"{printable(str(file))} holds {_listed(loads)}: of two files each is one array (.npy "
            "or .pt), of the captions and of the images."
        )
    array: Array = load(file, ALONE, loads[ALONE])
    return array


def _find(file: Path, what: str, names: Sequence[str], loads: Mapping[str, Load]) -> Any:
    """Load what goes by one of some names; None where there is none."""
    there = [name for name in names if name in loads]
    if len(there) > 1:
        raise HarnessError(
            f"{printable(str(file))} holds {' and '.join(there)}, which both are {what}: leave one "
            "of them out."
        )
    return load(file, there[0], loads[there[0]]) if there else None


def _ids(file: Path, loads: Mapping[str, Load]) -> GivenIds:
    def numbers(what: str) -> Integers | None:
        return _whole_numbers(file, what, _find(file, what, NUMBERS[what], loads))

    def texts(what: str) -> list[str] | None:
        return _texts(file, what, _find(file, what, TEXTS[what], loads))

    ids = GivenIds(
        image_ids=texts("image_ids"),
        image_people=numbers("image_people"),
        query_ids=numbers("query_ids"),
        text_image_ids=texts("text_image_ids"),
        caption_numbers=numbers("caption_numbers"),
        image_of_text=numbers("image_of_text"),
        text_people=numbers("text_people"),
    )
    if ids.image_of_text is None or ids.image_ids is None or ids.text_image_ids is not None:
        return ids
    rows, images = ids.image_of_text, ids.image_ids
    if len(rows) and not 0 <= int(rows.min()) <= int(rows.max()) < len(images):
        raise HarnessError(
            f"{printable(str(file))}: image_of_text has to name rows from 0 to {len(images) - 1}."
        )
    return replace(ids, text_image_ids=[images[row] for row in rows.tolist()])


def _whole_numbers(file: Path, what: str, values: Any) -> Integers | None:
    if values is None:
        return None
    array = values.numpy() if isinstance(values, Tensor) else np.asarray(values)
    numbers = np.atleast_1d(array).ravel() if array.ndim < 2 or 1 in array.shape else array
    is_whole = numbers.ndim == 1 and (
        numbers.dtype.kind in "iu"
        or (numbers.dtype.kind == "f" and bool((numbers == np.round(numbers)).all()))
    )
    if not is_whole:
        raise HarnessError(
            f"{printable(str(file))}: {what} has to be one whole number a row; it is {array.dtype} "
            f"{array.shape}."
        )
    return numbers.astype(np.int64)


def _texts(file: Path, what: str, values: Any) -> list[str] | None:
    if values is None:
        return None
    listed = values.tolist() if isinstance(values, np.ndarray) else values
    if not isinstance(listed, list | tuple) or not all(isinstance(one, str) for one in listed):
        raise HarnessError(f"{printable(str(file))}: {what} has to be one text a row.")
    return list(listed)


def _checked(handed: Handed, name: str) -> Handed:
    """Refuse what is no table of numbers, and ids that are not one a row."""
    arrays = {"texts": handed.texts, "images": handed.images, "similarity": handed.similarity}
    for what, array in arrays.items():
        if array is not None and not _is_table(array):
            told = f"{getattr(array, 'dtype', type(array).__name__)} {_shape(array)}"
            raise HarnessError(f"{name}: {what} has to be (rows, columns) of numbers, not {told}.")
    if handed.texts is not None and handed.images is not None:
        _refuse_widths(handed, name)
    captions, images = handed.counts
    for field in fields(GivenIds):
        ids = getattr(handed.ids, field.name)
        rows = images if field.name in OF_IMAGES else captions
        if ids is not None and len(ids) != rows:
            raise HarnessError(f"{name}: {len(ids)} {field.name} for {rows} rows.")
    return handed


def _is_table(array: Any) -> bool:
    if isinstance(array, Tensor):
        return array.ndim == 2 and 0 not in array.shape and not array.is_complex()
    return isinstance(array, np.ndarray) and array.ndim == 2 and array.size > 0 and (
        array.dtype.kind in "fiu"
    )  # fmt: skip


def _refuse_widths(handed: Handed, name: str) -> None:
    assert handed.texts is not None
    assert handed.images is not None
    texts, images = _shape(handed.texts), _shape(handed.images)
    if texts[1] == images[1]:
        return
    transposed = " They look transposed: a row is a caption or an image." if (
        texts[0] == images[0]
    ) else ""  # fmt: skip
    raise HarnessError(f"{name}: texts {texts} and images {images} differ in width.{transposed}")


def _shape(array: Any) -> tuple[int, ...]:
    return tuple(getattr(array, "shape", ()))


def _listed(loads: Mapping[str, Load]) -> str:
    names = [name or "one array" for name in loads]
    return printable(", ".join(names), 300) if names else "nothing"
