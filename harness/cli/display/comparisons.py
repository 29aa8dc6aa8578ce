"""How comparisons are shown in the terminal."""

from __future__ import annotations

import json
import statistics
from collections.abc import Sequence
from dataclasses import asdict
from itertools import combinations
from typing import Any

from harness.cli.display.terminal import note, print_table, write_runs
from harness.results.comparison import ComparedFamily, PowerPlan
from harness.significance import Comparison, cut_probability, round_end

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
            "about 80 % of cases, at a level of 5 %, as one pair alone; beside others, or where "
            "seeds spread far, it must be larger."
        )
        print(f"  To find {plan.wanted:g} points: {_needed(plan)}.")
        if plan.shipped:
            note(plan.shipped)


def _needed(plan: PowerPlan) -> str:
    if plan.detectable <= plan.wanted:
        return "the runs at hand are enough"
    people = "" if plan.identities is None else f"{plan.identities:,} people with these seeds"
    seeds = "" if plan.seeds is None else f"{plan.seeds:,} seeds on these people"
    return ", or ".join(filter(None, (people, seeds))) or "more seeds and more people are needed"


def _print_ranks(compared: ComparedFamily) -> None:
    family = compared.family
    groups = family.undecided()
    decimals = interval_decimals([high - low for low, high in family.intervals.values()])
    rows = [
        (
            str(one.rank),
            one.name,
            f"{one.mean:.{decimals}f}",
            write_span(*family.intervals[one.name], decimals),
            _runs(compared, one.name),
            ", ".join(_undecided(one.name, groups)) or "-",
        )
        for one in family.standings()
    ]
    seeds = ", ".join(map(str, compared.seeds))
    title = f"{compared.dataset} ({compared.suite}), test, seeds {seeds}"
    header = ("rank", "method", compared.metric, "95 %", "runs", "not told apart from")
    print_table(header, rows, title)
    if compared.origin:
        note(compared.origin)


def _runs(compared: ComparedFamily, name: str) -> str:
    """Write how many runs a method's figures are of, and what kind of runs they are."""
    mark = compared.marks.get(name)
    told = write_runs(compared.family.runs[name], compared.shipped.get(name, 0))
    return f"{told}, {mark}" if mark else told


def _print_pairs(compared: ComparedFamily) -> None:
    pairs = _ordered(compared)
    if len(pairs) > MOST_PAIRS:
        note(f"{len(pairs)} pairs; --json prints them all.")
        return
    decimals = interval_decimals([found.high - found.low for _, _, found in pairs])
    rows = [
        (
            f"{a} - {b}",
            f"{found.difference:+z.{decimals}f}",
            write_span(found.low, found.high, decimals),
            write_probability(found.adjusted),
            f"{found.wins} / {found.ties} / {found.losses}",
        )
        for a, b, found in pairs
    ]
    print_table(("difference", "points", "95 %", "p", "wins / ties / losses"), rows)
    note(_judged_for(compared, len(pairs)))
    note(_holds_for(compared))


def _judged_for(compared: ComparedFamily, pairs: int) -> str:
    """Say of which comparisons p-values and intervals are, together."""
    names = [standing.name for standing in compared.family.standings()]
    if pairs == 1:
        return (
            f"p and interval are of one comparison, {' and '.join(names)}: among others p would be "
            "larger and the interval longer."
        )
    return (
        f"p and intervals are for the {pairs} pairs of these {len(names)} at once: "
        f"{', '.join(names)}. An interval holds zero exactly where p is 0.05 or more."
    )


def _holds_for(compared: ComparedFamily) -> str:
    """Say whom the figures speak of, beside those that were tested."""
    single = [name for name, runs in compared.family.runs.items() if runs == 1]
    if len(single) == len(compared.family.runs):
        return "They tell what holds for other people; of other seeds, these runs say nothing."
    told = "They tell what holds for other people and other seeds"
    if single:
        return f"{told}, but for {', '.join(single)}: one run, other people only."
    return f"{told} of these methods."


def _undecided(name: str, groups: Sequence[Sequence[str]]) -> list[str]:
    """Return who is not told apart from a method, from best to worst."""
    others = [other for group in groups if name in group for other in group if other != name]
    return list(dict.fromkeys(others))


def interval_decimals(widths: Sequence[float]) -> int:
    """Return the decimals that intervals support: two where they are narrow."""
    return 2 if statistics.median(widths) < 1 else 1


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
        "runs": dict(compared.family.runs),
        "shipped": dict(compared.shipped),
        "marks": dict(compared.marks),
        "not_told_apart": [list(group) for group in compared.family.undecided()],
        "pairs": [
            {"a": a, "b": b, **asdict(found), "holds_for": found.holds_for}
            for a, b, found in _ordered(compared)
        ],
    }


def write_probability(value: float) -> str:
    """Cut a p-value, so that one below the level is not printed as the level, and none as 0."""
    if value < 1e-4:
        return "<0.0001"
    return f"{cut_probability(value):.4f}"


def write_span(low: float, high: float, decimals: int) -> str:
    """Write the ends of an interval; only one that is zero is printed as zero."""
    ends = (f"{round_end(end, decimals):.{decimals}f}" for end in (low, high))
    return " to ".join(ends)
