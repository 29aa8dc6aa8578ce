"""The table of a method's evaluations: the ranked one, re-rankings of the same weights, others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from urllib.parse import quote

from harness.results import METRICS, PRIMARY_EVALUATION
from leaderboard.ablations.corrected import (
    ABOUT_DIFFERENCES,
    COMPARED,
    NO_PAIR,
    Corrected,
    correct,
)
from leaderboard.ablations.section import Row
from leaderboard.ablations.views import ColumnGroup, ResultTable
from leaderboard.method.other_queries import find_queries
from leaderboard.method.reranking import (
    NEVER_ENDED,
    Reranked,
    compare_rerankings,
    find_rerankings,
)
from leaderboard.method.result_tables import FOLLOW, Line, explain_silence, write_rows
from leaderboard.records.elsewhere import evaluations_elsewhere
from leaderboard.records.ledger import Ledger
from leaderboard.records.load import Run
from leaderboard.reported.figures import OwnFigures
from leaderboard.site.addresses import error_texts
from leaderboard.views import Failure, Note

ABOUT_RERANKING = (
    "Re-ranked figures are never in the ranking. A gain is over the ranked evaluation of the same"
    " weights; beside it stands what ranking the gallery takes, first by cosine alone and then with"
    " the re-ranking, encoding left aside."
)
FAILED = "failed"


@dataclass(frozen=True)
class Evaluations:
    """A method as published with everything that its finished runs were evaluated by."""

    method: str
    runs: Sequence[Run]  # finished
    results: Path
    paper: OwnFigures
    href: str  # where on the page the runs stand
    anchor: str

    @cached_property
    def rerankings(self) -> tuple[Reranked, ...]:
        """The re-rankings that were asked for, by name."""
        return find_rerankings(self.runs)

    @cached_property
    def failures(self) -> tuple[Failure, ...]:
        """The re-rankings of single runs that gave nothing."""
        failed = [(one, run) for one in self.rerankings for run in one.failed]
        return tuple(
            _failure(one, run, f"{self.anchor}-failed-{number}")
            for number, (one, run) in enumerate(failed, start=1)
        )

    @property
    def others(self) -> list[str]:
        """The names of the evaluations that have no other place on the page."""
        reranked = (one.name for one in self.rerankings)
        elsewhere = (name for run in self.runs for name, one in run.further.items() if one.on)
        shown = {PRIMARY_EVALUATION, *reranked, *find_queries(self.runs), *elsewhere}
        names = {name: None for run in self.runs for name in run.evaluations or {}}
        return [name for name in names if name not in shown]


def evaluation_table(found: Evaluations) -> ResultTable:
    """Write the evaluations: the ranked one, what re-ranking gains on it, others, other data."""
    ledger = compare_rerankings(found.runs, found.rerankings, found.results)
    corrected = correct(ledger, [one.gain for one in found.rerankings])
    nothing = (NO_PAIR,) * len(COMPARED) if corrected else ()
    ranked = Line(
        PRIMARY_EVALUATION, found.runs, found.href, ("ranked",),
        reported=found.paper.of_method(), differences=nothing,
    )  # fmt: skip
    lines = [
        ranked,
        *(_reranked_line(one, found, corrected) for one in found.rerankings),
        *(
            Line(name, found.runs, found.href, evaluation=name, differences=nothing)
            for name in found.others
        ),
        *(
            Line(
                f"on {title}, without training on it", found.runs, found.href,
                evaluation=name, differences=nothing,
            )
            for title, name in evaluations_elsewhere(found.runs).items()
        ),
    ]  # fmt: skip
    columns, rows = write_rows(lines)
    has_costs = any(line.cost for line in lines)
    how = f" {corrected.in_words}" if corrected else ""
    return ResultTable(
        found.anchor, "Results",
        f"Evaluations of the same trained weights: mean and range over seeds.{how} {FOLLOW}",
        "Evaluation", columns, rows,
        is_compact=corrected is not None,
        heads=_heads(has_costs) if corrected else (),
        difference_columns=corrected.columns if corrected else (),
        has_costs=has_costs,
        remarks=(*_remarks(found, ledger), *([ABOUT_DIFFERENCES] if corrected else [])),
    )  # fmt: skip


def _reranked_line(one: Reranked, found: Evaluations, corrected: Corrected | None) -> Line:
    made = one.made
    return Line(
        one.label, made, found.href,
        notes=_called(one, found.rerankings),
        evaluation=one.name,
        absent="not recorded" if made else FAILED,
        reported=found.paper.of_labels(one.reported_as),
        differences=corrected.cells(one.gain if made else None) if corrected else (),
        cost=one.cost,
        failures=tuple(
            Note(f"seed {failure.seed}: {FAILED}", failure.href)
            for failure in found.failures
            if failure.variant == one.label
        ),
    )  # fmt: skip


def _called(one: Reranked, rerankings: Sequence[Reranked]) -> tuple[str, ...]:
    """Say what the paper calls a re-ranking; where several may be meant, that it may be this."""
    candidates = Counter(label for other in rerankings for label in other.reported_as)
    return tuple(
        f"may be what the paper calls {label}" if candidates[label] > 1 else f"{label} in the paper"
        for label in one.reported_as
    )


def _heads(has_costs: bool) -> tuple[ColumnGroup, ...]:
    return (
        ColumnGroup("", len(METRICS)),
        ColumnGroup("Gain by re-ranking", len(COMPARED)),
        ColumnGroup("", 1 + has_costs),
    )


def _remarks(found: Evaluations, ledger: Ledger) -> tuple[str, ...]:
    """Say what re-ranked figures are not, and why some are not compared."""
    shown = [one for one in found.rerankings if one.made]
    if not shown:
        return ()
    cautions = dict.fromkeys(one.caution for one in shown if one.caution)
    rows = [Row(one.label, one.gain[0], one.made) for one in shown]
    return (
        " ".join((ABOUT_RERANKING, *_rescored(found.runs[-1]), *cautions)),
        *explain_silence(rows, ledger),
    )


def _rescored(run: Run) -> tuple[str, ...]:
    """Say that a method's own re-scoring is no part of its re-rankings."""
    candidates = run.record.recipe.get("candidates")
    if not candidates:
        return ()
    return (
        f"The ranked evaluation may look again at the first {candidates} images of a query;"
        " re-rankings leave that aside.",
    )


def _failure(one: Reranked, run: Run, anchor: str) -> Failure:
    return Failure(
        anchor=anchor,
        href=f"#{quote(anchor)}",
        method=run.record.method,
        variant=one.label,
        seed=run.record.seed,
        status=FAILED,
        **error_texts(run.further[one.name].error, NEVER_ENDED),
    )
