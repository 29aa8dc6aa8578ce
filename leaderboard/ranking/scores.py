"""The figures that methods are ranked by, and what the comparison with all others says of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass

from harness.results import METRICS
from harness.results.answers import Answers
from leaderboard.records.contest import Contest
from leaderboard.records.estimates import Summary, summaries
from leaderboard.records.ledger import family_name
from leaderboard.records.load import FULL, Run


@dataclass(frozen=True)
class Place:
    """What the comparison with all others says of a mean."""

    low: float  # 95 % interval of the mean, in percent
    high: float
    rank: int
    last_rank: int
    rivals: int = 0  # methods that it was compared with
    undecided: tuple[str, ...] = ()  # methods that it is not told apart from, from best to worst
    groups: tuple[int, ...] = ()  # of methods of which none is better, by number, that it is in

    @property
    def leads(self) -> bool:
        """Whether no other method is better."""
        return self.rank == 1 and self.rivals > 0


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
        return {entry[0]: _alone(contest, entry, metric) for entry in contest.published}
    methods = {family_name(entry): entry[0] for entry in contest.published}
    standings = family.standings()
    groups = [{methods[name] for name in group} for group in family.undecided()]
    ordered = [methods[standing.name] for standing in standings]  # from best to worst
    return {
        method: Place(
            *family.intervals[standing.name],
            standing.rank,
            standing.last_rank,
            rivals=len(standings) - 1,
            undecided=tuple(o for o in ordered if o != method and _share(groups, o, method)),
            groups=tuple(number for number, group in enumerate(groups) if method in group),
        )
        for method, standing in zip(ordered, standings, strict=True)
    }


def _share(groups: Sequence[Set[str]], one: str, other: str) -> bool:
    return any(one in group and other in group for group in groups)


def _alone(contest: Contest, entry: tuple[str, str], metric: str) -> Place:
    """Return the place of the only method: an interval, and nobody to share a rank with."""
    interval = contest.ledger.interval(entry, metric)
    assert interval is not None  # it has answers, or it would not be among the published
    return Place(*interval, 1, 1)


def _summarize(answers: Answers, metric: str) -> Summary:
    by_seed = answers.values[metric].mean(1)  # (S,)
    return Summary(float(by_seed.mean()), float(by_seed.min()), float(by_seed.max()), len(by_seed))
