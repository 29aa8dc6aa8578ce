"""What `harness data audit` finds in small folders of Parquet files, whole and broken."""

import io
import itertools
import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest
from PIL import Image
from typer.testing import CliRunner

from harness.cli import data
from harness.data.auditing import examination
from harness.data.auditing.examination import examine
from harness.data.catalogue import find_declaration, locate
from harness.data.declaration import SPLITS
from harness.errors import HarnessError

Row = dict[str, Any]
Change = Callable[[str, list[Row]], None]  # of a split's rows, in place


@pytest.fixture
def altered(small_dolls: Path, tmp_path: Path) -> Callable[[Change], Path]:
    """Write a copy of the small dolls of which some rows are changed."""

    def write(change: Change) -> Path:
        folder = tmp_path / "altered"
        folder.mkdir()
        for split in SPLITS:
            rows = pyarrow.parquet.read_table(small_dolls / f"{split}.parquet").to_pylist()
            change(split, rows)
            pyarrow.parquet.write_table(
                pyarrow.Table.from_pylist(rows), folder / f"{split}.parquet"
            )
        return folder

    return write


def found(folder: Path) -> dict[str, Any]:
    """Examine a folder."""
    return examine(locate(find_declaration(str(folder))))


def encoded(stored: bytes, kind: str) -> bytes:
    """Return an image in another format."""
    file = io.BytesIO()
    Image.open(io.BytesIO(stored)).save(file, kind)
    return file.getvalue()


def break_images(count: int = 1) -> Change:
    """Cut the first images of the test split in half."""

    def change(split: str, rows: list[Row]) -> None:
        for row in rows[:count] if split == "test" else []:
            row["image"]["bytes"] = row["image"]["bytes"][:900]

    return change


def nothing(split: str, rows: list[Row]) -> None:
    """Change nothing."""


def test_a_whole_dataset_is_told_as_it_is(small_dolls: Path) -> None:
    """Counts and image files split by split, no broken image, and that it is no benchmark."""
    told = found(small_dolls)
    people = {"train": 12, "val": 6, "test": 8}
    assert {name: of["identities"] for name, of in told["splits"].items()} == people
    assert told["image_files"] == {name: {"PNG": 4 * count} for name, count in people.items()}
    assert told["across"] == {"identities": 0, "image_files": 0}
    assert told["broken_images"] == []
    assert told["dataset"] == "small-dolls"
    assert told["fingerprint"] == locate(find_declaration(str(small_dolls))).fingerprint
    assert told["verdict"]["status"] == "not official"


def test_what_is_told_is_json(altered: Callable[[Change], Path]) -> None:
    """Nothing is lost in a file of JSON, broken images included."""
    told = found(altered(break_images()))
    assert json.loads(json.dumps(told)) == told


@pytest.mark.parametrize(
    ("broken", "flaw"),
    [
        (lambda whole: whole[:900], "cannot be decoded"),
        (lambda whole: b"", "it is empty"),
        (lambda whole: b"no image at all", "none of JPEG, PNG, BMP"),
        (lambda whole: encoded(whole, "GIF")[:20], "it begins as GIF does"),
    ],
)
def test_a_broken_image_is_named(
    altered: Callable[[Change], Path], broken: Callable[[bytes], bytes], flaw: str
) -> None:
    """With its split and its id; the others are still counted by kind."""

    def change(split: str, rows: list[Row]) -> None:
        if split == "val":
            rows[5]["image"]["bytes"] = broken(rows[5]["image"]["bytes"])
            rows[5]["image_id"] = "the one"

    told = found(altered(change))
    [one] = told["broken_images"]
    assert (one["split"], one["image_id"]) == ("val", "the one")
    assert flaw in one["flaw"]
    assert told["image_files"]["val"] == {"PNG": 23, "broken": 1}
    assert told["image_files"]["test"] == {"PNG": 32}


@pytest.mark.parametrize("stored", [None, {"bytes": None, "path": None}, "elsewhere"])
def test_an_image_that_is_not_there_is_broken(
    altered: Callable[[Change], Path], stored: Any, tmp_path: Path
) -> None:
    """A row without an image, or with the path of a file that is gone, is named too."""

    def change(split: str, rows: list[Row]) -> None:
        if split == "test":
            gone = {"bytes": None, "path": str(tmp_path / "gone.png")}
            rows[2]["image"] = gone if stored == "elsewhere" else stored
            rows[2]["image_id"] = "the one"

    told = found(altered(change))
    [one] = told["broken_images"]
    assert (one["split"], one["image_id"]) == ("test", "the one")
    assert one["flaw"].startswith("there is no image")
    assert told["image_files"]["test"] == {"PNG": 31, "none": 1}
    assert (
        told["splits"]["test"]["duplicate_images"] is None
    )  # nothing is claimed of what is unread
    assert told["across"]["image_files"] is None


def test_images_are_read_wherever_they_lie(
    altered: Callable[[Change], Path], small_dolls: Path, tmp_path: Path
) -> None:
    """As structs with bytes or a path, as bytes alone, as a path alone: all that loading takes."""

    def change(split: str, rows: list[Row]) -> None:
        for number, row in enumerate(rows):
            file = tmp_path / f"{split}-{number}.png"
            file.write_bytes(row["image"]["bytes"])
            row["image"] = {
                "train": {"bytes": None, "path": str(file)},
                "val": row["image"]["bytes"],
                "test": str(file),
            }[split]

    told = found(altered(change))
    assert told["broken_images"] == []
    for key in ("splits", "across", "image_files"):
        assert told[key] == found(small_dolls)[key]


def test_image_files_are_counted_by_kind(altered: Callable[[Change], Path]) -> None:
    """By what they hold."""

    def change(split: str, rows: list[Row]) -> None:
        for number, row in enumerate(rows if split == "train" else []):
            kind = "BMP" if number < 3 else "JPEG" if number < 10 else "PNG"
            row["image"]["bytes"] = encoded(row["image"]["bytes"], kind)

    assert found(altered(change))["image_files"]["train"] == {"BMP": 3, "JPEG": 7, "PNG": 38}


def test_images_that_decoding_changes_are_named(altered: Callable[[Change], Path]) -> None:
    """With what is changed; kinds beside those of the benchmarks are counted as any."""

    def change(split: str, rows: list[Row]) -> None:
        if split == "test":
            for row, kind in zip(rows, ("GIF", "TIFF", "WEBP"), strict=False):
                row["image"]["bytes"] = encoded(row["image"]["bytes"], kind)
            with Image.open(io.BytesIO(rows[4]["image"]["bytes"])) as image:
                file = io.BytesIO()
                image.convert("RGBA").resize((9, 9)).rotate(45).save(file, "PNG")
            rows[4]["image"]["bytes"] = file.getvalue()

    told = found(altered(change))
    assert told["image_files"]["test"] == {"GIF": 1, "TIFF": 1, "WEBP": 1, "PNG": 29}
    assert told["converted_images"] == [
        {"split": "test", "image_id": "test-0001-0", "by": ["laid on white"]}
    ]
    assert told["broken_images"] == []


def test_captions_of_several_people_bound_rank_1(altered: Callable[[Change], Path]) -> None:
    """The ceiling is that of the best of all choices of a person to find for each shared text."""
    shared = {"a": [0, 1, 2, 7], "b": [4, 5, 6, 8], "c": [3, 4, 30, 31], "d": [12, 16, 20]}
    people: dict[str, list[int]] = {}  # text -> whom its queries ask for
    captions = 0

    def change(split: str, rows: list[Row]) -> None:
        nonlocal captions
        for text, numbers in shared.items() if split == "test" else ():
            for number in numbers:
                rows[number]["captions"] = [*rows[number]["captions"], f"{text} man  in {text}"]
        for row in rows if split == "test" else ():
            captions += len(row["captions"])
            for caption in row["captions"]:
                people.setdefault(caption, []).append(row["person_id"])

    told = found(altered(change))["splits"]["test"]
    several = [who for who in people.values() if len(set(who)) > 1]
    assert len(several) >= len(shared)
    best = max(
        sum(who.count(choice) for who, choice in zip(several, choices, strict=True))
        for choices in itertools.product(*map(set, several))
    )
    right = captions - sum(map(len, several)) + best
    assert told["rank1_ceiling"] == pytest.approx(100 * right / captions)
    assert told["rank1_ceiling"] < 100
    assert told["duplicate_captions"]["distinct_across_persons"] == len(several)


def test_odd_captions_are_counted(altered: Callable[[Change], Path]) -> None:
    """Line breaks and outer spaces, as the files hold them, and captions that are empty."""

    def change(split: str, rows: list[Row]) -> None:
        if split == "train":
            rows[0]["captions"] = ["A man\nin red", " A man in blue", "A man in gray "]
            rows[1]["captions"] = ["A man\r\nin red", " A man in\nblue\n"]
            rows[2]["captions"] = ["A man", None, ""]

    told = found(altered(change))["splits"]
    assert told["train"]["odd_captions"] == {"empty": 2, "line_breaks": 3, "outer_spaces": 3}
    assert told["val"]["odd_captions"] == {"empty": 0, "line_breaks": 0, "outer_spaces": 0}


def test_a_split_in_several_files_is_one(
    small_dolls: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows are told of in the order of the files, a batch at a time, and progress ends at all."""
    monkeypatch.setattr("harness.data.digest.BATCH", 5)
    folder = tmp_path / "parts"
    folder.mkdir()
    for split in SPLITS:
        table = pyarrow.parquet.read_table(small_dolls / f"{split}.parquet")
        pyarrow.parquet.write_table(table[:7], folder / f"{split}-0.parquet")
        pyarrow.parquet.write_table(table[7:], folder / f"{split}-1.parquet")
    shown: list[tuple[str, int, int]] = []
    told = examine(locate(find_declaration(str(folder))), lambda *step: shown.append(step))
    assert told["splits"] == found(small_dolls)["splits"]
    assert {(what, total) for what, _, total in shown} == {("reading images", 104)}
    done = [number for _, number, _ in shown]
    assert done == sorted(done)
    assert done[-1] == 104
    assert len(done) > 20


def test_a_split_without_captions_is_refused(altered: Callable[[Change], Path]) -> None:
    """There is nothing to tell of it."""

    def change(split: str, rows: list[Row]) -> None:
        for row in rows if split == "val" else ():
            row["captions"] = None if row["person_id"] % 2 else []

    with pytest.raises(HarnessError, match="Split val has no caption"):
        found(altered(change))


@pytest.mark.parametrize("column", examination.REQUIRED)
def test_a_missing_column_is_one_message(altered: Callable[[Change], Path], column: str) -> None:
    """It names the dataset, the file and the columns that are there."""

    def change(split: str, rows: list[Row]) -> None:
        for row in rows if split == "val" else ():
            row["another"] = row.pop(column)

    message = rf"'altered': no column {column} in val\.parquet; there are .*another"
    with pytest.raises(HarnessError, match=message):
        found(altered(change))


# The command.


def audit(*arguments: object) -> Any:
    """Call `harness data audit` in this process."""
    return CliRunner().invoke(data.app, ["audit", *map(str, arguments)])


def test_the_command_shows_splits_and_verdict(
    harness: Callable[..., subprocess.CompletedProcess[str]], small_dolls: Path
) -> None:
    """A whole dataset is a table, a verdict with its reason, and exit status 0."""
    done = harness("data", "audit", small_dolls)
    assert done.returncode == 0, done.stderr
    lines = [line.split() for line in done.stdout.splitlines()]
    assert ["train", "val", "test"] in lines
    assert ["people", "12", "6", "8"] in lines
    assert ["images", "48", "24", "32"] in lines
    assert ["images", "a", "person", "4", "4", "4"] in lines
    assert ["captions", "with", "line", "breaks", "0", "0", "0"] in lines
    assert ["image", "files", *["48", "PNG", "24", "PNG", "32", "PNG"]] in lines
    assert "not official its counts are those of none" in " ".join(itertools.chain(*lines))
    assert "In several splits: 0 people, 0 image files." in done.stderr


def test_the_command_fails_with_a_broken_image(altered: Callable[[Change], Path]) -> None:
    """The table is shown all the same, the image is named, and the exit status is 1."""
    folder = altered(break_images())
    done = audit(folder)
    assert done.exit_code == 1
    assert "Broken: test, test-0000-0: it cannot be decoded" in done.stderr
    assert "1 broken, 31 PNG" in " ".join(done.stdout.split())
    assert "not official" in done.stdout
    told = audit(folder, "--json")
    assert told.exit_code == 1
    assert json.loads(told.stdout) == found(folder)


def test_many_broken_images_are_cut_short(altered: Callable[[Change], Path]) -> None:
    """The first ten are named, of the others the number is told; --json has them all."""
    folder = altered(break_images(12))
    done = audit(folder)
    assert done.stderr.count("Broken: test") == 10
    assert "2 more images are broken" in done.stderr
    assert len(json.loads(audit(folder, "--json").stdout)["broken_images"]) == 12


def test_the_command_fails_for_a_dataset_that_is_refused(
    altered: Callable[[Change], Path],
) -> None:
    """Where people are in several splits, with exit status 1 and the reason in the table."""

    def change(split: str, rows: list[Row]) -> None:
        for row in rows:
            row["person_id"] %= 1000  # as if each split numbered its people anew

    folder = altered(change)
    people = [
        set(pyarrow.parquet.read_table(folder / f"{split}.parquet")["person_id"].to_pylist())
        for split in SPLITS
    ]
    shared = len(set.union(*(one & other for one, other in itertools.combinations(people, 2))))
    assert shared
    done = audit(folder)
    assert done.exit_code == 1
    assert f"refused {shared} people are in several splits" in " ".join(done.stdout.split())
    assert f"In several splits: {shared} people" in done.stderr


def test_the_command_succeeds_without_a_flaw(altered: Callable[[Change], Path]) -> None:
    """As JSON too, which is all that is written to standard output."""
    done = audit(altered(nothing), "--json")
    assert done.exit_code == 0
    assert json.loads(done.stdout)["broken_images"] == []
