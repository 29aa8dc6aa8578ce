"""The hash of an annotation: its form by hand, from the raw file and from what was imported."""

import hashlib
import json
import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest
from PIL import Image

from harness.data.annotation import hash_annotation
from harness.data.importing.layouts import BENCHMARKS, LAYOUTS

Call = Callable[..., Any]
Records = list[dict[str, Any]]

SMALL = {"train": (1, 2, 2), "val": (1, 2, 2), "test": (2, 4, 6)}
# What is odd of the originals: outer spaces, line breaks, letters beyond ASCII, quotes, several
# captions, an image that is listed again, and paths whose order is not that of their numbers.
RECORDS: Records = [
    {"split": "train", "file_path": "a/1.png", "id": 1, "captions": ["One."]},
    {"split": "train", "file_path": "a/2.png", "id": 1, "captions": ["Two."]},
    {"split": "val", "file_path": "v/1.png", "id": 9, "captions": [" Spaces around. "]},
    {"split": "val", "file_path": "v/2.png", "id": 9, "captions": ["A line\nbreak.\n"]},
    {"split": "test", "file_path": "t/9.png", "id": 12, "captions": ['A "red" Mädchen.', "b"]},
    {"split": "test", "file_path": "t/10.png", "id": 12, "captions": ["t\tab"]},
    {"split": "test", "file_path": "t/10.png", "id": 12, "captions": ["again, \u2028 so"]},
    {"split": "test", "file_path": "s/3.png", "id": 10, "captions": ["z", "a / b \\"]},
]
# Written by hand: one line a record, in order.
FORMS = {
    "val": '["v/1.png",9,[" Spaces around. "]]\n["v/2.png",9,["A line\\nbreak.\\n"]]\n',
    "test": (
        '["s/3.png",10,["z","a / b \\\\"]]\n'
        '["t/10.png",12,["again, \u2028 so"]]\n'
        '["t/10.png",12,["t\\tab"]]\n'
        '["t/9.png",12,["A \\"red\\" Mädchen.","b"]]\n'
    ),
}
HASHES = {split: hashlib.sha256(form.encode()).hexdigest() for split, form in FORMS.items()}


@pytest.fixture(autouse=True)
def known(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the benchmark be the small one, whose hashes are known but for train."""
    layout = replace(BENCHMARKS["cuhk-pedes"], official=SMALL, hashes=HASHES)
    for layouts in (BENCHMARKS, LAYOUTS):
        monkeypatch.setitem(layouts, "cuhk-pedes", layout)


def write_raw(folder: Path, records: Records) -> Path:
    """Write a folder as its authors publish it, with processed tokens, which are not hashed."""
    for number, record in enumerate(records):
        file = folder / "imgs" / record["file_path"]
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 24), (number, 0, 0)).save(file)
    told = [{**record, "processed_tokens": [["a"]]} for record in records]
    (folder / "reid_raw.json").write_text(json.dumps(told), encoding="utf-8")
    return folder


def imported(harness: Call, records: Records, folder: Path) -> tuple[str, dict[str, Any]]:
    """Import and audit records; return what the import says, and the verdict."""
    raw, out = write_raw(folder / "raw", records), folder / "cuhk-pedes"
    done = harness("data", "import", "cuhk-pedes", raw, "--out", out)
    assert done.returncode == 0, done.stderr
    audit = harness("data", "audit", out, "--json")
    assert audit.returncode == 0, audit.stderr
    return " ".join(done.stderr.split()), json.loads(audit.stdout)["verdict"]


def test_the_form_is_as_by_hand() -> None:
    """Paths, ids and captions as they are written, in order, whatever the order of the file."""
    for split, form in FORMS.items():
        records = [
            (record["file_path"], record["id"], record["captions"])
            for record in RECORDS
            if record["split"] == split
        ]
        for seed in range(5):
            random.Random(seed).shuffle(records)
            assert hash_annotation(records) == hashlib.sha256(form.encode()).hexdigest()


def test_the_same_annotation_is_official(harness: Call, tmp_path: Path) -> None:
    """The import prints the hash of each split of the user's file; the rows tell the same."""
    told, verdict = imported(harness, RECORDS[::-1], tmp_path)
    assert f"Annotation of val: SHA-256 {HASHES['val']}, that of CUHK-PEDES." in told
    assert f"Annotation of test: SHA-256 {HASHES['test']}, that of CUHK-PEDES." in told
    train = hash_annotation([("a/1.png", 1, ["One."]), ("a/2.png", 1, ["Two."])])
    assert f"train: SHA-256 {train}, that of CUHK-PEDES is not known." in told
    assert verdict["status"] == "official"
    assert verdict["annotation"] == HASHES
    shown = harness("data", "audit", tmp_path / "cuhk-pedes")
    assert "in train the official numbers of people" in " ".join(shown.stdout.split())


def changed(number: int, **values: Any) -> Records:
    """Return the records of which one is changed."""
    return [{**record, **(values if n == number else {})} for n, record in enumerate(RECORDS)]


@pytest.mark.parametrize(
    "records",
    [
        changed(4, captions=['A "red" Mädchen.', "z"]),  # captions are swapped between people
        changed(2, captions=["Spaces around."]),
        [{**record, "id": 8 if record["id"] == 9 else record["id"]} for record in RECORDS],
        changed(7, file_path="s/4.png"),
        changed(4, captions=["b", 'A "red" Mädchen.']),
    ],
    ids=["shuffled", "stripped", "id", "path", "order of captions"],
)
def test_anything_else_with_the_same_counts_is_not(
    records: Records, harness: Call, tmp_path: Path
) -> None:
    """The verdict names the split; the import shows both hashes."""
    told, verdict = imported(harness, records, tmp_path)
    assert "not that of CUHK-PEDES, " in told
    assert verdict["status"] == "not official"
    assert "another annotation than CUHK-PEDES" in verdict["reason"]
    assert verdict["annotation"] == {}


def test_edited_rows_are_not_official(harness: Call, tmp_path: Path) -> None:
    """The hash is that of the rows, whatever the folder's other files say."""
    imported(harness, RECORDS, tmp_path)
    [file] = (tmp_path / "cuhk-pedes").glob("test-*.parquet")
    rows = pyarrow.parquet.read_table(file)
    captions = rows.column("captions").to_pylist()
    edited = rows.set_column(
        rows.column_names.index("captions"), rows.field("captions"), [captions[::-1]]
    )
    pyarrow.parquet.write_table(edited, file)
    audit = harness("data", "audit", tmp_path / "cuhk-pedes", "--json")
    assert json.loads(audit.stdout)["verdict"]["status"] == "not official"


def test_the_shipped_hashes_are_hashes() -> None:
    """Of splits that there are, and none of what is not known."""
    shipped = {name: dict(layout.hashes) for name, layout in BENCHMARKS.items()}
    assert {name for name, hashes in shipped.items() if hashes} == {"cuhk-pedes"}
    assert set(shipped["cuhk-pedes"]) == {"val", "test"}
