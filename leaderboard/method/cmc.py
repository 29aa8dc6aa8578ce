"""Cumulative match characteristic: how often the right person is among the first k images."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from harness.results.answers import Integers
from leaderboard.drawing.axes import Plane, draw, horizontal_axis, label, strokes, vertical_axis
from leaderboard.method.views import CmcRow, CmcView
from leaderboard.records.contest import Contest
from leaderboard.records.estimates import Scale, round_scale
from leaderboard.records.ledger import Entry
from leaderboard.site.addresses import Addresses
from leaderboard.typography import counted, fixed, shorten

DEPTH = 50
RANKS = (1, 5, 10, 20, 50)  # written below the curve
LABEL_APART = 12.0  # drawing units
LONGEST_LABEL = 18  # characters

Curve = NDArray[np.float64]  # (DEPTH,) percent at Rank-1, Rank-2 and so on


@dataclass(frozen=True)
class Curves:
    """The curves of all methods as published on a ground, drawn once for all their pages."""

    plane: Plane
    by_entry: Mapping[Entry, Curve]  # from best to worst by Rank-1
    paths: Mapping[Entry, str]


def match_curve(first_hits: Integers) -> Curve:
    """Return the share of queries (S, Q) with a right image among the first k, in percent."""
    within = first_hits[first_hits <= DEPTH]
    counts = np.bincount(within, minlength=DEPTH + 1)[1:]  # (DEPTH,)
    shares: Curve = 100.0 * np.cumsum(counts) / first_hits.size
    return shares


def draw_curves(contest: Contest) -> Curves | None:
    """Return the curves of the methods as published; None without any."""
    if not contest.published:
        return None
    curves = {entry: match_curve(contest.answers[entry].first_hit) for entry in contest.published}
    ordered = dict(sorted(curves.items(), key=lambda item: -item[1][0]))
    ends = [float(end) for curve in ordered.values() for end in (curve[0], curve[-1])]
    end = math.log10(DEPTH)
    plane = Plane(Scale(0, end), round_scale(ends), width=420, height=270, right=112)
    places = np.log10(np.arange(1, DEPTH + 1)).tolist()
    paths = {
        entry: "".join(strokes(plane, zip(places, curve.tolist(), strict=True)))
        for entry, curve in ordered.items()
    }
    return Curves(plane, ordered, paths)


def cmc_view(
    curves: Curves | None, entry: Entry, addresses: Addresses, anchor: str
) -> CmcView | None:
    """Show a method's curve before those of the others; None where it has no answers."""
    if curves is None or entry not in curves.by_entry:
        return None
    labelled = _labelled(curves, entry)
    names = {other: addresses.titles[other[0]] for other in curves.by_entry}
    ticks = [(math.log10(rank), str(rank)) for rank in (1, 2, 5, 10, 20, 50)]
    parts = [
        *vertical_axis(curves.plane, "right person within the first k (%)"),
        *horizontal_axis(curves.plane, "k (logarithmic)", ticks),
        *(_path(curves, other, names[other], "other") for other in names if other != entry),
        _path(curves, entry, names[entry], "own"),
        *_labels(curves, labelled, names, entry),
    ]
    unlabelled = len(curves.by_entry) - len(labelled)
    return CmcView(
        anchor=anchor,
        words=_words(len(curves.by_entry) - 1, unlabelled),
        chart=draw(
            curves.plane, anchor, "Cumulative match characteristic",
            f"{names[entry]}: {_in_words(curves.by_entry[entry])}.", parts,
        ),
        ranks=tuple(f"Rank-{rank}" for rank in RANKS),
        rows=tuple(
            CmcRow(
                names[other],
                "" if other == entry else f"../{addresses.page(other[0])}",
                tuple(fixed(float(curves.by_entry[other][rank - 1]), 1) for rank in RANKS),
            )
            for other in labelled
        ),
    )  # fmt: skip


def _words(others: int, unlabelled: int) -> str:
    behind = f" Behind it, thin: {counted(others, 'other method')} as published." if others else ""
    best = f" The best are labelled; {unlabelled} are not." if unlabelled else ""
    return f"Means over seeds and queries, for k from 1 to {DEPTH}.{behind}{best}"


def _labelled(curves: Curves, entry: Entry) -> list[Entry]:
    """Return as many of the best methods as labels have room, the page's own among them."""
    room = int((curves.plane.height - curves.plane.top - curves.plane.bottom) / LABEL_APART)
    others = [other for other in curves.by_entry if other != entry]
    chosen = {entry, *others[: room - 1]}
    return [other for other in curves.by_entry if other in chosen]


def _path(curves: Curves, entry: Entry, name: str, kind: str) -> Markup:
    return Markup('<path class="cmc {}" d="{}"><title>{}</title></path>').format(
        kind, curves.paths[entry], label(name)
    )


def _labels(
    curves: Curves, labelled: Sequence[Entry], names: Mapping[Entry, str], own: Entry
) -> list[Markup]:
    """Write the names at the ends of their curves, moved apart, with a line where they moved."""
    plane = curves.plane
    ends = {entry: plane.at(plane.x.high, float(curves.by_entry[entry][-1])) for entry in labelled}
    ordered = sorted(labelled, key=lambda entry: ends[entry][1])
    lowest = plane.height - plane.bottom
    places = spread([ends[entry][1] for entry in ordered], LABEL_APART, plane.top, lowest)
    text = Markup(
        '<path class="leader" d="M{:.1f} {:.1f}L{:.1f} {:.1f}"/>'
        '<text class="{}" x="{:.1f}" y="{:.1f}">{}</text>'
    )
    return [
        text.format(
            ends[entry][0] + 2, ends[entry][1], ends[entry][0] + 12, y,
            "own" if entry == own else "other", ends[entry][0] + 15, y + 3.6,
            label(shorten(names[entry], LONGEST_LABEL)),
        )
        for entry, y in zip(ordered, places, strict=True)
    ]  # fmt: skip


def spread(places: Sequence[float], apart: float, low: float, high: float) -> list[float]:
    """Move ascending places as little as needed so that they are apart and within the ends.

    There must be room for all of them.
    """
    moved: list[float] = []
    for place in places:
        moved.append(max(place, moved[-1] + apart if moved else low))
    limit = high
    for number in range(len(moved) - 1, -1, -1):
        moved[number] = min(moved[number], limit)
        limit = moved[number] - apart
    return moved


def _in_words(curve: Curve) -> str:
    return ", ".join(f"{curve[rank - 1]:.1f} % within the first {rank}" for rank in RANKS)
