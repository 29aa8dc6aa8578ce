"""Runs that were scored under several versions of the protocol: which may be ranked together.

Versions differ in how ties break. So a run may stand beside newer ones where none of its queries
hangs on a tie: they rank it in the same way.
"""

from __future__ import annotations

from collections.abc import Iterable

from harness.results.record import TIED, RunRecord


def version_of(record: RunRecord) -> int:
    """Return the version of the protocol that scored a run; 0 where its record tells none."""
    version = record.protocol.get("version")
    return version if type(version) is int else 0


def newest_version(records: Iterable[RunRecord]) -> int:
    """Return the newest version of the protocol that scored some of the finished runs."""
    return max((version_of(one) for one in records if one.status == "ok"), default=0)


def why_apart(version: int, tied: float | None, newest: int) -> str:
    """Say why what one version scored is not ranked beside what a newer one did; "" where it may.

    `tied` is the percentage of queries that hang on a tie, None where it is not known.
    """
    if version >= newest or tied == 0:
        return ""
    unknown = "it is not known how many of its queries hang on a tie"
    hang = unknown if tied is None else f"{tied:.3g} % of its queries hang on a tie"
    return (
        f"was scored under version {version} of the protocol, and {hang}, which version {newest} "
        "breaks in another way: run it again"
    )


def why_record_apart(record: RunRecord, newest: int) -> str:
    """Say the same of the record of a run."""
    return why_apart(version_of(record), record.metrics.get(TIED), newest)
