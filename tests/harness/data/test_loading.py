import io
import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
from PIL import Image

from harness.data.auditing.examination import examine
from harness.data.catalogue import find_declaration, locate
from harness.data.loading import load_split
from harness.data.pixels import cache_bytes, open_pixels
from harness.data.schema import Split
from harness.errors import HarnessError


def png(colour: tuple[int, int, int], size: tuple[int, int] = (8, 16)) -> bytes:
    """Return an encoded image of one colour."""
    file = io.BytesIO()
    Image.new("RGB", size, colour).save(file, "PNG")
    return file.getvalue()


def rows(**changes: Any) -> list[dict[str, Any]]:
    """Return two rows, the second with changes."""
    first = {
        "image": {"bytes": png((255, 0, 0)), "path": None},
        "captions": ["a man", " two\nlines "],
        "person_id": 7,
        "image_id": "one",
    }
    second = {**first, "image_id": "two", "person_id": 9, "captions": ["a woman"]}
    return [first, {**second, **changes}]


def load(folder: Path, table: list[dict[str, Any]]) -> Split:
    """Write a dataset of which every split is the table, and load its test split."""
    folder.mkdir(exist_ok=True)
    for split in ("train", "val", "test"):
        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(table), folder / f"{split}.parquet")
    return load_split(locate(find_declaration(str(folder))), "test")


def test_rows_become_images_captions_and_people(tmp_path: Path) -> None:
    """Captions keep their order and image; line breaks and outer spaces go."""
    split = load(tmp_path / "d", rows())
    assert split.captions == ("a man", "two lines", "a woman")
    assert split.image_of_caption.tolist() == [0, 0, 1]
    assert split.person_of_caption.tolist() == [7, 7, 9]
    assert split.counts == {"identities": 2, "images": 2, "captions": 3}


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (rows(captions=[" "]), "image 'two': an empty caption or none"),
        (rows(captions=[]), "image 'two': an empty caption or none"),
        (rows(image_id="one"), "image id 'one' stands in 2 rows"),
        ([{"image": None, "captions": ["x"], "image_id": "a"}], "no column person_id"),
    ],
)
def test_what_is_wrong_is_said_with_its_row(
    tmp_path: Path, table: list[dict[str, Any]], message: str
) -> None:
    """A dataset that breaks the schema is refused with the record that breaks it."""
    with pytest.raises(HarnessError, match=message):
        load(tmp_path / "d", table)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"person_id": "p9"},
            r"Column person_id .* a whole number .*\.parquet, row 0 ",
        ),
        ({"person_id": 1.5}, r"row 1 \(from 0\): 1.5\.$"),
        ({"person_id": None}, r"row 1 \(from 0\): nothing\.$"),
        ({"image_id": None}, r"Column image_id .* row 1 \(from 0\): nothing"),
        ({"captions": 3}, r"Column captions .* a text or a list of texts .*: 3"),
    ],
)
def test_a_value_of_another_kind_is_named_with_its_column_and_row(
    tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    """And nothing is cut or taken apart to fit."""
    table = rows(**change)
    if any(isinstance(value, str) or name == "captions" for name, value in change.items()):
        table = [{**row, **change} for row in table]  # a column has one type
    elif change.get("person_id"):
        table[0]["person_id"] = 7.0
    for read in (load, audited):
        with pytest.raises(HarnessError, match=message):
            read(tmp_path / "d", table)


def audited(folder: Path, table: list[dict[str, Any]]) -> dict[str, Any]:
    """Write a dataset of which every split is the table, and audit it."""
    folder.mkdir(exist_ok=True)
    for split in ("train", "val", "test"):
        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(table), folder / f"{split}.parquet")
    return examine(locate(find_declaration(str(folder))), lambda what, done, total: None)


def test_a_text_is_one_caption(tmp_path: Path) -> None:
    """For a run and for an audit, and no list of its letters."""
    table = [{**row, "captions": f"一个{n}"} for n, row in enumerate(rows())]
    assert load(tmp_path / "d", table).captions == ("一个0", "一个1")
    assert audited(tmp_path / "d", table)["splits"]["test"]["captions"] == 2


@pytest.mark.parametrize("name", ["set[1]", "a*", "wh?t", "{x,y}", "100%41"])
def test_the_files_that_are_read_are_those_that_are_named(tmp_path: Path, name: str) -> None:
    """A path is no pattern, whatever lies beside it, and no cache of another library is asked."""
    for other in ("set1", "ab", "what", "x", "100A"):
        load(tmp_path / other, rows(captions=["another dataset"]))
    assert load(tmp_path / name, rows()).captions[-1] == "a woman"


def test_images_are_found_in_every_row_group_and_file(tmp_path: Path) -> None:
    """Whatever order they are asked for in."""
    folder = tmp_path / "d"
    folder.mkdir()
    expected = []
    for split in ("train", "val", "test"):
        for shard in range(3):
            table = [
                {**rows()[0], "image": {"bytes": bytes([shard, n]), "path": None},
                 "image_id": f"{shard} {n}"}
                for n in range(7)
            ]  # fmt: skip
            file = folder / f"{split}-{shard}.parquet"
            pyarrow.parquet.write_table(pyarrow.Table.from_pylist(table), file, row_group_size=3)
            expected += [bytes([shard, n]) for n in range(7)] if split == "test" else []
    split = load_split(locate(find_declaration(str(folder))), "test")
    order = np.random.default_rng(0).permutation(len(expected))
    assert [split.encoded(row) for row in order] == [expected[row] for row in order]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(split.encoded, range(len(expected)))) == expected


def test_a_file_that_was_replaced_has_another_fingerprint(tmp_path: Path) -> None:
    """Also where size and time are those of the file before."""
    load(tmp_path / "d", rows(captions=["a tall man"]))
    before = locate(find_declaration(str(tmp_path / "d"))).fingerprint
    file = tmp_path / "d" / "test.parquet"
    times = file.stat().st_atime_ns, file.stat().st_mtime_ns
    content = file.read_bytes()
    changed = content.replace(b"a tall man", b"a slim man")
    assert len(changed) == len(content) != changed
    file.write_bytes(changed)
    os.utime(file, ns=times)
    assert locate(find_declaration(str(tmp_path / "d"))).fingerprint != before


@pytest.mark.parametrize("form", ["a struct", "bytes", "a path", "half a struct"])
def test_images_are_read_in_every_form_that_datasets_reads(tmp_path: Path, form: str) -> None:
    """Bytes or the path of a file, in a struct or alone, as other writers store them."""
    content = png((0, 0, 255))
    file = tmp_path / "blue.png"
    file.write_bytes(content)
    image = {
        "a struct": {"bytes": None, "path": str(file)},
        "bytes": content,
        "a path": str(file),
        "half a struct": {"bytes": content},
    }[form]
    table = [{**row, "image": image} for row in rows()]
    assert load(tmp_path / "d", table).encoded(1) == content


def test_a_missing_split_says_what_is_expected(tmp_path: Path) -> None:
    """A folder without Parquet files is refused with the names that were looked for."""
    with pytest.raises(HarnessError, match="no Parquet file for train, val, test"):
        locate(find_declaration(str(tmp_path)))


def test_an_unknown_dataset_says_what_exists() -> None:
    """A misspelt dataset is refused with the nearest name."""
    with pytest.raises(HarnessError, match="Did you mean 'paperdolls'"):
        find_declaration("paperdoll")


@pytest.mark.parametrize("cached", [True, False])
def test_pixels_are_decoded_and_resized(tmp_path: Path, cached: bool) -> None:
    """Both ways of reading give (B, 3, H, W) uint8 of the size asked for."""
    split = load(tmp_path / "d", rows(image={"bytes": png((0, 9, 255), (32, 64)), "path": None}))
    pixels = open_pixels(split, (16, 8), tmp_path / "cache" if cached else None)
    read = pixels(np.array([1, 0, 1]))
    assert read.shape == (3, 3, 16, 8)
    assert read[0, :, 3, 3].tolist() == [0, 9, 255]
    assert read[1, :, 3, 3].tolist() == [255, 0, 0]


def test_the_pixel_cache_is_filled_once_and_forecast(tmp_path: Path) -> None:
    """The second opening decodes nothing, and the file is as large as was forecast."""
    split = load(tmp_path / "d", rows())
    told: list[tuple[int, int]] = []
    open_pixels(split, (16, 8), tmp_path / "cache", lambda *done: told.append(done))
    assert told == [(2, 2)]
    open_pixels(split, (16, 8), tmp_path / "cache", lambda *done: told.append(done))
    assert told == [(2, 2)]
    (file,) = (tmp_path / "cache").glob("*.npy")
    assert np.load(file).nbytes == cache_bytes(2, (16, 8))


def test_a_cache_that_does_not_fit_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before anything is written, with what it takes and what is free; without a cache it goes."""
    split = load(tmp_path / "d", rows())
    usage = shutil.disk_usage(tmp_path)._replace(free=cache_bytes(2, (16, 8)) - 1)
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage)
    with pytest.raises(HarnessError, match=r"take 0.0 MB, and .*cache has 0.0 MB free.*CACHE"):
        open_pixels(split, (16, 8), tmp_path / "cache")
    assert not list((tmp_path / "cache").glob("*.npy"))
    assert len(open_pixels(split, (16, 8), None)(np.zeros(1, np.int64))) == 1


@pytest.mark.parametrize(
    ("broken", "told"),
    [
        (b"", "is empty"),
        (b"not an image", "is none of JPEG"),
        (png((1, 2, 3))[:40], "cannot be decoded: it begins as PNG does"),
        (png((1, 2, 3))[:48], "cannot be decoded: "),
    ],
)
def test_a_broken_image_is_named(tmp_path: Path, broken: bytes, told: str) -> None:
    """An image that cannot be decoded ends with its id, and leaves no cache behind."""
    split = load(tmp_path / "d", rows(image={"bytes": broken, "path": None}))
    with pytest.raises(HarnessError, match=f"image 'two' {told}"):
        open_pixels(split, (16, 8), tmp_path / "cache")
    assert not list((tmp_path / "cache").glob("*8.npy"))
