"""What the pages of all methods of a ground share, computed once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from leaderboard.ablations.corrected import open_ledger
from leaderboard.ablations.parts import Contribution, find_contributions
from leaderboard.ablations.section import Ablation, find_ablations
from leaderboard.method.cmc import Curves, draw_curves
from leaderboard.method.slices import SlicedFigures, slice_queries
from leaderboard.method.statement import Places
from leaderboard.ranking.scores import find_places
from leaderboard.records.contest import Contest
from leaderboard.records.ledger import Ledger
from leaderboard.reported.tables import ReportedPaper
from leaderboard.strips.mistakes import MistakeFinder


@dataclass(frozen=True)
class GroundStatistics:
    """Comparisons, places, curves and slices of every method on one ground."""

    contest: Contest
    ablations: Mapping[str, tuple[Ablation, ...]]  # by method
    contributions: Mapping[str, tuple[Contribution, ...]]
    ledger: Ledger
    places: Places
    curves: Curves | None
    sliced: SlicedFigures
    mistakes: MistakeFinder


def measure(contest: Contest, papers: Mapping[str, ReportedPaper]) -> GroundStatistics:
    """Find what the tables of all methods compare."""
    ground = contest.ground
    ablations = {
        method: find_ablations(method, ground, papers.get(method)) for method in ground.methods
    }
    contributions = {method: find_contributions(method, ground) for method in ground.methods}
    return GroundStatistics(
        contest=contest,
        ablations=ablations,
        contributions=contributions,
        ledger=open_ledger(contest),
        places=find_places(contest),
        curves=draw_curves(contest),
        sliced=slice_queries(contest),
        mistakes=MistakeFinder(contest),
    )
