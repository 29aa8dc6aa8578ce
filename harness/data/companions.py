"""Companions of a training split: further texts, or labels, of its captions or its images.

Such as back-translations, captions that a model has rewritten, attributes. A dataset has them by
name, in a folder for its content: a list for each caption or image of its training split, in the
order in which its files have them, and what is known of them. No torch here: plans read this.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, overload

import numpy as np
from numpy.typing import NDArray

from harness import paths
from harness.errors import HarnessError, unknown
from harness.printable import printable

if TYPE_CHECKING:
    from harness.data.declaration import Located

ABOUT, LISTS, COLUMN = "about.json", "lists.parquet", "values"

Integers = NDArray[np.int64]
By = Literal["caption", "image"]
Kind = Literal["texts", "labels"]


@dataclass(frozen=True)
class Companion:
    """What is known of a companion, without what it holds."""

    name: str
    made_by: str  # who, or which model, in words
    by: By  # what it has a list of
    kind: Kind
    counts: Mapping[str, int]  # of lists that are not empty, and of what is in all of them
    fingerprint: str
    dataset: str  # the fingerprint of the dataset that it belongs to

    @property
    def file(self) -> Path:
        """Where its lists are."""
        return companions_folder(self.dataset) / self.name / LISTS

    @cached_property
    def lists(self) -> Any:
        """They, as a column of Arrow, read once and held against the fingerprint that keys have.

        Raises:
            HarnessError: the file cannot be read, or holds something else.
        """
        import pyarrow
        import pyarrow.parquet

        try:
            column = pyarrow.parquet.read_table(self.file).column(COLUMN)
        except (OSError, KeyError, pyarrow.ArrowException) as error:
            raise _broken(self, f"cannot be read: {printable(str(error), 200)}") from error
        if fingerprint_of(self.by, self.kind, column) != self.fingerprint:
            raise _broken(self, "holds something else than when the run was planned")
        return column


def companions_folder(dataset: str) -> Path:
    """Return where the companions lie of a dataset of that fingerprint."""
    return paths.cache_folder() / "companions" / dataset[:24]


def list_companions(dataset: str) -> list[Companion]:
    """Return the companions of a dataset of that fingerprint, by name; broken ones are left out."""
    found = (_read_about(one.parent) for one in companions_folder(dataset).glob(f"*/{ABOUT}"))
    return sorted((one for one in found if one), key=lambda one: one.name)


def find_anywhere(name: str) -> Companion | None:
    """Return a companion of that name of whichever dataset; None where none has one."""
    folders = sorted(companions_folder("").glob(f"*/{name}"))
    return next(filter(None, map(_read_about, folders)), None)


def _read_about(folder: Path) -> Companion | None:
    import msgspec

    try:
        values = json.loads((folder / ABOUT).read_text(encoding="utf-8"))
        found = msgspec.convert(values, Companion)
    except (OSError, ValueError, TypeError):
        return None
    return found if found.name == folder.name else None  # not one that is being written


def find_companions(names: Sequence[str], datasets: Iterable[Located]) -> list[Companion]:
    """Return the companions of these names that any of the datasets has, in the order of names.

    Raises:
        HarnessError: none of them has one, the message names those that there are; or a name is
            there twice.
    """
    datasets = list(datasets)
    known = [one for located in datasets for one in list_companions(located.fingerprint)]
    for name in names:
        if name not in (one.name for one in known):
            raise _missing(name, datasets[0], [one.name for one in known])
        if names.count(name) > 1:
            raise HarnessError(f"companions names {printable(name)!r} twice: once is enough.")
    # Keys hold this list: a method may take the first name for one thing, the second for another.
    return [one for name in names for one in known if one.name == name]


def _missing(name: str, located: Located, known: Sequence[str]) -> HarnessError:
    declaration = located.declaration
    kind = f"companion of dataset {declaration.name!r}"
    return HarnessError(
        f"{unknown(kind, name, known)} This adds one: harness data companion add "
        f'{declaration.argument} FILE --name {name} --made-by "..."'
    )


def read_companion(
    companions: Sequence[Companion],
    name: str,
    by: By,
    images: Integers,
    captions: Integers,
    image_of_caption: Integers,
    captions_of_image: Sequence[Sequence[int]],
) -> Sequence[Sequence[Any]]:
    """Return a companion as a method sees the training set.

    Args:
        companions: those of the set that the config names.
        images: (M,) the dataset's row of each image, as the method numbers them.
        captions: (N,) that of each caption.
        image_of_caption: (N,) by the method's numbers, as is `captions_of_image`.

    Raises:
        HarnessError: there is none of that name, or its file is not what was added.
    """
    found = next((one for one in companions if one.name == name), None)
    if found is None:
        kind = "companion of this training set that the config names"
        raise HarnessError(
            f"{unknown(kind, name, [one.name for one in companions])} A config names what it "
            f"trains with: companions = ({name!r},)."
        )
    if by not in ("caption", "image"):
        raise HarnessError(f"A companion is read by caption or by image, not by {by!r}.")
    rows_of: Mapping[tuple[By, By], Callable[[int], Integers]] = {  # made by and read by
        ("caption", "caption"): lambda caption: captions[[caption]],
        ("image", "image"): lambda image: images[[image]],
        ("image", "caption"): lambda caption: images[image_of_caption[[caption]]],
        ("caption", "image"): lambda image: captions[np.asarray(captions_of_image[image], int)],
    }
    count = len(captions if by == "caption" else images)
    return Lists(found.lists, range(count), rows_of[found.by, by])


def _broken(companion: Companion, why: str) -> HarnessError:
    return HarnessError(
        f"The companion {companion.name!r}, {companion.file}, {why}: add it again with "
        "`harness data companion add`."
    )


def fingerprint_of(by: str, kind: str, column: Any) -> str:
    """Return the hash of what a companion holds, wherever and by whatever it was written."""
    digest = hashlib.sha256(f"{by} {kind}\n".encode())
    for chunk in column.chunks:
        for one in chunk:
            digest.update(json.dumps(one.as_py()).encode() + b"\n")
    return digest.hexdigest()


class Lists(Sequence[Sequence[Any]]):
    """Lists of a column, each made of one or several rows of it as it is asked for."""

    def __init__(
        self, column: Any, numbers: Sequence[int], rows_of: Callable[[int], Integers]
    ) -> None:
        self._column = column
        self._numbers = numbers
        self._rows_of = rows_of

    def __len__(self) -> int:
        return len(self._numbers)

    @overload
    def __getitem__(self, index: int) -> Sequence[Any]: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[Sequence[Any]]: ...

    def __getitem__(self, index: int | slice) -> Sequence[Any]:
        if isinstance(index, slice):
            return Lists(self._column, self._numbers[index], self._rows_of)
        rows = self._rows_of(self._numbers[index])
        return [one for row in rows.tolist() for one in self._column[row].as_py()]
