"""Finished runs as one file that a lab can send: `harness export`.

Equal runs give equal bytes: files stand in the order of their names, uncompressed (tables are
compressed themselves, and no two builds of zlib agree), with one time and one mode for all.
"""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.data.declaration import Located
from harness.data.digest import digest_path, write_digest
from harness.errors import HarnessError
from harness.files import process_tag, to_json
from harness.printable import printable
from harness.progress import Show
from harness.results import (
    EVALUATION,
    EVALUATIONS,
    HIGHLIGHTS,
    MEANS,
    QUERIES,
    RECORD,
    EvaluationRecord,
    StoredRun,
)
from harness.results.checksums import CHECKSUMS
from harness.results.crowd import CROWD, CURVE
from harness.results.crowd_index import INDEX, JUDGED
from harness.results.origin import read_origin
from harness.submission.checksums import Content, hash_content, seal, sums_left_out
from harness.submission.layout import (
    HEAVY,
    LONGEST_NAME,
    MANIFEST,
    NEEDED_OF_DIGEST,
    Listed,
    Manifest,
    limit_of,
)
from harness.submission.privacy import clean_record, find_paths
from harness.verification.relevance import Library
from harness.verification.runs import (
    verify_run,
)

Files = dict[str, Content]  # by name below the bundle, or below a run

FIRST_DAY = (1980, 1, 1, 0, 0, 0)  # that a zip can tell
MODE = 0o100644 << 16
BUFFER = 1 << 20
TOLD = 3  # flaws of a run that are told


@dataclass
class Bundle:
    """The files of a bundle, and what was not taken in."""

    files: Files = field(default_factory=dict)
    runs: list[Listed] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)  # in words


def make_bundle(
    results: Path,
    runs: Sequence[StoredRun],
    datasets: Sequence[Located],
    by: str = "",
    weights: bool = False,
    show: Show = lambda what, done, total: None,
) -> Bundle:
    """Gather runs with what a page needs of their datasets.

    Args:
        datasets: those that are here. A run may have been tested on one of them whose digest the
            results do not hold; it is then made.
        weights: whether weights and embeddings go along.

    Raises:
        HarnessError: a run is not in order or names a path of this machine, or there is none.
    """
    _refuse_name(by)
    bundle = Bundle()
    library = Library.open(results, datasets)
    own = [run for run in runs if read_origin(run.path) is None]
    if len(own) < len(runs):
        told = f"{len(runs) - len(own)} runs that others submitted: hand on their own bundles"
        bundle.left_out.append(told)
    for number, run in enumerate(own):
        show("checking runs", number, len(own))
        _refuse_flaws(results, run, library)
        _add_run(bundle, results, run, datasets, weights)
    show("checking runs", len(own), len(own))
    if not own:
        raise HarnessError("There is no run to hand on that was made here.")
    bundle.files[MANIFEST] = to_json(Manifest(by, tuple(bundle.runs)).as_json())
    return bundle


def write_bundle(files: Mapping[str, Content], out: Path) -> None:
    """Write files as a zip, whole or not at all.

    Raises:
        HarnessError: there is something else at `out`.
    """
    _refuse_place(out)
    out.parent.mkdir(parents=True, exist_ok=True)
    unfinished = out.with_name(f"{out.name}.{process_tag()}.tmp")
    try:
        with zipfile.ZipFile(unfinished, "w", zipfile.ZIP_STORED) as archive:
            for name in sorted(files):
                _write(archive, name, files[name])
        unfinished.replace(out)
    finally:
        unfinished.unlink(missing_ok=True)


def _refuse_name(by: str) -> None:
    if not by.isprintable() or len(by) > LONGEST_NAME:
        raise HarnessError(
            f"--by takes one line of at most {LONGEST_NAME} characters: who sends the runs, and "
            "how to reach them."
        )


def _refuse_place(out: Path) -> None:
    if not out.exists():
        return
    if out.is_file() and zipfile.is_zipfile(out):
        with zipfile.ZipFile(out) as archive:
            if MANIFEST in archive.namelist():
                return
    raise HarnessError(f"{out} is there and is no bundle of runs: name another file with --out.")


def _refuse_flaws(results: Path, run: StoredRun, library: Library) -> None:
    flaws = [one for one in verify_run(results, run.path, library).findings if one.is_problem]
    if flaws:
        told = "; ".join(map(str, flaws[:TOLD]))
        path = run.path.relative_to(results)
        raise HarnessError(
            f"{path} is not in order: {printable(told, 500)}. `harness verify` tells all."
        )


def _add_run(
    bundle: Bundle, results: Path, run: StoredRun, datasets: Sequence[Located], weights: bool
) -> None:
    path = run.path.relative_to(results).as_posix()
    record = run.record
    tested = {(record.dataset, str(record.data.get("fingerprint")))}
    files = _run_files(run.path, weights)
    if files.get(HIGHLIGHTS) and _tells_of_an_error(run.path / HIGHLIGHTS):
        del files[HIGHLIGHTS]  # with the traceback of this machine
    left_out = sums_left_out(run.path, files)
    sealed = seal(files, left_out)  # further evaluations have seals of their own
    for name, further in sorted(run.further_evaluations().items()):
        on = str(further.on.get("name", ""))
        if further.error is not None:
            bundle.left_out.append(f"{path}: {name}, which failed")
        elif on and not _find_digest(results, record.suite, on, further.on, datasets):
            bundle.left_out.append(f"{path}: {name}, whose dataset is not here")
        else:
            files |= _evaluation_files(run.path, name, _files_of(further))
            if on:
                tested.add((on, str(further.on.get("fingerprint"))))
    files[CHECKSUMS] = sealed
    for dataset, fingerprint in sorted(tested):
        bundle.files |= _digest_files(results, record.suite, dataset, fingerprint)
    _refuse_paths(path, files)
    bundle.files |= {f"{path}/{name}": content for name, content in files.items()}
    bundle.runs.append(Listed(path, record.key, hash_content(sealed)))


def _run_files(run: Path, weights: bool) -> Files:
    """Return the files of a run, but for its further evaluations, cleaned of what is private."""
    files: Files = {RECORD: _clean(run / RECORD)}
    places = [run, *(run / EVALUATIONS).iterdir()]
    for folder in [*places, *(run / part for part in HEAVY if weights and (run / part).is_dir())]:
        if (folder / EVALUATION).exists():
            continue
        for file in folder.iterdir():
            name = file.relative_to(run).as_posix()
            known = limit_of(f"s/d/m/v/seed-0/{name}") and file.name not in (CHECKSUMS, RECORD)
            if known and file.is_file():
                files[name] = file
    return files


def _files_of(further: EvaluationRecord) -> tuple[str, str]:
    """Return the files that hold what a further evaluation found."""
    if not further.crowd:
        return MEANS, QUERIES
    return (INDEX, JUDGED) if further.crowd.get("index") else (CROWD, CURVE)


def _evaluation_files(run: Path, name: str, of_kind: tuple[str, str]) -> Files:
    """Return the files of a further evaluation, sealed apart."""
    folder = run / EVALUATIONS / name
    files: Files = {EVALUATION: _clean(folder / EVALUATION)}
    files |= {file: folder / file for file in of_kind}
    files[CHECKSUMS] = seal(files, {})
    return {f"{EVALUATIONS}/{name}/{file}": content for file, content in files.items()}


def _clean(file: Path) -> Content:
    """Return a record without what is private: the file itself where there is nothing of it."""
    stored = json.loads(file.read_text(encoding="utf-8"))
    clean = clean_record(stored)
    return file if clean == stored else to_json(clean)


def _tells_of_an_error(file: Path) -> bool:
    values = json.loads(file.read_text(encoding="utf-8"))
    return not isinstance(values, Mapping) or "error" in values


def _find_digest(
    results: Path, suite: str, dataset: str, on: Mapping[str, Any], datasets: Sequence[Located]
) -> bool:
    """Tell whether the results hold the digest of a dataset, making it where the dataset is."""
    fingerprint = str(on.get("fingerprint"))
    place = digest_path(results, suite, dataset, fingerprint)
    here = [one for one in datasets if one.fingerprint == fingerprint]
    if here and not place.is_dir():
        write_digest(here[0], place)
    return place.is_dir()


def _digest_files(results: Path, suite: str, dataset: str, fingerprint: str) -> Files:
    place = digest_path(results, suite, dataset, fingerprint)
    missing = [name for name in NEEDED_OF_DIGEST if not (place / name).is_file()]
    if missing:
        raise HarnessError(
            f"The digest of {dataset} lacks {', '.join(missing)} in {place}: run something on it "
            "again, which writes it anew."
        )
    path = place.relative_to(results).as_posix()
    files: Files = {f"{path}/{name}": place / name for name in NEEDED_OF_DIGEST}
    _refuse_paths(path, {"about.json": place / "about.json"})
    return files


def _refuse_paths(path: str, files: Mapping[str, Content]) -> None:
    """Refuse JSON in which a path of this machine stands: nothing private leaves by accident."""
    for name, content in files.items():
        if not name.endswith(".json") or name.endswith(CHECKSUMS):
            continue
        raw = content.read_bytes() if isinstance(content, Path) else content
        if found := list(find_paths(json.loads(raw))):
            raise HarnessError(
                f"{path}/{name} names a path of this machine, which is not handed on: "
                f"{printable('; '.join(found[:TOLD]), 500)}. Run it again under a name that says "
                "nothing of it."
            )


def _write(archive: zipfile.ZipFile, name: str, content: Content) -> None:
    entry = zipfile.ZipInfo(name, FIRST_DAY)
    entry.external_attr, entry.create_system = MODE, 3
    if isinstance(content, bytes):
        archive.writestr(entry, content)
        return
    entry.file_size = content.stat().st_size
    with content.open("rb") as source, archive.open(entry, "w") as target:
        shutil.copyfileobj(source, target, BUFFER)
