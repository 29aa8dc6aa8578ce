"""CUHK-PEDES before it was split, with a table of its splits."""

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.data.importing.benchmarks import read_layout
from harness.errors import HarnessError

from .test_forms import CUHK, EXPECTED, Rows, lay, rows, told, write


@pytest.fixture
def unsplit(tmp_path: Path) -> Path:
    """Return a folder with caption_all.json, whose people have other numbers."""
    raw = lay(tmp_path / "raw", rows())
    values = [{**value, "id": value["id"] * 10} for value in rows()]
    for value in values:
        del value["split"]
    write(raw / "caption_all.json", values)
    return raw


def by_image(values: Rows) -> Any:
    """Return records without captions."""
    return [{name: value[name] for name in ("split", "file_path", "id")} for value in values]


def test_the_authors_file_is_a_table(unsplit: Path, tmp_path: Path) -> None:
    """Splits and numbers of people are its own, captions those of the annotation."""
    write(tmp_path / "reid_raw.json", rows())
    assert told(read_layout(CUHK, unsplit, splits=tmp_path / "reid_raw.json")) == EXPECTED


def test_beside_its_annotation_the_authors_file_is_read_itself(unsplit: Path) -> None:
    """It holds all that the other has, and more."""
    write(unsplit / "reid_raw.json", rows())
    assert told(read_layout(CUHK, unsplit)) == EXPECTED


TABLES: dict[str, tuple[str, Callable[[Rows], str]]] = {
    "paths by split": (
        "s.json",
        lambda values: json.dumps(
            {
                split: [value["file_path"] for value in values if value["split"] == split]
                for split in ("train", "val", "test")
            }
        ),
    ),
    "people by split": (
        "s.json", lambda values: '{"train": [10, 20], "val": [30], "test": [40, 50]}'
    ),
    "a table of paths": (
        "s.csv",
        lambda values: "file_path,split\n"
        + "".join(f"{value['file_path']},{value['split']}\n" for value in values),
    ),
    "a table of people": (
        "s.csv", lambda values: "id,split\n10,train\n20,train\n30,val\n40,test\n50,test\n"
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", TABLES)
def test_any_table_of_people_or_images_splits(name: str, unsplit: Path, tmp_path: Path) -> None:
    """People keep their numbers where the table tells none for images."""
    file, text = TABLES[name]
    (tmp_path / file).write_text(text(rows()), encoding="utf-8")
    found = read_layout(CUHK, unsplit, unofficial=True, splits=tmp_path / file)
    expected = [(split, 10 * person, path, captions) for split, person, path, captions in EXPECTED]
    assert told(found) == expected


def test_paths_meet_however_they_are_spelt(unsplit: Path, tmp_path: Path) -> None:
    """Those of the table and those of the annotation."""
    values = by_image(rows())
    values[0]["file_path"] = "./cam_a//1_0.png"
    write(tmp_path / "s.json", values)
    assert told(read_layout(CUHK, unsplit, splits=tmp_path / "s.json")) == EXPECTED
    file = unsplit / "caption_all.json"
    file.write_text(file.read_text("utf-8").replace("cam_a/1_1.png", "./cam_a/1_1.png"), "utf-8")
    assert told(read_layout(CUHK, unsplit, splits=tmp_path / "s.json")) == EXPECTED
    write(tmp_path / "s.json", [*values, {"split": "test", "file_path": "cam_a/1_0.png"}])
    with pytest.raises(
        HarnessError, match=r"cam_a/1_0\.png' is in test, and before it was in trai"
    ):
        read_layout(CUHK, unsplit, splits=tmp_path / "s.json")


def test_without_a_table_it_is_told_what_is_missing(unsplit: Path) -> None:
    """With the page of the authors that says where to get it."""
    with pytest.raises(
        HarnessError,
        match=r"caption_all.json tells no split: it is CUHK-PEDES before .* reid_raw.json tells "
        r"it: https://github.com/ShuangLI59/\S+ says where .* --splits FILE",
    ):
        read_layout(CUHK, unsplit)


def test_a_table_for_what_is_split_is_refused(tmp_path: Path) -> None:
    """It could only disagree."""
    raw = lay(tmp_path, rows())
    write(raw / "reid_raw.json", rows())
    with pytest.raises(HarnessError, match=r"tells the split of its records: --splits .* Leave it"):
        read_layout(CUHK, raw, splits=raw / "reid_raw.json")


def swapped(values: Rows) -> Rows:
    """Give an image to another person of its split."""
    values[1]["id"] = 2
    return values


NO_IDS = (
    "1.9", "1.0", "true", "null", '"5"', "1e3", "1e400", "-Infinity", "NaN", "-1", "+1", " 1", "1 ",
    "1_0", "0x1", "\u0661", "\u00b2", "[1]", "", "9" * 10, "9" * 5_000, "[" * 100_000,
)  # fmt: skip


@pytest.mark.parametrize("text", NO_IDS, ids=lambda text: ascii(text)[:12])
def test_an_id_in_a_text_is_digits(text: str, unsplit: Path, tmp_path: Path) -> None:
    """Decimal ones and nothing else: what only reads as a number is refused with its line."""
    rows = [("id", "split"), ("10", "train"), (text, "test")]
    with (tmp_path / "s.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(rows)
    with pytest.raises(HarnessError, match=r"^s\.csv, line 3: id .* is not a number of") as refused:
        read_layout(CUHK, unsplit, unofficial=True, splits=tmp_path / "s.csv")
    assert len(str(refused.value)) < 200


BROKEN = {
    "an image missing": (
        by_image(rows()[1:]),
        "1 images of caption_all.json are not in s.json, the first is 'cam_a/1_0.png': the two",
    ),
    "an image too many": (
        [*by_image(rows()), {"split": "train", "file_path": "x.png"}],
        "1 images of s.json are not in caption_all.json, the first is 'x.png'",
    ),
    "people missing": (
        {"train": [10, 20], "val": [30]}, "2 people of caption_all.json are not in s.json, .* is 40"
    ),
    "other people": (
        by_image(swapped(rows())), "'cam_a/1_1.png' shows another person in s.json than its annot"
    ),
    "two splits of one": (
        {"train": [10, 20], "test": [20]}, "'test', item 0: 20 is in test, and before it was in tr"
    ),
    "an unknown split": ({"gallery": [10]}, "split 'gallery' is none of train, val, test"),
    "an empty split": ({"train": []}, "'train' has to be a list of people .*, it is an empty list"),
    "people and images": ({"train": [10], "test": ["a.png"]}, "tells of people and of images: one"),
    "a record of nothing": ([{"split": "train"}], "record 0: a table of splits tells split, and"),
    "a person that is none": ({"train": [True]}, "item 0: id True is not a number of a person"),
    "a text": ("train", "s.json is a text: a table of splits is a list or an object"),
    "nothing": ([], "s.json tells the split of nothing"),
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_a_table_that_does_not_fit_is_refused(name: str, unsplit: Path, tmp_path: Path) -> None:
    """With the first image or person on which the two disagree."""
    values, message = BROKEN[name]
    write(tmp_path / "s.json", values)
    with pytest.raises(HarnessError, match=message) as refused:
        read_layout(CUHK, unsplit, unofficial=True, splits=tmp_path / "s.json")
    assert "\n" not in str(refused.value)
