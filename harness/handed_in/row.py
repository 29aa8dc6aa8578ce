"""A row of the leaderboard from files of others: laid out, sealed and verified as a run is."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import torch
from filelock import Timeout

from harness.data.declaration import SPLITS, Located
from harness.data.digest import digest_path, write_digest
from harness.data.schema import Split
from harness.errors import HarnessError
from harness.evaluation.embeddings import Embeddings, embeddings_path, write_embeddings
from harness.evaluation.write import write_evaluation
from harness.handed_in.about import About
from harness.handed_in.matching import Others
from harness.handed_in.scoring import Scored
from harness.plan import Suite
from harness.plan.collisions import NamedGround, refuse_taken_grounds
from harness.plan.handed_in import Encoder, make_handed_key
from harness.plan.spec import PROTOCOL
from harness.results import (
    EVALUATIONS,
    FULL,
    MEANS,
    PRIMARY_EVALUATION,
    REVERSE_EVALUATION,
    RunRecord,
    StoredRun,
    load_runs,
    read_record,
    run_path,
    working_folder,
)
from harness.results.handed_in import HandedIn
from harness.results.left_overs import clear_left_overs, clear_work
from harness.results.locks import run_lock
from harness.results.store import finish_run
from harness.run.environment import describe_environment

SELECTED_ELSEWHERE = "by whoever made the files; what chose the epoch is not known here"
ORDERS = {
    "cosine": "by cosine in float32",
    "dot": "by plain product in float32",
    "given": "by the scores that were handed in",
}


@dataclass(frozen=True)
class Place:
    """Where rows are put."""

    results: Path
    suite: Suite
    located: Located
    split: Split  # that is scored
    others: Others

    @property
    def counts(self) -> dict[str, dict[str, int]]:
        """How many people, images and captions each split has."""
        splits = {**self.others(), self.split.name: self.split}
        return {name: splits[name].counts for name in SPLITS if name in splits}

    def path(self, name: str, seed: int) -> Path:
        """Return the folder of a row."""
        dataset = self.located.declaration.name
        return run_path(self.results, self.suite.name, dataset, name, FULL, seed)


def make_record(
    place: Place,
    about: About,
    handed: HandedIn,
    seed: int,
    command: str,
    encoder: Encoder | None = None,
) -> RunRecord:
    """Return what is known of a row before it is scored; of weights, with what encodes."""
    declaration = place.located.declaration
    order = str(PROTOCOL["order"]).replace(ORDERS["cosine"], ORDERS[handed.similarity])
    return RunRecord(
        status="ok",
        key=make_handed_key(handed, place.located.fingerprint, seed, encoder),
        suite=place.suite.name,
        dataset=declaration.name,
        method=about.name,
        variant=FULL,
        seed=seed,
        scale=place.suite.scale,
        title=about.title,
        summary=about.summary,
        paper=about.citation,
        url=about.link,
        extra_data=about.extra_data,
        supervision=about.supervision,
        recipe={"backbone": about.backbone} if about.backbone else {},
        protocol={**PROTOCOL, "order": order, "selection": SELECTED_ELSEWHERE},
        data={
            "title": declaration.title,
            "fingerprint": place.located.fingerprint,
            "drawn": declaration.drawn is not None,
            "note": declaration.note,
            "licence": declaration.licence,
            "url": declaration.url,
            "counts": place.counts,
        },
        environment=describe_environment(torch.device("cpu"), 1),
        command=command,
        suite_argument=place.suite.argument or place.suite.name,
        dataset_argument=declaration.argument,
        started=datetime.now(UTC).isoformat(timespec="seconds"),
        handed_in=handed,
    )


def refuse_taken(place: Place, records: Sequence[RunRecord], may_replace: bool) -> None:
    """Refuse rows that would stand in the place of others, or among those of other data.

    Raises:
        HarnessError: a place is taken; the message says by what, and what to do.
    """
    first = records[0]
    named = NamedGround(
        first.suite, first.dataset, first.scale, place.located.fingerprint,
        first.suite_argument, first.dataset_argument,
    )  # fmt: skip
    refuse_taken_grounds([named], place.results)
    of_name = [
        run.record
        for run in load_runs(place.results)
        if (run.record.suite, run.record.dataset) == (first.suite, first.dataset)
        and run.record.method.casefold() == first.method.casefold()
    ]
    for there in of_name:
        _refuse_mixture(first, there)
    by_seed = {there.seed: there for there in of_name}
    for record in records:
        other = by_seed.get(record.seed)
        if other and other.key != record.key and not may_replace:
            raise HarnessError(
                f"{record.name} seed {record.seed} is there already, from other files or settings "
                f"({other.started[:10]}): --replace puts this one in its place, and another --name "
                "beside it."
            )


def _refuse_mixture(record: RunRecord, there: RunRecord) -> None:
    """Refuse a row beside what has its name and is of another kind."""
    name, handed = record.method, record.handed_in
    if there.method != name or there.handed_in is None:
        what = "was trained here" if there.handed_in is None else "differs in case alone"
        raise HarnessError(f"{there.method} {what}: take another --name than {name}.")
    assert handed is not None
    if there.handed_in.seeded != handed.seeded:
        has = "seeds" if there.handed_in.seeded else "no seed"
        raise HarnessError(
            f"The rows of {name} that are there have {has}: `harness drop {name}` removes them."
        )


def is_there(place: Place, record: RunRecord) -> bool:
    """Tell whether this very row is there, with the same said of it."""
    there = read_record(place.path(record.method, record.seed))
    return there is not None and _said(there) == _said(record)


def _said(record: RunRecord) -> RunRecord:
    """Return a record without what differs from one call to the next."""
    return replace(record, started="", environment={}, command="", metrics={}, total_seconds=0.0)


def write_row(place: Place, record: RunRecord, scored: Scored, seconds: float) -> StoredRun:
    """Put a row in its place, whole or not at all.

    Raises:
        HarnessError: another process is at it.
    """
    path = place.path(record.method, record.seed)
    fingerprint = place.located.fingerprint
    digest = digest_path(place.results, record.suite, record.dataset, fingerprint)
    write_digest(place.located, digest)
    try:
        with run_lock(path, place.results).acquire(blocking=False):
            clear_left_overs(path)
            work = working_folder(path)
            with suppress(FileNotFoundError):
                clear_work(work)
            _write_scores(work, scored, place.split)
            means = (work / EVALUATIONS / PRIMARY_EVALUATION / MEANS).read_text(encoding="utf-8")
            record = replace(record, metrics=json.loads(means), total_seconds=seconds)
            finish_run(record, path)
    except Timeout as error:
        raise HarnessError(f"Another process is at {path} right now.") from error
    return StoredRun(record, path)


def _write_scores(work: Path, scored: Scored, split: Split) -> None:
    evaluations = work / EVALUATIONS
    write_evaluation(evaluations / PRIMARY_EVALUATION, scored.text_to_image, split)
    if scored.image_to_text is not None:
        write_evaluation(
            evaluations / REVERSE_EVALUATION, scored.image_to_text, split, query="image"
        )
    if scored.texts is not None and scored.images is not None:
        images, texts = torch.from_numpy(scored.images), torch.from_numpy(scored.texts)
        file = embeddings_path(work, split.fingerprint)
        write_embeddings(file, Embeddings(images, texts, 0.0, 0.0))
