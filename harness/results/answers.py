"""What methods answered, query by query, read from their runs and set side by side.

Shapes: S seeds, Q queries.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.errors import HarnessError
from harness.results import (
    EVALUATIONS,
    PRIMARY_EVALUATION,
    QUERIES,
    TIED,
    RunRecord,
    StoredRun,
)
from harness.results.versions import newest_version, why_apart, why_record_apart

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

_DEPTHS = {"r1": 1, "r5": 5, "r10": 10}
_COLUMNS = {"map": "average_precision", "minp": "inverse_negative_penalty"}


@dataclass(frozen=True)
class Answers:
    """The figures of one method or variant on every query of a dataset, over its seeds.

    Where seeds make no difference, S is 1: one deterministic run is one, however often it ran.
    """

    name: str  # "dgia", or "dgia:B+LRC"
    suite: str
    dataset: str
    fingerprint: str  # of the dataset's content
    scale: str
    protocol: int  # the newest version that scored one of the runs
    tied: float | None  # percent of the queries that hang on a tie, in all seeds; None: not known
    seeds: tuple[int, ...]  # S
    is_fixed: bool  # seeds make no difference, as far as is known
    queries: NDArray[Any]  # (Q,) ids
    people: NDArray[Any]  # (Q,)
    values: Mapping[str, Floats]  # metric -> (S, Q), percent
    first_hit: Integers  # (S, Q) rank of the first right image, from 1

    def common_seeds(self, other: Answers) -> tuple[int, ...]:
        """Return the seeds on which two are compared: of what is fixed, any stands for its run."""
        if self.is_fixed or other.is_fixed:
            return self.seeds if other.is_fixed else other.seeds
        return tuple(seed for seed in self.seeds if seed in other.seeds)

    @property
    def place(self) -> str:
        """Where these answers compete."""
        return f"{self.suite}/{self.dataset}"


def read_answers(
    name: str, runs: Sequence[StoredRun], evaluation: str = PRIMARY_EVALUATION
) -> Answers:
    """Read the per-query figures of a method's runs on one dataset, one run a seed.

    Raises:
        HarnessError: no run was finished, one lacks the evaluation, or seeds answered different
            queries.
    """
    finished = sorted((r for r in runs if r.record.status == "ok"), key=lambda r: r.record.seed)
    if not finished:
        raise HarnessError(f"{name} has no finished run to compare; run it first.")
    tables = [_read(run.path / EVALUATIONS / evaluation / QUERIES) for run in finished]
    for run, table in zip(finished, tables, strict=True):
        if not np.array_equal(table["query_id"], tables[0]["query_id"]):
            raise HarnessError(
                f"seeds {finished[0].record.seed} and {run.record.seed} of {name} answered "
                "different queries: they are of different datasets; run them again."
            )
    record, records = finished[0].record, [run.record for run in finished]
    protocol, tied = newest_version(records), [one.metrics.get(TIED) for one in records]
    for one in records:
        if why := why_record_apart(one, protocol):
            raise HarnessError(f"seed {one.seed} of {name} {why}.")
        if why := one.handed_in.why_unpaired if one.handed_in else "":
            raise HarnessError(f"{name} {why}.")
    is_fixed = _is_fixed(tables, records)
    kept = slice(0, 1) if is_fixed else slice(None)
    return Answers(
        name=name,
        suite=record.suite,
        dataset=record.dataset,
        fingerprint=_fingerprint(name, finished),
        scale=record.scale,
        protocol=protocol,
        tied=None if None in tied else fmean(one for one in tied if one is not None),
        seeds=tuple(one.seed for one in records[kept]),
        is_fixed=is_fixed,
        queries=tables[0]["query_id"],
        people=tables[0]["person_id"],
        values={
            metric: np.stack([_percent(table, metric) for table in tables[kept]])  # (S, Q)
            for metric in (*_DEPTHS, *_COLUMNS)
        },
        first_hit=np.stack([table["first_hit"] for table in tables[kept]]).astype(np.int64),
    )


def check_comparable(answers: Sequence[Answers]) -> None:
    """Refuse what cannot be compared query by query and seed by seed.

    Raises:
        HarnessError: the answers are of different datasets, contents, scales, queries or seeds, or
            ties would decide by two rules; the message names both and says what to do. What is
            fixed may stand beside any seeds.
    """
    first = next((one for one in answers if not one.is_fixed), answers[0])
    newest = max(other.protocol for other in answers)
    for other in answers:
        if why := why_apart(other.protocol, other.tied, newest):
            raise HarnessError(f"{other.name} {why}.")
    for other in answers:
        pair = f"{first.name} and {other.name}"
        if first.place != other.place:
            raise HarnessError(f"{pair} ran on {first.place} and {other.place}.")
        if first.fingerprint != other.fingerprint:
            raise HarnessError(
                f"{pair} ran on different contents of {first.place} (fingerprints "
                f"{first.fingerprint[:12]} and {other.fingerprint[:12]}): run the older one again."
            )
        if first.scale != other.scale:
            raise HarnessError(f"{pair} ran at scales {first.scale} and {other.scale}.")
        if not np.array_equal(first.queries, other.queries):
            raise HarnessError(f"{pair} answered different queries of {first.place}.")
        if not other.is_fixed and first.seeds != other.seeds:
            raise HarnessError(
                f"{pair} ran with seeds {_listed(first.seeds)} and {_listed(other.seeds)} on "
                f"{first.place}; comparisons are paired, so run what is missing, or compare the "
                "seeds that both have with --seeds."
            )


def restrict(answers: Answers, seeds: Sequence[int]) -> Answers:
    """Return the answers of some seeds only; what is fixed, as it is.

    Raises:
        HarnessError: one of the seeds was not run.
    """
    if answers.is_fixed or answers.seeds == tuple(seeds):
        return answers
    if missing := [seed for seed in seeds if seed not in answers.seeds]:
        raise HarnessError(
            f"{answers.name} has no finished run with seed {_listed(missing)} on {answers.place}; "
            f"there are: {_listed(answers.seeds)}."
        )
    rows = [answers.seeds.index(seed) for seed in seeds]
    return Answers(
        **{
            **vars(answers),
            "seeds": tuple(seeds),
            "values": {metric: table[rows] for metric, table in answers.values.items()},
            "first_hit": answers.first_hit[rows],
        }
    )


def average_datasets(of_datasets: Sequence[Answers]) -> Answers:
    """Return the answers of one method on several datasets as one, each dataset weighing the same.

    A query is scaled so that the mean over all queries is the mean of the datasets' means; people
    of different datasets are different people.
    """
    total = sum(len(answers.queries) for answers in of_datasets)
    is_fixed = all(answers.is_fixed for answers in of_datasets)
    first = next((one for one in of_datasets if not one.is_fixed), of_datasets[0])
    seeds = len(first.seeds)

    def tagged(name: str) -> NDArray[Any]:
        parts = [
            np.char.add(f"{answers.dataset} ", getattr(answers, name).astype(str))
            for answers in of_datasets
        ]
        return np.concatenate(parts)

    def pooled(metric: str) -> Floats:
        parts = [
            np.repeat(answers.values[metric], seeds // len(answers.seeds), axis=0)
            * (total / (len(of_datasets) * len(answers.queries)))
            for answers in of_datasets
        ]
        return np.concatenate(parts, axis=1)  # (S, Q)

    return Answers(
        **{
            **vars(first),
            "dataset": "mean of " + _listed([answers.dataset for answers in of_datasets]),
            "fingerprint": " ".join(answers.fingerprint for answers in of_datasets),
            "is_fixed": is_fixed,
            "queries": tagged("queries"),
            "people": tagged("people"),
            "values": {metric: pooled(metric) for metric in first.values},
            "first_hit": np.concatenate(
                [np.repeat(o.first_hit, seeds // len(o.seeds), axis=0) for o in of_datasets], axis=1
            ),
        }
    )


def _is_fixed(tables: Sequence[Mapping[str, NDArray[Any]]], records: Sequence[RunRecord]) -> bool:
    """Say whether seeds make no difference: they made none, or nothing that one run trained.

    Of a file without a seed there is but one run, which stands beside all seeds of others too.
    """
    if len(tables) == 1:
        handed = records[0].handed_in
        return records[0].supervision == "none" or (handed is not None and not handed.seeded)
    first, *others = tables
    return all(
        np.array_equal(first[column], other[column])
        for other in others
        for column in ("first_hit", *_COLUMNS.values())
    )


def _read(path: Path) -> dict[str, NDArray[Any]]:
    from harness.results.query_table import read_queries

    names = ("query_id", "person_id", "first_hit", *_COLUMNS.values())
    try:
        table = read_queries(path, names)
    except (OSError, ValueError) as error:
        raise HarnessError(f"{path} cannot be read: {error}") from error
    return {name: table[name].to_numpy() for name in names}


def _percent(table: Mapping[str, NDArray[Any]], metric: str) -> Floats:
    if metric in _DEPTHS:
        return np.where(table["first_hit"] <= _DEPTHS[metric], 100.0, 0.0)  # (Q,)
    shares: Floats = table[_COLUMNS[metric]].astype(np.float64)  # (Q,)
    return 100.0 * shares


def _fingerprint(name: str, runs: Sequence[StoredRun]) -> str:
    found = {str(run.record.data.get("fingerprint", "")): run.record.seed for run in runs}
    if len(found) > 1:
        raise HarnessError(
            f"seeds {_listed(found.values())} of {name} ran on different contents of "
            f"{runs[0].record.dataset}; run them again."
        )
    return next(iter(found))


def _listed(items: Any) -> str:
    return ", ".join(map(str, items))
