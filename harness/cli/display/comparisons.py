"""How comparisons are shown in the terminal."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from itertools import combinations
from typing import Any

from harness.cli.display.terminal import note, print_table
from harness.results.comparison import ComparedFamily, PowerPlan
from harness.significance import Comparison

MOST_PAIRS = 45  # of ten methods; of more, only ranks are shown


def show_families(families: Sequence[ComparedFamily], as_json: bool) -> None:
    """Show ranks and pairs of every family, the better method of a pair first."""
    if as_json:
        print(json.dumps([_plain(compared) for compared in families], indent=1))
        return
    for compared in families:
        _print_ranks(compared)
        _print_pairs(compared)


def show_power(plans: Sequence[PowerPlan], as_json: bool) -> None:
    """Show what can be found with the runs at hand, and what it takes to find more."""
    if as_json:
        print(json.dumps([asdict(plan) for plan in plans], indent=1))
        return
    for plan in plans:
        a, b = plan.methods
        components = plan.components
        print(
            f"{plan.dataset}, {plan.metric}, {a} and {b}: {components.clusters} people and "
            f"{components.seeds} seeds find a true difference of {plan.detectable:.2f} points in "
            "80 % of cases, at a level of 5 %."
        )
        print(f"  To find {plan.wanted:g} points: {_needed(plan)}.")


def _needed(plan: PowerPlan) -> str:
    if plan.detectable <= plan.wanted:
        return "the runs at hand are enough"
    people = "" if plan.identities is None else f"{plan.identities:,} people with these seeds"
    seeds = "" if plan.seeds is None else f"{plan.seeds:,} seeds on these people"
    return ", or ".join(filter(None, (people, seeds))) or "more seeds and more people are needed"


def _print_ranks(compared: ComparedFamily) -> None:
    family = compared.family
    rows = []
    for standing in family.standings():
        low, high = family.intervals[standing.name]
        span = f"{standing.rank}-{standing.last_rank}"
        rows.append(
            (str(standing.rank), standing.name, f"{standing.mean:.2f}", _span(low, high), span)
        )
    seeds = ", ".join(map(str, compared.seeds))
    title = f"{compared.dataset} ({compared.suite}), test, seeds {seeds}"
    print_table(("rank", "method", compared.metric, "95 %", "ranks it may hold"), rows, title)


def _print_pairs(compared: ComparedFamily) -> None:
    pairs = _ordered(compared)
    if len(pairs) > MOST_PAIRS:
        note(f"{len(pairs)} pairs; --json prints them all.")
        return
    rows = [
        (
            f"{a} - {b}",
            f"{found.difference:+.2f}",
            _span(found.low, found.high),
            _p(found.adjusted),
            _p(found.p_value),
            f"{found.wins} / {found.ties} / {found.losses}",
        )
        for a, b, found in pairs
    ]
    header = ("difference", "points", "95 %", "p, corrected", "p", "wins / ties / losses")
    print_table(header, rows)
    note(_corrected_for(compared, len(pairs)))
    if any(found.needs_more_seeds for _, _, found in pairs):
        note(
            "Some differences vary by more than 0.7 points between seeds: three seeds then give "
            "intervals that are too short. Run more seeds."
        )


def _corrected_for(compared: ComparedFamily, pairs: int) -> str:
    """Say of which comparisons the p-values are, together."""
    names = [standing.name for standing in compared.family.standings()]
    if pairs == 1:
        return f"p is of one comparison, {' and '.join(names)}: among others it would be larger."
    return f"p is corrected for the {pairs} pairs of these {len(names)}: {', '.join(names)}."


def _ordered(compared: ComparedFamily) -> list[tuple[str, str, Comparison]]:
    names = [standing.name for standing in compared.family.standings()]
    return [(a, b, compared.family.between(a, b)) for a, b in combinations(names, 2)]


def _plain(compared: ComparedFamily) -> dict[str, Any]:
    return {
        "suite": compared.suite,
        "dataset": compared.dataset,
        "metric": compared.metric,
        "seeds": list(compared.seeds),
        "ranks": [asdict(standing) for standing in compared.family.standings()],
        "intervals": dict(compared.family.intervals),
        "pairs": [{"a": a, "b": b, **asdict(found)} for a, b, found in _ordered(compared)],
    }


def _span(low: float, high: float) -> str:
    return f"{low:.2f} to {high:.2f}"


def _p(value: float) -> str:
    return f"{value:.4f}"
