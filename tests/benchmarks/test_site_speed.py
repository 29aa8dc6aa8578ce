"""What a large leaderboard costs: to build, to load and until it answers."""

from __future__ import annotations

import io
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np
import playwright.sync_api as playwright
import pyarrow
import pytest
from numpy.typing import NDArray
from PIL import Image

from harness.data.digest import digest_path
from harness.files import write_json, write_table
from harness.results import SCHEMA_VERSION, RunRecord, run_path
from leaderboard.build import build_site

from .bounds import Bound

METHODS, VARIANTS, SEEDS = 60, 5, 3
LONGEST_BUILD = 60  # seconds
LARGEST_INDEX = 1_000_000  # bytes
LONGEST_WAIT = 1_000  # milliseconds
PARTS = ("itc", "sdm", "id", "mlm", "local")  # each variant has one more of them
TOP = 10
HISTORY = {"epoch": [1, 2, 3], "loss": [3.0, 2.0, 1.5], "val_r1": [20.0, 30.0, 31.0]}


@dataclass(frozen=True)
class Split:
    """A test split: how many people, images and captions of each, and whether it may be shown."""

    name: str
    people: int
    images_each: int
    captions_each: int
    shown: bool = False

    @property
    def person_of_image(self) -> NDArray[np.int64]:
        return np.repeat(np.arange(self.people), self.images_each)

    @property
    def person_of_caption(self) -> NDArray[np.int64]:
        return np.repeat(np.arange(self.people), self.captions_each)

    @property
    def fingerprint(self) -> str:
        return f"{len(self.name):02x}" * 32


SPLITS = (
    Split("paperdolls", 200, 4, 8, shown=True),
    Split("rstpreid", 500, 3, 3),
    Split("cuhk-pedes", 1_000, 3, 2),
)


def write_results(results: Path) -> int:
    """Write the runs of every method, variant, seed and dataset; return how many there are."""
    for split in SPLITS:
        write_digest(results, split)
        for number in range(METHODS):
            for variant in range(VARIANTS):
                for seed in range(SEEDS):
                    write_run(results, split, number, variant, seed)
    return len(SPLITS) * METHODS * VARIANTS * SEEDS


def write_run(results: Path, split: Split, number: int, variant: int, seed: int) -> None:
    """Write a run without flushing it, which would take longer than all else."""
    method, label = f"method-{number:02d}", "full" if variant == 0 else f"without {PARTS[variant]}"
    path = run_path(results, "demo", split.name, method, label, seed)
    draw = np.random.default_rng([number, variant, seed])
    table, metrics = draw_answers(split, draw, 0.35 + 0.005 * number - 0.01 * variant)
    losses = {part: 1.0 for at, part in enumerate(PARTS) if variant == 0 or at != variant}
    record = RunRecord(
        status="ok", key=f"{split.name}-{number}-{variant}-{seed}", suite="demo",
        dataset=split.name, method=method, variant=label, seed=seed, scale="tiny",
        title=f"Method {number}", summary="It finds people.",
        paper="Somebody and Other, A paper, CVPR 2023", url="https://example.org/paper",
        supervision=("pairs", "identity")[number % 2], changes={"losses": losses},
        tables=(("Table 4", label, VARIANTS - variant),), config={"losses": losses},
        recipe={"backbone": f"backbone-{number % 3}"}, protocol={"version": 1},
        data={"title": split.name, "fingerprint": split.fingerprint, "drawn": split.shown},
        environment={"torch": "2.13", "commit": "0123456789"}, command=f"harness run {method}",
        started=f"2025-01-0{seed + 1}T00:00:00+00:00", train_seconds=100.0 + number,
        image_milliseconds=1.0 + number / 10, text_milliseconds=0.5, peak_memory=900.0,
        parameters=1_000_000 * (1 + number), selected_epoch=3, metrics=metrics,
    )  # fmt: skip
    write_table(path / "evaluations/text-to-image/queries.parquet", table)
    write_json(path / "evaluations/text-to-image/metrics.json", metrics)
    write_table(path / "history.parquet", HISTORY)
    write_json(path / "run.json", asdict(record))


def draw_answers(
    split: Split, draw: np.random.Generator, skill: float
) -> tuple[dict[str, Any], dict[str, float]]:
    """Return a table of queries whose ranks and first images agree, and its means in percent."""
    people, each = split.person_of_caption, split.images_each
    gaps = draw.geometric(np.clip(draw.normal(skill, 0.15, (len(people), 1)), 0.02, 0.9),
                          (len(people), each))  # fmt: skip
    ranks = np.cumsum(gaps, axis=1)  # (Q, P)
    rows = draw.integers(split.people * each, size=(len(people), TOP))
    query, place = np.nonzero(ranks <= TOP)
    rows[query, ranks[query, place] - 1] = people[query] * each + place
    precision = (np.arange(1, each + 1) / ranks).mean(1)
    penalty = each / ranks[:, -1]
    hits = {f"r{k}": 100 * float((ranks[:, 0] <= k).mean()) for k in (1, 5, 10)}
    means = {"map": 100 * float(precision.mean()), "minp": 100 * float(penalty.mean())}
    table = {
        "query_id": np.arange(len(people)),
        "person_id": people,
        "first_hit": ranks[:, 0],
        "average_precision": precision,
        "inverse_negative_penalty": penalty,
        "hit_ranks": as_lists(ranks),
        "top_rows": as_lists(rows),
        "top_scores": as_lists(np.zeros((len(people), TOP), np.float32)),
    }
    return table, {**hits, **means}


def as_lists(values: NDArray[Any]) -> Any:
    """Return a matrix as a column of lists."""
    offsets = np.arange(0, values.size + 1, values.shape[1], dtype=np.int32)
    return pyarrow.ListArray.from_arrays(pyarrow.array(offsets), pyarrow.array(values.ravel()))


def write_digest(results: Path, split: Split) -> None:
    """Write what a split tells of itself, with pictures where they may be shown."""
    captions, images = len(split.person_of_caption), len(split.person_of_image)
    small = io.BytesIO()
    Image.new("RGB", (32, 96), (120, 90, 60)).save(small, "JPEG")
    path = digest_path(results, "demo", split.name, split.fingerprint)
    texts = [f"A man in a coat of colour {row}" if split.shown else None for row in range(captions)]
    pictures = [small.getvalue() if split.shown else None] * images
    write_table(path / "queries.parquet", {
        "caption": pyarrow.array(texts, pyarrow.string()),
        "person_id": split.person_of_caption,
        "image_row": split.person_of_caption * split.images_each,
        "words": 8 + np.arange(captions) % 20,
        "attributes": 3 + np.arange(captions) % 7,
    })  # fmt: skip
    write_table(path / "gallery.parquet", {
        "image_id": [f"image-{row}" for row in range(images)],
        "person_id": split.person_of_image,
        "camera": [f"camera {row % 5}" for row in range(images)],
        "thumbnail": pyarrow.array(pictures, pyarrow.binary()),
    })  # fmt: skip
    write_json(path / "about.json", {
        "schema_version": SCHEMA_VERSION, "title": split.name, "shown": split.shown,
        "fingerprint": split.fingerprint, "counts": {}, "audit": {},
    })  # fmt: skip


@pytest.fixture(scope="module")
def large_results(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Return a results folder of 2,700 runs."""
    folder = tmp_path_factory.mktemp("large") / "results"
    write_results(folder)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def built(large_results: Path) -> Iterator[tuple[Path, float]]:
    """Return the site of the large results, and how many seconds it took to build."""
    out = large_results.parent / "site"
    began = perf_counter()
    build_site(large_results, out)
    yield out, perf_counter() - began
    shutil.rmtree(out)


@pytest.mark.benchmark
@pytest.mark.timeout(900)  # the runs are written first
def test_a_large_site_is_built_in_a_minute(benchmark: Any, bound: Bound, request: Any) -> None:
    """60 methods x 5 variants x 3 seeds x 3 datasets take less than 60 s, read to written."""
    if not benchmark.enabled:
        pytest.skip("nothing is timed: run with --benchmark-enable")
    results = request.getfixturevalue("large_results")
    site, seconds = benchmark.pedantic(lambda: request.getfixturevalue("built"), rounds=1)
    files = [path for path in site.rglob("*") if path.is_file()]
    benchmark.extra_info |= {
        "runs": len(list(results.glob("*/*/*/*/seed-*"))),
        "files": len(files),
        "megabytes": sum(path.stat().st_size for path in files) / 1e6,
    }
    bound(seconds, LONGEST_BUILD, of="s to build it")


@pytest.mark.benchmark
@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    ("file", "answered"),
    [("index.html", "form.view input[type=search]"), ("compare.html", "table.by-metric")],
)
def test_large_pages_soon_answer(
    file: str, answered: str, benchmark: Any, bound: Bound, request: Any
) -> None:
    """Three rankings of 60, and the matrix of 60 with its first pair, are there within a second."""
    if not benchmark.enabled:
        pytest.skip("nothing is timed: run with --benchmark-enable")
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        pytest.skip("no Chromium on this machine")
    site, _ = request.getfixturevalue("built")
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        waits = benchmark.pedantic(
            lambda: [spend(browser, site / file, answered) for _ in range(3)], rounds=1
        )
        browser.close()
    if file == "index.html":
        bound((site / file).stat().st_size, LARGEST_INDEX, of="bytes of the index")
    bound(median(waits), LONGEST_WAIT, of=f"ms of a processor until {file} answers")


def spend(browser: playwright.Browser, page: Path, answered: str) -> float:
    """Return how many milliseconds of a processor a page has taken when it holds an element.

    What else the machine does at the time is not counted, and neither is reading from disk.
    """
    window = browser.new_page(viewport={"width": 1440, "height": 900})
    session = window.context.new_cdp_session(window)
    session.send("Performance.enable", {"timeDomain": "threadTicks"})
    window.goto(page.as_uri())
    window.wait_for_selector(answered)
    measured = {
        one["name"]: one["value"] for one in session.send("Performance.getMetrics")["metrics"]
    }
    window.close()
    return 1000 * float(measured["TaskDuration"])
