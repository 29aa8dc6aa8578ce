"""All pairs of methods as published, for readers without scripts."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from urllib.parse import quote

from harness.significance import LEVEL, Comparison, Family
from leaderboard.compare.views import MethodLink, PairRow, PairTable
from leaderboard.dataset_card import dataset_card
from leaderboard.records.contest import Contest, difference
from leaderboard.records.estimates import PRIMARY, Scale, round_scale
from leaderboard.records.ledger import Entry, Pair
from leaderboard.records.load import FULL
from leaderboard.site.addresses import Addresses
from leaderboard.typography import (
    counted,
    interval_end,
    probability,
    scale_end,
    signed,
    spread_decimals,
)
from leaderboard.views import Note, Whisker

MOST_PAIRS = 45  # of ten methods; of more, each is compared with the best only


def pair_table(contest: Contest, addresses: Addresses) -> PairTable:
    """Compare the methods of a ground, better ones first."""
    family = contest.family(PRIMARY)
    ground = contest.ground
    chosen = _choose(_by_mean(contest)) if family else []
    comparisons = [difference(family, *pair) for pair in chosen] if family else []
    scale = round_scale([0.0, *(end for one in comparisons for end in (one.low, one.high))])
    decimals = spread_decimals([one.high - one.low for one in comparisons])
    links = _links(contest, addresses)
    return PairTable(
        card=dataset_card(ground, addresses.anchors[ground.label], ground.runs),
        caption=_caption(contest, family, chosen),
        scale=(scale_end(scale.low), scale_end(scale.high)),
        zero=f"{scale.place(0.0):.1f}",
        rows=tuple(
            _row(links[a], links[b], one, scale, decimals)
            for (a, b), one in zip(chosen, comparisons, strict=True)
        ),
        notes=() if chosen else (Note(_why_none(contest)),),
        silent=tuple(
            (_name(entry, addresses), reason) for entry, reason in sorted(contest.silent.items())
        ),
        can_choose=len(contest.answers) > 1,
    )


def _by_mean(contest: Contest) -> list[Entry]:
    means = {entry: float(contest.answers[entry].values[PRIMARY].mean())
             for entry in contest.published}  # fmt: skip
    return sorted(means, key=lambda entry: -means[entry])


def _choose(entries: Sequence[Entry]) -> list[Pair]:
    pairs = list(combinations(entries, 2))
    return pairs if len(pairs) <= MOST_PAIRS else [(entries[0], other) for other in entries[1:]]


def _links(contest: Contest, addresses: Addresses) -> dict[Entry, MethodLink]:
    anchor = quote(addresses.anchors[contest.ground.label])
    return {
        entry: MethodLink(
            name=addresses.titles[entry[0]],
            alias=addresses.alias(entry[0]),
            href=f"{addresses.page(entry[0])}#{anchor}",
        )
        for entry in contest.published
    }


def _row(
    first: MethodLink, second: MethodLink, one: Comparison, scale: Scale, decimals: int
) -> PairRow:
    ends = (one.low, one.difference, one.high)
    return PairRow(
        first=first,
        second=second,
        difference=signed(one.difference, decimals),
        low=interval_end(one.low, decimals),
        high=interval_end(one.high, decimals),
        whisker=Whisker(*(f"{scale.place(end):.1f}" for end in ends)),
        p_value=probability(one.adjusted).removeprefix("p "),
        is_real=one.is_real,
        wins=f"{one.wins:,}",
        ties=f"{one.ties:,}",
        losses=f"{one.losses:,}",
        notes=tuple(map(Note, _single_runs(first, second, one))),
    )


def _single_runs(first: MethodLink, second: MethodLink, one: Comparison) -> list[str]:
    """Say of which methods there is one run: nothing is known of other seeds of them."""
    if one.runs == (1, 1):
        return [f"each is one run: {one.holds_for} only"]
    pairs = zip((first, second), one.runs, strict=True)
    return [f"{method.name} is one run: other people only" for method, runs in pairs if runs == 1]


def _caption(contest: Contest, family: Family | None, chosen: Sequence[Pair]) -> str:
    if family is None:
        return ""
    comparisons = list(family.comparisons.values())
    which = (
        "All pairs of methods as published"
        if len(chosen) == len(comparisons)
        else f"The best of {len(contest.published)} methods as published and each of the others"
    )
    most = max(comparisons, key=lambda one: one.seeds)
    over = f", on means over {counted(most.seeds, 'seed')}" if most.seeds > 1 else ""
    return (
        f"{which}, the better one first. Would the difference in R1 hold for"
        f" {_whom(comparisons)}? {_judged_for(len(comparisons))} An interval holds zero exactly"
        f" where p is {LEVEL:g} or more; such a difference is grey: not told apart. Wins, ties and"
        f" losses count {most.queries:,} queries of {most.clusters:,} people{over}."
    )


def _whom(comparisons: Sequence[Comparison]) -> str:
    if all(one.runs == (1, 1) for one in comparisons):
        return "other people"
    return "other people and other seeds"


def _judged_for(pairs: int) -> str:
    if pairs == 1:
        return "The interval (95 %) and p are for this one pair."
    return f"Intervals (95 %) and p are for all {pairs:,} pairs at once."


def _why_none(contest: Contest) -> str:
    names = {0: "No method", 1: "Only one method"}
    return f"{names[len(contest.published)]} as published has answers here that can be compared."


def _name(entry: Entry, addresses: Addresses) -> str:
    method, variant = entry
    return addresses.titles[method] + ("" if variant == FULL else f", {variant}")
