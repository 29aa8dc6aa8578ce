"""Where papers print different figures for one method."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from harness.results import METRICS
from leaderboard.literature.methods import ReportedMethod
from leaderboard.literature.rows import PrintedRow
from leaderboard.reported.tables import Column


@dataclass(frozen=True)
class Drift:
    """A figure that papers print differently, with who prints what, the highest first."""

    method: ReportedMethod
    column: Column
    prints: tuple[tuple[Decimal, tuple[PrintedRow, ...]], ...]

    @property
    def size(self) -> Decimal:
        """How far the highest is above the lowest, in points."""
        return self.prints[0][0] - self.prints[-1][0]


def find_drift(methods: Iterable[ReportedMethod]) -> list[Drift]:
    """Return all drift, the largest first, of the methods as published."""
    found = [drift for method in methods for drift in _drift_of(method)]
    return sorted(found, key=lambda drift: -drift.size)


def _drift_of(method: ReportedMethod) -> Iterable[Drift]:
    prints: dict[Column, dict[Decimal, list[PrintedRow]]] = {}
    for row in method.published:
        for column, figure in row.figures():
            prints.setdefault(column, {}).setdefault(figure.value, []).append(row)
    metrics = list(METRICS)
    for column in sorted(prints, key=lambda one: (one.dataset, metrics.index(one.metric))):
        by_value = prints[column]
        if len(differing(list(by_value))) > 1:
            ordered = sorted(by_value.items(), reverse=True, key=lambda item: item[0])
            yield Drift(method, column, tuple((value, tuple(rows)) for value, rows in ordered))


def differing(values: Sequence[Decimal]) -> list[Decimal]:
    """Return the values that are not another one rounded: 89.2 is 89.21 with fewer decimals."""
    return [
        value
        for value in values
        if not any(other != value and round(other, _decimals(value)) == value for other in values)
    ]


def _decimals(value: Decimal) -> int:
    exponent = value.as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0
