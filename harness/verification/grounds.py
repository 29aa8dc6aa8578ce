"""Runs of one suite and dataset: they are compared, so they must have been made alike."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from harness.printable import printable
from harness.results import (
    RECORD,
    RunRecord,
)
from harness.verification.findings import Finding, Kind
from harness.verification.runs import (
    VerifiedRun,
)

ALIKE: dict[str, Callable[[RunRecord], Any]] = {
    "version of the protocol": lambda record: record.protocol.get("version"),
    "content of the dataset": lambda record: record.data.get("fingerprint"),
}


def find_mixed(runs: Sequence[VerifiedRun]) -> Iterator[Finding]:
    """Yield the finished runs that differ from most runs of their suite and dataset."""
    grounds: dict[tuple[str, str], list[VerifiedRun]] = defaultdict(list)
    for run in runs:
        if run.record and run.record.status == "ok":
            grounds[run.record.suite, run.record.dataset].append(run)
    for ground in grounds.values():
        for what, told in ALIKE.items():
            yield from _outsiders(ground, what, told)


def _outsiders(
    ground: Sequence[VerifiedRun], what: str, told: Callable[[RunRecord], Any]
) -> Iterator[Finding]:
    by_value: dict[str, list[VerifiedRun]] = defaultdict(list)
    for run in ground:
        assert run.record is not None
        by_value[printable(str(told(run.record)), 12)].append(run)
    # Of groups as large the one that started last is the rule.
    usual = max(by_value, key=lambda value: (len(by_value[value]), _latest(by_value[value])))
    for value, group in by_value.items():
        if value != usual:
            count = len(by_value[usual])
            message = f"has another {what} ({value}) than {count} runs beside it ({usual})"
            yield from (Finding(Kind.MIXED, run.path, RECORD, message) for run in group)


def _latest(group: Sequence[VerifiedRun]) -> str:
    return max(run.record.started for run in group if run.record)
