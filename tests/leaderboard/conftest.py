from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from functools import partial
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

import numpy as np
import playwright.sync_api as playwright
import pyarrow
import pytest
from axe_playwright_python.sync_playwright import Axe
from PIL import Image

from harness.data.digest import digest_path
from harness.results import (
    SCHEMA_VERSION,
    EvaluationRecord,
    RunRecord,
    evaluation_path,
    finish_run,
    run_path,
    working_folder,
    write_json,
    write_table,
)
from leaderboard.site_folder import MARKER

VOID = {"meta", "link", "br", "hr", "img", "input", "wbr"}
HISTORY = {
    "epoch": [1, 2, 3],
    "stage": [0, 0, 1],
    "loss": [3.5, 2.25, 1.75],
    "loss/itc": [2.0, 1.25, 1.0],
    "loss/sdm": [1.5, 1.0, 0.75],
    "val_r1": [10.0, 22.0, 21.0],
    "pairs/mined/count": [0, 60, 90],
    "pairs/mined/right": [None, 0.75, 0.875],
}


class Page(HTMLParser):
    """A parsed page; parsing fails where a tag is not closed in its place."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.source = text
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.rows: list[list[str]] = []
        self.text = ""
        self.feed(text)
        self.close()
        assert not self.open, f"never closed: {self.open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag, f"</{tag}> at {self.getpos()}"

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] in ("style", "script"):
            return
        self.text += data
        if {"td", "th"} & set(self.open):
            self.rows[-1][-1] += data

    def attributes(self, name: str) -> list[str]:
        """Return the values of an attribute wherever it stands."""
        return [values[name] for _, values in self.elements if name in values]

    def row(self, label: str) -> list[str]:
        """Return the cells of the only row that has a cell with this text."""
        (found,) = [row for row in self.rows if label in row]
        return found


@pytest.fixture
def read_page() -> Callable[[Path], Page]:
    """Return a reader of HTML files."""
    return lambda path: Page(path.read_text(encoding="utf-8"))


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """Return the path of a results folder that is still empty."""
    return tmp_path / "results"


@pytest.fixture
def add_run(results: Path) -> Callable[..., Path]:
    """Return a function that finishes a run; keyword arguments replace fields of its record."""

    def add(
        method: str, r1: float | None = None, *, seed: int = 0, history: bool = True, **fields: Any
    ) -> Path:
        metrics = {} if r1 is None else percentages(r1)
        record = RunRecord(**(record_fields(method, seed) | {"metrics": metrics} | fields))
        path = run_path(results, record.suite, record.dataset, method, record.variant, record.seed)
        work = working_folder(path)
        work.mkdir(parents=True)
        if record.status == "ok":
            write_json(work / "evaluations/text-to-image/metrics.json", metrics)
            write_json(work / "evaluations/image-to-text/metrics.json", percentages(77.7))
        if history:
            write_table(work / "history.parquet", HISTORY)
        finish_run(record, path)
        return path

    return add


@pytest.fixture
def small_results(results: Path, add_run: Callable[..., Path]) -> Path:
    """Return results of three methods on drawn data: seeds, an ablation and a failed run."""
    error = {
        "kind": "FloatingPointError",
        "message": "loss 'itc' is nan",
        "traceback": "Traceback (most recent call last):\nFloatingPointError: loss 'itc' is nan",
    }
    for seed, r1 in enumerate((40.0, 41.0, 45.0)):
        add_run("beta", r1, seed=seed, tables=(("Table 4", "Full", 1),))
        add_run(
            "beta", r1 - 10, seed=seed, variant="w/o SDM", tables=(("Table 4", "without SDM", 0),),
            changes={"losses": {"itc": 1.0}}, started=f"2025-02-0{seed + 1}T00:00:00+00:00",
        )  # fmt: skip
    for seed, r1 in enumerate((50.0, 51.0)):
        add_run("alpha", r1, seed=seed)
    add_run("alpha", seed=2, status="error", error=error, history=False)
    add_run("gamma", 12.5, seed=0, history=False, selected_epoch=None)
    return results


@pytest.fixture
def open_page(browser: playwright.Browser) -> Iterator[Callable[..., playwright.Page]]:
    """Return a function that opens a page of a built site from its file.

    The test fails at its end where a page logged an error, raised one, or asked for anything but
    files of its own site. `scripts=False` opens the page in a browser that runs none.
    """
    problems: list[str] = []
    contexts: list[playwright.BrowserContext] = []

    def open_file(
        path: Path, width: int = 1440, dark: bool = False, scripts: bool = True, anchor: str = ""
    ) -> playwright.Page:
        site = next(folder for folder in path.resolve().parents if (folder / MARKER).is_file())
        context = browser.new_context(
            offline=True,
            viewport={"width": width, "height": 900},
            color_scheme="dark" if dark else "light",
            java_script_enabled=scripts,
        )
        contexts.append(context)
        context.on("console", partial(_note_message, problems))
        context.on("weberror", lambda raised: problems.append(f"raised: {raised.error}"))
        context.on("request", partial(_note_request, problems, site))
        page = context.new_page()
        page.goto(path.resolve().as_uri() + (f"#{anchor}" if anchor else ""))
        return page

    yield open_file
    for context in contexts:
        context.close()
    assert not problems, problems


def _note_message(problems: list[str], message: playwright.ConsoleMessage) -> None:
    if message.type == "error":
        problems.append(f"logged: {message.text} ({message.location.get('url')})")


def _note_request(problems: list[str], site: Path, request: playwright.Request) -> None:
    address = urlsplit(request.url)
    inside = Path(url2pathname(address.path)).is_relative_to(site)
    if address.scheme != "file" or address.netloc or not inside:
        problems.append(f"asked for {request.url}")


@pytest.fixture
def find_barriers() -> Callable[[playwright.Page], list[str]]:
    """Return a function that names what axe-core finds serious or critical on a page."""

    def find(page: playwright.Page) -> list[str]:
        # Preloading would ask for style sheets in a way that the content policy forbids.
        found = Axe().run(page, options={"preload": False}).response["violations"]
        return [
            f"{one['id']}: {node['target']} {node['html'][:200]}"
            for one in found
            if one["impact"] in ("serious", "critical")
            for node in one["nodes"]
        ]

    return find


def percentages(r1: float) -> dict[str, float]:
    """Return metrics that all follow from R1."""
    return {"r1": r1, "r5": r1 + 10, "r10": r1 + 20, "map": r1 - 3.5, "minp": r1 - 9.5}


def record_fields(method: str, seed: int) -> dict[str, Any]:
    """Return the fields of an ordinary run on drawn data."""
    return {
        "status": "ok",
        "key": f"{seed:02d}{method:x<62}",
        "suite": "demo",
        "dataset": "paperdolls",
        "method": method,
        "variant": "full",
        "seed": seed,
        "scale": "tiny",
        "title": method.upper(),
        "paper": "Somebody et al. A paper. CVPR 2023.",
        "url": "https://example.org/paper",
        "supervision": "pairs",
        "config": {"temperature": 0.02, "losses": {"itc": 1.0, "sdm": 0.5}},
        "recipe": {"backbone": "tiny-clip", "stages": [{"epochs": 2}, {"epochs": 1}]},
        "protocol": {"queries": "every test caption is a query"},
        "data": {
            "title": "PaperDolls",
            "drawn": True,
            "note": "Drawn by a program.",
            "url": "https://example.org/data",
            "fingerprint": "feedc0ffee" * 4,
            "licence": "CC0-1.0",
            "counts": {"test": {"people": 200, "images": 1600}},
        },
        "environment": {"torch": "2.13.0+cpu", "commit": "0123456789abcdef", "hardware": "2 cores"},
        "command": f"harness run --method {method} --seed {seed}",
        "started": f"2025-01-0{seed + 1}T00:00:00+00:00",
        "train_seconds": 120.0 + seed,
        "image_milliseconds": 0.8,
        "text_milliseconds": 0.3,
        "peak_memory": 640.0,
        "parameters": 612_480,
        "selected_epoch": 2,
    }


PEOPLE, IMAGES_EACH, CAPTIONS_EACH = 24, 3, 4  # of the small test split below


@pytest.fixture
def add_answers(add_run: Callable[..., Path]) -> Callable[..., Path]:
    """Return a function that finishes a run with what it retrieved for every query.

    The scores are drawn: `skill` is how far right images stand above wrong ones. The queries are
    those that `add_digest` tells of.
    """

    def add(method: str, skill: float, *, seed: int = 0, **fields: Any) -> Path:
        name = f"{method}/{fields.get('variant', 'full')}"
        queries, r1 = draw_queries(name, seed, skill)
        path = add_run(method, r1, seed=seed, **fields)
        write_table(path / "evaluations/text-to-image/queries.parquet", queries)
        return path

    return add


@pytest.fixture
def add_reranking() -> Callable[..., Path]:
    """Return a function that adds a re-ranking to the folder of a run.

    Without a `skill` it has no figures; keyword arguments replace fields of its record.
    """

    def add(run: Path, rerank: str, skill: float | None = None, **fields: Any) -> Path:
        seed = int(run.name.removeprefix("seed-"))
        path = evaluation_path(run, rerank)
        if skill is not None:
            # Drawn alike for all re-rankings of a run and as the run itself, as they are in truth.
            queries, r1 = draw_queries(f"{run.parent.parent.name}/full", seed, skill)
            write_table(path / "queries.parquet", queries)
            write_json(path / "metrics.json", percentages(r1))
        record = EvaluationRecord(
            **{
                "key": f"{seed:02d}rerank",
                "rerank": rerank,
                "command": f"harness run one --seeds {seed} --rerank {rerank}",
                "query_milliseconds": 0.6 + 0.02 * seed,
                "cosine_milliseconds": 0.05,
                **fields,
            }
        )
        write_json(path / "evaluation.json", asdict(record))
        return path

    return add


@pytest.fixture
def add_queries() -> Callable[..., Path]:
    """Return a function that adds answers to other queries; without a skill, none of them."""

    def add(run: Path, queries: str, skill: float | None = None, **fields: Any) -> Path:
        seed = int(run.name.removeprefix("seed-"))
        path = evaluation_path(run, queries)
        if skill is not None:
            answers, r1 = draw_queries(f"{run.parent.parent.name}/{queries}", seed, skill)
            write_table(path / "queries.parquet", answers)
            write_json(path / "metrics.json", percentages(r1))
        command = f"harness run one --seeds {seed} --queries {queries}"
        record = EvaluationRecord(key=f"{seed:02d}queries", queries=queries, command=command)
        write_json(path / "evaluation.json", {**asdict(record), **fields})
        return path

    return add


def draw_queries(name: str, seed: int, skill: float) -> tuple[dict[str, Any], float]:
    """Return a table of drawn answers to the queries of the small test split, and its R1."""
    draw = np.random.default_rng([seed, *name.encode("utf-8", "replace")])
    gallery = np.repeat(np.arange(PEOPLE), IMAGES_EACH)
    people = np.repeat(np.arange(PEOPLE), CAPTIONS_EACH)
    right = people[:, None] == gallery  # (Q, M)
    order = np.argsort(-(draw.normal(size=right.shape) + skill * right), kind="stable")
    ranks = [np.flatnonzero(row) + 1 for row in np.take_along_axis(right, order, 1)]
    first = np.array([row[0] for row in ranks])
    precision = [np.mean(np.arange(1, len(row) + 1) / row) for row in ranks]
    queries = {
        "query_id": np.arange(len(people)),
        "person_id": people,
        "first_hit": first,
        "average_precision": precision,
        "inverse_negative_penalty": [len(row) / row[-1] for row in ranks],
        "hit_ranks": [row.tolist() for row in ranks],
        "top_rows": order[:, :10].tolist(),
        "top_scores": np.zeros((len(people), 10)).tolist(),
    }
    return queries, float(100 * (first == 1).mean())


@pytest.fixture
def add_digest(results: Path) -> Callable[..., Path]:
    """Return a function that writes the digest of the split that `add_answers` answers about."""

    def add(shown: bool = True, captions: Sequence[str] = (), dataset: str = "paperdolls") -> Path:
        fingerprint = record_fields("any", 0)["data"]["fingerprint"]
        path = digest_path(results, "demo", dataset, fingerprint)
        images, queries = PEOPLE * IMAGES_EACH, PEOPLE * CAPTIONS_EACH
        written = [*captions, *(f"A caption of number {row}" for row in range(queries))][:queries]
        small = io.BytesIO()
        Image.new("RGB", (32, 96), (150, 90, 60)).save(small, "JPEG")
        write_table(
            path / "queries.parquet",
            {
                "caption": written if shown else pyarrow.nulls(queries, pyarrow.string()),
                "person_id": np.repeat(np.arange(PEOPLE), CAPTIONS_EACH),
                "image_row": np.arange(queries) // CAPTIONS_EACH * IMAGES_EACH,
                "words": np.full(queries, 5),
                "attributes": np.arange(queries) % 4,
            },
        )
        write_table(
            path / "gallery.parquet",
            {
                "image_id": [f"image-{row:03d}" for row in range(images)],
                "person_id": np.repeat(np.arange(PEOPLE), IMAGES_EACH),
                "camera": [f"camera {row % 2}" for row in range(images)],
                "thumbnail": [small.getvalue()] * images
                if shown
                else pyarrow.nulls(images, pyarrow.binary()),
            },
        )
        counts = {"test": {"people": PEOPLE, "images": images, "captions": queries}}
        about = {"schema_version": SCHEMA_VERSION, "title": "PaperDolls", "shown": shown,
                 "fingerprint": fingerprint, "counts": counts, "audit": {}}  # fmt: skip
        write_json(path / "about.json", about)
        return path

    return add
