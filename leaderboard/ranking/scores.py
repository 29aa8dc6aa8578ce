"""The figures that methods are ranked by: means with their intervals, and the places they hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from harness.results import METRICS
from harness.results.answers import Answers
from harness.significance import compare
from harness.significance.comparison import LARGEST_SPREAD
from leaderboard.records.contest import Contest
from leaderboard.records.estimates import Summary, summaries
from leaderboard.records.load import FULL, Run


@dataclass(frozen=True)
class Place:
    """What the comparison with all others says of a mean."""

    low: float  # 95 % interval of the mean, in percent
    high: float
    rank: int
    last_rank: int
    wide: bool  # seeds spread so far that the interval is too short


@dataclass(frozen=True)
class Score:
    """A mean over seeds; the place is None where the method cannot be compared."""

    summary: Summary
    place: Place | None


Scores = Mapping[str, Score | None]  # by metric


def find_places(contest: Contest) -> Mapping[str, Mapping[str, Place]]:
    """Return the places of all methods that can be compared, by metric and method."""
    return {metric: _places(contest, metric) for metric in METRICS}


def score(
    contest: Contest, method: str, runs: list[Run], places: Mapping[str, Mapping[str, Place]]
) -> Scores:
    """Return every metric of a method as published; None where nothing is known of one.

    What is compared is what is shown: means are of the answers where there are any, otherwise of
    what the runs recorded.
    """
    answers = contest.answers.get((method, FULL))
    if answers is None:
        return {
            metric: Score(summary, None) if summary else None
            for metric, summary in summaries(runs).items()
        }
    return {
        metric: Score(_summarize(answers, metric), places[metric][method]) for metric in METRICS
    }


def _places(contest: Contest, metric: str) -> dict[str, Place]:
    family = contest.family(metric)
    if family is None:
        return {
            method: _alone(contest.answers[method, variant], metric)
            for method, variant in contest.published
        }
    methods = dict(zip(family.means, (method for method, _ in contest.published), strict=True))
    return {
        methods[standing.name]: Place(
            *family.intervals[standing.name],
            standing.rank,
            standing.last_rank,
            _is_wide(contest.answers[methods[standing.name], FULL], metric),
        )
        for standing in family.standings()
    }


def _alone(answers: Answers, metric: str) -> Place:
    """Return the place of the only method: its interval is that of its difference to nothing."""
    values = answers.values[metric]
    found = compare(values, np.zeros_like(values), answers.people)
    return Place(found.low, found.high, 1, 1, found.needs_more_seeds)


def _is_wide(answers: Answers, metric: str) -> bool:
    by_seed = answers.values[metric].mean(1)  # (S,)
    return len(by_seed) > 1 and float(by_seed.std(ddof=1)) > LARGEST_SPREAD


def _summarize(answers: Answers, metric: str) -> Summary:
    by_seed = answers.values[metric].mean(1)  # (S,)
    return Summary(float(by_seed.mean()), float(by_seed.min()), float(by_seed.max()), len(by_seed))
