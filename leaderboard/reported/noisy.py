"""What papers print of methods that were trained with wrong pairs: beside such runs alone."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from harness.results import FULL, RunRecord
from leaderboard.records.load import finite
from leaderboard.reported.tables import ReportedPaper, Row, Table
from leaderboard.views import ReportedFigure

SAME = 0.005  # a share of captions within which a noise is the printed one

Printed = Mapping[str, Sequence[tuple[str, ReportedFigure]]]  # metric -> (paper, figure)


def printed_under_noise(
    papers: Mapping[str, ReportedPaper], dataset: str, record: RunRecord, epoch: str
) -> Printed:
    """Return what papers print for a run's dataset and scale at its noise, each with its title.

    Args:
        epoch: "selected", by what the paper chose it, or "last".
    """
    found: dict[str, list[tuple[str, ReportedFigure]]] = defaultdict(list)
    for paper in papers.values():
        if paper.scale != record.scale:
            continue
        own: dict[str, ReportedFigure] = {}  # as it is first printed
        for table, row in _rows(paper, record, epoch):
            for column, figure in zip(table.columns, row.figures, strict=True):
                if figure and column.dataset == dataset:
                    text = f"{figure.value:f}"
                    own.setdefault(column.metric, ReportedFigure(text, figure.suspect))
        for metric, printed in own.items():
            found[metric].append((paper.title, printed))
    return found


def _rows(paper: ReportedPaper, record: RunRecord, epoch: str) -> Iterator[tuple[Table, Row]]:
    """Yield the printed rows that a record stands for: of the method, or of its ablation."""
    rate = finite(record.noise.get("rate")) or 0.0
    places = {(title, label) for title, label, _ in record.tables}
    is_full = record.without_noise == FULL
    for table in paper.noisy:
        if table.epoch != epoch or abs(float(table.noise) - rate) > SAME:
            continue
        for row in table.rows:
            is_row = paper.method == record.method and (table.title, row.label) in places
            if is_row or (is_full and row.is_of(record.method)):
                yield table, row
