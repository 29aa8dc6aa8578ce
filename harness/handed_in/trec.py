"""Runs as TREC writes them: read once, line by line, a block of queries at a time.

A line is ``query Q0 document rank score tag``. As trec_eval does, images rank by score; what scores
the same breaks as the harness breaks it. A query is ``q17`` or ``17``, the number of a caption in
the dataset's order from 0, or ``IMAGE#1``, the second caption of an image. A document is the id of
an image, as it is or as in a URL.

Shapes: N captions and M images of the split, c captions of one block, L lines of a query.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import numpy as np

from harness import metrics
from harness.data.schema import Split
from harness.errors import HarnessError
from harness.evaluation import TOP
from harness.handed_in.matching import Others, rows_by_image
from harness.handed_in.scoring import Scored
from harness.metrics.counting import Floats, Integers
from harness.printable import printable
from harness.progress import Show
from harness.tie_order import IMAGES, tie_order

SUFFIXES = (".trec", ".txt", ".run", ".res")
FIELDS = ("query", "Q0", "document", "rank", "score", "tag")
BLOCK = 512  # queries that are scored together
READ = 1 << 24  # bytes read at once


def score_run(file: Path, split: Split, others: Others, show: Show) -> Scored:
    """Score a run on a split.

    Where it does not list every image for every query, figures have bounds: right images that are
    not listed come last, or right behind what is listed.

    Raises:
        HarnessError: a line is not one of a run, names no query or image of the split or one twice,
            or a query is missing.
    """
    order = tie_order(split.fingerprint, IMAGES, len(split.image_ids))
    reader = _Reader(file, split, others)
    parts: list[tuple[metrics.QueryScores, metrics.QueryScores]] = []
    queries: list[int] = []
    for block in _blocks(reader.rankings()):
        parts.append(_score_block(block, split, order))
        queries += [ranking.query for ranking in block]
        show("scoring", len(queries), len(split.captions))
    reader.refuse_missing(queries)
    back = np.argsort(queries)
    low, high = (_take(metrics.join(side), back) for side in zip(*parts, strict=True))
    is_cut = reader.depth < len(split.image_ids)
    return Scored(low, at_most=high, depth=reader.depth) if is_cut else Scored(low)


@dataclass(frozen=True)
class _Ranking:
    """What a run lists for one query."""

    query: int
    images: Integers  # (L,) rows
    levels: Floats  # (L,) whole numbers from 1, higher where the score is


def _score_block(
    block: list[_Ranking], split: Split, order: Integers
) -> tuple[metrics.QueryScores, metrics.QueryScores]:
    queries = np.asarray([ranking.query for ranking in block])
    levels = np.zeros((len(block), len(split.image_ids)), np.float32)  # (c, M), 0 of what is absent
    for row, ranking in zip(levels, block, strict=True):
        row[ranking.images] = ranking.levels
    people = split.person_of_caption[queries]
    right = people[:, None] == split.person_of_image
    absent = (levels == 0) & right

    def rank(level_of_absent: float) -> metrics.QueryScores:
        levels[absent] = level_of_absent
        gallery = split.person_of_image[order]
        found = metrics.score_rows(levels[:, order], people, gallery, top=TOP)
        return replace(found, top_rows=order[found.top_rows])

    low = rank(-1.0)
    return (low, rank(0.5)) if absent.any() else (low, low)


def _blocks(rankings: Iterator[_Ranking]) -> Iterator[list[_Ranking]]:
    block: list[_Ranking] = []
    for ranking in rankings:
        block.append(ranking)
        if len(block) == BLOCK:
            yield block
            block = []
    if block:
        yield block


def _take(found: metrics.QueryScores, rows: Integers) -> metrics.QueryScores:
    """Return what some queries scored, in another order."""
    counts = np.diff(found.hit_offsets)[rows]
    offsets = np.concatenate([[0], np.cumsum(counts)])
    places = np.arange(offsets[-1]) + np.repeat(found.hit_offsets[rows] - offsets[:-1], counts)
    lists = {"hit_values": found.hit_values[places], "hit_offsets": offsets}
    by_query = {name: one[rows] for name, one in vars(found).items() if name not in lists}
    return metrics.QueryScores(**by_query, **lists)


class _Reader:
    """The lines of a run, put together by query."""

    def __init__(self, file: Path, split: Split, others: Others) -> None:
        self._file, self._split, self._others = file, split, others
        self._images = {quote(one, safe="/._-"): row for row, one in enumerate(split.image_ids)}
        self._images |= {image: row for row, image in enumerate(split.image_ids)}
        self._starts = np.searchsorted(split.image_of_caption, np.arange(len(split.image_ids) + 1))
        self._seen: set[int] = set()
        self.depth = len(split.image_ids)

    @property
    def _name(self) -> str:
        return printable(str(self._file))

    def rankings(self) -> Iterator[_Ranking]:
        """Yield what is listed for each query, in the order of the file."""
        held: list[tuple[Integers, Any]] = []
        current = -1
        for queries, images, scores in self._batches():
            starts = np.flatnonzero(np.r_[True, queries[1:] != queries[:-1]])
            for begin, end in zip(starts, [*starts[1:], len(queries)], strict=True):
                if queries[begin] != current:
                    if held:
                        yield self._ranking(current, held)
                    held, current = [], int(queries[begin])
                held.append((images[begin:end], scores[begin:end]))
        if held:
            yield self._ranking(current, held)

    def refuse_missing(self, queries: list[int]) -> None:
        """Refuse a run that does not answer every query."""
        missing = set(range(len(self._split.captions))) - set(queries)
        if missing:
            raise HarnessError(
                f"{self._name} answers {len(queries):,} of the {len(self._split.captions):,} "
                f"queries of {self._split.name}; the first that is missing is q{min(missing)}: it "
                "is cut short, or of another split."
            )

    def _ranking(self, query: int, held: list[tuple[Integers, Any]]) -> _Ranking:
        images = np.concatenate([one for one, _ in held])
        scores = np.concatenate([one for _, one in held])
        if query in self._seen:
            raise HarnessError(f"{self._name}: the lines of query q{query} stand apart: sort them.")
        self._seen.add(query)
        if len(np.unique(images)) < len(images):
            raise HarnessError(f"{self._name}: query q{query} lists an image twice.")
        if not np.isfinite(scores).all():
            raise HarnessError(f"{self._name}: query q{query} has a score that is NaN or infinite.")
        self.depth = min(self.depth, len(images))
        levels = np.unique(scores, return_inverse=True)[1] + 1
        return _Ranking(query, images, levels.astype(np.float32))

    def _batches(self) -> Iterator[tuple[Integers, Integers, Any]]:
        """Yield queries, images and scores of some lines."""
        import pyarrow
        from pyarrow import csv

        name = pyarrow.dictionary(pyarrow.int32(), pyarrow.string())
        kinds = {"query": name, "document": name, "score": pyarrow.float64()}
        try:
            reader = csv.open_csv(
                self._file,
                csv.ReadOptions(column_names=FIELDS, block_size=READ),
                csv.ParseOptions(delimiter=self._delimiter(), quote_char=False),
                csv.ConvertOptions(column_types=kinds, include_columns=list(kinds), null_values=[]),
            )
            for batch in reader:
                yield self._rows(batch)
        except (OSError, pyarrow.ArrowException) as error:
            told = str(error).partition("\n")[0]
            raise HarnessError(
                f"{self._name} is cut short or no run of TREC's, whose lines are "
                f"`{' '.join(FIELDS)}` with one space or tab between: {printable(told)}."
            ) from error

    def _delimiter(self) -> str:
        with self._file.open(encoding="utf-8", errors="replace") as lines:
            return "\t" if "\t" in lines.readline(10_000) else " "

    def _rows(self, batch: Any) -> tuple[Integers, Integers, Any]:
        queries, documents, scores = (batch.column(name) for name in ("query", "document", "score"))
        if any(column.null_count for column in (queries, documents, scores)):
            raise HarnessError(f"{self._name} has a line without a query, a document or a score.")
        query_rows = np.asarray([self._query(one) for one in queries.dictionary.to_pylist()])
        names = documents.dictionary.to_pylist()
        images = [self._images.get(one) for one in names]
        if None in images:
            plain = [unquote(one) for one in names]
            images = list(rows_by_image(self._name, plain, self._split, self._others))
        return (
            query_rows[queries.indices.to_numpy()],
            np.asarray(images)[documents.indices.to_numpy()],
            scores.to_numpy(),
        )

    def _query(self, name: str) -> int:
        """Return the number of a caption by the name of a query."""
        count = len(self._split.captions)
        if found := re.fullmatch(r"q?([0-9]{1,9})", name):
            number = int(found[1])
            if number < count:
                return number
        else:
            number = self._by_image(name)
            if number >= 0:
                return number
        raise HarnessError(
            f"{self._name}: query {printable(name, 120)!r} is none of {self._split.name}, which "
            f"has q0 to q{count - 1}, or IMAGE#0 and so on for the captions of an image."
        )

    def _by_image(self, name: str) -> int:
        image, _, number = name.rpartition("#")
        row = self._images.get(image)
        if row is None or not re.fullmatch("[0-9]{1,9}", number):
            return -1
        place = int(self._starts[row]) + int(number)
        return place if place < self._starts[row + 1] else -1
