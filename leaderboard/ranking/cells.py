"""The cells of a ranking: means, and ranks with the bars of what is not told apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

from harness.results import METRICS
from leaderboard.ranking.bars import draw_bars
from leaderboard.ranking.competitors import Competitor
from leaderboard.ranking.scores import Place, Score
from leaderboard.ranking.views import Beside, RankCell, ScoreCell
from leaderboard.reported.figures import Figures
from leaderboard.typography import ABSENT, counted, fixed, listed, spread_decimals
from leaderboard.views import ReportedFigure

MOST_NAMED = 4  # methods that are named one by one


def figure_decimals(competitors: Sequence[Competitor]) -> int:
    """Return the decimals that the intervals of a table's means support."""
    scores = [score for one in competitors for score in one.scores.values() if score]
    return spread_decimals([_width(score) for score in scores])


def score_cells(
    competitor: Competitor, decimals: int, reported: Figures, titles: Mapping[str, str]
) -> tuple[ScoreCell, ...]:
    """Return the figures of a row, with what the paper prints beside them."""
    return tuple(
        _cell(key, competitor.scores[key], decimals, reported.get(key), titles) for key in METRICS
    )


def rank_cells(ranked: Sequence[Competitor], titles: Mapping[str, str]) -> list[RankCell]:
    """Return the ranks of a table's rows, with a bar for each group that is not told apart."""
    places = [place for one in ranked if (place := one.place)]
    bars = draw_bars([place.groups for place in places])
    return [
        RankCell(str(place.rank), _in_words(place, titles), of_row)
        for place, of_row in zip(places, bars, strict=True)
    ]


def name_undecided(place: Place, titles: Mapping[str, str]) -> str:
    """Name those that a method is not told apart from; of many, only the first."""
    names = [titles[method] for method in place.undecided]
    if len(names) > MOST_NAMED + 1:
        names = [*names[:MOST_NAMED], counted(len(names) - MOST_NAMED, "other")]
    return listed(names) if names else ""


def verdict(printed: str, low: float, high: float) -> str:
    """Say where a printed figure lies to an interval; it may be any number that rounds to it."""
    value = Decimal(printed)
    exponent = value.as_tuple().exponent
    half = 0.5 * 10.0 ** (exponent if isinstance(exponent, int) else 0)
    if float(value) + half < low:
        return "below our interval"
    return "above our interval" if float(value) - half > high else "inside our interval"


def _cell(
    key: str,
    score: Score | None,
    decimals: int,
    reported: ReportedFigure | None,
    titles: Mapping[str, str],
) -> ScoreCell:
    place = score.place if score else None
    beside = _beside(reported, place) if reported else None
    if score is None:
        return ScoreCell(key, "", "", False, "", "", "", "", beside)
    summary = score.summary
    ends = f"{fixed(summary.low, decimals)}{ABSENT}{fixed(summary.high, decimals)}"
    return ScoreCell(
        key=key,
        text=fixed(summary.mean, decimals),
        order=repr(round(summary.mean, 4)),
        is_best=place is not None and place.leads,
        seeds=f"seeds {ends}" if summary.count > 1 else "",
        rank=str(place.rank) if place else "",
        groups=" ".join(map(str, place.groups)) if place else "",
        undecided=name_undecided(place, titles) if place else "",
        beside=beside,
    )


def _beside(reported: ReportedFigure, place: Place | None) -> Beside:
    said = verdict(reported.text, place.low, place.high) if place else ""
    return Beside(reported.text, said, reported.suspect)


def _width(score: Score) -> float:
    if score.place:
        return score.place.high - score.place.low
    return score.summary.high - score.summary.low


def _in_words(place: Place, titles: Mapping[str, str]) -> str:
    named = name_undecided(place, titles)
    return f", not told apart from {named}" if named else ""
