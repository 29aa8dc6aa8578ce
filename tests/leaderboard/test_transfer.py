from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from leaderboard.build import build_site
from leaderboard.datasets.transfer import transfer_tables
from leaderboard.reported.tables import FOLDER
from leaderboard.site.site import load_site

STREET = {"name": "street", "title": "Street <b>", "fingerprint": "ab", "drawn": True}


def on_street(
    add_queries: Callable[..., Path], run: Path, skill: float | None, **more: Any
) -> Path:
    """Add an evaluation of a run on another dataset."""
    path = add_queries(run, "on-street", skill)
    record = json.loads((path / "evaluation.json").read_text())
    changed = {**record, "queries": "", "on": STREET, **more}
    (path / "evaluation.json").write_text(json.dumps(changed))
    return path


def test_a_matrix_has_a_row_a_method_and_a_column_a_dataset(
    results: Path, add_answers: Callable[..., Path], add_queries: Callable[..., Path]
) -> None:
    """The best on its own data first; means over seeds; who was not tested there says so."""
    for seed in range(2):
        on_street(add_queries, add_answers("weak", 0.4, seed=seed), 0.2)
        on_street(add_queries, add_answers("strong", 2.0, seed=seed), 0.5)
    add_answers("other", 0.1)
    site = load_site(results, FOLDER)
    r1, average = transfer_tables(site)
    assert (r1.suite, r1.metric, average.metric) == ("demo", "R1", "mAP")
    assert r1.table.columns == ("PaperDolls", "Street <b>")
    assert [row.label for row in r1.table.rows] == ["STRONG", "WEAK", "OTHER"]
    assert r1.table.rows[2].cells[1] == "not tested"
    assert r1.table.rows[0].note == "trained on PaperDolls, 2 seeds"
    runs = site.grounds[0].methods["strong"]["full"]
    for row, evaluation in zip(r1.table.rows[0].cells, (None, "on-street"), strict=True):
        found = [run.metric("r1", evaluation) for run in runs]
        assert float(row.partition(" ")[0]) == pytest.approx(sum(found) / 2, abs=0.051)


def test_nothing_tested_elsewhere_is_no_matrix(
    results: Path, add_answers: Callable[..., Path], add_queries: Callable[..., Path]
) -> None:
    """Neither without such evaluations nor where the only one failed."""
    run = add_answers("one", 1.0)
    assert transfer_tables(load_site(results, FOLDER)) == ()
    on_street(add_queries, run, None, error={"kind": "OSError", "message": "no"})
    assert transfer_tables(load_site(results, FOLDER)) == ()


def test_the_page_shows_it_and_the_methods_page_does_not(
    results: Path, add_answers: Callable[..., Path], add_queries: Callable[..., Path],
    read_page: Callable[[Path], Any], tmp_path: Path,
) -> None:  # fmt: skip
    """It stands among the datasets, which lead to it, with titles as text; downloads tell of it."""
    on_street(add_queries, add_answers("one", 1.0), 0.5)
    site = build_site(results, tmp_path / "site").parent
    page = read_page(site / "datasets.html")
    assert "Trained on one, tested on another" in page.text
    assert "Street <b>" in page.text
    assert ("a", {"href": "#trained-and-tested"}) in page.elements
    method = read_page(site / "methods/one.html")
    assert "on-street" not in [row[0] for row in method.rows if row]
    lines = (site / "downloads/evaluations.csv").read_text().splitlines()
    assert lines[0].split(",").index("on") == lines[1].split(",").index("street")
