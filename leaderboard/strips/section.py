"""The strips of a method's page: examples that stand in the page itself, and filters for the rest.

Shapes: Q queries.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from harness.results import StoredRun
from leaderboard.records.contest import Contest
from leaderboard.records.described import Described
from leaderboard.records.ledger import Entry
from leaderboard.records.load import FULL
from leaderboard.strips.exhibits import Exhibits, find_exhibits
from leaderboard.strips.names import entry_names, thumbnail_file
from leaderboard.strips.retrieved import NOTHING, Retrieved, lacks_lists, read_retrieved
from leaderboard.strips.views import Shot, Strip, StripFilter, StripSection
from leaderboard.typography import listed

EXAMPLES = 3  # hits, and as many misses

Flags = NDArray[np.bool_]


def strip_section(contest: Contest, method: str, anchor: str) -> StripSection | None:
    """Show what a method as published found; None where its runs do not tell."""
    entry = (method, FULL)
    exhibits = find_exhibits(contest)
    retrieved = first_retrieved(contest, entry, exhibits)
    if exhibits is None or retrieved is None:
        return None
    hit = retrieved.first == 1
    chosen = [*spread_out(hit, EXAMPLES), *spread_out(~hit, EXAMPLES)]
    return StripSection(
        anchor=anchor,
        entry=entry_names(contest)[entry],
        about=_about(contest, entry, exhibits),
        examples=tuple(
            _strip(exhibits, contest.described, retrieved, anchor, query) for query in chosen
        ),
        filters=tuple(_filters(hit, all_fail(contest))),
        search="Search captions" if exhibits.captions else "Search query or person number",
    )


def first_retrieved(contest: Contest, entry: Entry, exhibits: Exhibits | None) -> Retrieved | None:
    """Read what an entry's first seed found.

    None where there is nothing to read, or where it is not about the queries and the gallery.
    """
    stored = _first_run(contest, entry)
    if exhibits is None or stored is None:
        return None
    retrieved = read_retrieved(stored)
    return retrieved if retrieved and _fits(retrieved, exhibits) else None


def retrieved_by_seed(contest: Contest, entry: Entry, exhibits: Exhibits | None) -> list[Retrieved]:
    """Read what an entry found under each seed that it is compared on; all of them, or none."""
    if exhibits is None or entry not in contest.answers:
        return []
    runs = {run.record.seed: run.stored for run in contest.ground.methods[entry[0]][entry[1]]
            if run.finished}  # fmt: skip
    found = [read_retrieved(runs[seed]) for seed in contest.answers[entry].seeds]
    kept = [one for one in found if one and _fits(one, exhibits)]
    return kept if len(kept) == len(found) else []


def _first_run(contest: Contest, entry: Entry) -> StoredRun | None:
    """Return the run with an entry's first seed; None where it has no answers."""
    if entry not in contest.answers:
        return None
    seed = contest.answers[entry].seeds[0]
    runs = contest.ground.methods[entry[0]][entry[1]]
    return next(run.stored for run in runs if run.finished and run.record.seed == seed)


def why_nothing_retrieved(contest: Contest, entry: Entry) -> str:
    """Say why strips of an entry are missing where its run kept no lists; empty otherwise."""
    stored = _first_run(contest, entry)
    if stored is None or not lacks_lists(stored):
        return ""
    return (
        f"What it finds is not shown: the run with seed {stored.record.seed} was stored without the"
        " lists of first images."
    )


def all_fail(contest: Contest) -> Flags:
    """Say of each query whether no method as published has the person first, under any seed."""
    entries = contest.published or tuple(contest.answers)
    hits = [(contest.answers[entry].values["r1"] > 0).any(0) for entry in entries]
    failed: Flags = ~np.any(hits, axis=0)
    return failed


def spread_out(flags: Flags, count: int) -> list[int]:
    """Return up to `count` of the rows that are true, evenly spaced and the same every time."""
    rows = np.flatnonzero(flags)
    places = (2 * np.arange(count) + 1) * len(rows) // (2 * count)
    return [int(row) for row in rows[np.unique(places)]] if len(rows) else []


def _fits(retrieved: Retrieved, exhibits: Exhibits) -> bool:
    if len(retrieved.rows) != len(exhibits.people):
        return False
    if exhibits.gallery is None:
        return True
    rows, people = retrieved.rows, exhibits.gallery.people
    if rows.max() >= len(people):
        return False
    right = (people[rows] == exhibits.people[:, None]) & (rows != NOTHING)
    return np.array_equal(right, retrieved.right)


def _strip(
    exhibits: Exhibits, described: Described | None, retrieved: Retrieved, anchor: str, query: int
) -> Strip:
    captions, person = exhibits.captions, exhibits.people[query]
    number = f"query {query}, person {person}"
    first = f"first right image at rank {retrieved.first[query]:,}"
    pairs = zip(retrieved.rows[query].tolist(), retrieved.right[query].tolist(), strict=True)
    return Strip(
        title=captions[query] if captions else f"Query {query}",
        about=f"{number}; {first}" if captions else f"person {person}; {first}",
        shots=tuple(
            _shot(exhibits, anchor, rank, row, right, _differs(described, query, row, right))
            for rank, (row, right) in enumerate(pairs, start=1)
            if row != NOTHING
        ),
    )


def _differs(described: Described | None, query: int, row: int, right: bool) -> tuple[str, ...]:
    """Say in what a wrong image contradicts the query."""
    if right or described is None:
        return ()
    return tuple(map(str, described.contradictions(query, row)))


def _shot(
    exhibits: Exhibits, anchor: str, rank: int, row: int, right: bool, differs: tuple[str, ...]
) -> Shot:
    gallery = exhibits.gallery
    shown = gallery is not None and row in gallery.thumbnails
    return Shot(
        rank=str(rank),
        right=right,
        image=gallery.ids[row] if gallery else f"row {row}",
        file=thumbnail_file(anchor, row) if shown else "",
        differs=differs,
    )


def _filters(hit: Flags, failed: Flags) -> Iterable[StripFilter]:
    counts = {
        ("hits", "Hits"): hit,
        ("misses", "Misses"): ~hit,
        ("failed", "All methods fail"): failed,
        ("all", "All"): np.ones_like(hit),
    }
    for (key, label), flags in counts.items():
        yield StripFilter(key, label, f"{int(flags.sum()):,}")


def _about(contest: Contest, entry: Entry, exhibits: Exhibits) -> str:
    seed = contest.answers[entry].seeds[0]
    return (
        f"The first ten images of a query, best first, by the run with seed {seed}. A right image"
        " has a solid frame and a tick, a wrong one a dashed frame and a cross, and below it what"
        " its captions contradict of the query. A hit has a right image at rank 1; all methods fail"
        " where no method as published has one there, under any seed."
        f" {explain_withheld(exhibits)}"
    ).rstrip()


def explain_withheld(exhibits: Exhibits) -> str:
    """Say why numbers stand in the place of captions and images; nothing where they do not."""
    gallery = exhibits.gallery
    shown = {"captions": exhibits.captions, "images": gallery and gallery.thumbnails}
    withheld = listed([name for name, values in shown.items() if not values])
    if not withheld:
        return ""
    if gallery is None:
        return f"The results do not hold the {withheld} of this dataset: numbers stand for them."
    if gallery.bare:
        return f"The {withheld} of this dataset are not shown: {gallery.bare}. Ids stand for them."
    return f"The {withheld} of this dataset may not be shown here: numbers and ids stand for them."
