"""What data costs beside the bare decoding of its images, and cached pixels beside a bare copy."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np
import pytest
from PIL import Image

from harness.data.catalogue import find_declaration, locate
from harness.data.importing.records import Record
from harness.data.importing.write import Source, write_dataset
from harness.data.loading import load_split
from harness.data.pixels import Pixels, open_pixels

from .bounds import Bound
from .paired import paired_ratio

IMAGES = 1_500
SIZE = 384, 128  # height and width of most crops, and of the pixels that methods take
THREADS = 4  # as the harness decodes
BATCHES, BATCH = 200, 64
ROUNDS = 7  # each takes a second or two
LARGEST_IMPORT = 2.0  # times bare decoding: the files are read, hashed by size and copied besides
LARGEST_EPOCH = 2.5  # pixels are put into the order of tensors and written besides
LARGEST_CACHED = 1.25  # times the bare copy of the same rows
CLOCK = process_time  # of all threads: a busy disk does not count


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> list[Record]:
    """Return one record of each split, and the others of train, of photographs' sharpness."""
    folder = tmp_path_factory.mktemp("images")
    random = np.random.default_rng(0)
    splits = ["val", "test", *["train"] * (IMAGES - 2)]
    found = []
    for number, split in enumerate(splits):
        coarse = random.integers(0, 256, (48, 16, 3), dtype=np.uint8)
        file = folder / f"{number}.jpg"
        Image.fromarray(coarse).resize((SIZE[1], SIZE[0]), Image.Resampling.BICUBIC).save(file)
        caption = (f"Somebody in colour {number}.",)
        found.append(Record("", split, number, file.name, file, caption, file.name))
    return found


@pytest.fixture(scope="module")
def dataset(records: list[Record], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of the records, imported."""
    folder = tmp_path_factory.mktemp("imported") / "custom"
    write_dataset(records, folder, Source("custom", "Custom", licensed=False))
    return folder


def decode(records: list[Record]) -> None:
    """Decode every file and keep nothing."""

    def load(record: Record) -> None:
        with Image.open(record.file) as image:
            image.load()

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(load, records))


@pytest.mark.benchmark
def test_an_import_is_limited_by_decoding(
    benchmark: Any, bound: Bound, records: list[Record], tmp_path: Path
) -> None:
    """Checking every image and writing it takes little longer than decoding it."""
    source = Source("custom", "Custom", licensed=False)
    folder = tmp_path / "custom"

    def write() -> None:
        shutil.rmtree(folder, ignore_errors=True)
        write_dataset(records, folder, source)

    paired = paired_ratio(benchmark, write, lambda: decode(records), ROUNDS, CLOCK)
    bound(paired.ratio, LARGEST_IMPORT, of="times bare decoding")


@pytest.mark.benchmark
def test_the_first_epoch_is_limited_by_decoding(
    benchmark: Any, bound: Bound, records: list[Record], dataset: Path, tmp_path: Path
) -> None:
    """Filling the cache of pixels takes little longer than decoding."""
    split = load_split(locate(find_declaration(str(dataset))), "train")

    def fill() -> None:
        shutil.rmtree(tmp_path / "pixels", ignore_errors=True)
        open_pixels(split, SIZE, tmp_path / "pixels")

    paired = paired_ratio(benchmark, fill, lambda: decode(records[2:]), ROUNDS, CLOCK)
    bound(paired.ratio, LARGEST_EPOCH, of="times bare decoding")


@pytest.mark.benchmark
def test_later_epochs_read_the_cache(
    benchmark: Any, bound: Bound, dataset: Path, tmp_path: Path
) -> None:
    """A batch of cached pixels costs what copying its rows costs."""
    split = load_split(locate(find_declaration(str(dataset))), "train")
    pixels = open_pixels(split, SIZE, tmp_path)
    (file,) = tmp_path.glob("*.npy")
    stored = np.load(file, mmap_mode="r")
    random = np.random.default_rng(0)
    rows = [random.integers(0, len(stored), BATCH) for _ in range(BATCHES)]

    def read(reader: Pixels | np.ndarray[Any, Any]) -> Callable[[], None]:
        take = reader.__getitem__ if isinstance(reader, np.ndarray) else reader

        def batches() -> None:
            for batch in rows:
                take(batch)

        return batches

    paired = paired_ratio(benchmark, read(pixels), read(stored), ROUNDS, CLOCK)
    bound(paired.ratio, LARGEST_CACHED, of="times the bare copy of the rows")
