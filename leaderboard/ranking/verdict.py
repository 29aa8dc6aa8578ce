"""The answer that the page opens with: a sentence, and who leads by each metric.

The sentence says who is first, who cannot be told apart from it, whether the other metrics agree,
and whether it holds on other data. It is made from the comparisons that the table shows. Of further
grounds the page opens with a clause; their sentences stand above their tables.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median
from urllib.parse import quote

from harness.results import METRICS
from harness.significance import Family, detectable_difference, variance_components
from leaderboard.dataset_card import dataset_title
from leaderboard.ranking.cells import figure_decimals
from leaderboard.ranking.competitors import Board, Competitor
from leaderboard.ranking.scores import Place
from leaderboard.ranking.views import Phrase, SwitchCell, TopGroup
from leaderboard.records.contest import difference
from leaderboard.records.estimates import PRIMARY
from leaderboard.records.ledger import family_name
from leaderboard.records.load import FULL
from leaderboard.typography import counted, fixed, interval_end, listed, spread_decimals

MOST_NAMED = 4  # methods that a sentence names one by one
MOST_LEADERS = 1  # that a cell of the switch names, where there are more than two

Phrases = list[Phrase]


def write_verdict(board: Board) -> tuple[Phrase, ...]:
    """Write the sentence of a ground."""
    where = Phrase(dataset_title(board.ground), f"#{quote(board.anchor)}")
    if not board.ranked:
        return (Phrase("On "), where, Phrase(" no method has figures that can be ranked."))
    first = board.ranked[0]
    standing = _standing(board, first, where)
    if len(board.ranked) == 1:
        return (*standing, Phrase("."))
    clauses = [_other_metrics(first), *_elsewhere(board, first)]
    return (*standing, *(Phrase(f"; {clause}") for clause in clauses if clause), Phrase("."))


def write_clause(board: Board) -> tuple[Phrase, ...]:
    """Say in a few words who is first on a ground, and whether it is told apart from the others."""
    where = Phrase(dataset_title(board.ground), f"#{quote(board.anchor)}")
    place = board.ranked[0].place if board.ranked else None
    if place is None:
        return (where, Phrase(": nothing is ranked"))
    undecided = len(place.undecided)
    said = f"first, not told apart from {counted(undecided, 'other')}" if undecided else "best"
    rest = f" is {said if place.rivals else 'alone'}"
    return (where, Phrase(": "), _link(board, board.ranked[0].method), Phrase(rest))


def write_switch(board: Board) -> tuple[SwitchCell, ...]:
    """Name by each metric who leads on a ground."""
    return tuple(
        SwitchCell(key, name, _top_group(board, key) if board.ranked else None)
        for key, name in METRICS.items()
    )


def say_power(board: Board) -> str:
    """Say which difference the runs of a ground would have shown, as `harness plan-power` does."""
    contest = board.contest
    family = contest.family(PRIMARY)
    if family is None:
        return ""
    first, *others = (contest.answers[one.method, FULL] for one in board.ranked)
    spread = contest.ledger.spreads[PRIMARY]
    found = [
        detectable_difference(
            variance_components(first.values[PRIMARY], one.values[PRIMARY], first.people, spread)
        )
        for one in others
    ]
    decimals = spread_decimals([one.high - one.low for one in family.comparisons.values()])
    return (
        f"Of two methods that truly differ by {fixed(median(found), decimals)} points of"
        f" {METRICS[PRIMARY]}, such runs tell the better one four times in five."
    )


def _standing(board: Board, first: Competitor, where: Phrase) -> Phrases:
    """Say how far the first is ahead of the others, or of whom it cannot be told apart."""
    name, place = _link(board, first.method), first.place
    assert place is not None  # it is ranked
    if not place.rivals:
        return [name, Phrase(" is the only method that can be ranked on "), where]
    if not place.undecided:
        ahead = f", at least {_least_lead(board, first)} points of {METRICS[PRIMARY]} ahead of "
        whom = "the other" if place.rivals == 1 else f"each of the other {place.rivals}"
        return [name, Phrase(" is best on "), where, Phrase(ahead + whom)]
    if len(place.undecided) == place.rivals > 1:
        rest = f" is first, but cannot be told apart from any of the other {place.rivals}"
        return [Phrase("No method is best on "), where, Phrase(": "), name, Phrase(rest)]
    apart = Phrase(", but cannot be told apart from ")
    return [name, Phrase(" is first on "), where, apart, *_links(board, place.undecided)]


def _least_lead(board: Board, first: Competitor) -> str:
    """Write the least end of the intervals of the first method's leads."""
    family = board.contest.family(PRIMARY)
    assert family is not None  # it has rivals
    others = [one for one in board.ranked if one is not first]
    leads = [difference(family, (first.method, FULL), (one.method, FULL)) for one in others]
    decimals = spread_decimals([one.high - one.low for one in family.comparisons.values()])
    return interval_end(min(one.low for one in leads), decimals).lstrip("+")


def _other_metrics(first: Competitor) -> str:
    """Say whether the other metrics agree with the one that ranks."""
    places = {
        METRICS[key]: score.place
        for key, score in first.scores.items()
        if key != PRIMARY and score and score.place
    }
    if not places:
        return "no other metric was recorded"
    behind = [name for name, place in places.items() if not place.leads]
    settled = [name for name, place in places.items() if _is_best(place)]
    is_best = _is_best(first.place)
    if behind:
        return f"by {listed(behind)} others are better"
    if len(settled) == len(places):
        return "all other metrics agree" if is_best else "by every other metric it is best"
    if settled:
        return f"by {listed(settled)} it is best{' too' if is_best else ''}"
    return f"the other metrics leave it open{'' if is_best else ' too'}"


def _is_best(place: Place | None) -> bool:
    return place is not None and place.leads and not place.undecided


def _elsewhere(board: Board, first: Competitor) -> list[str]:
    """Say whether the first leads on the other datasets of the suite, and where it was tested."""
    said = [*_trained_elsewhere(board, first), *_tested_elsewhere(board, first)]
    return said or ["not tried on other data"]


def _trained_elsewhere(board: Board, first: Competitor) -> list[str]:
    """Compare what was trained on each of the other datasets."""
    grounds = [one for one in board.site.grounds
               if one.suite == board.ground.suite and one is not board.ground]  # fmt: skip
    said = []
    for ground in grounds:
        family = board.site.contests[ground.label].family(PRIMARY)
        if family and family_name((first.method, FULL)) in family.intervals:
            said.append(_holds(board, family, first.method, dataset_title(ground)))
    return said


def _tested_elsewhere(board: Board, first: Competitor) -> list[str]:
    """Compare what was trained here and tested on other data."""
    return [
        _holds(
            board, found.family(PRIMARY), first.method, f"{found.title}, without training on it,"
        )
        for found in board.elsewhere
        if first.method in found.answers
    ]


def _holds(board: Board, family: Family, method: str, title: str) -> str:
    """Say whether no other method is better there."""
    standings = {one.name: one for one in family.standings()}
    own = standings[family_name((method, FULL))]
    groups = family.undecided()
    if own.rank > 1:
        leaders = [name for name, one in standings.items() if one.rank == 1]
        said = "best" if len(leaders) == 1 else "better"
        return f"on {title} {_title_of(board, leaders[0])} is {said}"
    if any(own.name in group and len(group) > 1 for group in groups):
        best = max(standings.values(), key=lambda one: one.mean)
        ahead = fixed(best.mean - own.mean, figure_decimals([*board.ranked, *board.apart]))
        if not float(ahead):
            return f"on {title} none is better either"
        named = _title_of(board, best.name)
        return f"on {title} {named} is {ahead} points ahead, which may be chance"
    return f"on {title} it is best too"


def _title_of(board: Board, name: str) -> str:
    methods = {family_name((method, FULL)): title
               for method, title in board.site.addresses.titles.items()}  # fmt: skip
    return methods[name]


def _top_group(board: Board, metric: str) -> TopGroup:
    """Name those than whom none is better by a metric, the highest mean first."""
    places = {one.method: score.place for one in board.ranked
              if (score := one.scores[metric]) and score.place}  # fmt: skip
    means = {one.method: score.summary.mean for one in board.ranked
             if (score := one.scores[metric])}  # fmt: skip
    leaders = sorted(
        (method for method, place in places.items() if place.rank == 1),
        key=lambda method: -means[method],
    )
    decimals = figure_decimals([*board.ranked, *board.apart])
    figure = fixed(means[leaders[0]], decimals) if leaders else ""
    return TopGroup(figure, _few([board.site.addresses.titles[one] for one in leaders]))


def _few(names: Sequence[str]) -> str:
    """Name the first, and who is not told apart from it."""
    if len(names) > MOST_LEADERS + 1:
        names = [*names[:MOST_LEADERS], f"{len(names) - MOST_LEADERS} others"]
    return " \N{ALMOST EQUAL TO} ".join(names)


def _links(board: Board, methods: Sequence[str]) -> Phrases:
    """Name methods, each linked, as a sentence does; of many, only the first."""
    shown = methods if len(methods) <= MOST_NAMED + 1 else methods[:MOST_NAMED]
    parts = [_link(board, method) for method in shown]
    if len(shown) < len(methods):
        parts.append(Phrase(counted(len(methods) - len(shown), "other")))
    joints = ["", *([", "] * (len(parts) - 2)), " and "][: len(parts)]
    return [
        phrase
        for joint, part in zip(joints, parts, strict=True)
        for phrase in ([Phrase(joint)] if joint else []) + [part]
    ]


def _link(board: Board, method: str) -> Phrase:
    addresses = board.site.addresses
    return Phrase(addresses.titles[method], addresses.page(method))
