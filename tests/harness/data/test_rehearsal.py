"""Folders laid out as the benchmarks are, to be imported before the licensed data is there."""

import hashlib
import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from harness.cli import data
from harness.data.auditing.audit import rank1_ceiling
from harness.data.importing import rehearsal
from harness.data.importing.benchmarks import read_layout
from harness.data.importing.layouts import BENCHMARKS, Layout
from harness.data.importing.records import count_records
from harness.data.importing.rehearsal import write_rehearsal
from harness.errors import HarnessError

SMALL = {
    "cuhk-pedes": {"train": (40, 130, 279), "val": (5, 16, 34), "test": (6, 20, 48)},
    "icfg-pedes": {"train": (20, 90, 90), "test": (7, 41, 41)},
    "rstpreid": {"train": (12, 60, 120), "val": (3, 15, 30), "test": (5, 25, 50)},
}
PUBLISHED = {
    "cuhk-pedes": {
        "train": (11003, 34054, 68126),
        "val": (1000, 3078, 6158),
        "test": (1000, 3074, 6156),
    },
    "icfg-pedes": {"train": (3102, 34674, 34674), "test": (1000, 19848, 19848)},
    "rstpreid": {
        "train": (3701, 18505, 37010),
        "val": (200, 1000, 2000),
        "test": (200, 1000, 2000),
    },
}
SHARED, BREAK_EVERY, SPACES_EVERY = 2, 31, 37
KINDS = {".jpg": "JPEG", ".png": "PNG", ".bmp": "BMP"}

Records = list[dict[str, Any]]
each_layout = pytest.mark.parametrize("name", BENCHMARKS)


def small(name: str) -> Layout:
    """Return a benchmark's layout with the counts of a small one."""
    carved = 3 if BENCHMARKS[name].validation_people else 0
    return replace(BENCHMARKS[name], official=SMALL[name], withdrawn={}, validation_people=carved)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder of each layout: small images, few drawings, oddities close together."""
    folder = tmp_path_factory.mktemp("rehearsals")
    with pytest.MonkeyPatch.context() as patch:
        for constant, value in {
            "DRAWN": 20, "SIZE": (32, 96), "CHUNK": 50, "SHARED": SHARED,
            "BREAK_EVERY": BREAK_EVERY, "SPACES_EVERY": SPACES_EVERY,
        }.items():  # fmt: skip
            patch.setattr(rehearsal, constant, value)
        for name in BENCHMARKS:
            write_rehearsal(small(name), folder / name)
    return folder


def read(folders: Path, name: str) -> Records:
    """Return the records of a folder."""
    file = folders / name / BENCHMARKS[name].annotations[0]
    found: Records = json.loads(file.read_text("utf-8"))
    return found


def image_of(folders: Path, name: str, record: dict[str, Any]) -> Path:
    """Return the image file of a record."""
    path: str = record[BENCHMARKS[name].path_key]
    return folders / name / "imgs" / path


@each_layout
def test_counts_are_exact(name: str, folders: Path) -> None:
    """People, images and captions of each split, and no split more."""
    found: dict[str, tuple[set[int], set[str], list[str]]] = {}
    for record in read(folders, name):
        people, images, captions = found.setdefault(record["split"], (set(), set(), []))
        people.add(record["id"])
        images.add(record[BENCHMARKS[name].path_key])
        captions += record["captions"]
    assert {split: tuple(map(len, of)) for split, of in found.items()} == SMALL[name]


@each_layout
def test_no_two_images_are_equal(name: str, folders: Path) -> None:
    """Each record has a file of its own, of the kind it is named, and no file is left over."""
    files = [image_of(folders, name, record) for record in read(folders, name)]
    there = {file for file in (folders / name / "imgs").rglob("*") if file.is_file()}
    assert set(files) == there
    assert len({hashlib.sha256(file.read_bytes()).digest() for file in files}) == len(files)
    for file in files:
        with Image.open(file) as image:
            image.load()
            assert (image.format, image.size) == (KINDS[file.suffix], (32, 96))


@each_layout
def test_people_are_numbered_without_a_gap(name: str, folders: Path) -> None:
    """From the benchmark's first number on, split after split, and no person is in two."""
    people: dict[str, set[int]] = defaultdict(set)
    for record in read(folders, name):
        people[record["split"]].add(record["id"])
    first = {"cuhk-pedes": 1, "icfg-pedes": 0, "rstpreid": 0}[name]
    for split in people:
        expected = set(range(first, first + SMALL[name][split][0]))
        assert people[split] == expected
        first += len(expected)


@each_layout
def test_the_import_takes_it_for_official(name: str, folders: Path) -> None:
    """The reader of the real folders finds nothing to refuse, and the same counts."""
    records = read_layout(small(name), folders / name, False, False)
    counts = count_records(records)
    if name == "icfg-pedes":
        carved = counts.pop("val")
        counts["train"] = tuple(sum(of) for of in zip(counts["train"], carved, strict=True))
        assert carved[0] == 3
    assert counts == SMALL[name]
    assert all((record.camera is None) == (name != "rstpreid") for record in records)


@each_layout
def test_captions_are_as_odd_as_the_originals(name: str, folders: Path) -> None:
    """Some hold a line break and some outer spaces, none is empty, most are neither."""
    captions = [caption for record in read(folders, name) for caption in record["captions"]]
    broken = [caption for caption in captions if "\n" in caption]
    spaced = [caption for caption in captions if caption != caption.strip()]
    assert all(caption.strip() for caption in captions)
    for odd, every in ((broken, BREAK_EVERY), (spaced, SPACES_EVERY)):
        assert len(captions) / every / 2 <= len(odd) <= 2 * len(captions) / every + 1


@each_layout
def test_captions_are_shared_by_those_alone_who_are_meant_to(name: str, folders: Path) -> None:
    """A few pairs of test people, where images have several captions; else nobody."""
    people: dict[str, list[int]] = defaultdict(list)
    test = []
    for record in read(folders, name):
        for caption in record["captions"]:
            people[" ".join(caption.split())].append(record["id"])
            if record["split"] == "test":
                test.append((" ".join(caption.split()), record["id"]))
    shared = [of for of in people.values() if len(of) > 1]
    pairs = 0 if name == "icfg-pedes" else SHARED
    assert [len(of) for of in shared] == [2] * pairs
    assert all(one != other for one, other in shared)
    assert len({person for of in shared for person in of}) == 2 * pairs
    texts, ids = zip(*test, strict=True)
    ceiling = 100 * (len(test) - pairs) / len(test)
    assert rank1_ceiling(texts, np.array(ids)) == pytest.approx(ceiling)


def test_cuhk_pedes_has_images_of_three_kinds(folders: Path) -> None:
    """Mostly jpg, and some png and bmp, as the original."""
    kinds = Counter(Path(record["file_path"]).suffix for record in read(folders, "cuhk-pedes"))
    assert {*kinds} == {".jpg", ".png", ".bmp"}
    assert kinds[".jpg"] > 100


def test_cuhk_pedes_has_people_and_images_out_of_the_ordinary(folders: Path) -> None:
    """Each split has a person with one image; a few images have 4 or 10 captions, the others 2."""
    records = read(folders, "cuhk-pedes")
    for split in SMALL["cuhk-pedes"]:
        images = Counter(record["id"] for record in records if record["split"] == split)
        assert min(images.values()) == 1
        assert [*images.values()].count(1) == 1
    amounts = Counter(len(record["captions"]) for record in records)
    # 279 is 2 x 130 + 8 + 8 + 2 + 1, 34 is 2 x 16 + 2, 48 is 2 x 20 + 8.
    assert amounts == {10: 3, 4: 2, 3: 1, 2: 160}


def test_folders_of_icfg_pedes_are_not_its_splits(folders: Path) -> None:
    """Those called train and test hold images of both, as MSMT17's do."""
    places: dict[str, set[str]] = defaultdict(set)
    for record in read(folders, "icfg-pedes"):
        places[record["file_path"].partition("/")[0]].add(record["split"])
    assert places == {"train": {"train", "test"}, "test": {"train", "test"}}


def test_cameras_of_rstpreid_are_told_by_names(folders: Path) -> None:
    """There are several, and names begin with the person."""
    names = [record["img_path"] for record in read(folders, "rstpreid")]
    matches = [re.fullmatch(r"(\d{4})_c(\d+)_(\d{4})\.jpg", name) for name in names]
    assert all(matches)
    assert len({match[2] for match in matches if match}) > 5
    ids = [record["id"] for record in read(folders, "rstpreid")]
    assert [int(match[1]) for match in matches if match] == ids


@each_layout
def test_records_have_the_keys_of_the_benchmark(name: str, folders: Path) -> None:
    """Words of captions, one list a caption, go along where the original has them."""
    keys = {"split", "captions", "id", "img_path" if name == "rstpreid" else "file_path"}
    if name != "rstpreid":
        keys.add("processed_tokens")
    for record in read(folders, name):
        assert {*record} == keys
        words = [caption.lower().split() for caption in record["captions"]]
        assert record.get("processed_tokens", words) == words


@each_layout
def test_the_same_is_written_again(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Byte by byte, in chunks of any size; progress ends at all images."""
    monkeypatch.setattr(rehearsal, "DRAWN", 3)
    monkeypatch.setattr(rehearsal, "SIZE", (16, 48))
    layout = replace(small(name), official={"train": (3, 9, 9), "test": (2, 4, 4)})
    steps: list[tuple[str, int, int]] = []
    write_rehearsal(layout, tmp_path / "one")
    monkeypatch.setattr(rehearsal, "CHUNK", 4)
    write_rehearsal(layout, tmp_path / "two", lambda *step: steps.append(step))
    files = sorted(p.relative_to(tmp_path / "one") for p in (tmp_path / "one").rglob("*.*"))
    assert len(files) == 14
    for file in files:
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()
    assert steps == [(f"drawing {layout.title}", done, 13) for done in (4, 8, 12, 13)]


# What the whole benchmarks would be.


@each_layout
def test_the_plan_of_a_whole_benchmark_has_its_counts(name: str) -> None:
    """Exactly those that papers print, with the oddities of CUHK-PEDES; no image is drawn."""
    people: dict[str, set[int]] = defaultdict(set)
    amounts: dict[str, list[int]] = defaultdict(list)
    images: Counter[tuple[str, int]] = Counter()
    for planned in rehearsal._plan(BENCHMARKS[name]):
        people[planned.split].add(planned.person)
        amounts[planned.split].append(planned.captions)
        assert planned.number == images[planned.split, planned.person]
        images[planned.split, planned.person] += 1
    found = {split: (len(people[split]), len(of), sum(of)) for split, of in amounts.items()}
    assert found == PUBLISHED[name]
    assert min(min(of) for of in amounts.values()) >= 1
    if name == "cuhk-pedes":
        assert min(images.values()) == 1
        assert {2, 4, 10} == {amount for of in amounts.values() for amount in of}
        assert Counter(amounts["train"])[2] == 34054 - 3


@each_layout
def test_paths_and_captions_of_a_whole_benchmark_are_its_own(name: str) -> None:
    """No two images have one name, and no two captions are the same before some are shared."""
    texts = [f"Person {number} in red. And blue." for number in range(rehearsal.DRAWN)]
    planned = list(rehearsal._plan(BENCHMARKS[name]))
    paths = {rehearsal._path(BENCHMARKS[name], of, number) for number, of in enumerate(planned)}
    assert len(paths) == len(planned)
    captions = {
        " ".join(caption.split())
        for number, of in enumerate(planned)
        for caption in rehearsal._captions(texts, of, number)
    }
    assert len(captions) == sum(of for _, _, of in PUBLISHED[name].values())


# The command.


def rehearse(*arguments: object) -> Any:
    """Call `harness data rehearse` in this process."""
    return CliRunner().invoke(data.app, ["rehearse", *map(str, arguments)])


def test_the_command(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """It writes a folder and says that its people are drawn; it never writes over one."""
    monkeypatch.setattr(rehearsal, "DRAWN", 3)
    monkeypatch.setitem(BENCHMARKS, "rstpreid", small("rstpreid"))
    done = rehearse("rstpreid", tmp_path / "raw")
    assert done.exit_code == 0, done.output
    assert "Every person in it is drawn" in done.stderr
    records = read_layout(small("rstpreid"), tmp_path / "raw", False, False)
    assert count_records(records) == SMALL["rstpreid"]
    again = rehearse("rstpreid", tmp_path / "raw")
    assert isinstance(again.exception, HarnessError)
    assert "is there already" in str(again.exception)


def test_the_command_knows_the_layouts(tmp_path: Path) -> None:
    """Another name is refused with what was probably meant, and nothing is written."""
    done = rehearse("rstpried", tmp_path / "raw")
    assert isinstance(done.exception, HarnessError)
    assert "Did you mean 'rstpreid'" in str(done.exception)
    assert not (tmp_path / "raw").exists()
