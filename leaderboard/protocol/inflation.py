"""What choosing the epoch on the test split would add, where runs audited it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import fmean

from markupsafe import Markup

from harness.results.inflation import Inflation, compare_on_average, measure_inflation
from harness.significance import Comparison
from leaderboard.drawing.figures import Line, legend, line_chart
from leaderboard.protocol.views import AuditedGround, AuditedMethod
from leaderboard.records.load import Ground, Run
from leaderboard.site.addresses import Addresses
from leaderboard.site.site import Site
from leaderboard.typography import ABSENT, counted, fixed, interval_end, listed, signed

DECIMALS = 2
MARK = "epoch that is best on test"
CURVE = "test_r1"  # a column of what an audit records of each epoch


def find_inflation(site: Site) -> tuple[AuditedGround, ...]:
    """Return the grounds with methods as published whose runs were audited."""
    found = (_audited(ground, site) for ground in site.grounds)
    return tuple(ground for ground in found if ground is not None)


def _audited(ground: Ground, site: Site) -> AuditedGround | None:
    measured = {
        method: one
        for method in sorted(ground.methods)
        if (one := measure_inflation(method, [run.stored for run in ground.full(method)]))
    }
    if not measured:
        return None
    anchor = site.addresses.anchors[ground.label]
    return AuditedGround(
        name=ground.label,
        words=_in_words(ground, list(measured.values()), site.addresses),
        methods=tuple(_row(one, site.addresses) for one in measured.values()),
        legend=_legend(ground, list(measured)),
        charts=tuple(_charts(ground, list(measured), site.addresses, f"audit-{anchor}")),
    )


def _in_words(ground: Ground, found: Sequence[Inflation], addresses: Addresses) -> str:
    """Say in a sentence what choosing by test would have added to the methods of a ground."""
    added = f"On {ground.label}, choosing the epoch by test would have added"
    if not any(one.gain for one in found):
        methods = listed([addresses.titles[one.name] for one in found])
        return f"{added} nothing to {methods}."
    points = f"{fixed(fmean(one.gain for one in found), DECIMALS)} points of R1"
    within = _interval(compare_on_average(found))
    span = f" (95 % interval {within})" if within else ""
    least, most = (choose(found, key=lambda one: one.gain) for choose in (min, max))
    if len(found) == 1:
        return f"{added} {points} to {addresses.titles[least.name]}{span}."
    ends = " to ".join(
        f"{fixed(one.gain, DECIMALS)} ({addresses.titles[one.name]})" for one in (least, most)
    )
    return f"{added} {points} on average over {counted(len(found), 'method')}{span}, from {ends}."


def _row(one: Inflation, addresses: Addresses) -> AuditedMethod:
    return AuditedMethod(
        title=addresses.titles[one.name],
        href=addresses.page(one.name),
        selected=fixed(one.selected, DECIMALS),
        last=ABSENT if one.last is None else fixed(one.last, DECIMALS),
        tested=fixed(one.tested, DECIMALS),
        gain=signed(one.gain, DECIMALS),
        interval=_interval(one.comparison) or ABSENT,
        moved=_moved(one),
        seeds=str(len(one.seeds)),
    )


def _interval(found: Comparison | None) -> str:
    if found is None:
        return ""
    return " to ".join(interval_end(end, DECIMALS) for end in (found.low, found.high))


def _moved(one: Inflation) -> str:
    """Say of how many seeds test would have chosen another epoch than val did."""
    known = [(by_val, by_test) for by_val, by_test in one.epochs if by_val and by_test]
    if len(known) < len(one.epochs):
        return ABSENT
    return f"{sum(by_val != by_test for by_val, by_test in known)} of {len(known)}"


def _legend(ground: Ground, methods: Sequence[str]) -> Markup:
    seeds = {run.record.seed for method in methods for run in ground.full(method) if _curve(run)}
    return legend([f"seed {seed}" for seed in sorted(seeds)], MARK) if seeds else Markup("")


def _charts(
    ground: Ground, methods: Sequence[str], addresses: Addresses, prefix: str
) -> Iterator[Markup]:
    """Draw R1 on test by epoch, a chart a method and a line a seed."""
    for number, method in enumerate(methods, start=1):
        lines = [
            Line(f"seed {run.record.seed}", points, run.record.test_selected_epoch)
            for run in ground.full(method)
            if (points := _curve(run))
        ]
        title = f"{addresses.titles[method]}: test R1"
        if chart := line_chart(f"{prefix}-{number}", title, "%", lines):
            yield chart


def _curve(run: Run) -> tuple[tuple[int, float | None], ...]:
    return tuple((int(row["epoch"]), row[CURVE]) for row in run.stored.selection_audit())
