"""What papers claim beside what was measured, as data: one record a claimed difference."""

from __future__ import annotations

from collections.abc import Iterator

from harness.results.agreement import Agreement, TriedClaim
from leaderboard.downloads.sheets import Record

KINDS = "methods", "rows"


def agreement_records(agreement: Agreement) -> Iterator[Record]:
    """Yield a record for each pair of methods, and for each claimed difference between rows."""
    for kind, claims in zip(KINDS, (agreement.pairs, agreement.rows), strict=True):
        for tried in claims:
            yield {"kind": kind, "printed_on": agreement.printed_on, **_fields(tried)}


def _fields(tried: TriedClaim) -> Record:
    claim, found = tried.claim, tried.found
    return {
        "a": claim.a,
        "b": claim.b,
        "difference_reported": float(claim.difference),
        "difference": found.difference,
        "low": found.low,
        "high": found.high,
        "p": found.adjusted,
        "outcome": tried.outcome.value,
        "told_apart": found.is_real,
        "sources": "; ".join(map(str, claim.sources)),
    }
