"""What choosing the epoch on the test split would add, where runs audited it."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean

from harness.results import LAST_EVALUATION
from leaderboard.protocol.views import Inflation
from leaderboard.records.estimates import PRIMARY
from leaderboard.records.load import Ground, Run
from leaderboard.site.addresses import Addresses
from leaderboard.site.site import Site
from leaderboard.typography import ABSENT, fixed

TESTED = "test-selected"  # the evaluation of the epoch that is best on test


def find_inflation(site: Site) -> tuple[Inflation, ...]:
    """Return the methods as published whose runs also evaluated the epoch that is best on test."""
    return tuple(
        _inflation(ground, method, audited, site.addresses)
        for ground in site.grounds
        for method in sorted(ground.methods)
        if (audited := [run for run in ground.full(method) if _gain(run) is not None])
    )


def _gain(run: Run) -> float | None:
    """Return by how many points the figure chosen on test is above the one chosen on val."""
    tested, selected = run.metric(PRIMARY, TESTED), run.metric(PRIMARY)
    if not run.finished or tested is None or selected is None:
        return None
    return tested - selected


def _inflation(
    ground: Ground, method: str, audited: Sequence[Run], addresses: Addresses
) -> Inflation:
    gains = [gain for run in audited if (gain := _gain(run)) is not None]
    return Inflation(
        dataset=ground.label,
        method=addresses.titles[method],
        href=addresses.page(method),
        selected=_mean([run.metric(PRIMARY) for run in audited]),
        last=_mean([run.metric(PRIMARY, LAST_EVALUATION) for run in audited]),
        tested=_mean([run.metric(PRIMARY, TESTED) for run in audited]),
        gain=fixed(fmean(gains), 2),
        seeds=str(len(gains)),
    )


def _mean(values: Sequence[float | None]) -> str:
    known = [value for value in values if value is not None]
    return fixed(fmean(known), 2) if len(known) == len(values) else ABSENT
