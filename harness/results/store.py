"""Run records and the folders they live in: results/suite/dataset/method/variant/seed-n/.

A run folder holds ``run.json`` (a `RunRecord`), ``history.parquet`` (one row an epoch),
``log.txt``, ``weights/``, ``embeddings/`` of test splits,
``evaluations/<name>/{metrics.json, queries.parquet}``, where a method shows where it looks
``highlights.json``, and ``checksums.json`` of them all; an evaluation that is added later has
checksums of its own. A folder is written beside its place, flushed and renamed, so one that
carries its final name is whole.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from harness.files import (
    RETIRED,
    UNFINISHED,
    flush,
    process_tag,
    read_table,
    replace_folder,
    slug,
    write_json,
)
from harness.limits import RUN_OPTIONS
from harness.results.audit import find_fault
from harness.results.checksums import CHECKSUMS, LOG, hash_folder
from harness.results.record import (
    PRIMARY_EVALUATION,
    TEST_EVALUATION,
    EvaluationRecord,
    RunRecord,
    parse_evaluation,
    parse_run,
)

RECORD, EVALUATION = "run.json", "evaluation.json"
MEANS, QUERIES = "metrics.json", "queries.parquet"  # of an evaluation
WEIGHTS = "weights"
SELECTED = "selected.pt"  # of the epoch that val chose
TEST_SELECTED = "test-selected.pt"  # of the epoch that is best on test, where that was audited
HISTORY = "history.parquet"
SELECTION_AUDIT = "selection-audit.parquet"  # what test says of every epoch, kept apart from it
EMBEDDINGS = "embeddings"
EVALUATIONS = "evaluations"
HIGHLIGHTS = "highlights.json"
STAGES = ".stages"  # no label is written so
TUNING = ".tuning"  # below the results, of trials: no suite is called so


@dataclass(frozen=True)
class StoredRun:
    """A record with the folder it was read from."""

    record: RunRecord
    path: Path

    def history(self) -> list[dict[str, Any]]:
        """Return one dict an epoch; empty where nothing was trained."""
        return read_table(self.path / HISTORY)

    def val(self) -> dict[str, float]:
        """Return the figures on val of the epoch that they chose; empty where none is known."""
        try:
            rows = [row for row in self.history() if row.get("epoch") == self.record.selected_epoch]
        except (OSError, ValueError):
            return {}  # a damaged file: `harness verify` tells of it
        found = {name: row.get(name) for row in rows for name in ("val_r1", "val_map")}
        return {name: float(value) for name, value in found.items() if value is not None}

    def evaluations(self) -> dict[str, dict[str, float]]:
        """Return the metrics of every evaluation by name; one that cannot be read is left out.

        That of the epoch that is best on test is not among them: see `test_selected`.
        """
        found = {
            path.parent.name: _read_json(path)
            for path in sorted(self.path.glob(f"{EVALUATIONS}/*/{MEANS}"))
            if path.parent.name != TEST_EVALUATION
        }
        return {name: metrics for name, metrics in found.items() if isinstance(metrics, dict)}

    def test_selected(self) -> dict[str, float]:
        """Return the metrics of the epoch that is best on test; empty where no audit asked."""
        found = _read_json(self.path / EVALUATIONS / TEST_EVALUATION / MEANS)
        return found if isinstance(found, dict) else {}

    def selection_audit(self) -> list[dict[str, Any]]:
        """Return R1 and mAP on test, one dict an epoch of the history.

        Empty where no audit asked for them, and where what is there cannot be used: `harness
        verify` tells of it.
        """
        import pyarrow

        try:
            rows = read_table(self.path / SELECTION_AUDIT)
            epochs = [row.get("epoch") for row in self.history()]
        except (OSError, ValueError, TypeError, pyarrow.ArrowException):
            return []
        return [] if find_fault(rows, epochs) else rows

    def further_evaluations(self) -> dict[str, EvaluationRecord]:
        """Return what is known of the evaluations that were asked for, by name."""
        found = {
            path.parent.name: read_evaluation(path.parent)
            for path in sorted(self.path.glob(f"{EVALUATIONS}/*/{EVALUATION}"))
        }
        return {name: record for name, record in found.items() if record}

    def highlights(self) -> Any:
        """Return what `harness.run.highlights` wrote; None where there is nothing or no JSON."""
        return _read_json(self.path / HIGHLIGHTS)

    def queries(self, evaluation: str = PRIMARY_EVALUATION) -> list[dict[str, Any]]:
        """Return one dict a query, in the dataset's order."""
        return read_table(self.path / EVALUATIONS / evaluation / QUERIES)


def _read_json(file: Path) -> Any:
    """Return what a file of JSON holds; None where it is none."""
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None


def run_path(results: Path, suite: str, dataset: str, method: str, variant: str, seed: int) -> Path:
    """Return the folder of a run."""
    return results / slug(suite) / slug(dataset) / slug(method) / slug(variant) / f"seed-{seed}"


def trial_path(
    results: Path, suite: str, dataset: str, method: str, settings: str, seed: int
) -> Path:
    """Return the folder of a trial, by a digest of its settings; `load_runs` passes it over."""
    place = results / TUNING / slug(suite) / slug(dataset) / slug(method)
    return place / settings / f"val-{seed}"


def probe_path(folder: Path, method: str, key: str) -> Path:
    """Return the folder of a probe, below that of all probes."""
    return folder / slug(method) / key


def read_record(path: Path) -> RunRecord | None:
    """Read the record of a run folder; None where there is none that this version can read."""
    try:
        return parse_run(json.loads((path / RECORD).read_text(encoding="utf-8")))
    except (OSError, ValueError, RecursionError):
        return None


def read_trained(path: Path, weights_key: str) -> RunRecord | None:
    """Read the record of a run folder that holds the weights of a key, whatever scored them."""
    record = read_record(path)
    if record is None or not weights_key or record.weights_key != weights_key:
        return None
    there = all((path / file).is_file() for file in (f"{WEIGHTS}/{SELECTED}", HISTORY))
    return record if there else None


def copy_trained(path: Path, to: Path) -> None:
    """Copy what training has left in a run folder into another one."""
    shutil.rmtree(to / WEIGHTS, ignore_errors=True)
    shutil.copytree(path / WEIGHTS, to / WEIGHTS)
    shutil.copyfile(path / HISTORY, to / HISTORY)
    with suppress(OSError):  # there is none, or it cannot be read: what is ranked needs none
        shutil.copyfile(path / SELECTION_AUDIT, to / SELECTION_AUDIT)


def stages_path(results: Path, suite: str, dataset: str, method: str) -> Path:
    """Return the folder of the checkpoints that variants of a method share."""
    return results / slug(suite) / slug(dataset) / slug(method) / STAGES


def evaluation_path(run: Path, name: str) -> Path:
    """Return the folder of an evaluation of a run."""
    return run / EVALUATIONS / slug(name)


def read_evaluation(path: Path) -> EvaluationRecord | None:
    """Read the record of a further evaluation; None where there is none that can be read."""
    try:
        return parse_evaluation(json.loads((path / EVALUATION).read_text(encoding="utf-8")))
    except (OSError, ValueError, RecursionError):
        return None


def load_runs(results: Path) -> Iterator[StoredRun]:
    """Yield every finished run below a results folder, in the order of their paths."""
    for path in sorted(results.glob(f"*/*/*/*/seed-*/{RECORD}")):
        finished = path.parent.name.removeprefix("seed-").isdecimal()
        if finished and (record := read_record(path.parent)):
            yield StoredRun(record, path.parent)


def working_folder(path: Path) -> Path:
    """Return the folder a run works in until it is whole."""
    return path.with_name(path.name + UNFINISHED)


def finish_run(record: RunRecord, path: Path) -> None:
    """Write the record into the working folder of `path`, flush it, and put it in its place.

    The earlier run at `path`, if any, steps aside first and is removed last, so that a kill at any
    moment leaves a whole run or none under the final name.
    """
    work = working_folder(path)
    work.mkdir(parents=True, exist_ok=True)
    write_json(work / RECORD, asdict(record))
    _seal(work)
    replace_folder(path, work, path.with_name(path.name + RETIRED))


def write_failure(record: RunRecord, path: Path, trained_anew: bool = False) -> None:
    """Put the record of a run that died in its place; a checkpoint stays in the working folder.

    What an earlier run of the same weights has left stays too, but where they were trained anew.
    """
    work = working_folder(path)
    dead = path.with_name(f"{path.name}.dead{UNFINISHED}")
    shutil.rmtree(dead, ignore_errors=True)
    dead.mkdir(parents=True)
    if (work / LOG).is_file():
        shutil.copyfile(work / LOG, dead / LOG)
    before = None if trained_anew else read_trained(path, record.weights_key)
    if before:  # it died while it was scored anew
        copy_trained(path, dead)
        record = of_training(record, before)
    write_json(dead / RECORD, asdict(record))
    _seal(dead)
    replace_folder(path, dead, path.with_name(path.name + RETIRED))
    if not any((work / WEIGHTS).glob("*")):
        shutil.rmtree(work, ignore_errors=True)


def of_training(record: RunRecord, before: RunRecord) -> RunRecord:
    """Return a record with what another tells of the training of the same weights."""
    options = {name: before.recipe[name] for name in RUN_OPTIONS if name in before.recipe}
    return replace(
        record,
        recipe={**record.recipe, **options},
        selected_epoch=before.selected_epoch,
        test_selected_epoch=before.test_selected_epoch,
        train_seconds=before.train_seconds,
        total_seconds=before.total_seconds,
        peak_memory=before.peak_memory,
        device_memory=before.device_memory,
        images_per_second=before.images_per_second,
        waiting_share=before.waiting_share,
        environment=before.environment,
        doubt=before.doubt,
    )


def finish_evaluation(record: EvaluationRecord, work: Path, run: Path, name: str) -> None:
    """Write the record into the folder `work` and put it in its place below a run, as a run is."""
    write_json(work / EVALUATION, asdict(record))
    _seal(work)
    place = evaluation_path(run, name)
    place.parent.mkdir(parents=True, exist_ok=True)
    replace_folder(place, work, run / f"{place.name}.{process_tag()}{RETIRED}")


def _seal(folder: Path) -> None:
    """Write the checksums of a folder and flush all that is in it."""
    write_json(folder / CHECKSUMS, hash_folder(folder))
    for file in folder.rglob("*"):
        if file.is_file():
            flush(file)
    flush(folder)
