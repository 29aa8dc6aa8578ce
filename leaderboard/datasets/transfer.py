"""Train-to-test matrices: what methods that were trained on one dataset do on the others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from harness.results import METRICS
from leaderboard.datasets.views import Row, Table, TransferTable
from leaderboard.records.elsewhere import evaluations_elsewhere
from leaderboard.records.estimates import Summary, summarize
from leaderboard.records.load import FULL, Ground, Run
from leaderboard.site.site import Site
from leaderboard.typography import counted, fixed, plain

SHOWN = ("r1", "map")
NOTHING = "not tested"


@dataclass(frozen=True)
class _Trained:
    """A method as published, trained on one dataset: its evaluations by what it was tested on."""

    suite: str
    title: str  # of the method
    on: str  # title of the dataset
    runs: Sequence[Run]
    tested: Mapping[str, str | None]  # title of a dataset -> evaluation; None is the run's own

    @property
    def is_trained(self) -> bool:
        return self.runs[-1].record.supervision != "none"


def transfer_tables(site: Site) -> tuple[TransferTable, ...]:
    """Return the matrices of every suite in which something was tested on other data."""
    trained = [one for ground in site.grounds for one in _trained(ground)]
    suites = dict.fromkeys(one.suite for one in trained if len(one.tested) > 1)
    return tuple(
        TransferTable(suite, METRICS[metric], _matrix(metric, _of_suite(trained, suite)))
        for suite in suites
        for metric in SHOWN
    )


def _of_suite(trained: Sequence[_Trained], suite: str) -> list[_Trained]:
    """Return what was trained in a suite: by dataset, then the best on its own test split first."""

    def order(one: _Trained) -> tuple[str, float]:
        own = summarize(one.runs, SHOWN[0])
        return one.on, -own.mean if own else 0.0

    return sorted((one for one in trained if one.suite == suite), key=order)


def _trained(ground: Ground) -> Iterator[_Trained]:
    for method, variants in ground.methods.items():
        runs = [run for run in variants.get(FULL, []) if run.finished]
        if not runs:
            continue
        record = runs[-1].record
        own = plain(record.data.get("title") or ground.dataset)
        tested = {own: None, **evaluations_elsewhere(runs)}
        yield _Trained(ground.suite, plain(record.title) or method, own, runs, tested)


def _matrix(metric: str, trained: Sequence[_Trained]) -> Table:
    columns = tuple(dict.fromkeys(title for one in trained for title in one.tested))
    rows = []
    for one in trained:
        cells = [_cell(one, title, metric) for title in columns]
        note = f"not trained, ranked on {one.on}"  # by every seed alike
        if one.is_trained:
            note = f"trained on {one.on}, {counted(len(one.runs), 'seed')}"
        rows.append(Row(one.title, tuple(cells), note=note))
    return Table(columns, tuple(rows))


def _cell(one: _Trained, title: str, metric: str) -> str:
    if title not in one.tested:
        return NOTHING
    return _written(summarize(one.runs, metric, one.tested[title]))


def _written(summary: Summary | None) -> str:
    if summary is None:
        return NOTHING
    mean, low, high = (fixed(value, 1) for value in (summary.mean, summary.low, summary.high))
    return mean if low == high else f"{mean} ({low} to {high})"
