from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.files import write_json
from harness.results import read_record, run_path
from leaderboard import ranking
from leaderboard.records.contest import difference
from leaderboard.reported.tables import FOLDER
from leaderboard.site import render
from leaderboard.site.site import Site, load_site
from leaderboard.typography import ABSENT as DASH
from leaderboard.typography import probability, signed

SKILLS = {"faint": 0.1, "weak": 1.2, "strong": 2.2, "equal": 2.25, "rival": 2.2}


@pytest.fixture
def answered(results: Path, add_answers: Callable[..., Path]) -> Path:
    """Return results of five methods with three seeds: one far below, three close together."""
    for seed in range(3):
        for method, skill in SKILLS.items():
            add_answers(method, skill, seed=seed)
    return results


@pytest.fixture
def site(answered: Path) -> Site:
    """Return what the pages of these results are made from."""
    return load_site(answered, FOLDER)


@pytest.fixture
def build(tmp_path: Path, read_page: Callable[[Path], Any]) -> Callable[[Path], Any]:
    """Return a function that writes the ranking page alone, and reads it."""

    def write(results: Path) -> Any:
        path = tmp_path / "index.html"
        files = ranking.make_files(load_site(results, FOLDER))
        path.write_text(str(files["index.html"]), encoding="utf-8")
        return read_page(path)

    return write


@pytest.fixture
def index(answered: Path, build: Callable[[Path], Any]) -> Any:
    """Return the parsed page of the five methods."""
    return build(answered)


def ranked(page: Any) -> list[list[str]]:
    """Return the rows of methods that have a rank."""
    return [row for row in page.rows if row[0][:1].isdigit()]


def name_of(row: Sequence[str]) -> str:
    """Return the method of a row: every name is in capitals, what follows it is not."""
    return re.match(r"[A-Z]+", row[1])[0]


def test_figures_equal_the_answers(index: Any, site: Site) -> None:
    """A row shows the mean with the range of its seeds, and the costs."""
    contest = site.contests["demo/paperdolls"]
    (row,) = [row for row in ranked(index) if name_of(row) == "WEAK"]
    by_seed = contest.answers["weak", "full"].values["r1"].mean(1)
    assert row[2].startswith(
        f"{by_seed.mean():.1f}seeds {by_seed.min():.1f}{DASH}{by_seed.max():.1f}"
    )
    average = contest.answers["weak", "full"].values["map"].mean()
    assert row[6].startswith(f"{average:.1f}")
    assert row[8:] == ["3 runs", "0.6", "121"]


def test_ranks_are_those_of_the_comparison(index: Any, site: Site) -> None:
    """Ranks are of the family of all pairs; who is not told apart from a method stands by name."""
    family = site.contests["demo/paperdolls"].family("r1")
    assert family is not None
    standings = {one.name.removesuffix("/full").upper(): one for one in family.standings()}
    order = sorted(standings.values(), key=lambda one: (one.rank, -one.mean))
    assert [name_of(row) for row in ranked(index)] == [
        one.name.removesuffix("/full").upper() for one in order
    ]
    groups = [{name.removesuffix("/full").upper() for name in g} for g in family.undecided()]
    assert groups
    for row in ranked(index):
        name = name_of(row)
        others = {other for group in groups if name in group for other in group} - {name}
        rank, _, named = row[0].partition(", not told apart from ")
        assert rank == str(standings[name].rank)
        assert set(re.findall("[A-Z]+", named)) == others


def test_overlapping_groups_have_a_bar_each(
    results: Path, build: Callable[[Path], Any], add_answers: Callable[..., Path]
) -> None:
    """Not told apart is no equivalence: two overlapping groups are two bars, not a bracket each."""
    for method, skill in (("high", 1.6), ("middle", 1.2), ("low", 0.7)):
        add_answers(method, skill)
    family = load_site(results, FOLDER).contests["demo/paperdolls"].family("r1")
    assert family is not None
    assert family.undecided() == (("high/full", "middle/full"), ("middle/full", "low/full"))
    page = build(results)
    bars = [values.get("class", "") for tag, values in page.elements if tag == "i"]
    assert bars == ["first", "", "last", "first", "", "last"]  # two lanes, three rows


def test_equal_answers_share_a_rank(
    results: Path, build: Callable[[Path], Any], add_answers: Callable[..., Path]
) -> None:
    """Two methods with the same answers have one rank, and the next method's rank counts both."""
    for seed in range(3):
        for method in ("one", "two"):
            add_answers(method, 3.0, seed=seed)
        add_answers("three", 0.2, seed=seed)
        source = run_path(results, "demo", "paperdolls", "one", "full", seed) / "evaluations"
        target = run_path(results, "demo", "paperdolls", "two", "full", seed) / "evaluations"
        shutil.copytree(source, target, dirs_exist_ok=True)
    page = build(results)
    assert {name_of(row): row[0][:1] for row in ranked(page)} == {
        "ONE": "1",
        "TWO": "1",
        "THREE": "3",
    }
    best = {name_of(row) for row in ranked(page) if "none is better" in row[2]}
    assert best == {"ONE", "TWO"}


def test_the_first_row_is_the_baseline(index: Any, site: Site) -> None:
    """Each difference has interval and p of all pairs; one that may be chance is grey in words."""
    family = site.contests["demo/paperdolls"].family("r1")
    assert family is not None
    first, *others = ranked(index)
    assert first[3] == "baseline"
    baseline = name_of(first).lower(), "full"
    real = []
    for row in others:
        found = difference(family, (name_of(row).lower(), "full"), baseline)
        assert row[3].startswith(
            f"{signed(found.difference, 1)}{signed(found.low, 1)} to {signed(found.high, 1)}, "
            f"{probability(found.adjusted)}"
        )
        assert row[3].endswith("not told apart") == (found.low <= 0 <= found.high)
        real.append(found.is_real)
    greys = [v["class"] for _, v in index.elements if v.get("class", "").startswith("difference")]
    assert greys[2:] == ["difference" if one else "difference quiet" for one in real]
    assert set(real) == {True, False}
    assert f"to {name_of(first)}" in index.text


def test_a_method_that_cannot_be_compared_stands_apart(
    answered: Path, build: Callable[[Path], Any], add_answers: Callable[..., Path],
    add_run: Callable[..., Path],
) -> None:  # fmt: skip
    """It has figures but no rank, and the reason stands below it, without a path of the machine."""
    add_answers("short", 5.0, seed=0)
    add_run("mute", 99.0)
    page = build(answered)
    assert {name_of(row) for row in ranked(page)} == {name.upper() for name in SKILLS}
    apart = {name_of(row): row for row in page.rows if row[0] == f"{DASH}not ranked"}
    assert apart["SHORT"][3] == "not compared"
    assert apart["MUTE"][2].startswith("99.0")
    reasons = " ".join(row[2] for row in page.rows if len(row) == 3)
    assert "ran with seeds" in reasons
    assert "demo/paperdolls/mute/full/seed-0/evaluations/text-to-image/queries.parquet" in reasons
    assert str(answered) not in page.source


def test_a_single_method_has_no_baseline(
    results: Path, build: Callable[[Path], Any], add_answers: Callable[..., Path]
) -> None:
    """Alone, a method holds rank 1, not bold, and there is no column of differences."""
    for seed in range(3):
        add_answers("lone", 1.0, seed=seed)
    page = build(results)
    (row,) = ranked(page)
    assert row[0] == "1"
    assert "none is better" not in row[2]
    assert not [v for _, v in page.elements if v.get("class", "").startswith("difference")]
    assert "not told apart" not in page.text


def test_a_single_seed_has_no_range(
    results: Path, build: Callable[[Path], Any], add_answers: Callable[..., Path]
) -> None:
    """The range of one value is not shown as if it were one."""
    for method in ("one", "two"):
        add_answers(method, 1.0)
    page = build(results)
    assert all("seeds" not in row[2] for row in ranked(page))


@pytest.mark.parametrize("runs", [1, 3])
def test_a_method_without_randomness_is_one_run_beside_the_others(
    runs: int, results: Path, build: Callable[[Path], Any], add_answers: Callable[..., Path]
) -> None:
    """However often it ran, it is ranked as one run without a range, and its row says what for."""
    for seed in range(3):
        add_answers("one", 2.0, seed=seed)
        add_answers("two", 0.3, seed=seed)
    source = add_answers("fixed", 1.0, seed=0, supervision="none")
    for seed in range(1, runs):
        target = add_answers("fixed", 1.0, seed=seed, supervision="none")
        shutil.copytree(source / "evaluations", target / "evaluations", dirs_exist_ok=True)
    page = build(results)
    rows = {name_of(row): row for row in ranked(page)}
    assert rows.keys() == {"ONE", "TWO", "FIXED"}
    assert "seeds" not in rows["FIXED"][2]
    assert rows["FIXED"][8] == "1 runone run: other people only"
    assert rows["ONE"][8] == "3 runs"
    assert "nothing is said for other seeds of it" in page.text


@pytest.mark.parametrize("seeds", [1, 2])
def test_one_run_each_claims_nothing_of_other_seeds(
    seeds: int, results: Path, build: Callable[[Path], Any], add_answers: Callable[..., Path]
) -> None:
    """Where no method ran twice, the question that intervals answer is that of other people."""
    for seed in range(seeds):
        for method, skill in (("one", 2.0), ("two", 0.3)):
            add_answers(method, skill, seed=seed)
    text = build(results).text
    assert ("other people and for other seeds of these methods?" in text) == (seeds > 1)
    assert ("Each method has one run" in text) == (seeds == 1)


def test_drawn_data_is_named_as_such(
    index: Any, results: Path, build: Callable[[Path], Any]
) -> None:
    """Drawn data carries a banner; data that is not drawn carries none."""
    assert "say nothing about real photographs" in index.text
    for path in results.rglob("run.json"):
        record = read_record(path.parent)
        assert record is not None
        real = replace(record, data={**record.data, "drawn": False})
        write_json(path, real.__dict__)
    assert "photographs" not in build(results).text


def test_what_is_missing_is_said_where_the_number_stands(
    small_results: Path, build: Callable[[Path], Any]
) -> None:
    """A failed run and fewer seeds are said in the row, and the failure with its message below."""
    page = build(small_results)
    (row,) = [row for row in page.rows if row[1].startswith("ALPHA")]
    assert row[7].startswith("2 runsothers have 3seed 2: error")
    assert "ALPHA, full, seed 2: error, FloatingPointError: loss 'itc' is nan" in page.text
    assert any(href.startswith("methods/alpha.html#") for href in page.attributes("href"))


def test_a_method_without_a_figure_is_listed_unranked(
    results: Path, build: Callable[[Path], Any], add_run: Callable[..., Path]
) -> None:
    """A method that only failed here, or only ran on another dataset, is named with the reason."""
    add_run("one", 30.0)
    add_run("two", status="killed")
    add_run("three", 20.0, dataset="other")
    page = build(results)
    reasons = [" ".join(row[2].split()) for row in page.rows if row[0].startswith(DASH)]
    assert "no run gave a result seed 0: killed" in reasons
    assert reasons.count("not run as published on this dataset") == 3


def test_a_metric_that_some_seeds_lack_is_said(
    results: Path, build: Callable[[Path], Any], add_run: Callable[..., Path]
) -> None:
    """A mean over fewer seeds than the row has says so; one without any seed shows no number."""
    add_run("one", 30.0)
    add_run("one", seed=1, metrics={"r1": 32.0, "r5": float("nan"), "r10": 120.0})
    add_run("two", metrics={"r1": 10.0})
    rows = {name_of(row): row for row in build(results).rows if row[0].startswith(DASH)}
    assert "R5 from 1 of 2 seeds" in rows["ONE"][7]
    assert "R10 from 1 of 2 seeds" in rows["ONE"][7]
    assert rows["TWO"][3] == "not recorded"


def test_runs_on_different_contents_are_called_incomparable(
    results: Path, build: Callable[[Path], Any], add_run: Callable[..., Path]
) -> None:
    """Where fingerprints differ within a table, the page warns of it."""
    add_run("one", 30.0)
    add_run("two", 31.0, data={"title": "PaperDolls", "fingerprint": "another"})
    page = build(results)
    assert "2 different contents" in page.text
    assert "cannot be compared" in page.text


def test_the_dataset_and_the_protocol_are_shown(index: Any) -> None:
    """Counts, a short fingerprint, the licence and the protocol stand beside the table."""
    assert "test: 200 people, 1,600 images" in index.text
    assert "feedc0ffeefe…" in index.text
    assert "CC0-1.0" in index.text
    assert "Drawn by a program." in index.text
    assert "https://example.org/data" in index.attributes("href")
    assert "every test caption is a query" in index.text


def test_the_paper_beside_ours_carries_a_verdict(
    results: Path, build: Callable[[Path], Any], add_answers: Callable[..., Path]
) -> None:
    """On a paper's own dataset and scale, its figure stands in the cell with a verdict in words."""
    for seed in range(3):
        add_answers("dgia", 0.5, seed=seed, dataset="cuhk-pedes", scale="paper")
    (row,) = ranked(build(results))
    assert re.search(r"paper \d\d\.\d+, above our interval", row[2])


@pytest.mark.parametrize("far", [0.0, 3.3])
def test_the_page_says_when_a_whisker_is_cut(
    far: float, results: Path, build: Callable[[Path], Any], add_answers: Callable[..., Path]
) -> None:
    """The key explains the arrow where one method is far from all others, and else is hidden."""
    skills = {"one": 3.4, "two": 3.5, "three": 3.6, "four": 3.7, "far": far}
    for method, skill in skills.items():
        add_answers(method, skill)
    (key,) = (values for _, values in build(results).elements if values.get("class") == "cut")
    assert ("hidden" in key) == (far > 3)


def test_the_figure_names_every_method_and_links_those_on_the_front(index: Any) -> None:
    """Each dot has a title with mean and cost; those off the front are no stop for the keyboard."""
    assert "R1 against Parameters, M" in index.text
    titles = re.findall(r"<title>(\w+): R1 [\d.]+ %, [\d.]+ (s|M)</title>", index.source)
    assert {name for name, _ in titles} == {name.upper() for name in SKILLS}
    assert len(titles) == 2 * len(SKILLS)
    links = re.findall(r"<a [^>]*>(?=<title>)", index.source)
    assert len(links) == len(titles)
    assert 2 <= sum("tabindex" not in link for link in links) < len(links)


def test_the_assets_hold_what_the_page_loads(site: Site, index: Any) -> None:
    """Every script the page names is among the assets, and so is each ranking's data."""
    files = {**render.make_assets(site), **ranking.make_files(site)}
    assert set(index.attributes("src")) <= files.keys()
    assert "data/demo-paperdolls/ranking.js" in files


def test_runs_of_an_older_protocol_stand_apart(
    answered: Path, add_answers: Callable[..., Path], build: Callable[[Path], Any]
) -> None:
    """They are shown with the reason, and ranked where no query of theirs hangs on a tie."""
    for file in answered.glob("*/*/*/*/*/run.json"):
        write_json(file, {**json.loads(file.read_text("utf-8")), "protocol": {"version": 2}})
    for seed in range(3):
        add_answers("old", 2.0, seed=seed, protocol={"version": 1})
        add_answers("calm", 2.0, seed=seed, protocol={"version": 1}, metrics={"tied": 0.0})
    page = build(answered)
    names = [name_of(row) for row in ranked(page)]
    assert "CALM" in names
    assert "OLD" not in names
    assert "it was scored under version 1 of the protocol" in page.text
    assert "not known how many of its queries hang on a tie" in page.text


def test_ties_that_decide_are_told(
    answered: Path, add_answers: Callable[..., Path], build: Callable[[Path], Any]
) -> None:
    """Below the ranking stands whose queries hang on a tie; where none do, nothing."""
    assert "how ties break" not in build(answered).text
    for seed, share in enumerate((0.0, 0.5, 1.0)):
        add_answers("torn", 2.0, seed=seed, metrics={"tied": share})
    assert (
        "The figures of 0.5 % of the queries of TORN hang on how ties break."
        in build(answered).text
    )


def test_a_ranking_of_drawn_people_says_how_many_pairs_stand_as_papers_report(
    results: Path, add_answers: Callable[..., Path], build: Callable[[Path], Any]
) -> None:
    """The line is counted of the runs, and leads to the tables; other data have none."""
    for method, skill in (("dgia", 1.6), ("irra", 1.5), ("clip-itc", 2.6)):
        for dataset, drawn in (("paperdolls", True), ("cuhk-pedes", False)):
            data = {"title": dataset, "drawn": drawn, "fingerprint": "feed"}
            add_answers(method, skill, dataset=dataset, data=data)
    page = build(results)
    text = " ".join(page.text.split())
    assert text.count("as their papers report") == 1
    said = "0 of 2 pairs of methods stand as their papers report on CUHK-PEDES; 2 do not"
    assert said in text
    assert "protocol.html#agreement-demo-paperdolls" in page.attributes("href")


def test_what_papers_claim_nothing_of_has_no_such_line(index: Any) -> None:
    """Methods that no paper prints are ranked without it."""
    assert "papers report" not in index.text
