"""From raw folders, whole and broken, to Parquet."""

import csv
import json
import os
import shutil
import signal
import struct
import subprocess
import sys
import threading
import time
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest
from PIL import Image

from harness.data.auditing.examination import examine
from harness.data.catalogue import find_declaration, locate
from harness.data.importing import write
from harness.data.importing.benchmarks import read_layout
from harness.data.importing.layouts import BENCHMARKS, Layout
from harness.data.importing.own_tables import read_table
from harness.data.importing.records import count_records
from harness.data.importing.rehearsal import write_rehearsal
from harness.data.importing.split_tables import read_split_table
from harness.data.importing.write import Source, write_dataset
from harness.data.loading import load_split
from harness.errors import HarnessError

from .image_files import STORED, turned

SMALL = {
    "cuhk-pedes": {"train": (8, 24, 66), "val": (3, 9, 20), "test": (3, 9, 26)},
    "icfg-pedes": {"train": (8, 24, 24), "test": (3, 9, 9)},
    "rstpreid": {"train": (8, 24, 48), "val": (3, 9, 18), "test": (3, 9, 18)},
}
SOURCE = Source("cuhk-pedes", "CUHK-PEDES", licensed=True)
IMPORT = """
import sys
from pathlib import Path

from harness.data.auditing.examination import examine
from harness.data.importing import write
from harness.data.importing.own_tables import read_table

write.SHARD_BYTES = 1
write.write_dataset(
    read_table(Path(sys.argv[1])), Path(sys.argv[2]), write.Source("custom", "", False),
    lambda what, done, total: print(done, flush=True),
)
"""


def small(name: str) -> Layout:
    """Return a benchmark's layout with the counts of a small one."""
    return replace(
        BENCHMARKS[name], official=SMALL[name], withdrawn={}, validation_people=2 * ("icfg" in name)
    )


@pytest.fixture(scope="module")
def originals(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folders laid out as the three benchmarks."""
    folder = tmp_path_factory.mktemp("originals")
    for name in BENCHMARKS:
        write_rehearsal(small(name), folder / name)
    return folder


@pytest.fixture
def raw(originals: Path, tmp_path: Path) -> Path:
    """Return a folder like CUHK-PEDES', to be broken."""
    return Path(shutil.copytree(originals / "cuhk-pedes", tmp_path / "raw"))


def annotations(raw: Path) -> list[dict[str, Any]]:
    """Return the records of a folder like CUHK-PEDES'."""
    found: list[dict[str, Any]] = json.loads((raw / "reid_raw.json").read_text("utf-8"))
    return found


def run(name: str, raw: Path, out: Path) -> bool:
    """Import a folder."""
    return write_dataset(read_layout(small(name), raw, False, False), out, SOURCE)


@pytest.mark.parametrize("name", BENCHMARKS)
def test_a_folder_becomes_a_dataset(name: str, originals: Path, tmp_path: Path) -> None:
    """Captions, people and the bytes of images are those of the folder."""
    layout = small(name)
    assert run(name, originals / name, tmp_path / "out")
    [file] = [originals / name / file for file in layout.annotations[:1]]
    records = json.loads(file.read_text("utf-8"))
    written = {
        row["source_path"]: row
        for part in (tmp_path / "out").glob("*.parquet")
        for row in pyarrow.parquet.read_table(part).to_pylist()
    }
    assert len(written) == len(records)
    for record in records:
        row = written[record[layout.path_key]]
        assert row["captions"] == record["captions"]
        assert row["person_id"] == record["id"]
        encoded = (originals / name / "imgs" / record[layout.path_key]).read_bytes()
        assert row["image"]["bytes"] == encoded
        assert (row["camera"] is None) == (name != "rstpreid")


@pytest.mark.parametrize("name", BENCHMARKS)
def test_what_was_imported_loads(name: str, originals: Path, tmp_path: Path) -> None:
    """All splits load with the counts of the folder; captions are cleaned only there."""
    run(name, originals / name, tmp_path / name)
    located = locate(find_declaration(str(tmp_path / name)))
    splits = {split: load_split(located, split) for split in ("train", "val", "test")}
    found = {split: tuple(of.counts.values()) for split, of in splits.items()}
    official = SMALL[name]
    assert found["test"] == official["test"]
    if name == "icfg-pedes":
        assert found["val"][0] == 2
        whole = tuple(a + b for a, b in zip(found["train"], found["val"], strict=True))
        assert whole == official["train"]
        assert not {*splits["val"].person_of_image} & {*splits["train"].person_of_image}
    else:
        assert found == official


def test_the_validation_people_stay_the_same(originals: Path) -> None:
    """They are drawn by a fixed seed, whatever the order of the records."""
    layout, raw = small("icfg-pedes"), originals / "icfg-pedes"
    records = read_layout(layout, raw, False, False)
    again = read_layout(layout, raw, False, False)
    people = {record.person for record in records if record.split == "val"}
    assert people == {record.person for record in again if record.split == "val"}
    assert count_records(records)["val"][0] == 2


def test_a_second_import_does_nothing(raw: Path, tmp_path: Path) -> None:
    """The files stay untouched; another content in their place is refused."""
    out = tmp_path / "out"
    assert run("cuhk-pedes", raw, out)
    before = {file: file.stat().st_mtime_ns for file in out.iterdir()}
    assert not run("cuhk-pedes", raw, out)
    assert {file: file.stat().st_mtime_ns for file in out.iterdir()} == before
    records = annotations(raw)
    records[0]["captions"][0] = "Another caption."
    (raw / "reid_raw.json").write_text(json.dumps(records))
    with pytest.raises(HarnessError, match="is there already and holds something else"):
        run("cuhk-pedes", raw, out)
    assert {file: file.stat().st_mtime_ns for file in out.iterdir()} == before


def test_the_hub_is_told_of_the_splits(raw: Path, tmp_path: Path) -> None:
    """The card names the files of each, and that the images are licensed."""
    run("cuhk-pedes", raw, tmp_path / "out")
    import yaml

    head, body = (tmp_path / "out" / "README.md").read_text("utf-8").split("---\n")[1:]
    assert yaml.safe_load(head)["configs"][0]["data_files"] == [
        {"split": "train", "path": "train-*.parquet"},
        {"split": "validation", "path": "val-*.parquet"},
        {"split": "test", "path": "test-*.parquet"},
    ]
    assert "keep this copy private" in body


def test_a_killed_import_goes_on(tmp_path: Path) -> None:
    """Shards that were finished are kept; the result is that of an import in one piece."""
    table = custom_table(tmp_path / "raw", people=120)
    out, whole = tmp_path / "out", tmp_path / "whole"
    process = subprocess.Popen(
        [sys.executable, "-c", IMPORT, str(table), str(out)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    while int(process.stdout.readline()) < 20:
        time.sleep(0)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert not out.exists()
    kept = {
        file.name: file.stat().st_mtime_ns for file in (tmp_path / ".out.importing").glob("*.parq*")
    }
    assert len(kept) >= 19
    for place in (out, whole):
        done = subprocess.run([sys.executable, "-c", IMPORT, str(table), str(place)], check=False)
        assert done.returncode == 0
    times = {file.stat().st_mtime_ns for file in out.glob("*.parquet")}
    assert len(set(kept.values()) & times) >= len(kept) - 1  # one was being written
    assert not (tmp_path / ".out.importing").exists()
    files = sorted(file.name for file in whole.iterdir())
    assert files == sorted(file.name for file in out.iterdir())
    assert all((out / name).read_bytes() == (whole / name).read_bytes() for name in files)


# Tables of one's own.


def custom_table(folder: Path, people: int = 4, kind: str = "csv") -> Path:
    """Write a table of drawn squares: two images a person, two captions an image."""
    folder.mkdir()
    rows = []
    for person in range(people):
        split = ("train", "train", "val", "test")[person % 4]
        for image in range(2):
            name = f"p{person}-{image}.png"
            Image.new("RGB", (8, 24), (person, image, 0)).save(folder / name)
            rows += [
                {
                    "image": name, "split": split, "person": f"Ann {person}",
                    "caption": f'A "person", {person} of {image}\nand {caption}',
                }
                for caption in range(2)
            ]  # fmt: skip
    file = folder / f"people.{kind}"
    if kind == "json":
        file.write_text(json.dumps(rows))
    elif kind in ("jsonl", "ndjson"):
        file.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    elif kind == "parquet":
        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), file)
    else:
        delimiter = "\t" if kind == "tsv" else ","
        with file.open("w", newline="", encoding="utf-8") as handle:
            names = ["image", "caption", "person", "split"]
            writer = csv.DictWriter(handle, names, delimiter=delimiter)
            writer.writeheader()
            writer.writerows(rows)
    return file


@pytest.mark.parametrize("kind", ["csv", "tsv", "json", "jsonl", "ndjson", "parquet"])
def test_a_table_of_ones_own(kind: str, tmp_path: Path) -> None:
    """Rows of an image become one; people may have any names; quotes and line breaks survive."""
    records = read_table(custom_table(tmp_path / "raw", kind=kind))
    assert count_records(records) == {"train": (2, 4, 8), "val": (1, 2, 4), "test": (1, 2, 4)}
    assert records[0].captions == (
        'A "person", 0 of 0\nand 0',
        'A "person", 0 of 0\nand 1',
    )
    assert len({record.person for record in records}) == 4


def spelt_table(folder: Path, *rows: tuple[str, str, str]) -> Path:
    """Write a table of (image, person, split), and two images: imgs/a/0.png and imgs/b/1.png."""
    for name in ("a/0.png", "b/1.png"):
        (folder / "imgs" / name).parent.mkdir(parents=True)
        Image.new("RGB", (8, 24)).save(folder / "imgs" / name)
    (folder / "link").symlink_to("imgs/b")
    (folder / "same.png").symlink_to("imgs/a/0.png")
    file = folder / "people.csv"
    lines = [f"{image},A man {n}.,{who},{split}\n" for n, (image, who, split) in enumerate(rows)]
    file.write_text("".join(["image,caption,person,split\n", *lines]), encoding="utf-8")
    return file


SPELLINGS = ("./imgs/a/0.png", "imgs//a/0.png", "imgs/b/../a/0.png", "link/../a/0.png", "same.png")


def test_a_file_is_one_image_however_it_is_spelt(tmp_path: Path) -> None:
    """Its rows are its captions, and it is known by the shortest path to it."""
    rows = [(spelling, "Ann", "test") for spelling in (*SPELLINGS, str(tmp_path / SPELLINGS[0]))]
    records = read_table(spelt_table(tmp_path, *rows, ("imgs/b/1.png", "Bob", "test")))
    assert [record.image_id for record in records] == ["imgs/a/0.png", "imgs/b/1.png"]
    assert [record.source for record in records] == ["imgs/a/0.png", "imgs/b/1.png"]
    assert records[0].captions == tuple(f"A man {n}." for n in range(len(rows)))


def test_what_only_looks_like_one_file_is_two(tmp_path: Path) -> None:
    """Behind a link, ".." leads to where the link points."""
    file = spelt_table(tmp_path, ("0.png", "Ann", "test"), ("link/../0.png", "Bob", "test"))
    for folder in (tmp_path, tmp_path / "imgs"):
        Image.new("RGB", (8, 24)).save(folder / "0.png")
    records = read_table(file)
    assert [record.image_id for record in records] == ["0.png", "link/../0.png"]


@pytest.mark.parametrize("spelling", ["imgs/a/0.png", *SPELLINGS])
@pytest.mark.parametrize(
    ("person", "split", "message"),
    [
        ("Bob", "test", "line 3: .* shows another person than in people.csv, line 2"),
        ("Bob", "train", "line 3: .* shows another person than in people.csv, line 2"),
        ("Ann", "train", r"line 3: .* is in train, and in test \(people.csv, line 2\)"),
    ],
)
def test_a_file_is_of_one_person_in_one_split(
    spelling: str, person: str, split: str, message: str, tmp_path: Path
) -> None:
    """However it is spelt."""
    rows = ("imgs/a/0.png", "Ann", "test"), (spelling, person, split)
    with pytest.raises(HarnessError, match=message):
        read_table(spelt_table(tmp_path, *rows))


# Images that decoding changes.


def lay(file: Path) -> None:
    """Store an image lying, with metadata that say so."""
    with Image.open(file) as upright:
        upright.transpose(STORED[6]).save(file, exif=turned(6))


def test_what_is_converted_is_kept_beside_the_rows(tmp_path: Path) -> None:
    """By split and id, through a stop between shards; the images stay the bytes they were."""
    table = custom_table(tmp_path / "raw", people=8)
    for name in ("p0-0.png", "p3-1.png", "p7-0.png"):
        lay(table.parent / name)
    lying = (table.parent / "p3-1.png").read_bytes()
    (table.parent / "p6-1.png").write_bytes(b"no image")
    out = tmp_path / "out"
    call = [sys.executable, "-c", IMPORT, str(table), str(out)]
    whole = subprocess.run(call, capture_output=True, text=True, check=False)
    assert "1 broken images" in whole.stderr
    work = tmp_path / ".out.importing"
    assert not work.exists()
    (table.parent / "p6-1.png").write_bytes(lying)
    assert subprocess.run(call, check=False).returncode == 0
    ids = ["p0-0.png", "p6-1.png", "p3-1.png", "p7-0.png"]
    splits = ["train", "val", "test", "test"]
    assert write.read_converted(out) == [
        {"split": split, "image_id": name, "by": ["turned upright"]}
        for split, name in zip(splits, ids, strict=True)
    ]
    rows = pyarrow.parquet.read_table(sorted(out.glob("test*.parquet"))).to_pylist()
    assert lying in [row["image"]["bytes"] for row in rows]


def test_a_stopped_import_remembers_what_is_converted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was checked before the stop is told at the end; a shard without that is checked anew."""
    table = custom_table(tmp_path / "raw", people=8)
    lay(table.parent / "p0-0.png")
    monkeypatch.setattr(write, "SHARD_BYTES", 1)
    source = Source("custom", "", licensed=False)

    class Stopped(Exception):
        pass

    def stop(what: str, done: int, total: int) -> None:
        if done > 4:
            raise Stopped

    with pytest.raises(Stopped):
        write_dataset(read_table(table), tmp_path / "out", source, stop)
    kept = sorted((tmp_path / ".out.importing").glob("*.parquet"))
    assert len(kept) >= 4
    kept[0].with_suffix(".json").unlink()  # as versions left it that told nothing
    assert write_dataset(read_table(table), tmp_path / "out", source)
    [one] = write.read_converted(tmp_path / "out")
    assert one["image_id"] == "p0-0.png"


def test_the_commands_tell_what_is_converted(
    harness: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    """Import, again when it does nothing, and audit: how many and by what; ten are named."""
    table = custom_table(tmp_path / "raw", people=12)
    for file in sorted(table.parent.glob("*.png"))[:11]:
        lay(file)
    call = ("data", "import", "custom", table, "--out", tmp_path / "mine")
    for done in (harness(*call), harness(*call), harness("data", "audit", tmp_path / "mine")):
        assert done.returncode == 0, done.stderr
        told = " ".join(done.stderr.split())
        assert "Images that are converted as they are decoded: 11 (11 turned upright)." in told
        assert told.count("Converted: ") == 10
        assert "Converted: train, p0-0.png: turned upright" in told
        assert "1 more is converted; " in told
    audit = harness("data", "audit", tmp_path / "mine", "--json")
    converted = json.loads(audit.stdout)["converted_images"]
    assert converted == write.read_converted(tmp_path / "mine")


# What is refused.

Break = Callable[[Path], None]


def edited(change: Callable[[list[Any]], object]) -> Break:
    """Change the records of a folder."""

    def apply(raw: Path) -> None:
        records = annotations(raw)
        change(records)
        (raw / "reid_raw.json").write_text(json.dumps(records), encoding="utf-8")

    return apply


def record(**changes: Any) -> Break:
    """Change values of record 5."""
    return edited(lambda records: records[5].update(changes))


def image(content: bytes | Callable[[bytes], bytes], number: int = 5) -> Break:
    """Change the image file of a record."""

    def apply(raw: Path) -> None:
        file = raw / "imgs" / annotations(raw)[number]["file_path"]
        changed = content if isinstance(content, bytes) else content(file.read_bytes())
        file.write_bytes(changed)

    return apply


def replaced_by(make: Callable[[Path], object]) -> Break:
    """Put something else in the place of the image file of record 5."""

    def apply(raw: Path) -> None:
        file = raw / "imgs" / annotations(raw)[5]["file_path"]
        file.unlink()
        make(file)

    return apply


def text(content: bytes | Callable[[bytes], bytes]) -> Break:
    """Change the bytes of the annotations."""

    def apply(raw: Path) -> None:
        file = raw / "reid_raw.json"
        changed = content if isinstance(content, bytes) else content(file.read_bytes())
        file.write_bytes(changed)

    return apply


def without(key: str) -> Break:
    """Drop a key of record 5."""
    return edited(lambda records: records[5].pop(key))


def png(width: int, height: int) -> bytes:
    """Return a small PNG file that claims to have so many pixels."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = (b"IHDR", header), (b"IDAT", zlib.compress(b"\0" * 1000)), (b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in parts
    )


CORRUPTIONS: dict[str, tuple[Break, str]] = {
    "truncated JPEG": (image(lambda data: data[: len(data) // 2]), "record 5, .*truncated"),
    "empty image": (image(b""), "record 5, .*it is empty"),
    "a text for an image": (image(b"not an image"), "record 5, .*none of JPEG, PNG, BMP"),
    "short GIF": (image(b"GIF89a\1\0\1\0\0\0\0;"), "record 5, .*it begins as GIF does"),
    "zip-bomb PNG": (image(png(30_000, 30_000)), "record 5, .*more than 50,000,000 pixels"),
    "large PNG": (image(png(9_000, 6_000)), "record 5, .*9000 x 6000 pixels"),
    "short PNG": (image(png(100, 100)), "record 5, .*cannot be decoded"),
    "one pixel missing in PNG data": (image(png(20, 20)), "record 5, .*cannot be decoded"),
    "missing image": (replaced_by(lambda file: None), "record 5: there is no image"),
    "folder for an image": (replaced_by(lambda file: file.mkdir()), "record 5: .*is not a file"),
    "fifo for an image": (replaced_by(os.mkfifo), "record 5: .*is not a file"),
    "link out of the folder": (
        replaced_by(lambda file: file.symlink_to("/etc/hostname")),
        "record 5: .*leads out of .* through a link. Images lie in .*; --follow-links takes",
    ),
    "link in a circle": (
        replaced_by(lambda file: file.symlink_to(file.name)), "record 5: there is no image"
    ),
    "path outside the folder": (
        record(file_path="../reid_raw.json"), "record 5: .*leads out of"
    ),
    "absolute path": (record(file_path="/etc/passwd"), "record 5: .*leads out of"),
    "no path": (record(file_path=""), "record 5: the image's path is ''"),
    "path is a number": (record(file_path=7), "record 5: the image's path is 7"),
    "path with a null": (record(file_path="a\0b.jpg"), "record 5: .*character that is none"),
    "missing key": (without("captions"), "record 5: no 'captions'; it has split"),
    "missing id": (without("id"), "record 5: no 'id'"),
    "record is a list": (
        edited(lambda records: records.__setitem__(5, [])), "record 5 has to be an object"
    ),
    "record is null": (
        edited(lambda records: records.__setitem__(5, None)), "record 5 has to be an object"
    ),
    "unknown split": (record(split="Train"), "record 5: split 'Train' is none of train, val, test"),
    "split is null": (record(split=None), "record 5: split None"),
    "id is a text": (record(id="17"), "record 5: id '17' is not a number"),
    "id is negative": (record(id=-1), "record 5: id -1"),
    "id is true": (record(id=True), "record 5: id True"),
    "id is huge": (record(id=2**70), "record 5: id 11805"),
    "id gap": (
        edited(lambda records: [one.update(id=900) for one in records if one["id"] == 4]),
        "numbered from 1 without a gap, and person 4 is missing. With --unofficial",
    ),
    "ids from 0": (
        edited(lambda records: [one.update(id=one["id"] - 1) for one in records]),
        "numbered from 1 without a gap, and here from 0. With --unofficial",
    ),
    "person in two splits": (
        edited(lambda records: records[-1].update(id=1)), "person 1 is in test, and in train"
    ),
    "empty caption": (record(captions=["A man.", " \n "]), "record 5: caption 1 is ' .n ', not"),
    "no captions": (record(captions=[]), "record 5: captions have to be a list of texts"),
    "captions are a text": (record(captions="A man."), "record 5: captions have to be a list"),
    "caption is null": (record(captions=[None]), "record 5: caption 0 is None"),
    "endless caption": (record(captions=["a" * 20_000]), "record 5: caption 0 has 20000"),
    "half a character": (record(captions=["\ud800"]), "record 5: caption 0 holds a character"),
    "duplicate record": (
        edited(lambda records: records.append(dict(records[5]))), "repeats .*record 5"
    ),
    "one image, two people": (
        edited(lambda records: records.append({**records[5], "id": 7, "captions": ["New."]})),
        "repeats .*record 5",
    ),
    "wrong counts": (edited(lambda records: records.pop(5)), "is not official: train has .* 23 im"),
    "no test split": (
        edited(lambda records: [one.update(split="val") for one in records[-9:]]),
        "is not official: .*test has nothing",
    ),
    "not JSON": (text(lambda data: data[:-100]), "reid_raw.json is not JSON: .* line 1 column"),
    "empty annotations": (text(b""), "reid_raw.json is not JSON"),
    "an object for a list": (text(b'{"train": []}'), "has to be a list of records, it is an obj"),
    "Latin-1 bytes": (
        text(lambda data: data.replace(b"A ", "Müller ".encode("latin-1"), 1)), "is not UTF-8: byte"
    ),
    "deep nesting": (text(b"[" * 200_000), "reid_raw.json is not JSON"),
    "no annotations": (
        lambda raw: (raw / "reid_raw.json").unlink(),
        "there is no reid_raw.json or .* in .*there is imgs. .*Whom to ask",
    ),
    "no images": (lambda raw: shutil.rmtree(raw / "imgs"), "there is no folder .*imgs with"),
}  # fmt: skip


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_a_broken_folder_is_refused(name: str, raw: Path, tmp_path: Path) -> None:
    """With one message that names the record, and nothing is left half-written."""
    apply, message = CORRUPTIONS[name]
    apply(raw)
    with pytest.raises(HarnessError, match=f"(?s){message}") as caught:
        run("cuhk-pedes", raw, tmp_path / "out")
    assert "\n" not in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == ["raw"]


@pytest.mark.parametrize("unofficial", [False, True])
def test_an_image_is_in_one_split(unofficial: bool, raw: Path) -> None:
    """Whoever it shows and whatever its captions: one sentence names it and both places."""
    path = annotations(raw)[5]["file_path"]
    edited(lambda records: records[-1].update(file_path=path))(raw)
    last = len(annotations(raw)) - 1
    with pytest.raises(HarnessError) as refused:
        read_layout(small("cuhk-pedes"), raw, unofficial=unofficial)
    assert str(refused.value) == (
        f"reid_raw.json, record {last}: {path!r} is in test, and in train (reid_raw.json, "
        "record 5): splits may share no image."
    )


LONG = "\n\x1b" * 100_000
ENDLESS: dict[str, dict[str, Any]] = {
    "split": {"split": LONG},
    "nested split": {"split": [LONG]},
    "id": {"id": LONG},
    "path": {"file_path": LONG},
    "path of nothing": {"file_path": [LONG]},
    "captions": {"captions": LONG},
    "caption": {"captions": [[LONG]]},
}


@pytest.mark.parametrize("name", ENDLESS)
def test_what_is_endless_is_told_in_short(name: str, raw: Path) -> None:
    """A value is cut: a message is a line of a few hundred characters."""
    record(**ENDLESS[name])(raw)
    with pytest.raises(HarnessError, match="record 5: ") as refused:
        read_layout(small("cuhk-pedes"), raw)
    assert len(str(refused.value)) < 1_000
    assert str(refused.value).isprintable()


def test_a_thousand_keys_are_told_in_short(raw: Path, tmp_path: Path) -> None:
    """Of a record and of a row, where one is missing."""
    keys = {f"{number} {LONG[:1_000]}": number for number in range(1_000)}
    edited(lambda records: records.__setitem__(5, {**keys, "split": "train"}))(raw)
    (tmp_path / "rows.json").write_text(json.dumps([keys]), encoding="utf-8")
    (tmp_path / "rows.csv").write_text(",".join(f'"{key}"' for key in keys), encoding="utf-8")
    reads: list[Callable[[], object]] = [
        lambda: read_layout(small("cuhk-pedes"), raw),
        lambda: read_table(tmp_path / "rows.json"),
        lambda: read_table(tmp_path / "rows.csv"),
        lambda: read_split_table(tmp_path / "rows.json", str),
    ]
    for read in reads:
        with pytest.raises(HarnessError, match=r"has 0 |are 0 ") as refused:
            read()
        assert len(str(refused.value)) < 1_000
        assert str(refused.value).isprintable()


def test_there_are_forty_corruptions() -> None:
    """As many as were promised."""
    assert len(CORRUPTIONS) >= 40


def test_broken_images_are_told_together(raw: Path, tmp_path: Path) -> None:
    """Ten are named, the others counted: nobody wants to mend one an hour."""
    for number in range(12):
        image(b"no image", number)(raw)
    with pytest.raises(HarnessError, match=r"12 broken images: .*, and 2 more\.$"):
        run("cuhk-pedes", raw, tmp_path / "out")


def test_missing_images_of_a_benchmark_are_told_together(raw: Path) -> None:
    """Ten are named, all are counted."""
    for number in range(12):
        (raw / "imgs" / annotations(raw)[number]["file_path"]).unlink()
    with pytest.raises(HarnessError, match=r"reid_raw\.json has 12 faults: .*; and 2 more") as told:
        read_layout(small("cuhk-pedes"), raw)
    assert str(told.value).count("there is no image") == 10


def test_a_missing_image_of_several_captions_is_one(tmp_path: Path) -> None:
    """What is counted is images, not the rows that name them."""
    file = custom_table(tmp_path / "raw")
    for number in range(3):
        (tmp_path / "raw" / f"p{number}-0.png").unlink()
    with pytest.raises(HarnessError, match=r"people\.csv has 3 faults: "):
        read_table(file)


# Parts of a benchmark.


@pytest.mark.parametrize(("step", "first"), [(7, 1), (1, 0), (3, 2)])
def test_a_part_with_ids_of_its_own_is_taken(step: int, first: int, raw: Path) -> None:
    """With --unofficial people stay the numbers that they are."""
    records = annotations(raw)
    for one in records:
        one["id"] = (one["id"] - 1) * step + first
    (raw / "reid_raw.json").write_text(json.dumps(records))
    with pytest.raises(HarnessError, match=r"(?s)numbered from 1 without a gap.*--unofficial"):
        read_layout(small("cuhk-pedes"), raw)
    found = read_layout(small("cuhk-pedes"), raw, unofficial=True)
    assert [record.person for record in found] == [one["id"] for one in records]


@pytest.mark.parametrize("name", BENCHMARKS)
@pytest.mark.parametrize("kept", [("test",), ("val", "test"), ("train", "test")])
def test_splits_that_are_missing_are_told_and_not_written(
    name: str, kept: tuple[str, ...], originals: Path, tmp_path: Path
) -> None:
    """What was written is taken by the audit, and its card names the files that are there."""
    import yaml

    raw = shutil.copytree(originals / name, tmp_path / "raw")
    [file] = [raw / file for file in small(name).annotations[:1]]
    records = [one for one in json.loads(file.read_text("utf-8")) if one["split"] in kept]
    file.write_text(json.dumps(records))
    told: list[str] = []
    found = read_layout(small(name), raw, unofficial=True, tell=told.append)
    out = tmp_path / name
    write_dataset(found, out, SOURCE)
    carved = {"val"} if name == "icfg-pedes" and "train" in kept else set()
    there = {one["split"] for one in records} | carved
    assert {path.name.partition("-")[0] for path in out.glob("*.parquet")} == there
    missing = [split for split in ("train", "val", "test") if split not in there]
    assert bool(missing) == any("nothing can be trained on it" in line for line in told)
    head = (out / "README.md").read_text("utf-8").split("---\n")[1]
    files = yaml.safe_load(head)["configs"][0]["data_files"]
    assert {one["path"] for one in files} == {f"{split}-*.parquet" for split in there}
    located = locate(find_declaration(str(out)))
    assert located.missing == missing
    assert examine(located)["verdict"]["status"] == "not official"


def test_without_a_test_split_nothing_is_imported(raw: Path) -> None:
    """With --unofficial too: there would be nothing to score."""
    records = [one for one in annotations(raw) if one["split"] != "test"]
    (raw / "reid_raw.json").write_text(json.dumps(records))
    with pytest.raises(HarnessError, match="no row of split test"):
        read_layout(small("cuhk-pedes"), raw, unofficial=True)


def test_few_training_people_leave_half_for_validation(originals: Path, tmp_path: Path) -> None:
    """A part of ICFG-PEDES has fewer people than are taken of the whole."""
    layout = replace(small("icfg-pedes"), validation_people=200)
    found = read_layout(layout, originals / "icfg-pedes", unofficial=True)
    assert {split: of[0] for split, of in count_records(found).items()} == {
        "train": 4, "val": 4, "test": 3,
    }  # fmt: skip


# Links.


@pytest.fixture
def linked(raw: Path, tmp_path: Path) -> Path:
    """Return a folder like CUHK-PEDES' of which a folder of images lies on another disk."""
    (tmp_path / "disk").mkdir()
    place = raw / "imgs" / annotations(raw)[0]["file_path"]
    shutil.move(place.parent, tmp_path / "disk" / "images")
    place.parent.symlink_to(tmp_path / "disk" / "images")
    return raw


def test_linked_folders_of_images_are_taken_where_asked(linked: Path, tmp_path: Path) -> None:
    """By default they are refused, and the message names the option."""
    with pytest.raises(
        HarnessError, match=r"through a link; .*\. Images lie in .*; --follow-links takes"
    ):
        read_layout(small("cuhk-pedes"), linked)
    assert len(read_layout(small("cuhk-pedes"), linked, follow_links=True)) == 42


def test_links_beside_a_table_are_taken_where_asked(
    harness: Callable[..., Any], tmp_path: Path
) -> None:
    """A table often lies beside a link to the images."""
    file = custom_table(tmp_path / "disk", people=8)
    rows = file.read_text("utf-8").splitlines(keepends=True)
    table = tmp_path / "table" / "people.csv"
    table.parent.mkdir()
    lines = [f"photos/{row}" if row.startswith("p") else row for row in rows]
    table.write_text("".join(lines), encoding="utf-8")
    (table.parent / "photos").symlink_to(tmp_path / "disk")
    refused = harness("data", "import", "custom", table, "--out", tmp_path / "out")
    assert refused.returncode == 2
    assert "--follow-links" in refused.stderr
    done = harness("data", "import", "custom", table, "--out", tmp_path / "out", "--follow-links")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("path", ["../reid_raw.json", "/etc/hostname", "CUHK01/../../x.png"])
def test_paths_out_of_the_folder_stay_refused(path: str, raw: Path) -> None:
    """Following links is no way to write any path."""
    record(file_path=path)(raw)
    with pytest.raises(HarnessError, match=r"record 5: .* leads out of"):
        read_layout(small("cuhk-pedes"), raw, follow_links=True)


def test_a_loop_of_links_is_no_image(raw: Path) -> None:
    """It ends, with the record."""
    (raw / "imgs" / "one").symlink_to("two")
    (raw / "imgs" / "two").symlink_to("one")
    (raw / "imgs" / "self").symlink_to(".")
    record(file_path="one/a.png")(raw)
    with pytest.raises(HarnessError, match="record 5: there is no image"):
        read_layout(small("cuhk-pedes"), raw, follow_links=True)


# Two at once.


def test_a_second_import_at_once_waits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It says so, writes nothing, and finds what the first has written."""
    records = read_table(custom_table(tmp_path / "raw"))
    out, source = tmp_path / "out", Source("custom", "", licensed=False)
    told: list[str] = []
    waiting, results = threading.Event(), []

    def tell(text: str) -> None:
        told.append(text)
        waiting.set()

    second = threading.Thread(
        target=lambda: results.append(write_dataset(records, out, source, tell=tell))
    )
    written = write._write_shards

    def write_while_another_begins(*of: Any) -> None:
        second.start()
        assert waiting.wait(60)
        written(*of)

    monkeypatch.setattr(write, "_write_shards", write_while_another_begins)
    assert write_dataset(records, out, source)
    second.join()
    assert results == [False]
    assert told == [f"Another process is importing to {out}: waiting until it is done."]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "raw"]


def test_a_cache_that_cannot_be_written_is_named(
    raw: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the variable that moves it."""
    (tmp_path / "file").touch()
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "file"))
    with pytest.raises(HarnessError, match=r"file/imports cannot be written .*HARNESS_CACHE"):
        run("cuhk-pedes", raw, tmp_path / "out")


def test_a_place_that_cannot_be_written_is_named(raw: Path, tmp_path: Path) -> None:
    """Not with a traceback."""
    (tmp_path / "file").touch()
    with pytest.raises(HarnessError, match=r"file/out could not be written"):
        run("cuhk-pedes", raw, tmp_path / "file" / "out")


def test_a_full_disk_leaves_no_dataset(
    raw: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What fails while it is written has no final name; the next call finishes."""

    def full(rows: Any, found: Any) -> Any:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as broken:
        broken.setattr(write, "_row", full)
        with pytest.raises(HarnessError, match=r"No space left.* call again to go on"):
            run("cuhk-pedes", raw, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    assert run("cuhk-pedes", raw, tmp_path / "out")


def test_restarting_ids_are_told_apart(raw: Path) -> None:
    """Where each split numbers its people anew, equal numbers are other people."""
    records = annotations(raw)
    for one in records:
        one["id"] -= {"train": 0, "val": 8, "test": 11}[one["split"]]
    (raw / "reid_raw.json").write_text(json.dumps(records))
    with pytest.raises(HarnessError, match="--restarting-ids"):
        read_layout(small("cuhk-pedes"), raw, False, False)
    found = read_layout(small("cuhk-pedes"), raw, False, True)
    assert count_records(found) == SMALL["cuhk-pedes"]
    assert len({one.person for one in found}) == 14


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("a.png,,Ann,train", "people.csv, line 2: the caption is ''"),
        ("a.png,A man.,,train", "line 2: no person"),
        ("a.png,A man.,Ann,dev", "line 2: split 'dev'"),
        ("b.png,A man.,Ann,train", "line 2: there is no image 'b.png'"),
        ("../x.png,A man.,Ann,train", "line 2: there is no image|leads out"),
        ("a.png,A man.", "line 2: 2 fields where the first line names 4 columns"),
        ("a.png,A man, in red,Ann,train", "line 2: 5 fields .* stands in quotes"),
        ('a.png,"A man.,Ann,train', "line 2: unexpected end of data, up to line 2"),
        ('a.png,"A man."x,Ann,train', "line 2: .* expected after"),
        ("a.png,A man.,Ann,train", "has no row of split test, so nothing"),
    ],
)
def test_a_broken_table_is_refused(line: str, message: str, tmp_path: Path) -> None:
    """With the line at which an editor shows it."""
    (tmp_path / "a.png").write_bytes(b"")
    file = tmp_path / "people.csv"
    file.write_text(f"image,caption,person,split\n{line}\n")
    with pytest.raises(HarnessError, match=message):
        read_table(file)


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ("picture,caption", r"no column image, person, split; .* picture, caption"),
        ("image,caption,person,split,image", "column image stands twice"),
        ("image,caption,person,split,,", "column without a name stands twice"),
        ("", "is empty"),
    ],
)
def test_a_header_that_is_none_is_refused(header: str, message: str, tmp_path: Path) -> None:
    """The message names what is missing and what is there."""
    file = tmp_path / "people.csv"
    file.write_text(f"{header}\n" if header else "")
    with pytest.raises(HarnessError, match=message):
        read_table(file)


@pytest.mark.parametrize("kind", ["json", "csv"])
def test_a_name_that_stands_twice_among_many_is_found_at_once(kind: str, tmp_path: Path) -> None:
    """In time that grows as the names do, not as their square, which were 46 s of so many."""
    names = [f"n{number}" for number in range(60_000)]
    names.append(names[-1])
    file = tmp_path / f"people.{kind}"
    pairs = ",".join(f'"{name}":0' for name in names)
    file.write_text(f"[{{{pairs}}}]" if kind == "json" else f"{','.join(names)}\n")
    began = time.process_time()
    with pytest.raises(HarnessError, match=r"n59999'? stands twice") as refused:
        read_table(file)
    assert time.process_time() - began < 10
    assert len(str(refused.value)) < 1_000


def test_all_faults_are_counted_and_ten_are_named(tmp_path: Path) -> None:
    """Nobody wants to mend one an import."""
    file = tmp_path / "people.csv"
    rows = [f"{number}.png,A man.,Ann,train" for number in range(14)]
    file.write_text("\n".join(["image,caption,person,split", *rows]))
    with pytest.raises(HarnessError, match=r"people\.csv has 14 faults: .*; and 4 more") as refused:
        read_table(file)
    assert str(refused.value).count("there is no image") == 10
    assert "people.csv, line 2: " in str(refused.value)
    assert "people.csv, line 11: " in str(refused.value)


def test_a_camera_is_kept_and_what_is_not_taken_is_named(tmp_path: Path) -> None:
    """A column that is misspelt does not vanish without a word."""
    file = custom_table(tmp_path / "raw")
    with file.open(newline="") as handle:
        rows = list(csv.reader(handle))
    added = [["camera", "colour"], *([["c1", "red"]] * (len(rows) - 1))]
    lines = [[*row, *more] for row, more in zip(rows, added, strict=True)]
    with file.open("w", newline="") as out:
        csv.writer(out).writerows(lines)
    told: list[str] = []
    records = read_table(file, told.append)
    assert {record.camera for record in records} == {"c1"}
    assert told == [f"{file.name}: not taken: colour."]


@pytest.mark.parametrize("names", [(1, "1"), ("a", 2)])
def test_people_are_all_numbers_or_all_texts(names: tuple[Any, Any], tmp_path: Path) -> None:
    """1 and "1" may be one person or two."""
    rows = [
        {"image": "a.png", "caption": f"A man {n}.", "person": name, "split": "train"}
        for n, name in enumerate(names)
    ]
    (tmp_path / "a.png").write_bytes(b"")
    file = tmp_path / "people.json"
    file.write_text(json.dumps(rows, indent=1))
    with pytest.raises(HarnessError, match=r"line 8: person .* is a .*, and person"):
        read_table(file)


# The command.


def test_the_commands(harness: Callable[..., Any], tmp_path: Path) -> None:
    """A table is imported, audited and trained on; the second import does nothing."""
    table = custom_table(tmp_path / "raw", people=40)
    call = "data", "import", "custom", table, "--out", tmp_path / "mine"
    first, second = harness(*call), harness(*call)
    assert first.returncode == 0, first.stderr
    assert "Written" in first.stderr
    assert "Nothing to do" in second.stderr
    audit = harness("data", "audit", tmp_path / "mine", "--json")
    assert audit.returncode == 0, audit.stderr
    assert json.loads(audit.stdout)["verdict"]["status"] == "not official"
    done = harness("run", "clip", "--dataset", tmp_path / "mine", "--seeds", "0", "--no-report")
    assert done.returncode == 0, done.stderr


def test_licensed_images_are_not_pushed_openly(harness: Callable[..., Any], raw: Path) -> None:
    """Before anything is read."""
    done = harness("data", "import", "cuhk-pedes", raw, "--push-to-hub", "me/cuhk")
    assert done.returncode == 2
    assert "--private" in done.stderr


def test_a_rehearsal_is_never_official(originals: Path, tmp_path: Path) -> None:
    """Its captions say what it is, so that a page does, wherever it was copied to."""
    records = json.loads((originals / "rstpreid" / "data_captions.json").read_text("utf-8"))
    captions = [caption for record in records for caption in record["captions"]]
    assert all(caption.strip().startswith("Rehearsal: ") for caption in captions)
    run("rstpreid", originals / "rstpreid", tmp_path / "rstpreid")
    found = examine(locate(find_declaration(str(tmp_path / "rstpreid"))))
    assert found["verdict"]["status"] == "not official"
    assert "rehearsal" in found["verdict"]["reason"]


def test_a_withdrawn_release_is_refused_in_any_case(originals: Path) -> None:
    """With --unofficial too: it is not another copy of the benchmark."""
    layout = small("rstpreid")
    withdrawn = replace(layout, official={}, withdrawn={"it was withdrawn": layout.official})
    with pytest.raises(HarnessError, match=r"RSTPReid: it was withdrawn\. Use the present one"):
        read_layout(withdrawn, originals / "rstpreid", True, False)
