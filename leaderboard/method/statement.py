"""What a method's figures say at once: its place, and where the paper's figures lie to ours."""

from __future__ import annotations

from collections.abc import Mapping

from harness.results import METRICS
from leaderboard.method.views import Statement
from leaderboard.ranking.cells import name_undecided, verdict
from leaderboard.ranking.scores import Place
from leaderboard.records.contest import Contest
from leaderboard.records.estimates import PRIMARY
from leaderboard.records.ledger import Entry
from leaderboard.records.load import FULL
from leaderboard.reported.figures import OwnFigures
from leaderboard.typography import counted, fixed, listed, spread_decimals

Places = Mapping[str, Mapping[str, Place]]  # by metric and method


def judge(
    contest: Contest,
    method: str,
    places: Places,
    paper: OwnFigures,
    why: str,
    titles: Mapping[str, str],
) -> Statement:
    """Say in words how good a method is, how sure that is, and whether it was reproduced.

    `why` says why its answers cannot be used, where they cannot.
    """
    entry = (method, FULL)
    place = places[PRIMARY].get(method)
    if place is None:
        return Statement((f"It is not ranked here: {why}.",) if why else (), ())
    return Statement(
        sentences=(_mean(contest, entry, place), _standing(len(places[PRIMARY]), place, titles)),
        reported=tuple(_reproduced(method, places, paper)),
    )


def _mean(contest: Contest, entry: Entry, place: Place) -> str:
    answers = contest.answers[entry]
    mean = float(answers.values[PRIMARY].mean())
    decimals = spread_decimals([place.high - place.low])
    people = len(set(answers.people.tolist()))
    basis = [
        counted(people, "person").replace("persons", "people"),
        f"{len(answers.queries):,} queries",
        _seeds_in_words(contest, entry),
    ]
    return (
        f"{METRICS[PRIMARY]} {fixed(mean, decimals)} %, 95 % interval {fixed(place.low, decimals)}"
        f" to {fixed(place.high, decimals)}, over {listed(basis)}."
    )


def _seeds_in_words(contest: Contest, entry: Entry) -> str:
    answers = contest.answers[entry]
    if not answers.is_fixed:
        return counted(len(answers.seeds), "seed")
    handed = [run.record.handed_in for run in contest.ground.full(entry[0])]
    if any(one and not one.seeded for one in handed):
        return "one file, whose seed is not told"
    return "one run, the same under every seed"


def _standing(methods: int, place: Place, titles: Mapping[str, str]) -> str:
    if methods == 1:
        return "No other method was run here that it could be compared with."
    named = name_undecided(place, titles)
    undecided = f" It cannot be told apart from {named}." if named else ""
    return f"Rank {place.rank} of {methods} methods.{undecided}"


def _reproduced(method: str, places: Places, paper: OwnFigures) -> list[tuple[str, str]]:
    found = []
    for metric, figure in paper.of_method().items():
        if place := places.get(metric, {}).get(method):
            decimals = spread_decimals([place.high - place.low])
            ends = f"{fixed(place.low, decimals)} to {fixed(place.high, decimals)}"
            said = verdict(figure.text, place.low, place.high)
            suspect = f"; suspect: {figure.suspect}" if figure.suspect else ""
            found.append((METRICS[metric], f"paper {figure.text}, {said} ({ends}){suspect}"))
    return found
