"""Runs as they ship with the project: what ranks need, compactly, as plain results.

Of a run go along its record, history and audit, the ranked evaluation and the one of the epoch that
is best on test. Their tables lack what follows from the ranks of the hits and, but for one seed of
each method as published, the lists of first images. Of a digest go along all but the thumbnails,
which are drawn anew where they are shown.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet

from harness.data.catalogue import code_of_drawing
from harness.data.declaration import Located
from harness.data.digest import GALLERY, GALLERY_FILE, QUERIES_FILE, digest_path
from harness.errors import HarnessError
from harness.files import RETIRED, replace_folder, to_json, whole_folder
from harness.printable import printable
from harness.progress import Show
from harness.results import (
    EVALUATIONS,
    FULL,
    HISTORY,
    MEANS,
    PRIMARY_EVALUATION,
    QUERIES,
    RECORD,
    SELECTION_AUDIT,
    TEST_EVALUATION,
    StoredRun,
)
from harness.results.checksums import CHECKSUMS
from harness.results.query_table import FIRST_IMAGES, FOLLOWING
from harness.results.shipped import ABOUT, PROJECT, About, read_about
from harness.submission.bundle import TOLD, Bundle, Files, make_bundle
from harness.submission.checksums import Content, seal
from harness.submission.layout import NEEDED_OF_DIGEST
from harness.verification import verify
from harness.verification.checksums import read_left_out

EFFORT = 19  # of zstd, beyond which nothing gets smaller
SECONDS = "seconds"  # a column of histories
TIMES = (
    "total_seconds", "train_seconds", "image_milliseconds", "text_milliseconds",
    "images_per_second", "waiting_share",
)  # fmt: skip
# Numbers that hardly repeat: their bytes are set apart, lowest with lowest, before they are packed.
APART, STEPS = "BYTE_STREAM_SPLIT", "DELTA_BINARY_PACKED"
ENCODINGS = {
    "query_id": STEPS,
    "person_id": STEPS,
    "hit_ranks.list.element": APART,
    "top_rows.list.element": APART,
    "top_scores.list.element": APART,
}


def make_shipped(
    results: Path,
    runs: Sequence[StoredRun],
    datasets: Sequence[Located],
    show: Show = lambda what, done, total: None,
    times: bool = True,
) -> Bundle:
    """Gather runs as they ship, verified and cleaned as for a bundle, with ``about.json``.

    Without `times` nobody learns how long anything took, as if nobody had measured it: what else a
    machine did at the time says nothing of a method.

    Raises:
        HarnessError: a run is not in order or names a path of this machine, or there is none.
    """
    bundle = make_bundle(results, runs, datasets, show=show)
    stored = {run.path.relative_to(results).as_posix(): run for run in runs}
    chosen = {listed.path: stored[listed.path] for listed in bundle.runs}
    showing = _first_seeds(chosen)
    shipped = Bundle(runs=bundle.runs, left_out=bundle.left_out)
    for number, (path, run) in enumerate(chosen.items()):
        show("packing runs", number, len(chosen))
        own = _below(path, bundle.files)
        of_run = _pack_run(own if times else _without_times(own), path in showing)
        shipped.files |= {f"{path}/{name}": content for name, content in of_run.items()}
        digest = _digest_of(run)
        if f"{digest}/{ABOUT}" not in shipped.files:
            of_digest = pack_digest(_below(digest, bundle.files))
            shipped.files |= {f"{digest}/{name}": one for name, one in of_digest.items()}
    show("packing runs", len(chosen), len(chosen))
    about = _tell(list(chosen.values()), datasets)
    shipped.files[ABOUT] = to_json(asdict(about))
    return shipped


def write_shipped(files: Mapping[str, Content], out: Path, datasets: Sequence[Located]) -> None:
    """Write files as a folder, whole or not at all, in the place of what was exported there before.

    Raises:
        HarnessError: there is something else at `out`, or what was packed is not in order.
    """
    _refuse_place(out)
    fresh = out.with_name(f"{out.name}.new")
    shutil.rmtree(fresh, ignore_errors=True)
    with whole_folder(fresh) as folder:
        for name, content in files.items():
            place = folder / name
            place.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(content, Path):
                shutil.copyfile(content, place)
            else:
                place.write_bytes(content)
        if flaws := verify(folder, [], datasets).problems:
            told = "; ".join(f"{one.path}: {one}" for one in flaws[:TOLD])
            raise HarnessError(f"What was packed is not in order: {printable(told, 1000)}.")
    replace_folder(out, fresh, out.with_name(out.name + RETIRED))


def _refuse_place(out: Path) -> None:
    is_free = not out.exists() or (out.is_dir() and not any(out.iterdir()))
    if not is_free and (not out.is_dir() or read_about(out) is None):
        raise HarnessError(
            f"{out} is there and was not written by this export: name another folder with --out."
        )


def _first_seeds(runs: Mapping[str, StoredRun]) -> set[str]:
    """Return of each method as published the run whose first images pages show, by their paths."""
    first: dict[tuple[str, ...], str] = {}
    for path, run in sorted(runs.items(), key=lambda item: item[1].record.seed):
        record = run.record
        if record.variant == FULL:
            first.setdefault((record.suite, record.dataset, record.method), path)
    return {*first.values()}


def _below(folder: str, files: Files) -> Files:
    """Return the files below a folder, by their names from there."""
    prefix = f"{folder}/"
    return {name[len(prefix) :]: one for name, one in files.items() if name.startswith(prefix)}


def _pack_run(files: Files, shows: bool) -> Files:
    """Return what ships of a run's files, sealed; `shows` keeps the lists of first images."""
    packed: Files = {RECORD: files[RECORD]}
    packed |= {name: _pack(files[name]) for name in (HISTORY, SELECTION_AUDIT) if name in files}
    for evaluation in (PRIMARY_EVALUATION, TEST_EVALUATION):
        means, queries = (f"{EVALUATIONS}/{evaluation}/{name}" for name in (MEANS, QUERIES))
        if queries in files:
            lists = () if shows and evaluation == PRIMARY_EVALUATION else FIRST_IMAGES
            packed[means] = files[means]
            packed[queries] = _pack(files[queries], (*FOLLOWING, *lists))
    packed[CHECKSUMS] = seal(packed, read_left_out(json.loads(_bytes_of(files[CHECKSUMS]))))
    return packed


def _without_times(files: Files) -> Files:
    """Return the files of a run with no time in its record and none in its history."""
    record = json.loads(_bytes_of(files[RECORD]))
    timeless = {**files, RECORD: to_json(record | dict.fromkeys(TIMES, 0.0))}
    if HISTORY in files:
        timeless[HISTORY] = _pack(files[HISTORY], (SECONDS,))
    return timeless


def _digest_of(run: StoredRun) -> str:
    record = run.record
    fingerprint = str(record.data.get("fingerprint"))
    return digest_path(Path(), record.suite, record.dataset, fingerprint).as_posix()


def pack_digest(files: Files) -> Files:
    """Return a digest without its thumbnails."""
    packed = {name: files[name] for name in NEEDED_OF_DIGEST}
    gallery = _read(files[GALLERY_FILE])
    bare = pyarrow.nulls(len(gallery), GALLERY.field("thumbnail").type)
    place = gallery.schema.get_field_index("thumbnail")
    packed[GALLERY_FILE] = _write(gallery.set_column(place, "thumbnail", bare))
    packed[QUERIES_FILE] = _pack(files[QUERIES_FILE])
    return packed


def _pack(table: Content, without: Sequence[str] = ()) -> bytes:
    """Return a table without some columns, as small as it gets."""
    read = _read(table)
    return _write(read.drop_columns([name for name in without if name in read.column_names]))


def _read(table: Content) -> Any:
    source = table if isinstance(table, Path) else pyarrow.BufferReader(table)
    return pyarrow.parquet.read_table(source)


def _write(table: Any) -> bytes:
    """Return a table as Parquet, the same bytes for the same rows."""
    sink = pyarrow.BufferOutputStream()
    plain = table.replace_schema_metadata(None)
    known = {name: how for name, how in ENCODINGS.items() if _is_number(plain.schema, name)}
    pyarrow.parquet.write_table(
        plain, sink, compression="zstd", compression_level=EFFORT, use_dictionary=False,
        column_encoding=known or None, write_statistics=False, store_schema=False,
    )  # fmt: skip
    return bytes(sink.getvalue())


def _is_number(schema: Any, name: str) -> bool:
    """Tell whether a table has a column of numbers, or of lists of them, at a path."""
    column, *inner = name.split(".")
    if column not in schema.names:
        return False
    kind = schema.field(column).type
    kind = kind.value_type if inner and pyarrow.types.is_list(kind) else kind
    return bool(pyarrow.types.is_integer(kind) or pyarrow.types.is_floating(kind))


def _bytes_of(content: Content) -> bytes:
    return content.read_bytes() if isinstance(content, Path) else content


def _tell(runs: Sequence[StoredRun], datasets: Sequence[Located]) -> About:
    """Say what made runs, by their records, and what draws their datasets."""
    environments = [run.record.environment for run in runs]
    packages = [one.get("packages") or {} for one in environments]
    days = sorted(run.record.started[: len("2000-01-01")] for run in runs)
    prints = {str(run.record.data.get("fingerprint")) for run in runs}
    drawn = {one.fingerprint for one in datasets if one.declaration.drawn}
    return About(
        version=version(PROJECT),
        runs=len(runs),
        first=days[0],
        last=days[-1],
        machines=_distinct(one.get("device") for one in environments),
        torch=_distinct(one.get("torch") for one in packages),
        commits=_distinct(one.get("commit") for one in environments),
        drawing=dict.fromkeys(sorted(prints & drawn), code_of_drawing()),
    )


def _distinct(values: Any) -> tuple[str, ...]:
    return tuple(sorted({str(value) for value in values if value}))
