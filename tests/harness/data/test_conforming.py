"""Datasets with other columns, or without validation people, are read as if they had them."""

import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest

from harness.data import conforming
from harness.data.catalogue import find_declaration, locate
from harness.data.declaration import SPLITS, Declaration, Located
from harness.data.importing.official import choose_validation_people
from harness.data.loading import load_split
from harness.data.schema import Split
from harness.errors import HarnessError

COLUMNS = {
    "image": "picture",
    "captions": "caption",
    "person_id": "who",
    "image_id": "file",
    "camera": "where",
}
NAMES = ("Zoe", "Ann", "Mia", "Bob", "Eve", "Tom", "Ida", "Max", "Ben", "Lea", "Kim", "Jan")
KILL = """
import os, signal, sys
from harness.data.catalogue import locate
from harness.data.declaration import Declaration

def kill(what, done, total):
    os.kill(os.getpid(), signal.SIGKILL)

locate(Declaration("mine", "Mine", folder=sys.argv[1], validation_people=3), kill)
"""

Row = dict[str, Any]
Rows = dict[str, list[Row]]


@pytest.fixture(autouse=True)
def copies(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Give each test a cache of its own; return where it keeps copies."""
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "datasets"


@pytest.fixture
def dolls(small_dolls: Path) -> Rows:
    """The rows of the small dolls, to be changed; of each image but one caption."""
    found = {}
    for split in SPLITS:
        rows = pyarrow.parquet.read_table(small_dolls / f"{split}.parquet").to_pylist()
        found[split] = [{**row, "captions": row["captions"][:1]} for row in rows]
    return found


def write(folder: Path, splits: Mapping[str, Sequence[Row]]) -> Declaration:
    """Write rows as Parquet files and declare them."""
    folder.mkdir(parents=True, exist_ok=True)
    for split, rows in splits.items():
        table = pyarrow.Table.from_pylist(list(rows))
        pyarrow.parquet.write_table(table, folder / f"{split}.parquet")
    return Declaration("mine", "Mine", folder=str(folder))


def named(row: Row) -> str:
    """Return a name for a person: those of the splits differ."""
    return f"{NAMES[row['person_id'] % 100]} {row['person_id'] // 1000}"


def renamed(rows: Sequence[Row]) -> list[Row]:
    """Return rows with other columns: bytes for images, one text for captions, names."""
    return [
        {
            "where": row["camera"],
            "who": named(row),
            "caption": row["captions"][0],
            "picture": row["image"]["bytes"],
            "file": row["image_id"],
            "size": 7,
        }
        for row in rows
    ]


def without_validation(splits: Rows) -> Rows:
    """Return training and test rows."""
    return {"train": splits["train"], "test": splits["test"]}


def load(located: Located) -> dict[str, Split]:
    """Load all splits."""
    return {split: load_split(located, split) for split in SPLITS}


def grouping(people: Sequence[Any] | np.ndarray) -> list[int]:
    """Return for each row the first row that has the same person."""
    listed = [str(person) for person in people]
    return [listed.index(person) for person in listed]


def images(split: Split) -> list[bytes]:
    """Return the image files of a split."""
    return [split.encoded(row) for row in range(len(split.image_ids))]


def refusal(declaration: Declaration) -> str:
    """Return the message with which a dataset is refused."""
    with pytest.raises(HarnessError) as error:
        locate(declaration)
    return str(error.value)


def test_renamed_columns_are_read_as_ours(dolls: Rows, tmp_path: Path) -> None:
    """Images, captions, ids and cameras are the original's, and people are told apart alike."""
    splits = {split: renamed(rows) for split, rows in dolls.items()}
    declaration = replace(write(tmp_path / "data", splits), columns=COLUMNS)
    people = []
    for split, found in load(locate(declaration)).items():
        rows = dolls[split]
        assert images(found) == [row["image"]["bytes"] for row in rows]
        assert list(found.captions) == [row["captions"][0] for row in rows]
        assert list(found.image_ids) == [row["image_id"] for row in rows]
        assert found.cameras == tuple(row["camera"] for row in rows)
        people += found.person_of_image.tolist()
    every = [row["person_id"] for split in SPLITS for row in dolls[split]]
    assert grouping(people) == grouping(every)


def test_lists_of_captions_stay_lists(small_dolls: Path, tmp_path: Path) -> None:
    """Numbers of people stay what they are too, and so do the paths that images came from."""
    splits = {}
    for split in SPLITS:
        rows = pyarrow.parquet.read_table(small_dolls / f"{split}.parquet").to_pylist()
        splits[split] = [{**row, "texts": row.pop("captions")} for row in rows]
    declaration = replace(write(tmp_path / "data", splits), columns={"captions": "texts"})
    located = locate(declaration)
    original = load(locate(find_declaration(str(small_dolls))))
    for split, found in load(located).items():
        assert found.captions == original[split].captions
        assert np.array_equal(found.image_of_caption, original[split].image_of_caption)
        assert np.array_equal(found.person_of_image, original[split].person_of_image)
        [file] = located.files[split]
        stored = pyarrow.parquet.read_table(file)["source_path"].to_pylist()
        assert stored == [row["source_path"] for row in splits[split]]


def test_a_missing_validation_split_is_carved(dolls: Rows, tmp_path: Path) -> None:
    """As many training people as declared; rows go whole, in order, and the test split stays."""
    splits = {split: renamed(rows) for split, rows in without_validation(dolls).items()}
    declaration = replace(write(tmp_path / "data", splits), columns=COLUMNS, validation_people=3)
    found = load(locate(declaration))
    original = {row["image_id"]: row for row in dolls["train"]}
    seen: dict[str, set[int]] = {}
    for split in ("train", "val"):
        rows = [original[image_id] for image_id in found[split].image_ids]
        assert images(found[split]) == [row["image"]["bytes"] for row in rows]
        assert list(found[split].captions) == [row["captions"][0] for row in rows]
        assert grouping(found[split].person_of_image) == grouping([named(row) for row in rows])
        order = list(original)
        assert [order.index(image_id) for image_id in found[split].image_ids] == sorted(
            order.index(image_id) for image_id in found[split].image_ids
        )
        seen[split] = {row["person_id"] for row in rows}
    assert sorted(found["train"].image_ids + found["val"].image_ids) == sorted(original)
    assert (len(seen["val"]), len(seen["train"])) == (3, 9)
    assert not seen["val"] & seen["train"]
    people = [set(split.person_of_image.tolist()) for split in found.values()]
    assert len(set.union(*people)) == sum(map(len, people)) == 20
    assert found["test"].image_ids == tuple(row["image_id"] for row in dolls["test"])


@pytest.mark.parametrize("names", [False, True])
def test_the_order_of_rows_decides_no_validation_person(
    names: bool, dolls: Rows, tmp_path: Path
) -> None:
    """Numbered or called by name, and in one file or in two."""
    splits = without_validation(dolls)
    for rows in splits.values():
        for row in rows:
            row["person_id"] = named(row) if names else row["person_id"]
    carved = []
    for number, order in enumerate(
        ([*range(48)], [*range(47, -1, -1)], [*range(30, 48), *range(30)])
    ):
        rows = [splits["train"][row] for row in order]
        folder = tmp_path / str(number)
        declaration = replace(write(folder, {**splits, "train": rows[:20]}), validation_people=4)
        pyarrow.parquet.write_table(
            pyarrow.Table.from_pylist(rows[20:]), folder / "train-2.parquet"
        )
        carved.append(set(load_split(locate(declaration), "val").image_ids))
    assert carved[0] == carved[1] == carved[2]
    assert len(carved[0]) == 16


def test_those_are_carved_whom_an_import_takes(dolls: Rows, tmp_path: Path) -> None:
    """So a copy without the split and an imported benchmark agree."""
    declaration = replace(write(tmp_path / "data", without_validation(dolls)), validation_people=5)
    expected = choose_validation_people([row["person_id"] for row in dolls["train"]], 5)
    assert set(load_split(locate(declaration), "val").person_of_image.tolist()) == expected


def test_a_validation_split_that_is_there_is_kept(
    dolls: Rows, tmp_path: Path, copies: Path
) -> None:
    """Nobody is carved, with other columns or without; our own columns need no copy."""
    plain = replace(write(tmp_path / "plain", dolls), validation_people=3)
    located = locate(plain)
    assert located.files["train"] == (tmp_path / "plain" / "train.parquet",)
    assert not copies.exists()
    splits = {split: renamed(rows) for split, rows in dolls.items()}
    other = replace(write(tmp_path / "data", splits), columns=COLUMNS, validation_people=3)
    counts = [split.counts["identities"] for split in load(locate(other)).values()]
    assert counts == [12, 6, 8]


def test_images_without_ids_are_numbered(
    dolls: Rows, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Over all files and batches, so that no two have the same; a camera may be untold."""
    monkeypatch.setattr(conforming, "BATCH", 5)
    splits = without_validation(dolls)
    for rows in splits.values():
        for row in rows:
            del row["image_id"], row["camera"], row["source_path"]
    declaration = replace(write(tmp_path / "data", splits), validation_people=3)
    shown: list[tuple[str, int, int]] = []
    found = load(locate(declaration, lambda *step: shown.append(step)))
    ids = [int(image_id) for split in found.values() for image_id in split.image_ids]
    assert sorted(ids) == list(range(80))
    every = [*splits["train"], *splits["test"]]
    for split in found.values():
        assert images(split) == [every[int(row)]["image"]["bytes"] for row in split.image_ids]
        assert split.cameras == (None,) * len(split.image_ids)
    assert {(what, total) for what, _, total in shown} == {("conforming Mine", 80)}
    assert [done for _, done, _ in shown] == [*range(5, 50, 5), 48, *range(53, 80, 5), 80]


def test_a_copy_is_written_once(dolls: Rows, tmp_path: Path, copies: Path) -> None:
    """The second call touches nothing; where the dataset lies and its title make no difference."""
    splits = without_validation(dolls)
    first = replace(write(tmp_path / "data", splits), validation_people=3)
    located = locate(first)
    times = {file: file.stat().st_mtime_ns for file in copies.rglob("*")}
    assert len(times) == 4  # a folder with three files
    shown: list[object] = []
    elsewhere = replace(write(tmp_path / "moved", splits), validation_people=3, title="Other")
    for declaration in (first, elsewhere):
        again = locate(declaration, lambda *step: shown.append(step))
        assert again.files == located.files
        assert again.fingerprint == located.fingerprint
    assert not shown
    assert {file: file.stat().st_mtime_ns for file in copies.rglob("*")} == times


def test_what_is_declared_decides_the_copy(dolls: Rows, tmp_path: Path, copies: Path) -> None:
    """Other columns, other numbers of validation people and other content: each has its own."""
    splits = without_validation(dolls)
    for rows in splits.values():
        for row in rows:
            row["other"] = [f"Other than: {row['captions'][0]}"]
    declaration = write(tmp_path / "data", splits)
    found = [
        locate(replace(declaration, **changes))
        for changes in (
            {"validation_people": 3},
            {"validation_people": 4},
            {"validation_people": 3, "columns": {"captions": "other"}},
        )
    ]
    assert len(load_split(found[1], "val").image_ids) == 16
    assert load_split(found[2], "val").captions[0].startswith("Other than: ")
    splits["train"][0]["captions"] = ["A new caption."]
    found.append(locate(replace(write(tmp_path / "data", splits), validation_people=3)))
    assert len({located.fingerprint for located in found}) == 4
    assert len({located.files["train"] for located in found}) == 4
    assert len([*copies.iterdir()]) == 4
    captions = load_split(found[3], "train").captions + load_split(found[3], "val").captions
    assert "A new caption." in captions


def test_carving_hides_nobody_of_the_test_split(dolls: Rows, tmp_path: Path) -> None:
    """Test rows stay where they are, even of people who are trained on: the audit has to see it."""
    splits = {"train": dolls["train"], "test": dolls["train"] + dolls["test"]}
    located = locate(replace(write(tmp_path / "data", splits), validation_people=3))
    found = load(located)
    assert found["test"].counts["images"] == 48 + 32
    people = {split: set(of.person_of_image.tolist()) for split, of in found.items()}
    assert people["train"] | people["val"] < people["test"]


# What is refused.


@pytest.mark.parametrize("ours", COLUMNS)
def test_a_declared_column_that_is_not_there(ours: str, dolls: Rows, tmp_path: Path) -> None:
    """One message names the dataset, the column and those that there are, for every column."""
    splits = {split: renamed(rows) for split, rows in dolls.items()}
    declaration = replace(write(tmp_path / "data", splits), columns={**COLUMNS, ours: "something"})
    message = refusal(declaration)
    assert "'mine': no column something in train.parquet" in message
    assert "there are where, who, caption, picture, file, size" in message


def test_a_column_missing_from_one_file(dolls: Rows, tmp_path: Path, copies: Path) -> None:
    """It is refused too, and no copy of the others is left as if it were whole."""
    splits = {split: renamed(rows) for split, rows in dolls.items()}
    for row in splits["test"]:
        row["text"] = row.pop("caption")
    declaration = replace(write(tmp_path / "data", splits), columns=COLUMNS)
    assert "'mine': no column caption in test.parquet" in refusal(declaration)
    assert not finished(copies)


@pytest.mark.parametrize(
    ("stored", "kind"),
    [
        (lambda row: "pictures/one.png", "str"),
        (lambda row: None, "NoneType"),
        (lambda row: {"bytes": None, "path": "one.png"}, "dict"),
        (lambda row: [1, 2, 3], "list"),
    ],
)
def test_images_that_are_not_files(
    stored: Callable[[Row], Any], kind: str, dolls: Rows, tmp_path: Path, copies: Path
) -> None:
    """One message names the dataset, the row and what is there in place of an image."""
    splits = without_validation(dolls)
    for row in splits["test"]:
        row["image"] = stored(row)
    declaration = replace(write(tmp_path / "data", splits), validation_people=2)
    message = refusal(declaration)
    assert "'mine', row 48: the image column holds no image file" in message
    assert message.endswith(f"it holds {kind}.")
    assert not finished(copies)


def test_more_validation_people_than_there_are(dolls: Rows, tmp_path: Path) -> None:
    """Somebody has to be left to train on."""
    declaration = write(tmp_path / "data", without_validation(dolls))
    assert "there are only 12" in refusal(replace(declaration, validation_people=12))
    located = locate(replace(declaration, validation_people=11))
    assert load_split(located, "train").counts["identities"] == 1


def test_without_a_test_split_there_is_no_dataset(dolls: Rows, tmp_path: Path) -> None:
    """Whatever is declared; what is missing besides is told too."""
    splits = {"train": dolls["train"]}
    message = refusal(replace(write(tmp_path / "data", splits), validation_people=3))
    assert "'mine': no Parquet file for val, test in " in message


@pytest.mark.parametrize(
    ("kept", "carved"),
    [(["test"], 3), (["val", "test"], 3), (["test"], 0), (["train", "test"], 0)],
)
def test_splits_that_are_missing_stay_missing(
    kept: list[str], carved: int, dolls: Rows, tmp_path: Path
) -> None:
    """Nobody is carved where nobody is trained on or no number is declared; columns are ours."""
    splits = {split: renamed(dolls[split]) for split in kept}
    declaration = replace(
        write(tmp_path / "data", splits), columns=COLUMNS, validation_people=carved
    )
    located = locate(declaration)
    assert list(located.files) == kept
    for split in kept:
        assert len(load_split(located, split).image_ids) == len(dolls[split])
    [missing, *_] = located.missing
    with pytest.raises(HarnessError, match=f"Dataset 'mine' has no {missing} split"):
        load_split(located, missing)


# Interrupted copies.


def finished(copies: Path) -> list[Path]:
    """Return the copies that stand under their final names."""
    return [folder for folder in copies.glob("*") if folder.suffix != ".tmp"]


def test_a_failed_copy_is_written_anew(dolls: Rows, tmp_path: Path, copies: Path) -> None:
    """What a failure left behind is never taken for a copy, in the same process either."""
    declaration = replace(write(tmp_path / "data", without_validation(dolls)), validation_people=3)

    def fail(what: str, done: int, total: int) -> None:
        raise RuntimeError(what)

    with pytest.raises(RuntimeError):
        locate(declaration, fail)
    assert not finished(copies)
    counts = [split.counts["images"] for split in load(locate(declaration)).values()]
    assert counts == [36, 12, 32]
    assert len(finished(copies)) == 1


def test_a_killed_copy_is_written_anew(dolls: Rows, tmp_path: Path, copies: Path) -> None:
    """A process that is killed at it leaves no finished folder; the next one writes it whole."""
    declaration = replace(write(tmp_path / "data", without_validation(dolls)), validation_people=3)
    killed = subprocess.run(
        [sys.executable, "-c", KILL, str(tmp_path / "data")], env=dict(os.environ), check=False
    )
    assert killed.returncode == -9
    assert [*copies.glob("mine-*.tmp")]
    assert not finished(copies)
    counts = [split.counts["images"] for split in load(locate(declaration)).values()]
    assert counts == [36, 12, 32]
