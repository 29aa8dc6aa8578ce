"""What a method's figures say at once: its place, and where the paper's figures lie to ours."""

from __future__ import annotations

from collections.abc import Mapping

from harness.results import METRICS
from leaderboard.method.views import Statement
from leaderboard.ranking.cells import verdict
from leaderboard.ranking.scores import Place
from leaderboard.records.contest import Contest, Entry
from leaderboard.records.estimates import PRIMARY, summarize
from leaderboard.records.load import FULL
from leaderboard.reported.figures import OwnFigures
from leaderboard.typography import counted, fixed, listed, spread_decimals

Places = Mapping[str, Mapping[str, Place]]  # by metric and method


def judge(contest: Contest, method: str, places: Places, paper: OwnFigures, why: str) -> Statement:
    """Say in words how good a method is, how sure that is, and whether it was reproduced.

    `why` says why its answers cannot be used, where they cannot.
    """
    entry = (method, FULL)
    place = places[PRIMARY].get(method)
    if place is None:
        return Statement((f"It is not ranked here: {why}.",) if why else (), ())
    return Statement(
        sentences=(_mean(contest, entry, place), _standing(len(places[PRIMARY]), place)),
        reported=tuple(_reproduced(method, places, paper)),
    )


def _mean(contest: Contest, entry: Entry, place: Place) -> str:
    answers = contest.answers[entry]
    summary = summarize(contest.ground.full(entry[0]), PRIMARY)
    mean = summary.mean if summary else float(answers.values[PRIMARY].mean())
    decimals = spread_decimals([place.high - place.low])
    people = len(set(answers.people.tolist()))
    basis = [
        counted(people, "person").replace("persons", "people"),
        f"{len(answers.queries):,} queries",
        counted(len(answers.seeds), "seed"),
    ]
    wide = " Seeds spread so far that this interval is too short." if place.wide else ""
    return (
        f"{METRICS[PRIMARY]} {fixed(mean, decimals)} %, 95 % interval {fixed(place.low, decimals)}"
        f" to {fixed(place.high, decimals)}, over {listed(basis)}.{wide}"
    )


def _standing(methods: int, place: Place) -> str:
    if methods == 1:
        return "No other method was run here that it could be compared with."
    if place.rank == place.last_rank:
        return f"Rank {place.rank} of {methods} methods."
    places = f"{place.rank} to {place.last_rank}"
    return f"Rank {place.rank} of {methods} methods; places {places} cannot be told apart."


def _reproduced(method: str, places: Places, paper: OwnFigures) -> list[tuple[str, str]]:
    found = []
    for metric, figure in paper.of_method().items():
        if place := places.get(metric, {}).get(method):
            ends = f"{fixed(place.low, 2)} to {fixed(place.high, 2)}"
            said = verdict(figure.text, place.low, place.high)
            suspect = f"; suspect: {figure.suspect}" if figure.suspect else ""
            found.append((METRICS[metric], f"paper {figure.text}, {said} ({ends}){suspect}"))
    return found
