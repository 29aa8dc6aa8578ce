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
import os
import re
import shutil
import unicodedata
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from harness.results.checksums import CHECKSUMS, LEFT_OVERS, LOG, hash_folder

SCHEMA_VERSION = 1
PRIMARY_EVALUATION = "text-to-image"
REVERSE_EVALUATION = "image-to-text"
LAST_EVALUATION = "last-epoch"  # of the last weights instead of those that val chose
METRICS = {"r1": "R1", "r5": "R5", "r10": "R10", "map": "mAP", "minp": "mINP"}  # as printed
WEIGHTS = "weights"
SELECTED = "selected.pt"  # of the epoch that val chose
HISTORY = "history.parquet"
EMBEDDINGS = "embeddings"
EVALUATIONS = "evaluations"
HIGHLIGHTS = "highlights.json"
STAGES = ".stages"  # no label is written so
FULL = "full"  # the label of a method as published
# Suffixes: of a folder that is worked in, of one that steps aside, of a file that is written.
UNFINISHED, RETIRED, TEMPORARY = LEFT_OVERS


Place = tuple[str, str, int]  # an ablation table, a row's label and its position from 0


@dataclass(frozen=True)
class RunRecord:
    """Everything there is to know of one run. Figures are percent, seconds, milliseconds and MB."""

    status: str  # ok, error, timeout, killed or skipped
    key: str  # the content key: equal keys mean equal results
    suite: str
    dataset: str
    method: str
    variant: str  # the label; the method as published is "full"
    seed: int
    scale: str
    title: str
    summary: str = ""
    paper: str = ""  # citation
    url: str = ""
    supervision: str = ""
    changes: Mapping[str, Any] = field(default_factory=dict)  # what the variant changes
    tables: tuple[Place, ...] = ()  # the rows of ablation tables that it stands for
    config: Mapping[str, Any] = field(default_factory=dict)
    recipe: Mapping[str, Any] = field(default_factory=dict)
    protocol: Mapping[str, Any] = field(default_factory=dict)
    data: Mapping[str, Any] = field(
        default_factory=dict
    )  # title, fingerprint, drawn, licence, counts
    environment: Mapping[str, Any] = field(default_factory=dict)  # versions, commit, hardware
    command: str = ""  # repeats the run
    started: str = ""  # ISO 8601, UTC
    total_seconds: float = 0.0
    train_seconds: float = 0.0
    image_milliseconds: float = 0.0  # to encode one image
    text_milliseconds: float = 0.0  # to encode one caption
    peak_memory: float = 0.0
    parameters: int = 0
    selected_epoch: int | None = None  # from 1, chosen on val; None where nothing was trained
    metrics: Mapping[str, float] = field(default_factory=dict)  # of the primary evaluation
    error: Mapping[str, str] | None = None  # kind, message, traceback
    weights_key: str = ""  # equal ones mean equal weights; older code did not write it
    schema_version: int = SCHEMA_VERSION

    @property
    def name(self) -> str:
        """The method or variant as the command line names it: irra, or irra:+SDM."""
        return self.method if self.variant == FULL else f"{self.method}:{self.variant}"


@dataclass(frozen=True)
class EvaluationRecord:
    """A further evaluation of a run's weights: what was done, and what it cost."""

    key: str  # equal keys mean equal results
    rerank: str = ""  # as `harness run --rerank` takes it
    queries: str = ""  # as `harness run --queries` takes it
    on: Mapping[str, Any] = field(default_factory=dict)  # the dataset of `harness evaluate --on`
    reported_as: tuple[str, ...] = ()  # what the method's paper calls it
    command: str = ""  # repeats it
    query_milliseconds: float = 0.0  # to rank the gallery for one query, encoding left aside
    cosine_milliseconds: float = 0.0  # the same by cosine alone
    error: Mapping[str, str] | None = None  # kind, message, traceback


@dataclass(frozen=True)
class StoredRun:
    """A record with the folder it was read from."""

    record: RunRecord
    path: Path

    def history(self) -> list[dict[str, Any]]:
        """Return one dict an epoch; empty where nothing was trained."""
        return read_table(self.path / HISTORY)

    def evaluations(self) -> dict[str, dict[str, float]]:
        """Return the metrics of every evaluation by name."""
        return {
            path.parent.name: json.loads(path.read_text(encoding="utf-8"))
            for path in sorted(self.path.glob(f"{EVALUATIONS}/*/metrics.json"))
        }

    def further_evaluations(self) -> dict[str, EvaluationRecord]:
        """Return what is known of the evaluations that were asked for, by name."""
        found = {
            path.parent.name: read_evaluation(path.parent)
            for path in sorted(self.path.glob(f"{EVALUATIONS}/*/evaluation.json"))
        }
        return {name: record for name, record in found.items() if record}

    def highlights(self) -> Any:
        """Return what `harness.run.highlights` wrote; None where there is nothing or no JSON."""
        try:
            return json.loads((self.path / HIGHLIGHTS).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None

    def queries(self, evaluation: str = PRIMARY_EVALUATION) -> list[dict[str, Any]]:
        """Return one dict a query, in the dataset's order."""
        return read_table(self.path / EVALUATIONS / evaluation / "queries.parquet")


def slug(label: str) -> str:
    """Return a file name for a label: "B+LRC" stays, "w/o L_k" becomes "w-o-L_k", "A⁺" "A+"."""
    plain = unicodedata.normalize("NFKC", label)
    return re.sub(r"[^\w+.,=()-]+", "-", plain).strip("-.") or "unnamed"


def run_path(results: Path, suite: str, dataset: str, method: str, variant: str, seed: int) -> Path:
    """Return the folder of a run."""
    return results / slug(suite) / slug(dataset) / slug(method) / slug(variant) / f"seed-{seed}"


def read_record(path: Path) -> RunRecord | None:
    """Read the record of a run folder; None where there is none that this version can read."""
    try:
        values = json.loads((path / "run.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    if not isinstance(values, dict) or values.get("schema_version") != SCHEMA_VERSION:
        return None
    known = {f.name for f in fields(RunRecord)}
    values = {name: value for name, value in values.items() if name in known}
    try:
        rows = values.get("tables", ())
        values["tables"] = tuple((table, row, int(position)) for table, row, position in rows)
        return RunRecord(**values)
    except (TypeError, ValueError):
        return None


def read_trained(path: Path, weights_key: str) -> RunRecord | None:
    """Read the record of a run folder that holds the weights of a key, whatever scored them."""
    record = read_record(path)
    if record is None or not weights_key or record.weights_key != weights_key:
        return None
    return record if (path / WEIGHTS / SELECTED).is_file() else None


def copy_trained(path: Path, to: Path) -> None:
    """Copy what training has left in a run folder into another one."""
    shutil.rmtree(to / WEIGHTS, ignore_errors=True)
    shutil.copytree(path / WEIGHTS, to / WEIGHTS)
    shutil.copyfile(path / HISTORY, to / HISTORY)


def stages_path(results: Path, suite: str, dataset: str, method: str) -> Path:
    """Return the folder of the checkpoints that variants of a method share."""
    return results / slug(suite) / slug(dataset) / slug(method) / STAGES


def evaluation_path(run: Path, name: str) -> Path:
    """Return the folder of an evaluation of a run."""
    return run / EVALUATIONS / slug(name)


def read_evaluation(path: Path) -> EvaluationRecord | None:
    """Read the record of a further evaluation; None where there is none that can be read."""
    try:
        values = json.loads((path / "evaluation.json").read_text(encoding="utf-8"))
        return EvaluationRecord(**{**values, "reported_as": tuple(values["reported_as"])})
    except (OSError, ValueError, TypeError, KeyError):
        return None


def load_runs(results: Path) -> Iterator[StoredRun]:
    """Yield every finished run below a results folder, in the order of their paths."""
    for path in sorted(results.glob("*/*/*/*/seed-*/run.json")):
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
    write_json(work / "run.json", asdict(record))
    _seal(work)
    _replace(path, work, path.with_name(path.name + RETIRED))


def write_failure(record: RunRecord, path: Path) -> None:
    """Put the record of a run that died in its place; a checkpoint stays in the working folder."""
    work = working_folder(path)
    dead = path.with_name(f"{path.name}.dead{UNFINISHED}")
    shutil.rmtree(dead, ignore_errors=True)
    dead.mkdir(parents=True)
    if (work / LOG).is_file():
        shutil.copyfile(work / LOG, dead / LOG)
    if before := read_trained(path, record.weights_key):  # it died while it was scored anew
        copy_trained(path, dead)
        record = of_training(record, before)
    write_json(dead / "run.json", asdict(record))
    _seal(dead)
    _replace(path, dead, path.with_name(path.name + RETIRED))
    if not any((work / WEIGHTS).glob("*")):
        shutil.rmtree(work, ignore_errors=True)


def of_training(record: RunRecord, before: RunRecord) -> RunRecord:
    """Return a record with what another tells of the training of the same weights."""
    return replace(
        record,
        selected_epoch=before.selected_epoch,
        train_seconds=before.train_seconds,
        total_seconds=before.total_seconds,
        peak_memory=before.peak_memory,
        environment=before.environment,
    )


def finish_evaluation(record: EvaluationRecord, work: Path, run: Path, name: str) -> None:
    """Write the record into the folder `work` and put it in its place below a run, as a run is."""
    write_json(work / "evaluation.json", asdict(record))
    _seal(work)
    place = evaluation_path(run, name)
    place.parent.mkdir(parents=True, exist_ok=True)
    _replace(place, work, run / f"{place.name}.{process_tag()}{RETIRED}")


def _seal(folder: Path) -> None:
    """Write the checksums of a folder and flush all that is in it."""
    write_json(folder / CHECKSUMS, hash_folder(folder))
    for file in folder.rglob("*"):
        if file.is_file():
            _flush(file)
    _flush(folder)


def _replace(place: Path, work: Path, retired: Path) -> None:
    """Rename `work` to `place`; what was there goes by the name `retired` and is removed last."""
    shutil.rmtree(retired, ignore_errors=True)
    with suppress(FileNotFoundError):
        place.rename(retired)
    put_in_place(work, place)
    _flush(place.parent)
    shutil.rmtree(retired, ignore_errors=True)


def process_tag() -> str:
    """Return a name for temporary files that no other process takes."""
    return f"{os.uname().nodename}-{os.getpid()}"


def put_in_place(unfinished: Path, place: Path) -> None:
    """Rename a finished folder to its place; where another process was first, its folder stays."""
    try:
        unfinished.rename(place)
    except OSError:
        if not place.is_dir():
            raise
        shutil.rmtree(unfinished)


def write_json(path: Path, values: Any) -> None:
    """Write JSON through a temporary sibling, so that the file is whole or absent."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.name}.{process_tag()}{TEMPORARY}")
    temporary.write_text(json.dumps(values, indent=1, default=_plain) + "\n", encoding="utf-8")
    temporary.replace(path)


def read_table(path: Path) -> list[dict[str, Any]]:
    """Read a Parquet file as a list of dicts; empty where there is none."""
    import pyarrow.parquet

    return pyarrow.parquet.read_table(path).to_pylist() if path.is_file() else []


def write_table(path: Path, columns: Mapping[str, Any]) -> None:
    """Write named columns as Parquet."""
    import pyarrow
    import pyarrow.parquet

    path.parent.mkdir(parents=True, exist_ok=True)
    pyarrow.parquet.write_table(pyarrow.table(dict(columns)), path)


def _plain(value: Any) -> Any:
    """Turn what JSON does not know (paths, tuples of numpy numbers) into what it does."""
    return value.item() if hasattr(value, "item") else str(value)


def _flush(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
