"""Rankings against the people of the dataset: what must have been found, and where.

Shapes: Q queries, G gallery rows, T the length of the top lists.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pyarrow.compute
import pyarrow.parquet

from harness.data.declaration import Located
from harness.data.digest import GALLERY_FILE, QUERIES_FILE
from harness.results import REVERSE_EVALUATION
from harness.tie_order import CAPTIONS, IMAGES
from harness.verification.figures import Integers, Queries, Top, which
from harness.verification.findings import Finding, Kind, Unreadable
from harness.verification.reading import read_json, read_table

TOP = 10  # as many gallery rows are kept of each query, where there are as many
Order = Callable[[str, int], Integers]
FINGERPRINT = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Relevance:
    """Who is on the N captions and M images of a test split, in the dataset's order."""

    person_of_caption: Integers  # (N,)
    person_of_image: Integers  # (M,)
    image_ids: tuple[str, ...]  # M

    def is_same(self, other: Relevance) -> bool:
        """Tell whether two say the same."""
        return self.image_ids == other.image_ids and all(
            np.array_equal(a, b)
            for a, b in (
                (self.person_of_caption, other.person_of_caption),
                (self.person_of_image, other.person_of_image),
            )
        )

    def task(self, evaluation: str, order: Order) -> Task:
        """Return what an evaluation asks: images for captions, or the other way round.

        `order` gives the order of ties of a gallery of images or captions, and of a size.
        """
        captions, images = self.person_of_caption, self.person_of_image
        if evaluation == REVERSE_EVALUATION:
            ids = np.asarray(self.image_ids, dtype=object)
            return Task(ids, images, captions, np.argsort(order(CAPTIONS, len(captions))))
        places = np.argsort(order(IMAGES, len(images)))
        return Task(np.arange(len(captions)), captions, images, places)


@dataclass(frozen=True)
class Task:
    """The queries of an evaluation and the gallery that they rank."""

    query_ids: Any  # (Q,)
    query_people: Integers  # (Q,)
    gallery_people: Integers  # (G,)
    gallery_places: Integers  # (G,) where a row stands among those that score the same


@dataclass
class Library:
    """The relevance of every dataset that a results folder or this machine knows."""

    by_fingerprint: dict[str, Relevance] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)

    @classmethod
    def open(
        cls, results: Path, datasets: Iterable[Located], beside: Path | None = None
    ) -> Library:
        """Read the datasets that are here, then the digests, which have to agree with them.

        Where `results` are to be taken into the results folder `beside`, its digests come first.
        """
        library = cls()
        for located in datasets:
            library._add_dataset(located)
        known = cls.open(beside, ()).by_fingerprint if beside else {}
        library.by_fingerprint = {**known, **library.by_fingerprint}
        for folder in sorted(results.glob("*/*/dataset-*")):
            if re.fullmatch(r"dataset-[0-9a-f]{12}", folder.name):
                library._add_digest(folder, folder.relative_to(results).as_posix())
        return library

    def _add_dataset(self, located: Located) -> None:
        try:
            relevance = _of_dataset(located.files["test"])
        except Unreadable as error:
            name = located.declaration.name
            self.findings.append(Finding(Kind.NOT_CHECKED, f"dataset {name}", "", str(error)))
        else:
            self.by_fingerprint[located.fingerprint] = relevance

    def _add_digest(self, folder: Path, path: str) -> None:
        try:
            fingerprint, relevance = _of_digest(folder)
        except Unreadable as error:
            message = f"{error}; without the folder, the next run on the dataset writes it anew"
            self.findings.append(Finding(Kind.RELEVANCE, path, "", message))
            return
        known = self.by_fingerprint.setdefault(fingerprint, relevance)
        if not known.is_same(relevance):
            message = "tells other people or images than the dataset of that fingerprint has"
            self.findings.append(Finding(Kind.RELEVANCE, path, "", message))


def check_relevance(queries: Queries, task: Task) -> Iterator[str]:
    """Yield what is wrong with an evaluation, whose queries are as many as the task has."""
    yield from _check_people(queries, task)
    yield from _check_hits(queries, task)
    if queries.top is not None:
        yield from _check_top(queries, queries.top, task)


def _check_people(queries: Queries, task: Task) -> Iterator[str]:
    if len(other := np.flatnonzero(np.asarray(queries.query_id != task.query_ids))):
        yield f"query_id is not the dataset's at row {other[0]}"
    wrong = queries.person_id != task.query_people
    if wrong.any():
        yield f"person_id is not the dataset's ({which(wrong)})"


def _check_hits(queries: Queries, task: Task) -> Iterator[str]:
    people, images = np.unique(task.gallery_people, return_counts=True)
    place = np.searchsorted(people, task.query_people).clip(max=len(people) - 1)
    positives = np.where(people[place] == task.query_people, images[place], 0)  # (Q,)
    wrong = queries.hit_counts != positives
    if wrong.any():
        row = int(wrong.argmax())
        told = f"{queries.hit_counts[row]} hit_ranks for {positives[row]} positives"
        yield f"{told} ({which(wrong)})"
    last = queries.hit_ranks[queries.starts + queries.hit_counts - 1]
    beyond = last > len(task.gallery_people)
    if beyond.any():
        yield f"hit_ranks beyond the gallery's {len(task.gallery_people)} rows ({which(beyond)})"


def _check_top(queries: Queries, top: Top, task: Task) -> Iterator[str]:
    rows, scores = top.rows, top.scores  # (Q, T)
    gallery, length = len(task.gallery_people), rows.shape[1]
    if length != min(TOP, gallery):
        yield f"{length} top_rows a query, of a gallery of {gallery}"
    outside = np.any((rows < 0) | (rows >= gallery), axis=1)
    if outside.any():
        yield f"top_rows outside the gallery ({which(outside)})"
        return
    ordered = np.sort(rows, axis=1)
    twice = (ordered[:, 1:] == ordered[:, :-1]).any(axis=1)
    if twice.any():
        yield f"top_rows that stand twice ({which(twice)})"
    shown = task.gallery_people[rows] == task.query_people[:, None]  # (Q, T)
    other = (shown != _hits_within(queries, length)).any(axis=1)
    if other.any():
        yield f"top_rows show other hits than hit_ranks tell ({which(other)})"
    falls = scores[:, 1:] < scores[:, :-1]
    places, equal = task.gallery_places[rows], scores[:, 1:] == scores[:, :-1]
    ties = equal & (places[:, 1:] > places[:, :-1])
    rises = ~(falls | ties).all(axis=1) | ~np.isfinite(scores).all(axis=1)
    if rises.any():
        yield f"top_scores that are not in the order of the ranking ({which(rises)})"
    elif queries.tied is not None:
        seen = (equal & (shown[:, 1:] != shown[:, :-1])).any(axis=1)
        wrong = queries.tied != seen if length == gallery else seen & ~queries.tied
        if wrong.any():
            yield f"tied is not what top_scores tell ({which(wrong)})"


def _hits_within(queries: Queries, length: int) -> Any:
    """Return (Q, length), true where a rank is one of a hit."""
    row_of_hit = np.repeat(np.arange(len(queries.hit_counts)), queries.hit_counts)
    near = queries.hit_ranks <= length
    within = np.zeros((len(queries.hit_counts), length), bool)
    within[row_of_hit[near], queries.hit_ranks[near] - 1] = True
    return within


def read_fingerprint(folder: Path) -> str:
    """Return the fingerprint of a dataset whose digest lies in a folder. Raises Unreadable."""
    about = _told(folder / "about.json", read_json)
    fingerprint = about.get("fingerprint") if isinstance(about, dict) else None
    if not isinstance(fingerprint, str) or not FINGERPRINT.fullmatch(fingerprint):
        raise Unreadable("about.json tells no fingerprint")
    if folder.name != f"dataset-{fingerprint[:12]}":
        raise Unreadable("about.json tells the fingerprint of another dataset")
    return fingerprint


def _of_digest(folder: Path) -> tuple[str, Relevance]:
    """Return the fingerprint of a digest and what it says of people."""
    fingerprint = read_fingerprint(folder)
    integer = (pyarrow.int64(),)
    captions = _told(folder / QUERIES_FILE, read_table, {"person_id": integer})
    columns = {"image_id": (pyarrow.string(),), "person_id": integer}
    images = _told(folder / GALLERY_FILE, read_table, columns)
    if not len(captions) or not len(images):
        raise Unreadable("tells of no caption or no image")
    return fingerprint, Relevance(
        captions.column("person_id").to_numpy(),
        images.column("person_id").to_numpy(),
        tuple(images.column("image_id").to_pylist()),
    )


def _told(file: Path, read: Any, *options: Any) -> Any:
    try:
        return read(file, *options)
    except Unreadable as error:
        raise Unreadable(f"{file.name} {error}") from error


def _of_dataset(files: Iterable[Path]) -> Relevance:
    """Read the people of a test split from the dataset itself."""
    columns = ["image_id", "person_id", "captions"]
    try:
        tables = [pyarrow.parquet.read_table(file, columns=columns) for file in files]
        images = pyarrow.concat_tables(tables)
        people = images.column("person_id").to_numpy().astype(np.int64)
        counts = pyarrow.compute.list_value_length(images.column("captions")).to_numpy()
    except (OSError, ValueError, TypeError, KeyError, pyarrow.ArrowException) as error:
        raise Unreadable(f"cannot be read: {error}") from error
    return Relevance(
        np.repeat(people, counts), people, tuple(map(str, images["image_id"].to_pylist()))
    )
