"""Every run as data: what was run, what it gave and what repeats it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict

from harness.results import METRICS
from leaderboard.downloads.sheets import Record, Value
from leaderboard.records.load import Run
from leaderboard.site.site import Site
from leaderboard.typography import plain

# Fields of a record that a line of a spreadsheet holds as they are.
FLAT = (
    "suite", "dataset", "method", "title", "variant", "seed", "status", "scale", "supervision",
    "key", "started", "total_seconds", "train_seconds", "image_milliseconds", "text_milliseconds",
    "peak_memory", "parameters", "selected_epoch",
)  # fmt: skip


def all_runs(site: Site) -> list[Run]:
    """Return the runs of every ground, in the order of their places."""
    return [run for ground in site.grounds for run in ground.runs]


def run_line(run: Run) -> Record:
    """Return a run without what is nested, for a spreadsheet."""
    record, error = run.record, run.record.error or {}
    line: dict[str, Value] = {name: getattr(record, name) for name in FLAT}
    line |= {metric: run.metric(metric) for metric in METRICS}
    return line | {
        "shipped": run.is_shipped,
        "rests_on": record.mark,
        "fingerprint": record.data.get("fingerprint"),
        "commit": record.environment.get("commit"),
        "error": error.get("kind"),
        "message": error.get("message"),
        "command": record.command,
    }


def run_object(run: Run) -> Mapping[str, Value]:
    """Return a run's whole record, with the metrics of its other evaluations and their records."""
    return {
        **asdict(run.record),
        "shipped": run.is_shipped,
        "evaluations": run.evaluations or {},
        "further_evaluations": {name: asdict(one) for name, one in run.further.items()},
    }


def evaluation_lines(run: Run) -> Iterator[Record]:
    """Yield what each further evaluation of a run was, gave and cost, failed ones too."""
    record = run.record
    for name, one in run.further.items():
        error = one.error or {}
        yield {
            **{field: getattr(record, field) for field in ("suite", "dataset", "method")},
            "variant": record.variant,
            "seed": record.seed,
            "rerank": one.rerank,
            "queries": one.queries,
            "unchanged": one.unchanged,
            "on": plain(one.on.get("name", "")),
            "crowd": plain(one.crowd.get("title", "")),
            "index": plain(one.crowd.get("index", "")),
            "reported_as": list(one.reported_as),
            **{metric: run.metric(metric, name) for metric in METRICS},
            "query_milliseconds": one.query_milliseconds,
            "cosine_milliseconds": one.cosine_milliseconds,
            "key": one.key,
            "error": error.get("kind"),
            "message": error.get("message"),
            "command": one.command,
        }
