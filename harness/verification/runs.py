"""One run folder: its record, its evaluations and its files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np

from harness.printable import printable
from harness.results import (
    EVALUATION,
    EVALUATIONS,
    LAST_EVALUATION,
    MEANS,
    PRIMARY_EVALUATION,
    QUERIES,
    RECORD,
    REVERSE_EVALUATION,
    SELECTION_AUDIT,
    TEST_EVALUATION,
    EvaluationRecord,
    RunRecord,
    crowd_name,
    evaluation_path,
    run_path,
)
from harness.results.crowd import CROWD, CURVE, FIGURES, CrowdTable
from harness.results.crowd_index import FIGURES as FIGURES_OF_INDEX
from harness.results.crowd_index import INDEX, JUDGED
from harness.results.query_table import columns_of
from harness.tie_order import recorded_order
from harness.verification.audit import check_audit
from harness.verification.checksums import check_seals
from harness.verification.crowd import (
    check_crowd,
    check_curve,
    check_index,
    check_people,
    check_points,
    read_crowd_table,
    read_table_of_index,
)
from harness.verification.figures import (
    Queries,
    average,
    compare_means,
    compare_queries,
    read_queries,
    recompute,
)
from harness.verification.findings import Finding, Kind, Unreadable
from harness.verification.reading import read_evaluation, read_figures, read_json, read_run
from harness.verification.relevance import FINGERPRINT, Library, Relevance, check_relevance

STATUSES = ("ok", "error", "timeout", "killed", "skipped")
# Of the run itself: no further evaluation may have such a name.
OWN = (PRIMARY_EVALUATION, REVERSE_EVALUATION, LAST_EVALUATION, TEST_EVALUATION)


@dataclass
class VerifiedRun:
    """What is known of a run once its folder was read."""

    path: str  # below the results
    record: RunRecord | None = None
    further: dict[str, EvaluationRecord] = field(default_factory=dict)  # without an error
    figures: int = 0
    findings: list[Finding] = field(default_factory=list)

    def add(self, kind: Kind, file: str, *messages: str) -> None:
        """Note findings of a file."""
        self.findings += [Finding(kind, self.path, printable(file), told) for told in messages]


def verify_run(results: Path, folder: Path, library: Library) -> VerifiedRun:
    """Verify the folder of a run; what is wrong is a finding, never an error."""
    run = VerifiedRun(folder.relative_to(results).as_posix())
    try:
        run.record = read_run(folder / RECORD)
    except Unreadable as error:
        run.add(Kind.RECORD, RECORD, str(error))
    else:
        run.add(Kind.RECORD, RECORD, *_check_record(run.record, results, folder))
    means = {
        place.name: found
        for place in _evaluations(folder)
        if (found := _verify_evaluation(run, place, library)) is not None
    }
    if run.record is not None:
        _compare_primary(run, run.record, means.get(PRIMARY_EVALUATION))
        if run.record.status == "ok":
            run.add(Kind.FIGURES, SELECTION_AUDIT, *check_audit(run.record, folder))
    run.findings += check_seals(folder, run.path)
    return run


def _check_record(record: RunRecord, results: Path, folder: Path) -> Iterator[str]:
    """Yield what a record of the right types says that cannot be."""
    named = record.suite, record.dataset, record.method, record.variant
    place = run_path(results, *named, record.seed)
    if place != folder:
        yield f"is the record of another run, {printable(place.relative_to(results).as_posix())}"
    if record.status not in STATUSES:
        yield f"says status = {printable(record.status)}; there are {', '.join(STATUSES)}"
    if record.status != "ok":
        return
    if record.error is not None:
        yield "says both that the run is ok and that it failed"
    if not FINGERPRINT.fullmatch(str(record.data.get("fingerprint"))):
        yield "tells no fingerprint of the dataset"
    if type(record.protocol.get("version")) is not int:
        yield "tells no version of the protocol"
    if record.handed_in and not record.handed_in.files:
        yield "rests on files that were handed in, and names none"
    if record.handed_in and (record.handed_in.what == "weights") != bool(
        record.handed_in.encoded_by
    ):
        yield "tells of weights and of what encodes with them in two ways"


def _evaluations(folder: Path) -> list[Path]:
    try:
        found = sorted((folder / EVALUATIONS).iterdir())
    except OSError:
        return []
    return [place for place in found if place.is_dir() and not place.is_symlink()]


def _verify_evaluation(run: VerifiedRun, place: Path, library: Library) -> dict[str, float] | None:
    """Return the means that the ranks of an evaluation give; None where none can be computed."""
    file = f"{EVALUATIONS}/{place.name}"
    further = _read_further(run, place)
    if further and further.error is not None:
        return None  # there is nothing to rely on, and nobody does
    if further:
        run.further[place.name] = further
    if further and further.crowd.get("index"):
        _verify_index(run, place, further, library)
        return None
    if further and further.crowd:
        _verify_crowd(run, place, further, library)
        return None
    fingerprint, protocol = _fingerprint(run, further), run.record.protocol if run.record else {}
    relevance = library.by_fingerprint.get(fingerprint)
    order = partial(recorded_order, protocol, fingerprint)
    task = relevance.task(place.name, order) if relevance else None
    if task is None:
        run.add(Kind.NOT_CHECKED, file, "its dataset is neither among the results nor here")
    try:
        count = len(task.query_people) if task else None
        queries = read_queries(place / QUERIES, count, columns_of(protocol.get("version")))
    except Unreadable as error:
        run.add(Kind.FIGURES, f"{file}/{QUERIES}", str(error))
        return None
    if further and not 0 <= further.unchanged <= len(queries.person_id):
        told = f"says that {further.unchanged} of {len(queries.person_id)} queries are unchanged"
        run.add(Kind.RECORD, f"{file}/{EVALUATION}", told)
    by_query = recompute(queries)
    run.add(Kind.FIGURES, f"{file}/{QUERIES}", *compare_queries(queries, by_query))
    if task:
        run.add(Kind.RELEVANCE, f"{file}/{QUERIES}", *check_relevance(queries, task))
    means = average(by_query, queries.tied)
    run.add(Kind.FIGURES, f"{file}/{MEANS}", *_compare_stored(place / MEANS, means))
    run.figures += sum(map(len, queries.by_query.values())) + len(means)
    return means


def _verify_crowd(
    run: VerifiedRun, place: Path, record: EvaluationRecord, library: Library
) -> None:
    """Verify the figures among a crowd, and that it begins with what the run finds alone."""
    file = f"{EVALUATIONS}/{place.name}"
    relevance = _relevance(run, file, library)
    try:
        table = read_crowd_table(place / CROWD)
        curve = read_json(place / CURVE)
        ranked = _ranked(place.parent.parent, run, record)
    except Unreadable as error:
        run.add(Kind.FIGURES, f"{file}/{CROWD}", str(error))
        return
    run.add(Kind.FIGURES, f"{file}/{CURVE}", *check_curve(curve, table))
    run.add(Kind.FIGURES, f"{file}/{CROWD}", *check_crowd(table, record, ranked))
    if relevance is not None:
        run.add(Kind.RELEVANCE, f"{file}/{CROWD}", *check_people(table, curve, relevance))
    run.figures += len(table.sizes) * len(FIGURES)


def _verify_index(
    run: VerifiedRun, place: Path, record: EvaluationRecord, library: Library
) -> None:
    """Verify what an index found among a crowd, also beside the exact scan of the same crowd."""
    file = f"{EVALUATIONS}/{place.name}"
    relevance = _relevance(run, file, library)
    try:
        table = read_table_of_index(place / INDEX)
        stored = read_json(place / JUDGED)
        scanned = _scanned(place, record)
    except Unreadable as error:
        run.add(Kind.FIGURES, f"{file}/{INDEX}", str(error))
        return
    if scanned is None:
        told = "the exact scan that it was held against is not here, or was made anew"
        run.add(Kind.NOT_CHECKED, file, told)
    run.add(Kind.FIGURES, f"{file}/{JUDGED}", *check_points(stored, table))
    run.add(Kind.FIGURES, f"{file}/{INDEX}", *check_index(table, record, scanned))
    if relevance is not None and not np.array_equal(table.people, relevance.person_of_caption):
        run.add(Kind.RELEVANCE, f"{file}/{INDEX}", "person_id is not the dataset's")
    run.figures += len(table.sizes) * len(FIGURES_OF_INDEX)


def _relevance(run: VerifiedRun, file: str, library: Library) -> Relevance | None:
    """Return who is whom in the run's dataset; where it is not here, an evaluation says so."""
    relevance = library.by_fingerprint.get(_fingerprint(run, None))
    if relevance is None:
        run.add(Kind.NOT_CHECKED, file, "its dataset is neither among the results nor here")
    return relevance


def _scanned(place: Path, record: EvaluationRecord) -> CrowdTable | None:
    """Return what the exact scan found that an index was held against; None where it is another."""
    exact = evaluation_path(place.parent.parent, crowd_name(str(record.crowd.get("name"))))
    try:
        known = read_evaluation(exact / EVALUATION)
    except Unreadable:
        return None  # which is told of it
    same = known.error is None and known.key == record.crowd.get("exact")
    return read_crowd_table(exact / CROWD) if same else None


def _ranked(folder: Path, run: VerifiedRun, record: EvaluationRecord) -> Queries | None:
    """Return what the run found in its gallery, which a crowd begins with; None where not.

    A method's second look makes other ranks than cosines do.
    """
    if record.crowd.get("second_look_left_aside"):
        return None
    version = run.record.protocol.get("version") if run.record else None
    file = folder / EVALUATIONS / PRIMARY_EVALUATION / QUERIES
    return read_queries(file, None, columns_of(version))


def _compare_stored(file: Path, means: Mapping[str, float]) -> list[str]:
    try:
        return list(compare_means(read_figures(file), means))
    except Unreadable as error:
        return [str(error)]


def _read_further(run: VerifiedRun, place: Path) -> EvaluationRecord | None:
    """Return the record of a further evaluation; None for the run's own, which have none."""
    file = f"{EVALUATIONS}/{place.name}/{EVALUATION}"
    if not (place / EVALUATION).exists():
        return None
    try:
        record = read_evaluation(place / EVALUATION)
    except Unreadable as error:
        run.add(Kind.RECORD, file, str(error))
        return None
    if not _belongs(record, place):
        run.add(Kind.RECORD, file, "is the record of another evaluation")
        return None
    return record


def _belongs(record: EvaluationRecord, place: Path) -> bool:
    """Tell whether an evaluation stands where its record says: it may name another dataset."""
    on = f"on-{record.on.get('name')}" if record.on else ""
    crowd = record.crowd
    among = crowd_name(str(crowd.get("name")), str(crowd.get("index", ""))) if crowd else ""
    [name, *more] = [one for one in (record.rerank, record.queries, on, among) if one] or [""]
    run = place.parent.parent
    return not more and place == evaluation_path(run, name) and place.name not in OWN


def _fingerprint(run: VerifiedRun, further: EvaluationRecord | None) -> str:
    """Return the fingerprint of the dataset that an evaluation was made on."""
    data = further.on if further and further.on else run.record.data if run.record else {}
    return str(data.get("fingerprint"))


def _compare_primary(
    run: VerifiedRun, record: RunRecord, means: Mapping[str, float] | None
) -> None:
    """Compare the figures that are ranked with those of the primary evaluation."""
    if record.status != "ok":
        if record.metrics:
            run.add(Kind.RECORD, RECORD, "has metrics, though the run did not finish")
        return
    if means is None:
        primary = f"{EVALUATIONS}/{PRIMARY_EVALUATION}"
        if not any(finding.file.startswith(f"{primary}/") for finding in run.findings):
            run.add(Kind.FIGURES, primary, "is missing or failed, though the run is ok")
        return
    told = compare_means(record.metrics, means)
    run.add(Kind.FIGURES, RECORD, *(f"metrics: {one}" for one in told))
    run.figures += len(means)
