"""Bundles taken into a results folder: `harness import-results`.

A bundle is unpacked beside its place and judged as a whole; only then its runs are put in place,
each by a rename under the lock of its run. A kill at any moment leaves what was there, and whole
runs; the next import removes what it left.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from filelock import Timeout

from harness.data.declaration import Located
from harness.data.digest import write_digest
from harness.files import (
    ALGORITHM,
    RETIRED,
    UNFINISHED,
    flush_folder,
    hash_file,
    may_be_alive,
    process_tag,
    put_in_place,
    read_table,
    write_json,
)
from harness.printable import printable
from harness.progress import Show
from harness.results import (
    EVALUATIONS,
    QUERIES,
    read_record,
)
from harness.results.checksums import CHECKSUMS
from harness.results.left_overs import clear_left_overs
from harness.results.locks import run_lock
from harness.results.origin import ORIGIN, Origin
from harness.submission.judging import Here, Judged, judge
from harness.submission.unpacking import Refused, unpack
from harness.verification.reading import read_json
from harness.verification.relevance import read_fingerprint

WORKSPACE = ".import."  # begins the name of the folder in which a bundle is unpacked


@dataclass
class Taken:
    """What became of the runs of a bundle, by their paths below the results."""

    by: str
    imported: list[str] = field(default_factory=list)
    known: list[str] = field(default_factory=list)  # here before, with the same rankings
    stale: int = 0  # runs that other code, settings or data made than those here
    unchecked: list[str] = field(default_factory=list)  # datasets that the bundle alone tells of


def import_bundle(
    source: Path, here: Here, replace: bool, show: Show = lambda what, done, total: None
) -> Taken:
    """Verify a bundle, a zip or a folder, and put its runs among the results.

    Args:
        replace: whether a run may take the place of another one.

    Raises:
        Refused: the message says why; nothing of the bundle was put in place.
        OSError: the disk does not take it; runs that are in place are whole.
    """
    with _workspace(here.results) as work:
        bundle = work / "bundle"
        bundle.mkdir()
        digest = unpack(source, bundle)
        judged = judge(bundle, here, show)
        new, known = _sort_out(judged, here.results, replace)
        unchecked = _place_digests(judged, here)
        origin = Origin(judged.manifest.by, digest, datetime.now(UTC).isoformat(timespec="seconds"))
        for number, path in enumerate(new):
            show("importing runs", number, len(new))
            _seal_origin(bundle / path, origin)
            _place(bundle / path, here.results, path, replace)
        show("importing runs", len(new), len(new))
    stale = {finding.path for finding in judged.stale}
    return Taken(judged.manifest.by, new, known, len(stale), unchecked)


@contextmanager
def _workspace(results: Path) -> Iterator[Path]:
    """Yield an empty folder on the disk of the results, which is removed afterwards."""
    for folder in (results, results.parent):
        _sweep(folder)
    base = next(folder for folder in (results, *results.absolute().parents) if folder.is_dir())
    work = base / f"{WORKSPACE}{process_tag()}{UNFINISHED}"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir()
    try:
        yield work
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _sweep(folder: Path) -> None:
    """Remove what killed imports of this machine left."""
    for left in folder.glob(f"{WORKSPACE}*{UNFINISHED}"):
        if not may_be_alive(left.name[len(WORKSPACE) : -len(UNFINISHED)]):
            shutil.rmtree(left, ignore_errors=True)


def _sort_out(judged: Judged, results: Path, replace: bool) -> tuple[list[str], list[str]]:
    """Return the paths of runs to import and of those that are here already.

    Raises:
        Refused: the place of one is taken, by another run or by a process that works on it.
    """
    new: list[str] = []
    known: list[str] = []
    for path in judged.records:
        _refuse_case(results, path)
        if not (results / path).parent.is_dir():
            new.append(path)
            continue
        with _locked(results, path):
            clear_left_overs(results / path)
            is_known = _is_known(judged.folder / path, results / path, path, replace)
        (known if is_known else new).append(path)
    return new, known


def _refuse_case(results: Path, path: str) -> None:
    """Refuse a path that differs from one of the results in case alone."""
    folder = results
    for part in path.split("/"):
        others = [entry.name for entry in folder.iterdir()] if folder.is_dir() else []
        for other in others:
            if other != part and other.casefold() == part.casefold():
                raise Refused(f"{path}: {part} differs from {printable(other)} in case alone")
        folder /= part


@contextmanager
def _locked(results: Path, path: str) -> Iterator[None]:
    try:
        with run_lock(results / path, results).acquire(blocking=False):
            yield
    except Timeout as error:
        raise Refused(f"{path} is being run here right now: import when it is done") from error


def _is_known(work: Path, place: Path, path: str, replace: bool) -> bool:
    """Tell whether a run is here with the same key and rankings.

    Raises:
        Refused: another run is in its place, and may not be replaced.
    """
    if not place.exists():
        return False
    difference = _difference(work, place)
    if difference and not replace:
        raise Refused(
            f"{path} is here already, and {difference}. --replace puts the bundle's in its place"
        )
    return not difference


def _difference(work: Path, place: Path) -> str:
    """Say in what the run here differs from the bundle's; its times and its machine may."""
    own, other = read_record(place), read_record(work)
    if own is None or other is None:
        return "cannot be read"
    if own.status != "ok":
        return f"is not finished: its status is {own.status}"
    if own.key != other.key:
        keys = f"{own.key[:12]}, not {other.key[:12]}"
        return f"was made by other code, settings or data (key {keys})"
    for evaluation in sorted((work / EVALUATIONS).iterdir()):
        rankings = place / EVALUATIONS / evaluation.name / QUERIES
        if not rankings.is_file():
            return f"lacks the evaluation {evaluation.name}"
        if read_table(rankings) != read_table(evaluation / QUERIES):
            return f"has other rankings in {evaluation.name}"
    return ""


def _place_digests(judged: Judged, here: Here) -> list[str]:
    """Put digests in place that are missing; return those that nothing here vouches for."""
    datasets = {located.fingerprint: located for located in here.datasets}
    unchecked = []
    for path in judged.digests:
        source, place = judged.folder / path, here.results / path
        if place.is_dir():
            continue
        place.parent.mkdir(parents=True, exist_ok=True)
        located = datasets.get(read_fingerprint(source))
        if not _write_own(located, place):
            flush_folder(source)
            put_in_place(source, place)
            flush_folder(place)
            unchecked.append(path)
    return unchecked


def _write_own(located: Located | None, place: Path) -> bool:
    """Write the digest of a dataset that is here; tell whether it is."""
    if located is None:
        return False
    write_digest(located, place)
    return True


def _seal_origin(run: Path, origin: Origin) -> None:
    """Say in a run's folder where it comes from, under its checksums."""
    write_json(run / ORIGIN, asdict(origin))
    checksums = read_json(run / CHECKSUMS)
    checksums[ALGORITHM][ORIGIN] = hash_file(run / ORIGIN)
    write_json(run / CHECKSUMS, checksums)


def _place(work: Path, results: Path, path: str, replace: bool) -> None:
    """Rename a run to its place; one that was there steps aside and is removed last."""
    place = results / path
    place.parent.mkdir(parents=True, exist_ok=True)
    flush_folder(work)
    with _locked(results, path):
        if _is_known(work, place, path, replace):
            return  # another process was first
        retired = place.with_name(place.name + RETIRED)
        if place.exists():
            place.rename(retired)
        put_in_place(work, place)
        flush_folder(place)
        shutil.rmtree(retired, ignore_errors=True)
