"""How far seeds spread on a board: read from the records of its runs, whoever is compared."""

from __future__ import annotations

import math
from collections.abc import Iterable

from harness.results.answers import Answers
from harness.results.record import FULL, RunRecord
from harness.significance import Spread, measure_spread


def read_spread(records: Iterable[RunRecord], beside: Answers, metric: str) -> Spread | None:
    """Measure how far seeds spread among the methods that can stand beside answers.

    Those are the finished runs of the same dataset, content and scale, as far as a method has every
    seed that is compared; what was trained with wrong pairs is not asked. Methods as published are
    asked, each once; variants of one method spread alike, and many of them would speak for it
    alone, so they are asked only where fewer than two methods as published can tell. Returns None
    where nothing can be told: of one seed, or of methods without randomness.
    """
    by_name: dict[tuple[str, str], dict[int, float]] = {}
    for record in records:
        value = record.metrics.get(metric)
        if _is_beside(record, beside) and isinstance(value, int | float) and math.isfinite(value):
            of_name = by_name.setdefault((record.method, record.variant), {})
            of_name[record.seed] = float(value)
    means = {
        name: [found[seed] for seed in beside.seeds]
        for name, found in by_name.items()
        if found.keys() >= set(beside.seeds)
    }
    told = [figures for (_, variant), figures in means.items()
            if variant == FULL and len(set(figures)) > 1]  # fmt: skip
    return measure_spread(told if len(told) > 1 else means.values())


def _is_beside(record: RunRecord, answers: Answers) -> bool:
    return (
        record.status == "ok"
        and not record.noise
        and (record.suite, record.dataset) == (answers.suite, answers.dataset)
        and str(record.data.get("fingerprint", "")) == answers.fingerprint
        and record.scale == answers.scale
    )
