"""All pairs of methods as published, for readers without scripts."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from urllib.parse import quote

from harness.significance import Comparison, Family
from leaderboard.compare.views import MethodLink, PairRow, PairTable
from leaderboard.dataset_card import dataset_card
from leaderboard.records.contest import Contest, Entry, difference
from leaderboard.records.estimates import PRIMARY, Scale, round_scale
from leaderboard.records.load import FULL
from leaderboard.site.addresses import Addresses
from leaderboard.strips.names import entry_names
from leaderboard.typography import counted, fixed, probability, signed, spread_decimals
from leaderboard.views import Note, Whisker

MOST_PAIRS = 45  # of ten methods; of more, each is compared with the best only
REAL = 0.05  # the largest corrected p of a difference that counts as real

Pair = tuple[Entry, Entry]


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
        scale=(f"{scale.low:g}", f"{scale.high:g}"),
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
    return {
        (method, variant): MethodLink(
            name=addresses.titles[method],
            alias=addresses.alias(method),
            href=f"{addresses.page(method)}#{quote(addresses.anchors[contest.ground.label])}",
            entry=file,
        )
        for (method, variant), file in entry_names(contest).items()
    }


def _row(
    first: MethodLink, second: MethodLink, one: Comparison, scale: Scale, decimals: int
) -> PairRow:
    ends = (one.low, one.difference, one.high)
    return PairRow(
        first=first,
        second=second,
        difference=signed(one.difference, decimals),
        low=fixed(one.low, decimals),
        high=fixed(one.high, decimals),
        whisker=Whisker(*(f"{scale.place(end):.1f}" for end in ends)),
        p_value=probability(one.adjusted).removeprefix("p "),
        real=one.adjusted <= REAL,
        wins=f"{one.wins:,}",
        ties=f"{one.ties:,}",
        losses=f"{one.losses:,}",
        notes=(Note(_spread_note(one)),) if one.needs_more_seeds else (),
    )


def _spread_note(one: Comparison) -> str:
    return (
        f"Seeds spread by {fixed(one.seed_spread or 0.0, 1)} points: the interval is too short,"
        " more seeds are needed."
    )


def _caption(contest: Contest, family: Family | None, chosen: Sequence[Pair]) -> str:
    if family is None:
        return ""
    one = next(iter(family.comparisons.values()))
    which = (
        "All pairs of methods as published"
        if len(chosen) == len(family.comparisons)
        else f"The best of {len(contest.published)} methods as published and each of the others"
    )
    resampled = "people and seeds" if one.seeds > 2 else "people"
    return (
        f"{which}, the better one first. Difference in R1 with the 95 % interval of a bootstrap of"
        f" {resampled} ({counted(one.seeds, 'seed')}, {one.clusters:,} people); p of sign flips of"
        f" whole people, corrected for {counted(len(family.comparisons), 'pair')}. A difference"
        f" with p above {REAL} is grey: it may be chance. Wins, ties and losses count"
        f" {one.queries:,} queries, on means over seeds."
    )


def _why_none(contest: Contest) -> str:
    names = {0: "No method", 1: "Only one method"}
    return f"{names[len(contest.published)]} as published has answers here that can be compared."


def _name(entry: Entry, addresses: Addresses) -> str:
    method, variant = entry
    return addresses.titles[method] + ("" if variant == FULL else f", {variant}")
