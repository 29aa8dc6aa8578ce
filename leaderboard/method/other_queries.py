"""Tables of what `harness run --queries` asked: the same weights and gallery, other captions."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from harness.results.protocols import protocol_of
from leaderboard.ablations.views import ResultTable
from leaderboard.method.result_tables import FOLLOW, Line, write_rows
from leaderboard.records.ledger import Entry
from leaderboard.records.load import FULL, Ground, Run

# What a reader must know of a transform, by its name.
ABOUT = {
    "masked-nouns": "Each caption lacks the three nouns that a zero-shot encoder finds most like"
    " its image, the same for all methods: what is left tells how a method does on finer words.",
    "wrong-attribute": "In each caption one attribute of clothes, hair or belongings is said as it"
    " is not: a witness remembers a blue jacket that was green.",
    "synonyms": "Each caption says the same in other words, wherever there are any.",
    "typos": "One in five of the longer words of each caption has a slip of the keyboard.",
    "word-order": "The words of each sentence stand in any order: a method that reads a bag of"
    " words loses nothing.",
    "german": "Captions of drawn people in German, by a dictionary of all that they can say.",
}
Where = Callable[[Entry], str]  # the address of the runs of an entry


def find_queries(runs: Sequence[Run]) -> tuple[str, ...]:
    """Return the names of the evaluations whose captions a transform changed."""
    return tuple(
        sorted(
            {
                name
                for run in runs
                for name, one in run.further.items()
                if one.queries and protocol_of(one.queries) is None
            }
        )
    )


def query_tables(ground: Ground, method: str, where: Where, anchor: str) -> tuple[ResultTable, ...]:
    """Write a table for each transform that the method's runs were asked.

    Its variants come first, then the other methods as published.
    """
    return tuple(
        _table(name, list(_entries(ground, method, name)), method, where, f"{anchor}-{number}")
        for number, name in enumerate(find_queries(ground.runs_of(method)), start=1)
    )


def _entries(ground: Ground, method: str, name: str) -> Iterator[tuple[Entry, list[Run]]]:
    others = {other: ground.full(other) for other in ground.methods if other != method}
    candidates: Mapping[Entry, list[Run]] = {
        **{(method, variant): runs for variant, runs in ground.without_noise(method).items()},
        **{(other, FULL): runs for other, runs in others.items()},
    }
    for entry, runs in candidates.items():
        asked = [run for run in runs if run.finished and name in run.further]
        if asked:
            yield entry, asked


def _table(
    name: str, entries: Sequence[tuple[Entry, list[Run]]], method: str, where: Where, anchor: str
) -> ResultTable:
    lines = [line for entry, runs in entries for line in _lines(name, entry, runs, method, where)]
    columns, rows = write_rows(lines)
    about = ABOUT.get(name, "The captions are changed, the same for all methods.")
    return ResultTable(
        anchor, f"Other queries: {name}",
        f"The same trained weights, asked with the whole captions and with changed ones. {about} "
        f"Mean and range over seeds; no significance is claimed. {FOLLOW}",
        "Queries", columns, rows,
    )  # fmt: skip


def _lines(
    name: str, entry: Entry, runs: Sequence[Run], method: str, where: Where
) -> Iterator[Line]:
    """Yield an entry's figures with the whole captions, and below them with the changed ones."""
    label = entry[1] if entry[0] == method else entry[0]
    yield Line(f"{label}, whole captions", runs, where(entry))
    yield Line(
        f"{label}, {name}",
        [run for run in runs if name in (run.evaluations or {})] or runs,
        where(entry),
        evaluation=name,
        absent="failed",
    )
