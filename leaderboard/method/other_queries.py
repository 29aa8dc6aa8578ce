"""Tables of what `harness run --queries` asked: the same weights and gallery, other captions."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from leaderboard.ablations.views import ResultTable
from leaderboard.method.asked import RANKED, Asked, asked_table
from leaderboard.method.result_tables import FOLLOW, Line, write_rows
from leaderboard.method.views import AskedTable
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
ABOUT_WORDS = (
    "The same trained weights and gallery, asked in changed words, the same for all methods."
    " “Unchanged” counts the queries that had nothing to change and stayed as they were."
)

Where = Callable[[Entry], str]  # the address of the runs of an entry


def find_queries(runs: Sequence[Run]) -> tuple[str, ...]:
    """Return the names of the evaluations with other queries."""
    return tuple(sorted({name for run in runs for name, one in run.further.items() if one.queries}))


def asked_tables(runs: Sequence[Run], anchor: str) -> tuple[AskedTable, ...]:
    """Write what a method as published finds where its captions are changed, beside the whole."""
    finished = [run for run in runs if run.finished]
    names = find_queries(finished)
    rows = [Asked("whole captions", RANKED), *(Asked(name, name) for name in names)]
    table = asked_table(finished, rows, f"{anchor}-words", "Words that lie", ABOUT_WORDS)
    return (table,) if table else ()


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
