"""Runs of one suite and dataset: they are compared, so they must have been made alike."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from harness.plan.spec import PROTOCOL_VERSION, READABLE_VERSIONS
from harness.printable import printable
from harness.results import (
    RECORD,
    RunRecord,
)
from harness.results.versions import newest_version, why_record_apart
from harness.verification.findings import Finding, Kind
from harness.verification.runs import (
    VerifiedRun,
)


def _version(record: RunRecord) -> Any:
    """Return the version of the protocol; of those that can be ranked together, their newest."""
    version = record.protocol.get("version")
    return PROTOCOL_VERSION if version in READABLE_VERSIONS else version


ALIKE: dict[str, Callable[[RunRecord], Any]] = {
    "version of the protocol": _version,
    "content of the dataset": lambda record: record.data.get("fingerprint"),
}


def find_mixed(runs: Sequence[VerifiedRun]) -> Iterator[Finding]:
    """Yield the finished runs that differ from most runs of their suite and dataset."""
    for ground in _grounds(runs):
        for what, told in ALIKE.items():
            yield from _outsiders(ground, what, told)


def find_apart(runs: Sequence[VerifiedRun]) -> Iterator[Finding]:
    """Yield the finished runs that an older version of the protocol scored than some beside them.

    Told are those that may not be ranked together with them.
    """
    for ground in _grounds(runs):
        newest = newest_version(run.record for run in ground if run.record)
        for run in ground:
            if run.record and (why := why_record_apart(run.record, newest)):
                yield Finding(Kind.APART, run.path, RECORD, why)


def _grounds(runs: Sequence[VerifiedRun]) -> Iterable[Sequence[VerifiedRun]]:
    """Return the finished runs of each suite and dataset."""
    grounds: dict[tuple[str, str], list[VerifiedRun]] = defaultdict(list)
    for run in runs:
        if run.record and run.record.status == "ok":
            grounds[run.record.suite, run.record.dataset].append(run)
    return grounds.values()


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
