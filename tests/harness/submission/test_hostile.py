"""Bundles that are not what they say: each is one message, and nothing is written."""

from __future__ import annotations

import json
import os
import stat
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest

from harness.submission.unpacking import Refused

Call = Callable[..., Any]
Write = Callable[[zipfile.ZipFile], object]
Change = Callable[[Path], object]

RUN = "demo/small-dolls/glance/full/seed-0"
PRIMARY = f"{RUN}/evaluations/text-to-image"


def named(name: str, content: bytes = b"x") -> Write:
    """Return what adds a file of some name."""
    return lambda archive: archive.writestr(zipfile.ZipInfo(name), content)


def cut_by_a_zero(archive: zipfile.ZipFile) -> None:
    """Add a file whose name reads otherwise for what stops at a zero byte."""
    entry = zipfile.ZipInfo("x")
    entry.filename = f"{RUN}/highlights.json\x00.txt"
    archive.writestr(entry, b"{}")


def linked(archive: zipfile.ZipFile) -> None:
    """Add a symbolic link under a name that a submission has."""
    entry = zipfile.ZipInfo(f"{RUN}/highlights.json")
    entry.external_attr = (stat.S_IFLNK | 0o777) << 16
    archive.writestr(entry, "/etc/passwd")


def swelling(archive: zipfile.ZipFile) -> None:
    """Add two megabytes of zeros, packed to two kilobytes."""
    entry = zipfile.ZipInfo(f"{RUN}/highlights.json")
    archive.writestr(entry, b"0" * (2 << 20), zipfile.ZIP_DEFLATED)


def far_away(archive: zipfile.ZipFile) -> None:
    """Add a file that lies further on than any disk is large."""
    archive.writestr(zipfile.ZipInfo(f"{RUN}/highlights.json"), b"{}")
    archive.infolist()[-1].header_offset = 2**64 - 1


def oddly_packed(archive: zipfile.ZipFile) -> None:
    """Add a file in a packing that the harness never writes."""
    archive.writestr(zipfile.ZipInfo(f"{RUN}/highlights.json"), b"{}", zipfile.ZIP_LZMA)


def twice(archive: zipfile.ZipFile) -> None:
    """Add a record that is there already, which unpacking would take in its place."""
    with pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr(f"{RUN}/run.json", b"{}")


ENTRIES: dict[str, tuple[Write, str]] = {
    "a path that leads up": (named("../../evil.json"), "leads out"),
    "a path that leads up from a run": (named(f"{RUN}/../run.json"), "leads out"),
    "an absolute path": (named("/etc/cron.d/evil"), "leads out"),
    "a drive": (named("C:/evil.json"), "leads out"),
    "backslashes": (named("demo\\..\\evil.json"), "leads out"),
    "a link": (linked, "is a link"),
    "swelling": (swelling, "swells"),
    "a place that is nowhere": (far_away, "no whole zip"),
    "a strange packing": (oddly_packed, "is packed in a way"),
    "the same name twice": (twice, "is in it twice"),
    "an escape code": (named("demo/\x1b[2Jx/run.json"), "control characters"),
    "a zero byte": (cut_by_a_zero, "control characters"),
    "another spelling": (named(f"{RUN.replace('glance', 'GLANCE')}/run.json"), "in case alone"),
    "code": (named(f"{RUN}/weights/model.py"), "no file of a submission"),
    "a page": (named("index.html"), "no file of a submission"),
    "an origin of its own": (named(f"{RUN}/origin.json"), "no file of a submission"),
    "a hidden suite": (named(f".{RUN}/run.json"), "no file of a submission"),
    "a name that is too long": (named(f"{'x' * 300}/d/m/v/seed-0/run.json"), "no file of a"),
    "a left-over": (named("demo/d/m/v.unfinished/seed-0/run.json"), "no file of a submission"),
    "a run that is not listed": (named(f"{RUN[:-1]}7/run.json"), "lists other runs"),
    "huge JSON": (named(f"{RUN}/highlights.json", os.urandom(5 << 20)), "more than the"),
}


@pytest.mark.parametrize("case", ENTRIES)
def test_entries_that_no_bundle_has_are_refused(
    take: Call, bundle: Path, target: Path, tmp_path: Path, case: str
) -> None:
    """Added to a bundle that is in order otherwise."""
    write, message = ENTRIES[case]
    hostile = tmp_path / "hostile.zip"
    hostile.write_bytes(bundle.read_bytes())
    with zipfile.ZipFile(hostile, "a") as archive:
        write(archive)
    refuse(take, hostile, target, message)


def in_json(file: str, text: str) -> Change:
    """Return what writes other text into a file."""
    return lambda folder: (folder / file).write_text(text, encoding="utf-8")


def in_record(**changes: Any) -> Change:
    """Return what changes values of a run's record."""

    def change(folder: Path) -> None:
        file = folder / RUN / "run.json"
        values = json.loads(file.read_text(encoding="utf-8"))
        file.write_text(json.dumps({**values, **changes}), encoding="utf-8")

    return change


def other_protocol(folder: Path) -> None:
    """Say of all runs that they were scored under another protocol."""
    for file in folder.glob("demo/*/*/full/seed-*/run.json"):
        values = json.loads(file.read_text(encoding="utf-8"))
        file.write_text(json.dumps({**values, "protocol": {"version": 99}}), encoding="utf-8")


def in_rankings(folder: Path) -> None:
    """Move every right image to the first places, figures and all."""
    file = folder / PRIMARY / "queries.parquet"
    table = pyarrow.parquet.read_table(file)
    rows = table.to_pylist()
    for row in rows:
        row["hit_ranks"] = list(range(1, len(row["hit_ranks"]) + 1))
        row |= {"first_hit": 1, "average_precision": 1.0, "inverse_negative_penalty": 1.0}
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows, table.schema), file)
    perfect = dict.fromkeys(("r1", "r5", "r10", "map", "minp"), 100.0)
    (folder / PRIMARY / "metrics.json").write_text(json.dumps(perfect), encoding="utf-8")
    in_record(metrics=perfect)(folder)


def other_dataset(folder: Path) -> None:
    """Say of the rankings that count that they are of another dataset."""
    on = {"name": "easy", "fingerprint": "0" * 64}
    record = json.dumps({"key": "x", "on": on, "command": "harness evaluate"})
    (folder / PRIMARY / "evaluation.json").write_text(record, encoding="utf-8")


def other_people(folder: Path) -> None:
    """Tell in the digest that everyone is one person."""
    [digest] = folder.glob("demo/*/dataset-*")
    for name in ("queries", "gallery"):
        table = pyarrow.parquet.read_table(digest / f"{name}.parquet")
        at = table.schema.get_field_index("person_id")
        ones = pyarrow.array(np.ones(len(table), np.int64))
        pyarrow.parquet.write_table(
            table.set_column(at, "person_id", ones), digest / f"{name}.parquet"
        )


def shown_people(folder: Path) -> None:
    """Show captions of a dataset that does not let it."""
    [digest] = folder.glob("demo/*/dataset-*")
    table = pyarrow.parquet.read_table(digest / "queries.parquet")
    captions = pyarrow.array(["a woman in red"] * len(table))
    at = table.schema.get_field_index("caption")
    pyarrow.parquet.write_table(
        table.set_column(at, "caption", captions), digest / "queries.parquet"
    )


def many_values(folder: Path) -> None:
    """Make a history of twenty million equal values, which are small on disk."""
    table = pyarrow.table({"loss": np.zeros(20_000_000)})
    pyarrow.parquet.write_table(table, folder / RUN / "history.parquet")


def strange_column(folder: Path) -> None:
    """Add a column to the rankings that nobody would verify."""
    file = folder / PRIMARY / "queries.parquet"
    table = pyarrow.parquet.read_table(file)
    more = table.append_column("more", pyarrow.array(["x"] * len(table)))
    pyarrow.parquet.write_table(more, file)


def piped(folder: Path) -> None:
    """Put a pipe where a file should be."""
    os.mkfifo(folder / RUN / "highlights.json")


def linked_folder(folder: Path) -> None:
    """Put a link to a folder outside among the runs."""
    (folder / "demo" / "more").symlink_to("/etc")


FOLDERS: dict[str, tuple[Change, str]] = {
    "a tampered figure": (in_record(metrics={"r1": 99.0}), "the ranks give"),
    "tampered rankings": (in_rankings, "top_rows show other hits"),
    "rankings of another dataset": (other_dataset, "record of another evaluation"),
    "people of its own": (other_people, "other hits|hit_ranks for"),
    "a failed run": (in_record(status="error", metrics={}), "not finished"),
    "a skipped protocol": (other_protocol, "version 99 of the protocol"),
    "another key": (in_record(key="0" * 32), "another key"),
    "another method's name": (in_record(method="irra"), "record of another run"),
    "no record": (lambda folder: (folder / RUN / "run.json").unlink(), "run.json"),
    "no rankings": (lambda folder: (folder / PRIMARY / "queries.parquet").unlink(), "missing"),
    "not a number": (in_record(total_seconds=float("nan")), "NaN is no number"),
    "infinity in disguise": (in_json(f"{RUN}/highlights.json", '{"a": 1e999}'), "too large"),
    "a huge number": (in_json(f"{RUN}/highlights.json", f'{{"a": {2**70}}}'), "too large"),
    "deep JSON": (in_json(f"{RUN}/highlights.json", "[" * 100_000), "too deep|recursion"),
    "a name twice": (in_json(f"{RUN}/highlights.json", '{"a": 1, "a": 2}'), "twice"),
    "an escape code": (in_record(summary="\x1b[2J"), "control character"),
    "half a character": (in_record(summary="\ud800"), "control character"),
    "letters turned around": (in_record(title="\u202eevil"), "control character"),
    "captions that may not be shown": (shown_people, "whose licence"),
    "a history of millions": (many_values, "it says that it has 20,000,000 rows"),
    "a column of its own": (strange_column, "it has the columns"),
    "no table": (in_json(f"{PRIMARY}/queries.parquet", "PAR1"), "no whole Parquet file"),
    "no manifest": (lambda folder: (folder / "submission.json").unlink(), "has no submission.json"),
    "an odd manifest": (in_json("submission.json", "[]"), "schema version None"),
    "a later manifest": (in_json("submission.json", '{"schema_version": 2}'), "schema version 2"),
    "a pipe": (piped, "is a link or another thing"),
    "a linked folder": (linked_folder, "is a link or another thing"),
}


UNSEALED = {case for case in FOLDERS if "manifest" in case or case.startswith(("a pipe", "a link"))}


@pytest.mark.parametrize("case", FOLDERS)
def test_contents_that_no_run_has_are_refused(
    take: Call, unpacked: Path, reseal: Call, target: Path, case: str
) -> None:
    """Sealed again, as whoever forges a result would."""
    change, message = FOLDERS[case]
    change(unpacked)
    if case not in UNSEALED:
        reseal(unpacked)
    refuse(take, unpacked, target, message)


def test_people_of_its_own_are_refused_where_the_data_is_here(
    take: Call, unpacked: Path, target: Path
) -> None:
    """A digest that tells other people than the dataset has."""
    other_people(unpacked)
    with pytest.raises(Refused, match="other people or images"):
        take(unpacked, knows_data=True)
    assert not target.exists()


def test_what_was_changed_after_the_export_is_told(
    take: Call, unpacked: Path, target: Path
) -> None:
    """Damage on the way, not sealed again, names the file."""
    file = unpacked / RUN / "history.parquet"
    raw = bytearray(file.read_bytes())
    raw[40] ^= 1
    file.write_bytes(raw)
    refuse(take, unpacked, target, "history.parquet")


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"PK\x05\x06" + bytes(18), b"\x1f\x8b"])
def test_what_is_no_bundle_is_refused(
    take: Call, target: Path, tmp_path: Path, content: bytes
) -> None:
    """Nothing, half of something, an empty zip and another format."""
    file = tmp_path / "x.zip"
    file.write_bytes(content)
    refuse(take, file, target, "no zip|no submission.json")


def test_half_a_bundle_is_refused(take: Call, bundle: Path, target: Path, tmp_path: Path) -> None:
    """A download that was cut, and one in which a bit changed."""
    raw = bundle.read_bytes()
    cut, flipped = tmp_path / "cut.zip", tmp_path / "flipped.zip"
    cut.write_bytes(raw[: len(raw) // 2])
    refuse(take, cut, target, "no zip file")
    flipped.write_bytes(raw[:5000] + bytes([raw[5000] ^ 1]) + raw[5001:])
    refuse(take, flipped, target, "no whole zip file")


def test_a_list_of_millions_is_not_read(
    take: Call, bundle: Path, target: Path, tmp_path: Path
) -> None:
    """The end of a zip says how many files there are before the memory is filled with them."""
    raw = bytearray(bundle.read_bytes())
    end = raw.rfind(b"PK\x05\x06")
    raw[end + 8 : end + 12] = struct.pack("<HH", 60_000, 60_000)
    file = tmp_path / "many.zip"
    file.write_bytes(raw)
    refuse(take, file, target, "60,000 files")


def test_a_file_that_is_larger_than_it_says_is_refused(
    take: Call, bundle: Path, target: Path, tmp_path: Path
) -> None:
    """What is declared is checked against what comes out."""
    raw = bytearray(bundle.read_bytes())
    entry = raw.rfind(b"PK\x01\x02")
    raw[entry + 24 : entry + 28] = struct.pack("<I", 3)
    file = tmp_path / "lies.zip"
    file.write_bytes(raw)
    refuse(take, file, target, "no whole zip file|Refused")


def refuse(take: Call, source: Path, target: Path, message: str) -> None:
    """Expect one line, and not a file or folder of it left anywhere near."""
    with pytest.raises(Refused, match=message) as told:
        take(source)
    assert "\n" not in str(told.value)
    assert str(told.value).isprintable()
    assert not target.exists()
    near = [*target.parent.glob("*"), *target.parents[1].glob(".*")]
    assert [path for path in near if path.name not in ("results",)] == []
