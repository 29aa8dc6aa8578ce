"""The cells of a ranking: means on the scale of their column, and ranks with their brackets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

from harness.results import METRICS
from leaderboard.drawing.whiskers import Interval, draw_middle, draw_span, shared_scale
from leaderboard.ranking.competitors import Competitor
from leaderboard.ranking.scores import Place, Score
from leaderboard.ranking.views import Beside, Column, RankCell, ScoreCell
from leaderboard.records.estimates import Scale, standings_as_printed
from leaderboard.reported.figures import Figures
from leaderboard.typography import ABSENT, fixed, spread_decimals
from leaderboard.views import ReportedFigure


class Sheet:
    """How the figures of a table are written: decimals, and a scale for each metric."""

    def __init__(self, ranked: Sequence[Competitor], apart: Sequence[Competitor]) -> None:
        scores = [one.scores for one in (*ranked, *apart)]
        self.decimals = spread_decimals([_width(s) for row in scores for s in row.values() if s])
        self.scales: dict[str, Scale] = {}
        self._emphasis: dict[str, Mapping[float, str]] = {}
        for metric in METRICS:
            present = [score for one in ranked if (score := one.scores[metric])]
            intervals = [found for score in present if (found := interval(score))]
            if intervals:
                self.scales[metric] = shared_scale(intervals)
            printed = [round(score.summary.mean, self.decimals) for score in present]
            self._emphasis[metric] = standings_as_printed(printed) if printed else {}

    def columns(self) -> tuple[Column, ...]:
        """Return the headers of the metrics."""
        ends = {key: (f"{s.low:g}", f"{s.high:g}") for key, s in self.scales.items()}
        return tuple(Column(key, name, *ends.get(key, ("", ""))) for key, name in METRICS.items())

    def cells(self, competitor: Competitor, reported: Figures) -> tuple[ScoreCell, ...]:
        """Return the figures of a row, with what the paper prints beside them."""
        return tuple(self._cell(key, competitor.scores[key], reported.get(key)) for key in METRICS)

    def _cell(self, key: str, score: Score | None, reported: ReportedFigure | None) -> ScoreCell:
        found = interval(score) if score else None
        beside = _beside(reported, found) if reported else None
        if score is None:
            return ScoreCell(key, "", "", "", "", "", "", "", "", beside)
        summary, place = score.summary, score.place
        scale = self.scales.get(key)
        leaders = self._emphasis[key] if place else {}
        return ScoreCell(
            key=key,
            text=fixed(summary.mean, self.decimals),
            order=repr(round(summary.mean, 4)),
            emphasis=leaders.get(round(summary.mean, self.decimals), ""),
            interval=self._range(found.low, found.high) if found else "",
            seeds=self._seeds(score),
            span=draw_span(found, scale) if found and scale else "",
            middle=draw_middle(found, scale) if found and scale else "",
            ranks=f"{place.rank} {place.last_rank}" if place else "",
            beside=beside,
        )

    def _seeds(self, score: Score) -> str:
        if score.summary.count < 2:
            return ""
        written = f"seeds {self._range(score.summary.low, score.summary.high)}"
        return f"{written}, wide" if score.place and score.place.wide else written

    def _range(self, low: float, high: float) -> str:
        return f"{fixed(low, self.decimals)}{ABSENT}{fixed(high, self.decimals)}"


def interval(score: Score) -> Interval | None:
    """Return the 95 % interval of a mean, if it has one."""
    place = score.place
    return Interval(place.low, score.summary.mean, place.high) if place else None


def rank_cells(ranked: Sequence[Competitor]) -> list[RankCell]:
    """Return the ranks of a table's rows, with a bracket where neighbours share one."""
    places = [place for one in ranked if (place := one.place)]
    ranks = [place.rank for place in places]
    return [
        RankCell(
            rank=str(place.rank),
            places=_places(place),
            in_words=_in_words(place, ranks.count(place.rank)),
            tie=_tie(ranks, index),
        )
        for index, place in enumerate(places)
    ]


def verdict(printed: str, low: float, high: float) -> str:
    """Say where a printed figure lies to an interval; it may be any number that rounds to it."""
    value = Decimal(printed)
    exponent = value.as_tuple().exponent
    half = 0.5 * 10.0 ** (exponent if isinstance(exponent, int) else 0)
    if float(value) + half < low:
        return "below our interval"
    return "above our interval" if float(value) - half > high else "inside our interval"


def _beside(reported: ReportedFigure, found: Interval | None) -> Beside:
    said = verdict(reported.text, found.low, found.high) if found else ""
    return Beside(reported.text, said, reported.suspect)


def _width(score: Score) -> float:
    if score.place:
        return score.place.high - score.place.low
    return score.summary.high - score.summary.low


def _places(place: Place) -> str:
    return "" if place.rank == place.last_rank else f"{place.rank}{ABSENT}{place.last_rank}"


def _in_words(place: Place, sharing: int) -> str:
    shared = f", shared by {sharing} methods not told apart" if sharing > 1 else ""
    span = f", places {place.rank} to {place.last_rank}" if place.rank < place.last_rank else ""
    return f"{shared}{span}"


def _tie(ranks: Sequence[int], index: int) -> str:
    above = index > 0 and ranks[index - 1] == ranks[index]
    below = index + 1 < len(ranks) and ranks[index + 1] == ranks[index]
    return {(False, True): "first", (True, True): "inner", (True, False): "last"}.get(
        (above, below), ""
    )
