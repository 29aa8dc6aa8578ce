"""An ablation table as data: one record a row, and the table a paper prints."""

from __future__ import annotations

from harness.results import METRICS
from harness.significance import Comparison
from leaderboard.ablations.components import Components, find_components
from leaderboard.ablations.corrected import COMPARED, Corrected, correct
from leaderboard.ablations.section import Ablation, Row
from leaderboard.ablations.views import Mark
from leaderboard.downloads.latex import CHECK, TexTable, escape_tex
from leaderboard.downloads.sheets import Record, Value
from leaderboard.downloads.tex_figures import (
    TexRow,
    have_seeds_of_their_own,
    tex_caption,
    tex_figures,
    tex_seeds,
)
from leaderboard.records.estimates import summaries
from leaderboard.records.ledger import Ledger
from leaderboard.records.load import Ground
from leaderboard.reported.figures import OwnFigures
from leaderboard.typography import spread_decimals

ABOVE, PUBLISHED = "vs_row_above", "vs_full"  # what the differences of a record are to


def ablation_records(ablation: Ablation, ledger: Ledger, paper: OwnFigures) -> list[Record]:
    """Return a record for each row, and one for the method as published where it is no row."""
    rows = _rows(ablation)
    components = _components(ablation)
    corrected = correct(ledger, ablation.pairs)
    return [
        _record(ablation, row, dict(zip(components.names, marks, strict=True)), paper)
        | _intervals(row, ledger)
        | _differences(ablation, row, corrected)
        for row, marks in zip(rows, components.marks, strict=True)
    ]


def ablation_tex(
    ablation: Ablation, ledger: Ledger, ground: Ground, title: str, label: str
) -> TexTable:
    """Return an ablation as a paper prints it, with a check mark for each component of a row."""
    rows, components = _rows(ablation), _components(ablation)
    found = [_tex_row(row, ledger) for row in rows]
    widths = [s.high - s.low for row in found for s in row.figures.values() if s]
    leaders = ledger.leading_rows([row.entry for row in rows])
    cells = tex_figures(found, spread_decimals(widths), leaders)
    with_seeds = have_seeds_of_their_own(found)
    names = [*map(escape_tex, components.names), *["Seeds"] * with_seeds]
    return TexTable(
        columns="l" + "c" * len(names) + "r" * len(METRICS),
        header=("Row", *names, *METRICS.values()),
        rows=tuple(
            (escape_tex(row.label), *map(_mark, marks), *[seeds] * with_seeds, *figures)
            for row, marks, seeds, figures in zip(
                rows, components.marks, tex_seeds(found), cells, strict=True
            )
        ),
        caption=tex_caption(ground, [run for row in rows for run in row.runs], found, title),
        label=label,
        breaks={len(ablation.rows): ""} if ablation.reference else {},
    )


def _tex_row(row: Row, ledger: Ledger) -> TexRow:
    known = ledger.answers.get(row.entry)
    seeds = known.seeds if known else [run.record.seed for run in row.runs if run.finished]
    intervals = {metric: ledger.interval(row.entry, metric) for metric in METRICS}
    return TexRow(summaries(row.runs), intervals, tuple(seeds))


def _rows(ablation: Ablation) -> list[Row]:
    return [*ablation.rows, *([ablation.reference] if ablation.reference else [])]


def _components(ablation: Ablation) -> Components:
    full = ablation.full.record if ablation.full else None
    return find_components([row.record for row in _rows(ablation)], full)


def _record(
    ablation: Ablation, row: Row, marks: dict[str, Mark], paper: OwnFigures
) -> dict[str, Value]:
    method, variant = row.entry
    reported = paper.of_row(ablation.title, row.label)
    values: dict[str, Value] = {
        "table": ablation.title,
        "row": row.label,
        "method": method,
        "variant": variant,
        "changes": row.record.changes,
        "seeds": [run.record.seed for run in row.runs if run.finished],
    }
    values |= {f"component {name}": mark.in_words or mark.text for name, mark in marks.items()}
    for metric, summary in summaries(row.runs).items():
        values[metric] = summary.mean if summary else None
        values[f"{metric}_by_seed"] = [run.metric(metric) for run in row.runs if run.finished]
        values[f"{metric}_reported"] = float(reported[metric].text) if metric in reported else None
    return values


def _intervals(row: Row, ledger: Ledger) -> dict[str, Value]:
    ends = {metric: ledger.interval(row.entry, metric) or (None, None) for metric in COMPARED}
    return {
        f"{metric}_{name}": end
        for metric, interval in ends.items()
        for name, end in zip(("low", "high"), interval, strict=True)
    }


def _differences(ablation: Ablation, row: Row, corrected: Corrected | None) -> dict[str, Value]:
    others = {
        ABOVE: row.above,
        PUBLISHED: ablation.full.entry if ablation.full and row is not ablation.full else None,
    }
    values: dict[str, Value] = {}
    for name, other in others.items():
        for metric in COMPARED:
            found = corrected.find((row.entry, other), metric) if corrected and other else None
            values |= _difference(f"{metric}_{name}", found)
    return values


def _difference(name: str, found: Comparison | None) -> dict[str, Value]:
    return {
        name: found.difference if found else None,
        f"{name}_low": found.low if found else None,
        f"{name}_high": found.high if found else None,
        f"{name}_p": found.adjusted if found else None,
        f"{name}_seeds": found.seeds if found else None,
        f"{name}_wins": found.wins if found else None,
        f"{name}_losses": found.losses if found else None,
    }


def _mark(mark: Mark) -> str:
    checked = CHECK if mark.checked else ""
    return " ".join(part for part in (checked, escape_tex(mark.text)) if part)
