"""Figures among a crowd, recomputed from what is stored of each query at every size."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from harness.printable import printable
from harness.results import EvaluationRecord
from harness.results.crowd import CrowdTable, read_crowd, refused_figures
from harness.results.crowd_index import (
    IndexTable,
    first_is_right,
    judged_sizes,
    read_index_table,
    refused_points,
)
from harness.verification.figures import Queries
from harness.verification.findings import Unreadable
from harness.verification.reading import refuse_size
from harness.verification.relevance import Relevance

Table = TypeVar("Table", CrowdTable, IndexTable)

MOST_BYTES = 1 << 32  # of a table on disk
MOST_IMAGES = 1 << 40  # of a gallery


def read_crowd_table(file: Path) -> CrowdTable:
    """Read what is stored of the queries. Raises Unreadable."""
    return _read(file, read_crowd)


def read_table_of_index(file: Path) -> IndexTable:
    """Read what is stored of the queries that went through an index. Raises Unreadable."""
    return _read(file, read_index_table)


def _read(file: Path, read: Callable[[Path], Table]) -> Table:
    refuse_size(file, MOST_BYTES)
    try:
        return read(file)
    except OSError as error:
        raise Unreadable(f"cannot be read: {printable(str(error))}") from error
    except (ValueError, TypeError, KeyError, MemoryError) as error:
        raise Unreadable(printable(str(error), 300)) from error


def check_curve(stored: Any, table: CrowdTable) -> Iterator[str]:
    """Yield what is wrong with the figures that are stored at every size."""
    gallery = stored.get("gallery") if isinstance(stored, dict) else None
    if type(gallery) is not int or not int(table.hit_counts.max()) < gallery < MOST_IMAGES:
        yield "tells of no gallery that could be"
        return
    try:
        found = table.curve(gallery)
    except ValueError as error:
        yield f"nothing can be computed of its table: {printable(str(error), 200)}"
        return
    if wrong := refused_figures(stored, found):
        yield printable(wrong, 300)


def check_crowd(
    table: CrowdTable, record: EvaluationRecord, ranked: Queries | None
) -> Iterator[str]:
    """Yield what is wrong with a table beside its record and the ranks of the run alone."""
    yield from _check_end(table, record)
    if ranked is None:
        return
    same = np.array_equal(table.hit_counts, ranked.hit_counts)
    if not same or not np.array_equal(table.hit_ranks[0], ranked.hit_ranks):
        yield "does not begin with the ranks that the run has without distractors"


def _check_end(table: CrowdTable | IndexTable, record: EvaluationRecord) -> Iterator[str]:
    """Yield that a table ends at another crowd than its record says."""
    if table.sizes[-1] != record.crowd.get("count"):
        count = printable(repr(record.crowd.get("count")), 60)
        yield f"ends at {table.sizes[-1]} distractors, its record says {count}"


def check_points(stored: Any, table: IndexTable) -> Iterator[str]:
    """Yield what is wrong with the figures of an index that are stored at every size."""
    gallery = stored.get("gallery") if isinstance(stored, dict) else None
    if type(gallery) is not int or not 0 < gallery < MOST_IMAGES:
        yield "tells of no gallery that could be"
    elif wrong := refused_points(stored, table):
        yield printable(wrong, 300)


def check_index(
    table: IndexTable, record: EvaluationRecord, scanned: CrowdTable | None
) -> Iterator[str]:
    """Yield what is wrong with a table beside its record and what the exact scan found."""
    yield from _check_end(table, record)
    if scanned is None:
        return
    if table.sizes != judged_sizes(scanned.sizes):
        yield "has other sizes than the exact scan of the same crowd"
        return
    same = np.array_equal(table.people, scanned.people)
    if not same or not np.array_equal(table.exact_right, first_is_right(scanned, table.sizes)):
        yield "tells of other first images than the exact scan of the same crowd found"


def check_people(table: CrowdTable, stored: Any, relevance: Relevance) -> Iterator[str]:
    """Yield what is wrong with a table beside the people of its dataset."""
    if not np.array_equal(table.people, relevance.person_of_caption):
        yield "person_id is not the dataset's"
        return
    people, images = np.unique(relevance.person_of_image, return_counts=True)
    positives = images[np.searchsorted(people, table.people)]
    if not np.array_equal(table.hit_counts, positives):
        yield "has other numbers of matches than the dataset's people have images"
    gallery = len(relevance.person_of_image)
    sizes = np.asarray(table.sizes)[:, None]
    if (table.hit_ranks > gallery + sizes).any():
        yield f"has ranks beyond the gallery's {gallery} images and its distractors"
    if isinstance(stored, dict) and stored.get("gallery") != gallery:
        yield f"tells of another gallery than the dataset's {gallery} images"
