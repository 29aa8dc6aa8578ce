"""Whether a bundle that was unpacked can be ranked beside what is here. No torch, nothing executed.

Everything is judged where it was unpacked; the results are read and not touched.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from harness.data.catalogue import read_catalogue
from harness.data.declaration import Located
from harness.data.digest import Digest, digest_path, read_digest
from harness.files import hash_file, list_files
from harness.plan.spec import READABLE_VERSIONS
from harness.printable import printable, refuse_unprintable
from harness.progress import Show
from harness.registry import Listing
from harness.results import RunRecord, StoredRun, load_runs, read_record
from harness.results.checksums import CHECKSUMS
from harness.submission.contents import check_table, read_strict
from harness.submission.layout import (
    DIGEST,
    LONGEST_NAME,
    MANIFEST,
    NEEDED,
    NEEDED_OF_DIGEST,
    RUN,
    SCHEMA_VERSION,
    Listed,
    Manifest,
    folders,
)
from harness.submission.unpacking import Refused
from harness.verification import Finding, Kind, Report, verify
from harness.verification.grounds import ALIKE

TOLD = 3  # problems that a refusal names
JPEG = b"\xff\xd8\xff"  # how its bytes begin


@dataclass(frozen=True)
class Here:
    """What a submission is compared with."""

    results: Path
    listings: Sequence[Listing]  # the methods
    datasets: Sequence[Located]


@dataclass(frozen=True)
class Judged:
    """A bundle that may be taken in."""

    folder: Path
    manifest: Manifest
    records: Mapping[str, RunRecord]  # by path below the bundle
    digests: tuple[str, ...]  # paths below it
    stale: tuple[Finding, ...]  # what was made by other code, settings or data than those here


def judge(folder: Path, here: Here, show: Show = lambda what, done, total: None) -> Judged:
    """Verify an unpacked bundle.

    Raises:
        Refused: a file is not what it should be, a figure does not follow from its ranks, ranks do
            not fit the dataset's people, or runs could not be compared with those that are here.
    """
    names = list_files(folder)
    manifest = _read_manifest(folder, folders(names, RUN))
    for name, file in names.items():
        _check_file(name, file)
    digests = folders(names, DIGEST)
    for path in digests:
        _check_digest(folder / path)
    report = verify(folder, here.listings, here.datasets, show, here.results)
    _refuse_problems(report)
    records = {listed.path: _read_run(folder / listed.path) for listed in manifest.runs}
    for listed in manifest.runs:
        _refuse_other(listed, records[listed.path])
    for path, record in records.items():
        _refuse_incomparable(path, record, here)
    if strange := set(digests) - set(_needed_digests(folder, records)):
        raise Refused(f"{min(strange)} is of a dataset that no run in it was made or tested on")
    stale = tuple(one for one in report.findings if one.kind is Kind.STALE)
    return Judged(folder, manifest, records, tuple(digests), stale)


def _read_manifest(folder: Path, runs: Sequence[str]) -> Manifest:
    """Read who submits what; the runs that are listed have to be those that are there."""
    values = read_strict(folder / MANIFEST)
    version = values.get("schema_version") if isinstance(values, Mapping) else None
    if version != SCHEMA_VERSION:
        raise Refused(
            f"{MANIFEST} has schema version {printable(str(version), 20)}; this harness reads "
            f"{SCHEMA_VERSION}"
        )
    try:
        by = values["by"]
        refuse_unprintable("the name of who submits", by, LONGEST_NAME)
        listed = tuple(Listed(**one) for one in values["runs"])
        same = sorted(one.path for one in listed) == list(runs)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise Refused(f"{MANIFEST} is none: {printable(str(error))}") from error
    if not same or not listed:
        raise Refused(f"{MANIFEST} lists other runs than the bundle holds")
    for one in listed:
        if hash_file(folder / one.path / CHECKSUMS) != one.sha256:
            raise Refused(f"{one.path}/{CHECKSUMS} was changed after the bundle was made")
    return Manifest(by, listed)


def _check_file(name: str, file: Path) -> None:
    try:
        if name.endswith(".json"):
            read_strict(file)
        elif name.endswith(".parquet"):
            check_table(file)
    except Refused as error:
        raise Refused(f"{printable(name)}: {error}") from error


def _check_digest(folder: Path) -> None:
    """Refuse a digest that tells what cannot be, or shows what this harness does not allow."""
    path = "/".join(folder.parts[-3:])
    missing = [name for name in NEEDED_OF_DIGEST if not (folder / name).is_file()]
    digest = None if missing else read_digest(folder)
    if digest is None:
        raise Refused(f"{path}: {f'lacks {missing[0]}' if missing else 'cannot be read'}")
    if not _is_consistent(digest):
        raise Refused(f"{path}: its captions do not fit its images")
    declared = read_catalogue().get(folder.parent.name)
    allowed = declared is not None and declared.thumbnails
    if not allowed and _shows(digest):
        raise Refused(
            f"{path}: shows captions or images of a dataset whose licence, as far as this harness "
            "knows, does not let it"
        )
    if any(one is not None and not one.startswith(JPEG) for one in digest.thumbnails):
        raise Refused(f"{path}: a thumbnail is no JPEG")


def _is_consistent(digest: Digest) -> bool:
    rows, images = digest.image_of_caption, len(digest.image_ids)
    if not len(rows) or not images or rows.dtype.kind != "i" or len(set(digest.image_ids)) < images:
        return False
    if rows.min() < 0 or rows.max() >= images:
        return False
    return bool(np.array_equal(digest.person_of_image[rows], digest.person_of_caption))


def _shows(digest: Digest) -> bool:
    shown = (*digest.captions, *digest.thumbnails)
    return digest.about.get("shown") is not False or any(one is not None for one in shown)


def _refuse_problems(report: Report) -> None:
    """Refuse what verifying finds wrong, and rankings that could not be checked."""
    unchecked = [
        one
        for one in report.findings
        if one.kind is Kind.NOT_SEALED
        or (one.kind is Kind.NOT_CHECKED and one.file.startswith("evaluations/"))
    ]
    if found := [*report.problems, *unchecked]:
        told = "; ".join(f"{one.path}: {one}" for one in found[:TOLD])
        more = f"; and {len(found) - TOLD} more" if len(found) > TOLD else ""
        raise Refused(f"{printable(told, 1000)}{more}")


def _needed_digests(folder: Path, records: Mapping[str, RunRecord]) -> Iterator[str]:
    """Yield the paths of the digests of all datasets that runs tell of."""
    for path, record in records.items():
        others = StoredRun(record, folder / path).further_evaluations().values()
        tested = {(record.dataset, str(record.data.get("fingerprint")))}
        for on in (one.on for one in others if one.on):
            tested.add((str(on.get("name")), str(on.get("fingerprint"))))
        for dataset, fingerprint in tested:
            place = digest_path(folder, record.suite, dataset, fingerprint)
            yield place.relative_to(folder).as_posix()


def _read_run(folder: Path) -> RunRecord:
    for name in NEEDED:
        if not (folder / name).is_file():
            raise Refused(f"{'/'.join(folder.parts[-5:])} lacks {name}")
    record = read_record(folder)
    assert record is not None  # it was verified
    return record


def _refuse_other(listed: Listed, record: RunRecord) -> None:
    """Refuse a run that is not finished, is another than the one listed, or has odd names."""
    if record.status != "ok":
        raise Refused(f"{listed.path} is not finished: its status is {record.status}")
    if record.key != listed.key:
        raise Refused(f"{listed.path} has another key than {MANIFEST} lists")
    version = record.protocol.get("version")
    if version not in READABLE_VERSIONS:
        known = ", ".join(map(str, READABLE_VERSIONS))
        raise Refused(
            f"{listed.path} was scored under version {version} of the protocol; this harness "
            f"reads {known}"
        )
    named = (record.suite, record.dataset, record.method, record.variant, record.title)
    try:
        for name in named:
            refuse_unprintable("the name", name, LONGEST_NAME)
    except ValueError as error:
        raise Refused(f"{listed.path}: {printable(str(error))}") from error


def _refuse_incomparable(path: str, record: RunRecord, here: Here) -> None:
    """Refuse a run on another content of a dataset that is here, or unlike those beside it."""
    fingerprint = str(record.data.get("fingerprint"))
    for located in here.datasets:
        if located.declaration.name == record.dataset and located.fingerprint != fingerprint:
            raise Refused(
                f"{path} was made on another content of {record.dataset} ({fingerprint[:12]}) "
                f"than the one that is here ({located.fingerprint[:12]}): its figures could not be "
                "compared"
            )
    place = record.suite, record.dataset
    if record.handed_in and record.method in {listing.name for listing in here.listings}:
        raise Refused(
            f"{path} is {record.mark} and has the name of a method that is here, whose runs are "
            "trained"
        )
    for stored in load_runs(here.results):
        other = stored.record
        if (other.suite, other.dataset) != place or other.status != "ok":
            continue
        if other.method == record.method and other.mark != record.mark:
            raise Refused(
                f"{path} is {record.mark or 'trained'}, and what has its name here is "
                f"{other.mark or 'trained'}"
            )
        for what, told in ALIKE.items():
            if told(other) != told(record):
                raise Refused(
                    f"{path} has another {what} ({_short(told(record))}) than the runs of "
                    f"{record.suite}/{record.dataset} that are here ({_short(told(other))})"
                )


def _short(value: Any) -> str:
    return printable(str(value), 12)
