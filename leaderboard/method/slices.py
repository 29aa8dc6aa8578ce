"""Where a method fails: its figures by caption length, attributes named and camera.

Shapes: S seeds, N queries.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.data.digest import Digest
from harness.results import METRICS
from harness.significance import compare_pairs
from leaderboard.ablations.corrected import COMPARED
from leaderboard.ablations.views import SliceCell, SliceGroup, SliceRow, SliceTable
from leaderboard.records.contest import Contest
from leaderboard.records.estimates import Scale, round_scale
from leaderboard.records.ledger import Entry, family_name
from leaderboard.typography import ABSENT, fixed, spread_decimals
from leaderboard.views import MetricColumn, Whisker

BINS = 4
MOST_CAMERAS = 16
WIDTH = 150.0  # of the drawing in a cell

ALL = "All queries"


@dataclass(frozen=True)
class Slice:
    """Some of the queries, and the property that parts them from the others."""

    group: str
    label: str
    chosen: NDArray[np.bool_]  # (N,)


@dataclass(frozen=True)
class Figure:
    """A mean in percent with its 95 % interval; None where the queries are of one person."""

    mean: float
    interval: tuple[float, float] | None


@dataclass(frozen=True)
class SlicedFigures:
    """The figures of all methods of a ground on each slice; the first one is all queries."""

    slices: tuple[Slice, ...]
    figures: tuple[Mapping[tuple[Entry, str], Figure], ...]  # by slice; (method, metric) -> figure


def slice_queries(contest: Contest) -> SlicedFigures:
    """Return the figures of the methods as published on all queries and, by digest, on slices."""
    if not contest.published:
        return SlicedFigures((), ())
    count = len(contest.answers[contest.published[0]].queries)
    everything = Slice("", ALL, np.ones(count, np.bool_))
    slices = (everything, *(find_slices(contest.digest) if contest.digest else ()))
    return SlicedFigures(slices, tuple(_measure(contest, one.chosen) for one in slices))


def find_slices(digest: Digest) -> tuple[Slice, ...]:
    """Part the queries by words, attributes and cameras; not by what is the same for all."""
    cameras = [digest.cameras[row] for row in digest.image_of_caption]
    found = [
        *_by_number("Words in the description", digest.words),
        *_by_number("Attributes it names", digest.attributes),
        *_by_name("Camera of the described image", cameras),
    ]
    sizes = Counter(one.group for one in found)
    return tuple(one for one in found if sizes[one.group] > 1)


def slice_table(sliced: SlicedFigures, entry: Entry, anchor: str) -> SliceTable | None:
    """Write a method's figures on each slice beside those on all queries; None without slices."""
    if len(sliced.slices) < 2 or (entry, COMPARED[0]) not in sliced.figures[0]:
        return None
    figures = [[of_slice[entry, metric] for metric in COMPARED] for of_slice in sliced.figures]
    columns = list(zip(*figures, strict=True))  # by metric
    scales = [round_scale([end for one in column for end in _ends(one)]) for column in columns]
    decimals = spread_decimals([high - low for row in figures for low, high in map(_ends, row)])
    rows: dict[str, list[SliceRow]] = {}
    for one, row in zip(sliced.slices, figures, strict=True):
        cells = (_cell(f, scale, decimals) for f, scale in zip(row, scales, strict=True))
        rows.setdefault(one.group, []).append(
            SliceRow(one.label, f"{int(one.chosen.sum()):,}", tuple(cells))
        )
    return SliceTable(
        anchor=anchor,
        caption="Means over seeds with 95 % intervals, over people like those of the slice and over"
        " seeds; the dotted line is the mean of all queries. Slices are for"
        " exploration: there are many of them and nothing is corrected for that, so that a"
        " difference seen here is a question, not a finding.",
        columns=tuple(
            MetricColumn(METRICS[metric], "%", f"{scale.low:g}", f"{scale.high:g}")
            for metric, scale in zip(COMPARED, scales, strict=True)
        ),
        middles=tuple(
            f"{scale.place(column[0].mean, WIDTH):.1f}"
            for column, scale in zip(columns, scales, strict=True)
        ),
        groups=tuple(SliceGroup(name, tuple(of_group)) for name, of_group in rows.items()),
    )


def _measure(contest: Contest, chosen: NDArray[np.bool_]) -> dict[tuple[Entry, str], Figure]:
    """Return each method's figures on some queries."""
    people = contest.answers[contest.published[0]].people[chosen]
    found: dict[tuple[Entry, str], Figure] = {}
    for metric in COMPARED:
        values = {
            family_name(entry): contest.answers[entry].values[metric][:, chosen]  # (S, n)
            for entry in contest.published
        }
        family = compare_pairs(values, [], people) if len(np.unique(people)) > 1 else None
        for entry in contest.published:
            name = family_name(entry)
            interval = family.intervals[name] if family else None
            found[entry, metric] = Figure(float(values[name].mean()), interval)
    return found


def _by_number(group: str, numbers: NDArray[np.int64]) -> list[Slice]:
    """Cut whole numbers (N,) at their quartiles, into at most four ranges of numbers that occur."""
    cuts = np.quantile(numbers, np.arange(1, BINS + 1) / BINS, method="inverted_cdf")
    bins = np.searchsorted(np.unique(cuts), numbers)  # (N,)
    return [_range(group, numbers, bins == number) for number in np.unique(bins)]


def _range(group: str, numbers: NDArray[np.int64], chosen: NDArray[np.bool_]) -> Slice:
    low, high = int(numbers[chosen].min()), int(numbers[chosen].max())
    return Slice(group, str(low) if low == high else f"{low}{ABSENT}{high}", chosen)


def _by_name(group: str, names: Sequence[str | None]) -> list[Slice]:
    """Part the queries by name, those of the most queries if there are many; "2" before "10"."""
    counts = Counter(name for name in names if name is not None)
    kept = [name for name, _ in counts.most_common(MOST_CAMERAS)]
    held = np.array(names, dtype=object)
    return [Slice(group, name, held == name) for name in sorted(kept, key=_natural)]


def _natural(name: str) -> list[tuple[int, str]]:
    """Return a key that puts "2" before "10"; digits are never read, however many there are."""
    parts = re.split("([0-9]+)", name)  # text, digits, text and so on
    parts[1::2] = [digits.lstrip("0") for digits in parts[1::2]]
    return [(len(part) if number % 2 else 0, part) for number, part in enumerate(parts)]


def _ends(figure: Figure) -> tuple[float, float]:
    return figure.interval or (figure.mean, figure.mean)


def _cell(figure: Figure, scale: Scale, decimals: int) -> SliceCell:
    low, high = _ends(figure)
    return SliceCell(
        text=fixed(figure.mean, decimals),
        low=fixed(low, decimals) if figure.interval else "",
        high=fixed(high, decimals) if figure.interval else "",
        whisker=Whisker(*(f"{scale.place(end, WIDTH):.1f}" for end in (low, figure.mean, high))),
    )
