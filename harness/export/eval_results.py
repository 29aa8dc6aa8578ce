"""Figures as the Hugging Face hub reads them beside a model card: ``.eval_results/NAME.yaml``.

A dataset of the hub that is registered as a benchmark gathers such files of all models into its
leaderboard. Each result names that dataset and one of the tasks of its ``eval.yaml``, and has one
value: here R1, the mean over seeds.

https://huggingface.co/docs/hub/eval-results,
https://github.com/huggingface/hub-docs/blob/main/eval_results.yaml
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import mean
from typing import Any

from harness.errors import HarnessError, unknown
from harness.files import slug
from harness.results import RunRecord, StoredRun

FOLDER = ".eval_results"
DECIMALS = 2
WRITTEN = re.compile(r"([^=]+)=([\w.-]+/[\w.-]+):([\w.-]+)")


@dataclass(frozen=True)
class Benchmark:
    """The dataset of the hub, and its task, under which figures on a dataset of ours are told."""

    dataset: str  # as runs name it
    hub: str  # ORG/NAME
    task: str

    @property
    def path(self) -> str:
        """The file of its results, in the repository of a model."""
        return f"{FOLDER}/{slug(self.dataset)}.yaml"


def parse_benchmark(text: str) -> Benchmark:
    """Read DATASET=ORG/NAME:TASK."""
    found = WRITTEN.fullmatch(text)
    if found is None:
        raise HarnessError(
            f"--benchmark {text}: it is DATASET=ORG/NAME:TASK, as in "
            "cuhk-pedes=our-lab/cuhk-pedes:text-to-image."
        )
    return Benchmark(*found.groups())


def write_results(runs: Sequence[StoredRun], benchmark: Benchmark) -> str:
    """Return the file of a method's results on a benchmark.

    Raises:
        HarnessError: no run is on its dataset.
    """
    import yaml

    records = [run.record for run in runs if run.record.dataset == benchmark.dataset]
    if not records:
        raise unknown("run on dataset", benchmark.dataset, {run.record.dataset for run in runs})
    entry = _entry(sorted(records, key=lambda record: record.seed), benchmark)
    return yaml.safe_dump([entry], sort_keys=False, allow_unicode=True, width=100)


def _entry(records: Sequence[RunRecord], benchmark: Benchmark) -> dict[str, Any]:
    """Return the one result of some seeds."""
    seeds = ", ".join(str(record.seed) for record in records)
    version = records[0].protocol.get("version")
    entry: dict[str, Any] = {
        "dataset": {"id": benchmark.hub, "task_id": benchmark.task},
        "value": round(mean(record.metrics["r1"] for record in records), DECIMALS),
        "notes": f"text-to-image Rank-1 in percent, mean over seeds {seeds}; scored by tbpr-bench, "
        f"version {version} of its protocol",
    }
    if day := max(record.started for record in records)[:10]:
        entry["date"] = day
    return entry
