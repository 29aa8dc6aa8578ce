"""What papers print, as data: one record a figure."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import quote

from leaderboard.downloads.sheets import Record
from leaderboard.literature import FILE
from leaderboard.literature.methods import find_methods
from leaderboard.literature.rows import Papers


def reported_records(papers: Papers) -> Iterator[Record]:
    """Yield a record for each printed figure, with the address at which the page has it."""
    for method in find_methods(papers):
        for row in method.rows:
            for column, figure in row.figures():
                yield {
                    "method": method.name,
                    "variant": row.variant,
                    "dataset": column.dataset,
                    "metric": column.metric,
                    "printed": f"{figure.value:f}",
                    "suspect": figure.suspect,
                    "paper": row.paper.title,
                    "table": row.table.title,
                    "row": row.row.label,
                    "year": method.year,
                    "address": f"{FILE}#{quote(row.figure_address(column))}",
                }
