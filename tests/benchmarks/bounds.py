"""Figures beside the bounds that they have to keep, and a table of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

HEADER = ("test", "what is measured", "figure", "bound", "")
FORMATS = ("{:{}}", "{:{}}", "{:>{}}", "{:>{}}", "{:{}}")  # of a cell and the width of its column


@dataclass(frozen=True)
class Row:
    """What a test measured, and the largest that it may be."""

    name: str  # of the test
    of: str  # what the figure is: "times the bare product", "MB above the features"
    figure: float
    largest: float

    @property
    def holds(self) -> bool:
        """Whether the bound is kept; a figure that is no number keeps none."""
        return self.figure <= self.largest

    @property
    def cells(self) -> tuple[str, ...]:
        """What a table shows of it."""
        verdict = "holds" if self.holds else "MISSED"
        return self.name, self.of, shown(self.figure), shown(self.largest), verdict


class Bound:
    """Notes the figures of a test, and fails it at one that misses its bound."""

    def __init__(self, name: str, rows: list[Row]) -> None:
        self.name = name
        self.rows = rows

    def __call__(self, figure: float, largest: float, *, of: str) -> None:
        __tracebackhide__ = True  # the line that failed is the test's
        row = Row(self.name, of, figure, largest)
        self.rows.append(row)
        assert row.holds, f"{of}: {shown(figure)} is above the bound of {shown(largest)}"


def shown(number: float) -> str:
    """Return a number with the digits that tell something."""
    return f"{number:,.0f}" if number >= 10_000 else f"{number:.4g}"


def lines(rows: Sequence[Row]) -> Iterator[str]:
    """Yield a header and a line for each row, with numbers to the right of their columns."""
    table = [HEADER, *(row.cells for row in rows)]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for cells in table:
        aligned = map(str.format, FORMATS, cells, widths)
        yield "  ".join(aligned).rstrip()
