"""The runs behind a method's figures, with the command that repeats each, and their settings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from harness.results import RunRecord
from harness.results.origin import read_origin
from leaderboard.dataset_card import SHORT_KEY
from leaderboard.method.views import RunGroup, RunRow, Setting
from leaderboard.records.estimates import PRIMARY
from leaderboard.records.ledger import Entry
from leaderboard.records.load import FULL, Run, Variants, finite
from leaderboard.typography import ABSENT, day, fixed, listed, plain
from leaderboard.views import Failure

DEEPEST = 4  # levels of nested settings that are laid out; what lies deeper is written in a line
SHIPPED = "came with the project"
KINDS = {"features": "features", "similarity": "similarities", "run": "rankings"}
ORDERS = {
    "cosine": "compared by cosine",
    "dot": "compared by the plain product",
    "given": "ranked as they were handed in",
}
HARDWARE = ("hardware", "device", "cpu", "gpu")  # what an environment may call its machine


def run_anchors(method: str, variants: Variants, anchor: str) -> dict[Entry, str]:
    """Name a place on the page for the runs of each variant."""
    return {
        (method, label): f"runs-{anchor}-{number}" for number, label in enumerate(variants, start=1)
    }


def run_groups(
    variants: Variants, anchors: Mapping[Entry, str], failures: Sequence[Failure]
) -> tuple[RunGroup, ...]:
    """List all runs by variant."""
    places = {(failure.variant, failure.seed): failure.anchor for failure in failures}
    return tuple(
        RunGroup(anchor, tuple(_row(run, places) for run in variants[label]))
        for (_, label), anchor in anchors.items()
    )


def latest(runs: Sequence[Run]) -> Run:
    """Return the run that was started last."""
    return max(runs, key=lambda run: run.record.started)


def setting_groups(run: Run) -> Iterator[Setting]:
    """Lay out what a run was made with."""
    record = run.record
    of_variant = "" if record.variant == FULL else f" of the variant {record.variant}"
    groups = {
        f"Configuration{of_variant}": record.config,
        f"Recipe{of_variant}, scale {record.scale}": record.recipe,
        "Protocol": record.protocol,
        "Environment of the latest run": record.environment,
    }
    for name, values in groups.items():
        if values:
            yield Setting(name, parts=_settings(values, DEEPEST))


def handed_in_words(record: RunRecord) -> str:
    """Say of a row of files that were handed in what they are and how far their rows are proved."""
    handed = record.handed_in
    if handed is None:
        return ""
    named = [f"{file.name} (SHA-256 {file.sha256[:SHORT_KEY]})" for file in handed.files]
    files = listed(named or ["no file"])
    if handed.what == "weights":
        return (
            f"{handed.mark.capitalize()}: the weights of {files}, encoded by the code of"
            f" {handed.encoded_by or 'a method'} that is here."
        )
    order = "" if handed.order_checked else ", and their order is not checked"
    return (
        f"{handed.mark.capitalize()}: {KINDS[handed.what]} of {files}, {ORDERS[handed.similarity]}."
        f" Rows were matched by {handed.matched}{order}. Nothing was trained here."
    )


def environment_in_words(run: Run) -> str:
    """Name what decides whether a run repeats: torch, the commit and the machine."""
    environment = run.record.environment
    groups = [value for value in environment.values() if isinstance(value, Mapping)]
    known = {name: value for group in (*groups, environment) for name, value in group.items()}
    named = {
        "torch": plain(known.get("torch", "")),
        "commit": plain(known.get("commit", ""))[:SHORT_KEY],
        "on": next((plain(known[name]) for name in HARDWARE if known.get(name)), ""),
    }
    return ", ".join(f"{name} {value}" for name, value in named.items() if value)


def _settings(values: Mapping[str, Any], depth: int) -> tuple[Setting, ...]:
    return tuple(_setting(name, value, depth) for name, value in values.items())


def _setting(name: str, value: Any, depth: int) -> Setting:
    """Lay out mappings and lists of mappings, whose items are numbered from 1."""
    if isinstance(value, list) and value and all(isinstance(item, Mapping) for item in value):
        value = {str(number): item for number, item in enumerate(value, start=1)}
    if isinstance(value, Mapping) and value and depth:
        return Setting(name, parts=_settings(value, depth - 1))
    return Setting(name, plain(value))


def _row(run: Run, failures: Mapping[tuple[str, int], str]) -> RunRow:
    record = run.record
    primary = run.metric(PRIMARY) if run.finished else None
    return RunRow(
        variant=record.variant,
        seed=record.seed,
        status=record.status,
        origin=_origin(run),
        failure=failures.get((record.variant, record.seed), ""),
        primary=ABSENT if primary is None else fixed(primary, 2),
        selected_epoch=ABSENT if record.selected_epoch is None else str(record.selected_epoch),
        train_seconds=_rounded(record.train_seconds),
        peak_memory=_rounded(record.peak_memory),
        date=day(record.started),
        key=record.key[:SHORT_KEY],
        environment=environment_in_words(run),
        commands=(record.command, *(one.command for one in run.further.values())),
    )


def _origin(run: Run) -> str:
    """Say what a run rests on that was not trained here, and who brought it."""
    brought = SHIPPED if run.is_shipped else str(read_origin(run.stored.path) or "")
    return ", ".join(filter(None, (run.record.mark, brought)))


def _rounded(value: float) -> str:
    number = finite(value)
    return fixed(number, 0) if number else ABSENT
