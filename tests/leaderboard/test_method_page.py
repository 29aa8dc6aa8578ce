from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from harness.results.paper import ExtraData
from leaderboard import method
from leaderboard.typography import ABSENT as DASH


@pytest.fixture
def build(write_pages: Callable[..., dict[str, Any]]) -> Callable[[], dict[str, Any]]:
    """Return a function that writes the pages of the methods and parses them."""
    return partial(write_pages, method)


@pytest.fixture
def pages(small_results: Path, build: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Return the parsed pages of the small results' methods."""
    return build()


def test_an_ablation_shows_its_rows_and_what_they_change(pages: dict[str, Any]) -> None:
    """The rows stand as the paper has them, whichever ran first, with changes and means."""
    page = pages["beta"]
    labels = [row[0] for row in page.rows if row[0] in ("Full", "without SDM")]
    assert labels == ["without SDM", "Full"]
    row = page.row("without SDM")
    assert row[3].startswith("32.0")
    assert f"30.0{DASH}35.0" in row[3]
    assert "without SDMlosses: itc 1.0" in "".join(page.text.split("\n"))


def test_what_else_it_was_trained_on_is_told_or_undisclosed(
    add_run: Callable[..., Path], build: Callable[[], dict[str, Any]]
) -> None:
    """By the method as published, whatever rows and records that tell nothing say later."""
    told, other = ExtraData(weights=("CLIP <1>",)), ExtraData(pairs=("a million",))
    add_run("one", 40.0, extra_data=told)
    add_run("one", 30.0, variant="A", extra_data=other, started="2026-01-01T00:00:00+00:00")
    add_run("one", 20.0, variant="B", started="2026-01-02T00:00:00+00:00")
    add_run("two", 40.0, extra_data=ExtraData())
    add_run("three", 40.0)
    pages = build()
    facts = {name: page.text.partition("Extra data")[2] for name, page in pages.items()}
    assert facts["one"].startswith("weights: CLIP <1>")
    assert facts["two"].startswith("none")
    assert facts["three"].startswith("undisclosed")


def test_an_ablation_without_the_method_as_published_shows_it_for_reference(
    add_run: Callable[..., Path], build: Callable[[], dict[str, Any]]
) -> None:
    """The reader can always compare a row with the method as published."""
    add_run("one", 40.0)
    add_run("one", 35.0, variant="A", tables=(("Table 2", "row A", 0),))
    add_run("one", 33.0, variant="loose")
    page = build()["one"]
    references = [row for row in page.rows if row[0] == "as published"]
    assert [row[1][:4] for row in references] == ["40.0", "40.0"]
    assert "Other variants" in page.text
    assert page.row("row A")[1].startswith("35.0")


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
    add_run: Callable[..., Path], build: Callable[[], dict[str, Any]]
) -> None:
    """Nothing is said to be withheld from a method that trains on identities."""
    add_run("one", 40.0, supervision="identity")
    page = build()["one"]
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
    url: str, linked: bool, add_run: Callable[..., Path], build: Callable[[], dict[str, Any]]
) -> None:
    """A paper's address is a link only with http or https."""
    add_run("one", 40.0, url=url)
    hrefs = build()["one"].attributes("href")
    assert (url in hrefs) is linked
    assert all(href.startswith(("http://", "https://", "#", "../")) for href in hrefs)


def test_every_mean_leads_to_its_runs(pages: dict[str, Any]) -> None:
    """The link of each mean in a table is the place of the runs of its variant."""
    page = pages["beta"]
    links = [
        values for tag, values in page.elements if tag == "a" and values.get("class") == "mean"
    ]
    assert len(links) == 5 * 2 + 5 * 2  # two evaluations and two rows of five metrics
    places = set(page.attributes("id"))
    assert {link["href"].removeprefix("#") for link in links} <= places
    _, after = page.source.split('<tbody id="runs-demo-paperdolls-2">')
    assert after.split("</tbody>")[0].count("w/o SDM</th>") == 3


def test_the_contents_lead_to_every_part(pages: dict[str, Any]) -> None:
    """What the page holds is listed at its top, each part with its place."""
    page = pages["beta"]
    nav = page.source.split('<nav aria-label="Contents">')[1].split("</nav>")[0]
    for title in ("Results", "Table 4", "Training", "Runs", "Settings"):
        assert f">{title}</a>" in nav
    assert "Match curve" not in nav


def test_the_verdict_says_place_and_interval(
    add_answers: Callable[..., Path], build: Callable[[], dict[str, Any]]
) -> None:
    """The first sentences give the mean with its interval, what it stands on, and the rank."""
    for seed in range(3):
        add_answers("good", 4.0, seed=seed)
        add_answers("poor", 0.5, seed=seed)
    pages = build()
    assert "over 24 people, 96 queries and 3 seeds." in pages["good"].text
    assert "Rank 1 of 2 methods." in pages["good"].text
    assert "Rank 2 of 2 methods." in pages["poor"].text
    assert "told apart" not in pages["poor"].text.partition("Rank 2 of 2 methods.")[2][:80]


def test_the_verdict_names_who_is_not_told_apart(
    add_answers: Callable[..., Path], build: Callable[[], dict[str, Any]]
) -> None:
    """Not the places are called a tie, but the methods that it cannot be told apart from."""
    for name, skill in (("high", 1.6), ("middle", 1.2), ("low", 0.7)):
        add_answers(name, skill)
    pages = build()
    assert "Rank 1 of 3 methods. It cannot be told apart from MIDDLE." in pages["high"].text
    assert "It cannot be told apart from HIGH and LOW." in pages["middle"].text
    assert "It cannot be told apart from MIDDLE." in pages["low"].text


def test_a_single_deterministic_run_is_said_to_be_one(
    add_answers: Callable[..., Path], build: Callable[[], dict[str, Any]]
) -> None:
    """What a method without randomness stands on is one run, not so many seeds."""
    for seed in range(3):
        add_answers("one", 1.0, seed=seed)
    add_answers("fixed", 0.4, supervision="none")
    assert "96 queries and one run, the same under every seed." in build()["fixed"].text


def test_a_method_that_cannot_be_compared_says_why(
    add_answers: Callable[..., Path], add_run: Callable[..., Path],
    build: Callable[[], dict[str, Any]],
) -> None:  # fmt: skip
    """A method with other seeds than most is not ranked, and its page names the seeds."""
    for seed in range(2):
        add_answers("one", 1.0, seed=seed)
        add_answers("two", 1.0, seed=seed)
    add_answers("few", 1.0, seed=0)
    add_run("lost", 30.0)
    pages = build()
    few = "It is not ranked here: finished with seed 0 where comparisons, which are paired, take"
    assert f"{few} seeds 0 and 1." in pages["few"].text
    assert "It is not ranked here" in pages["lost"].text
    assert "It is not ranked here" not in pages["one"].text
