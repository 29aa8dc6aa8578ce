"""Rankings as TREC run files with their qrels, for trec_eval and whatever reads its formats.

A ranking is written in full, from the stored embeddings. Tools sort by score and break ties by
document id, which is not our order; so a score is the number of gallery rows from a place on, which
falls strictly and is exact in float32. Queries are ``q0``, ``q1``... in the dataset's order;
documents are image ids, with what is no plain letter as in a URL.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import numpy as np
import torch

from harness import evaluation, registry
from harness.data.loading import load_split
from harness.data.schema import Split
from harness.errors import HarnessError
from harness.evaluation.embeddings import Embeddings
from harness.evaluation.rescoring import rescored_chunks
from harness.files import process_tag, slug
from harness.metrics.counting import Floats, Integers
from harness.metrics.neighbours import cosine_chunks, unit_features
from harness.progress import Show
from harness.results import RunRecord, StoredRun
from harness.trained.method import load_trained
from harness.trained.split import (
    locate_again,
    open_test_pixels,
    order_of_images,
    read_stored_embeddings,
    read_test_split,
    say_no_embeddings,
)

MOST_LINES = 50_000_000
OFFERED = 1_000  # places of a ranking that are offered where all are too many
LONGEST_ID = 20  # bytes of a document id, where lines are only counted
MOST_EXACT = 1 << 24  # whole numbers that float32 tells apart


@dataclass(frozen=True)
class Written:
    """A run file, and in how many queries it differs from what the run was scored by."""

    file: Path
    lines: int
    otherwise: int


def export_trec(
    runs: Sequence[StoredRun],
    out: Path,
    listings: Sequence[registry.Listing] = (),
    depth: int | None = None,
    show: Show = lambda what, done, total: None,
) -> list[Written]:
    """Write ``DATASET/qrels.txt`` and ``DATASET/METHOD.VARIANT.seed-N.txt`` below a folder.

    Args:
        listings: the methods that are here, for those that score their first candidates again.
        depth: how many places of each ranking are written; all by default.

    Raises:
        HarnessError: that would be too many lines, or a run's rankings cannot be made again.
    """
    _refuse_size([run.record for run in runs], depth)
    _refuse_mixture(runs)
    written = []
    for run in runs:
        folder = out / slug(run.record.dataset)
        split = read_test_split(run, show).split
        _write_whole(folder / "qrels.txt", qrels_lines(split))
        written.append(_write_run(run, split, folder, listings, depth, show))
    return written


def count_lines(record: RunRecord, depth: int | None = None) -> int:
    """Return how many lines the run file of a run has."""
    counts = record.data["counts"]["test"]
    return int(counts["captions"]) * min(int(counts["images"]), depth or MOST_EXACT)


def qrels_lines(split: Split) -> Iterator[str]:
    """Yield the lines of all right images, query by query: ``q0 0 image 1``."""
    documents = document_ids(split)
    images: dict[int, list[str]] = {}
    for row, person in enumerate(split.person_of_image.tolist()):
        images.setdefault(person, []).append(documents[row])
    for query, person in enumerate(split.person_of_caption.tolist()):
        yield "".join(f"q{query} 0 {image} 1\n" for image in images.get(person, ()))


def document_ids(split: Split) -> list[str]:
    """Return the image ids as tokens without spaces; no two become one."""
    return [quote(image, safe="/._-") or "%" for image in split.image_ids]


def ranked_chunks(
    run: StoredRun, split: Split, listings: Sequence[registry.Listing], show: Show
) -> Iterator[Floats]:
    """Yield the scores (c, G) that a run ranks its gallery by; they cover the queries in order.

    Columns stand in the order in which the run ranks what scores the same.

    Raises:
        HarnessError: it kept no embeddings, or what a second look takes is not here.
    """
    embeddings = read_stored_embeddings(run, split)
    if embeddings is None:
        raise HarnessError(say_no_embeddings(run.record))
    order = order_of_images(run.record, split)
    if run.record.recipe.get("candidates"):
        rescored = _rescored(run, embeddings, order, listings, show)
        if rescored is not None:
            return rescored
    units = unit_features(embeddings.texts, embeddings.images[torch.from_numpy(order)])
    return cosine_chunks(units.queries, units.gallery, lambda start, block: None)


def _rescored(
    run: StoredRun,
    embeddings: Embeddings,
    order: Integers,
    listings: Sequence[registry.Listing],
    show: Show,
) -> Iterator[Floats] | None:
    """Score the first candidates again with the stored weights; None where the method does not."""
    record = run.record
    trained = load_trained(run, registry.find_method(record.method, listings).plugin, show)
    if not evaluation.rescores(trained.method):
        return None
    split = load_split(locate_again(record, show), "test")  # with captions, which digests may lack
    height, width = record.config["image_size"]
    pixels = open_test_pixels(record, split, (height, width))
    torch.set_num_threads(trained.recipe.threads or torch.get_num_threads())  # they decide bits
    found = evaluation.encode_split(trained.method, split, pixels, trained.device, embeddings)
    return rescored_chunks(
        trained.method,
        found.texts.embedding,
        found.images.embedding,
        found.text_items,
        found.image_items,
        trained.recipe.candidates,
        order,
    )


def _refuse_size(records: Sequence[RunRecord], depth: int | None) -> None:
    """Refuse what would fill a disk, before anything is read."""
    lines = [count_lines(record, depth) for record in records]
    if sum(lines) <= MOST_LINES:
        return
    sizes = map(_bytes_a_line, records)
    size = sum(count * of_line for count, of_line in zip(lines, sizes, strict=True)) / 1e9
    queries = sum(int(record.data["counts"]["test"]["captions"]) for record in records)
    offered = min(OFFERED, MOST_LINES // queries)
    advice = (
        f"--depth {offered} writes the first {offered} places of each ranking; AP and INP over a "
        "cut ranking are lower than the harness's"
        if offered
        else "Name fewer runs"
    )
    raise HarnessError(
        f"{len(records)} rankings in full are {sum(lines):,} lines, about {size:,.0f} GB: more "
        f"than {MOST_LINES:,} lines. {advice}. Nothing was written."
    )


def _bytes_a_line(record: RunRecord) -> int:
    counts = record.data["counts"]["test"]
    document = "x" * LONGEST_ID
    return len(_start(counts["captions"]) + document + _end(1, counts["images"], _tag(record)))


def _refuse_mixture(runs: Sequence[StoredRun]) -> None:
    """Refuse runs on several contents of a dataset, which one qrels file cannot serve."""
    contents: dict[str, str] = {}
    for record in (run.record for run in runs):
        content = str(record.data.get("fingerprint"))
        if contents.setdefault(record.dataset, content) != content:
            raise HarnessError(
                f"The runs on {record.dataset} saw different contents of it: name those of one."
            )


def _write_run(
    run: StoredRun,
    split: Split,
    folder: Path,
    listings: Sequence[registry.Listing],
    depth: int | None,
    show: Show,
) -> Written:
    record = run.record
    name = f"{slug(record.method)}.{slug(record.variant)}.seed-{record.seed}.txt"
    ranking = _Ranking(run, split, depth)
    chunks = ranked_chunks(run, split, listings, show)
    _write_whole(folder / name, ranking.lines(chunks, show))
    return Written(folder / name, ranking.written, ranking.otherwise)


class _Ranking:
    """The lines of a run file, compared on the way with the ranks that the run has stored."""

    def __init__(self, run: StoredRun, split: Split, depth: int | None) -> None:
        gallery = len(split.image_ids)
        if gallery > MOST_EXACT:
            raise HarnessError(f"A gallery of {gallery:,} images has no scores exact in float32.")
        self._split = split
        self._columns = order_of_images(run.record, split)
        self._label = f"{run.record.name} seed {run.record.seed}"
        self._documents = document_ids(split)
        tag = _tag(run.record)
        self._ends = [_end(n, gallery, tag) for n in range(min(gallery, depth or gallery))]
        self._hit_ranks = [row["hit_ranks"] for row in run.queries()]
        self.written = 0
        self.otherwise = 0

    def lines(self, chunks: Iterator[Floats], show: Show) -> Iterator[str]:
        """Yield the lines of each query."""
        query, queries = 0, len(self._split.captions)
        for chunk in chunks:
            for scores in chunk:
                order = self._columns[np.argsort(-scores, kind="stable")]  # (G,) rows
                self._compare(query, order)
                yield self._of_query(query, order)
                query += 1
            show(f"writing {self._label}", query, queries)

    def _of_query(self, query: int, order: Integers) -> str:
        start, documents = _start(query), self._documents
        rows = order[: len(self._ends)].tolist()
        self.written += len(rows)
        pairs = zip(rows, self._ends, strict=True)
        return "".join([f"{start}{documents[row]}{end}" for row, end in pairs])

    def _compare(self, query: int, order: Integers) -> None:
        split = self._split
        found = split.person_of_image[order] == split.person_of_caption[query]
        if (np.flatnonzero(found) + 1).tolist() != self._hit_ranks[query]:
            self.otherwise += 1


def _start(query: int) -> str:
    return f"q{query} Q0 "


def _end(place: int, gallery: int, tag: str) -> str:
    """Return what stands behind the document at a place, from 0."""
    return f" {place + 1} {gallery - place} {tag}\n"


def _tag(record: RunRecord) -> str:
    return f"{quote(slug(record.method))}.{quote(slug(record.variant))}.seed-{record.seed}"


def _write_whole(file: Path, lines: Iterator[str]) -> None:
    """Write lines as they come; the file is whole or absent."""
    file.parent.mkdir(parents=True, exist_ok=True)
    unfinished = file.with_name(f"{file.name}.{process_tag()}.tmp")
    try:
        with unfinished.open("w", encoding="ascii") as target:
            target.writelines(lines)
        unfinished.replace(file)
    finally:
        unfinished.unlink(missing_ok=True)
