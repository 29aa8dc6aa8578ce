from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from leaderboard.build import build_site
from leaderboard.typography import ABSENT as DASH


@pytest.fixture
def pages(small_results: Path, tmp_path: Path, read_page: Callable[[Path], Any]) -> dict[str, Any]:
    """Return the parsed pages of the small results' methods."""
    folder = build_site(small_results, tmp_path / "site").parent / "methods"
    return {path.stem: read_page(path) for path in folder.glob("*.html")}


def test_an_ablation_shows_its_rows_and_what_they_change(pages: dict[str, Any]) -> None:
    """The rows stand as the paper has them, whichever ran first, with changes and means."""
    page = pages["beta"]
    labels = [row[0] for row in page.rows if row[0] in ("Full", "without SDM")]
    assert labels == ["without SDM", "Full"]
    row = page.row("without SDM")
    assert row[1] == "losses: itc 1.0"
    assert row[2].startswith("32.0")
    assert f"30.0{DASH}35.0" in row[2]


def test_an_ablation_without_the_method_as_published_shows_it_for_reference(
    results: Path, tmp_path: Path, add_run: Callable[..., Path], read_page: Callable[[Path], Any]
) -> None:
    """The reader can always compare a row with the method as published."""
    add_run("one", 40.0)
    add_run("one", 35.0, variant="A", tables=(("Table 2", "row A", 0),))
    add_run("one", 33.0, variant="loose")
    build_site(results, tmp_path / "site")
    page = read_page(tmp_path / "site/methods/one.html")
    references = [row for row in page.rows if row[0] == "as published"]
    assert [row[2][:4] for row in references] == ["40.0", "40.0"]
    assert "Other variants" in page.text
    assert page.row("row A")[2].startswith("35.0")


def test_every_evaluation_is_shown(pages: dict[str, Any]) -> None:
    """Beside the ranked evaluation stand the others, named as on disk."""
    page = pages["alpha"]
    assert page.row("image-to-text")[1].startswith("77.7")
    ranked = next(row for row in page.rows if row[0].startswith("text-to-image"))
    assert ranked[0] == "text-to-imageranked"
    assert ranked[1].startswith("50.5,")


def test_runs_can_be_followed_and_repeated(pages: dict[str, Any]) -> None:
    """Every run is listed with its figures, key, date and command, and the shared environment."""
    page = pages["beta"]
    row = next(row for row in page.rows if row[:2] == ["full", "1"])
    assert row[:8] == ["full", "1", "ok", "41.00", "2", "121", "640", "2025-01-02"]
    assert row[8:] == ["01betaxxxxxx", "harness run --method beta --seed 1"]
    assert "torch 2.13.0+cpu, commit 0123456789ab, on 2 cores" in page.text


def test_a_failure_shows_kind_message_and_traceback(pages: dict[str, Any]) -> None:
    """A failed run is listed with everything needed to see why, and its row links there."""
    page = pages["alpha"]
    assert "FloatingPointError" in page.text
    assert "Traceback (most recent call last)" in page.text
    anchors = [value for value in page.attributes("id") if value.startswith("failure")]
    assert len(anchors) == 1
    assert f"#{anchors[0]}" in page.attributes("href")


def test_curves_are_drawn_from_the_history(pages: dict[str, Any]) -> None:
    """There is a chart of val R1, the total and every named loss, with the selected epoch said."""
    described = pages["beta"].text
    for name in ("val R1 by epoch", "total loss by epoch", "itc loss by epoch"):
        assert name in described
    assert "seed 0: 10 at epoch 1, 21 at epoch 3; epoch 2 was selected." in described
    assert not [tag for tag, values in pages["gamma"].elements if values.get("class") == "chart"]


def test_reported_pairs_are_drawn_apart_from_the_losses(pages: dict[str, Any]) -> None:
    """Their share of right ones is a percentage, their number a count, and who scored is said."""
    text = pages["beta"].text
    assert "The harness scored them against the identities, which the method never saw." in text
    assert "mined pairs that are right (%)" in text
    assert "seed 0: 75 at epoch 2, 87.5 at epoch 3; epoch 2 was selected." in text
    assert "mined pairs (count per epoch)" in text
    assert "seed 0: 0 at epoch 1, 90 at epoch 3; epoch 2 was selected." in text
    assert "pairs/mined" not in text
    assert "harness scored" not in pages["gamma"].text


def test_a_supervised_method_has_seen_the_identities_that_judge_its_pairs(
    results: Path, tmp_path: Path, add_run: Callable[..., Path], read_page: Callable[[Path], Any]
) -> None:
    """Nothing is said to be withheld from a method that trains on identities."""
    add_run("one", 40.0, supervision="identity")
    build_site(results, tmp_path / "site")
    page = read_page(tmp_path / "site/methods/one.html")
    assert "The harness scored them against the identities." in page.text


def test_settings_are_laid_out_nested(pages: dict[str, Any]) -> None:
    """Configuration and recipe show their values, stages numbered from 1."""
    text = " ".join(pages["beta"].text.split())
    assert "losses itc 1.0 sdm 0.5" in text
    assert "stages 1 epochs 2 2 epochs 1" in text


@pytest.mark.parametrize(
    ("url", "linked"),
    [
        ("https://example.org/a?b=1&c=2", True),
        ("http://example.org", True),
        ("javascript:alert(1)", False),
        ("java\nscript:alert(1)", False),
        ("data:text/html,x", False),
        ("http://[", False),
        ("//example.org", False),
    ],
)
def test_only_web_addresses_become_links(
    url: str, linked: bool, results: Path, tmp_path: Path,
    add_run: Callable[..., Path], read_page: Callable[[Path], Any],
) -> None:  # fmt: skip
    """A paper's address is a link only with http or https."""
    add_run("one", 40.0, url=url)
    build_site(results, tmp_path / "site")
    hrefs = read_page(tmp_path / "site/methods/one.html").attributes("href")
    assert (url in hrefs) is linked
    assert all(href.startswith(("http://", "https://", "#", "../index.html")) for href in hrefs)
