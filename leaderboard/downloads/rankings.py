"""A ranking as data: one record a method, one a pair of methods, and the table a paper prints."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.results import METRICS
from harness.results.paper import UNDISCLOSED
from leaderboard.downloads.latex import TexTable, escape_tex
from leaderboard.downloads.sheets import Record, Value
from leaderboard.downloads.tex_figures import (
    TexRow,
    have_seeds_of_their_own,
    tex_caption,
    tex_figures,
    tex_seeds,
)
from leaderboard.ranking.cells import figure_decimals
from leaderboard.ranking.competitors import Board, Competitor, reasons
from leaderboard.ranking.scores import Score
from leaderboard.records.contest import difference
from leaderboard.records.estimates import PRIMARY, Leaders
from leaderboard.records.load import FULL
from leaderboard.reported.figures import own_figures
from leaderboard.typography import plain

NOT_COMPARED = "Below the rule: runs of other seeds, scales or data, which cannot be compared."
GROUPS = {  # as recent papers split their tables
    "without": "Without person pre-training",
    "with": "With person pre-training",
    UNDISCLOSED: "Person pre-training undisclosed",
}
COSTS = ("parameters", "train_seconds", "image_milliseconds", "text_milliseconds", "peak_memory")


def ranking_records(board: Board) -> list[Record]:
    """Return a record for each method, those that are ranked first."""
    return [_record(board, competitor) for competitor in (*board.ranked, *board.apart)]


def difference_records(board: Board) -> Iterator[Record]:
    """Yield a record for each pair of ranked methods by each metric, in the ranking's order."""
    for metric in METRICS:
        family = board.contest.family(metric)
        methods = [(one.method, FULL) for one in board.ranked] if family else []
        for place, a in enumerate(methods):
            for b in methods[place + 1 :]:
                assert family is not None
                found = difference(family, a, b)
                yield {
                    "metric": metric,
                    "a": a[0],
                    "b": b[0],
                    "difference": found.difference,
                    "low": found.low,
                    "high": found.high,
                    "p": found.adjusted,
                    "wins": found.wins,
                    "ties": found.ties,
                    "losses": found.losses,
                    "seeds": found.seeds,
                    "holds_for": found.holds_for,
                }


def ranking_tex(board: Board, anchor: str) -> TexTable:
    """Return the ranking as a paper prints it; what cannot be compared stands below a rule.

    Where methods differ in whether they saw people before, they stand in groups by that.
    """
    decimals = figure_decimals([*board.ranked, *board.apart])
    apart = [one for one in board.apart if one.scores[PRIMARY]]
    ranked = sorted(board.ranked, key=lambda one: [*GROUPS].index(one.seen_people))
    everyone = [*ranked, *apart]
    found = [_tex_row(one) for one in everyone]
    figures = tex_figures(found, decimals, _leaders(ranked))
    with_seeds = have_seeds_of_their_own(found)
    caption = tex_caption(board.ground, [run for one in everyone for run in one.runs], found)
    titles = board.site.addresses.titles
    return TexTable(
        columns="ll" + "c" * with_seeds + "r" * len(METRICS),
        header=("Method", "Supervision", *["Seeds"] * with_seeds, *METRICS.values()),
        rows=tuple(
            (
                escape_tex(titles[one.method]),
                escape_tex(one.supervision),
                *[seeds] * with_seeds,
                *row,
            )
            for one, seeds, row in zip(everyone, tex_seeds(found), figures, strict=True)
        ),
        caption=f"{caption} {NOT_COMPARED}" if apart else caption,
        label=f"tab:{anchor}",
        breaks=_groups(ranked) | ({len(ranked): ""} if apart else {}),
    )


def _groups(ranked: Sequence[Competitor]) -> dict[int, str]:
    """Return the heading of each group, by its first row; nothing where all are of one."""
    seen = [one.seen_people for one in ranked]
    first = {seen.index(group): heading for group, heading in GROUPS.items() if group in seen}
    return first if len(first) > 1 else {}


def _leaders(ranked: Sequence[Competitor]) -> Leaders:
    """Return by metric the ranked methods than which no other is better."""
    places = {
        metric: [score.place if (score := one.scores[metric]) else None for one in ranked]
        for metric in METRICS
    }
    return {
        metric: [row for row, place in enumerate(found) if place and place.leads]
        for metric, found in places.items()
    }


def _tex_row(competitor: Competitor) -> TexRow:
    places = {m: score.place if score else None for m, score in competitor.scores.items()}
    seeds = [run.record.seed for run in competitor.runs if run.finished]
    return TexRow(
        competitor.summaries,
        {m: (place.low, place.high) if place else None for m, place in places.items()},
        tuple(seeds[: competitor.seeds]),
    )


def _record(board: Board, competitor: Competitor) -> Record:
    method, addresses = competitor.method, board.site.addresses
    latest = competitor.runs[-1].record if competitor.runs else None
    reported = own_figures(board.site.papers, method, board.ground).of_method()
    values: dict[str, Value] = {
        "method": method,
        "title": addresses.titles[method],
        "supervision": competitor.supervision,
        "backbone": competitor.backbone,
        "rests_on": latest.mark if latest else "",
        "person_pretraining": competitor.seen_people,
        "extra_data": str(competitor.extra_data or UNDISCLOSED),
        "seeds": _seeds(board, competitor),
    }
    for metric, score in competitor.scores.items():
        values |= _score_fields(metric, score, _by_seed(board, competitor, metric))
        values[f"{metric}_reported"] = float(reported[metric].text) if metric in reported else None
    values |= {cost: competitor.mean_of(cost) or None for cost in COSTS}
    values |= {"paper": str(latest.paper) if latest else "", "url": latest.url if latest else ""}
    unranked = "" if competitor.is_ranked else "; ".join(n.text for n in reasons(board, competitor))
    return values | {"not_ranked_because": plain(unranked)}


def _seeds(board: Board, competitor: Competitor) -> list[int]:
    """Return the seeds of the figures: of the answers where there are any."""
    answers = board.contest.answers.get((competitor.method, FULL))
    if answers is None:
        return [run.record.seed for run in competitor.runs if run.finished]
    return list(answers.seeds)


def _by_seed(board: Board, competitor: Competitor, metric: str) -> list[float | None]:
    """Return the figure of each seed: of the answers where there are any, which are compared."""
    answers = board.contest.answers.get((competitor.method, FULL))
    if answers is None:
        return [run.metric(metric) for run in competitor.runs if run.finished]
    return [float(mean) for mean in answers.values[metric].mean(1)]  # (S,)


def _score_fields(
    metric: str, score: Score | None, by_seed: list[float | None]
) -> dict[str, Value]:
    place = score.place if score else None
    return {
        f"{metric}_rank": place.rank if place else None,
        f"{metric}_last_rank": place.last_rank if place else None,
        metric: score.summary.mean if score else None,
        f"{metric}_low": place.low if place else None,
        f"{metric}_high": place.high if place else None,
        f"{metric}_by_seed": by_seed,
    }
