from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from leaderboard.build import build_site
from leaderboard.method.asked_otherwise import asked_tables
from leaderboard.method.other_queries import find_queries, query_tables
from leaderboard.reported.tables import FOLDER
from leaderboard.site.site import load_site


def tables_of(results: Path, method: str) -> Any:
    """Return the tables of a method, and its finished runs."""
    (ground,) = load_site(results, FOLDER).grounds
    where = "/".join
    return query_tables(ground, method, where, "queries"), ground.runs_of(method)


def test_each_variant_stands_with_whole_and_with_changed_captions(
    results: Path, add_answers: Callable[..., Path], add_queries: Callable[..., Path]
) -> None:
    """The method's variants first, then the others as published; who was not asked is left out."""
    for seed in range(2):
        add_queries(add_answers("one", 1.5, seed=seed), "masked-nouns", 0.5)
        add_queries(add_answers("one", 1.2, seed=seed, variant="less"), "masked-nouns", 0.4)
        add_queries(add_answers("two", 1.0, seed=seed), "masked-nouns", 0.3)
    add_answers("three", 1.0)
    (table,), runs = tables_of(results, "one")
    assert table.title == "Other queries: masked-nouns"
    assert [(row.label, row.href, row.seeds) for row in table.rows] == [
        ("full, whole captions", "one/full", "2"),
        ("full, masked-nouns", "one/full", "2"),
        ("less, whole captions", "one/less", "2"),
        ("less, masked-nouns", "one/less", "2"),
        ("two, whole captions", "two/full", "2"),
        ("two, masked-nouns", "two/full", "2"),
    ]
    masked = [run.metric("r1", "masked-nouns") for run in runs if run.record.variant == "full"]
    (r1, *_) = table.rows[1].cells
    assert float(r1.estimate.order) == pytest.approx(sum(masked) / 2)
    assert find_queries(runs) == ("masked-nouns",)


def test_all_words_stand_in_one_table_with_bars(
    results: Path, add_answers: Callable[..., Path], add_queries: Callable[..., Path]
) -> None:
    """R1 of each is the mean over seeds and queries, and what it costs is paired with the whole."""
    for seed in range(2):
        run = add_answers("one", 1.5, seed=seed)
        add_queries(run, "typos", 0.9, unchanged=1234)
        add_queries(run, "german", 0.2)
        add_queries(run, "synonyms", error={"kind": "OSError", "message": "no"})
    (ground,) = load_site(results, FOLDER).grounds
    runs = ground.runs_of("one")
    (table,) = asked_tables(runs, "asked")
    assert [row.label for row in table.rows] == ["whole captions", "german", "synonyms", "typos"]

    def r1(evaluation: str) -> float:
        hits = [q["first_hit"] == 1 for run in runs for q in run.stored.queries(evaluation)]
        return 100 * sum(hits) / len(hits)

    whole, german, failed, typos = table.rows
    for row, name in ((whole, "text-to-image"), (german, "german"), (typos, "typos")):
        assert float(row.share) == pytest.approx(r1(name), abs=0.06)
        low, high = map(float, row.interval.split(" to "))
        assert low <= float(row.share) <= high
    lost = float(german.change.split(" ")[0].replace("\u2212", "-"))
    assert lost == pytest.approx(r1("german") - r1("text-to-image"), abs=0.06)
    assert german.is_real
    assert (failed.share, failed.change, failed.bar) == ("\u2013", "failed", "")
    assert (whole.change, typos.unchanged, german.unchanged) == ("", "1,234", "0")


def test_other_queries_are_no_rerankings(
    results: Path, add_answers: Callable[..., Path], add_queries: Callable[..., Path],
    read_page: Callable[[Path], Any], tmp_path: Path,
) -> None:  # fmt: skip
    """They have a table of their own, that the contents lead to, and no row among the results."""
    add_queries(add_answers("one", 1.5), "masked-nouns", 0.5)
    site = build_site(results, tmp_path / "site").parent
    page = read_page(site / "methods/one.html")
    assert "re-ranked" not in page.text
    assert "Other queries: masked-nouns" in page.text
    assert ("a", {"href": "#queries-demo-paperdolls-1"}) in page.elements
    labels = [row[0] for row in page.rows if row]
    assert labels.count("full, masked-nouns") == 1
    assert labels.count("masked-nouns") == 1  # beside the whole captions, with its bar
    results_rows = labels[labels.index("Evaluation") : labels.index("Asked")]
    assert "masked-nouns" not in results_rows


def test_a_failed_one_is_said(
    results: Path, add_answers: Callable[..., Path], add_queries: Callable[..., Path]
) -> None:
    """In the place of its figures."""
    error = {"kind": "OSError", "message": "no"}
    add_queries(add_answers("one", 1.5), "masked-nouns", error=error)
    (table,), _ = tables_of(results, "one")
    assert (table.rows[1].cells[0].estimate, table.rows[1].cells[0].absent) == (None, "failed")


def test_without_other_queries_there_is_no_table(
    results: Path, add_answers: Callable[..., Path]
) -> None:
    """Nothing was asked, nothing is shown."""
    add_answers("one", 1.5)
    assert tables_of(results, "one")[0] == ()


def test_several_witnesses_stand_beside_one(
    results: Path, add_answers: Callable[..., Path], add_queries: Callable[..., Path]
) -> None:
    """By how they are fused, fewest first; they are no transform, and in no other table."""
    run = add_answers("one", 1.0)
    for name in ("people=3,fusion=text", "people=2,fusion=text", "people=2,fusion=scores"):
        add_queries(run, f"several:{name}", 1.5)
    add_queries(run, "typos", 0.5)
    (ground,) = load_site(results, FOLDER).grounds
    words, several = asked_tables(ground.runs_of("one"), "asked")
    assert [row.label for row in words.rows] == ["whole captions", "typos"]
    assert (several.anchor, [row.label for row in several.rows]) == (
        "asked-several",
        [
            "one caption",
            "two captions, by scores",
            "two captions, by text",
            "three captions, by text",
        ],
    )
    assert all(float(row.share) > float(several.rows[0].share) for row in several.rows[1:])
    assert find_queries(ground.runs_of("one")) == ("typos",)


def test_the_witness_stands_by_policy_and_round(
    results: Path, add_answers: Callable[..., Path], add_queries: Callable[..., Path]
) -> None:
    """Changes are paired with random in the same round; wrong answers have a table of their own."""
    skill = {"random": 0.1, "gain": 0.6, "greedy": 1.6}
    for seed in range(2):
        run = add_answers("one", 1.0, seed=seed)
        add_queries(run, "witness:policy=random,round=0,unknown=0,wrong=0", 0.0)
        for policy, step in skill.items():
            for number in (1, 2):
                name = f"witness:policy={policy},round={number},unknown=0.1,wrong=0.05"
                add_queries(run, name, step * number)
        add_queries(run, "witness:policy=random,round=2,unknown=0.1,wrong=0.5", -0.5)
        add_queries(run, "witness:policy=guess,round=2,unknown=0.1,wrong=0.5", 9)  # by nobody here
    (ground,) = load_site(results, FOLDER).grounds
    runs = ground.runs_of("one")
    words, rounds, errors = asked_tables(runs, "asked")
    assert [row.label for row in words.rows] == [
        "whole captions", "witness-policy=guess,round=2,unknown=0.1,wrong=0.5",
    ]  # fmt: skip
    assert [row.label for row in rounds.rows] == [
        "first sentence", "random, 1 answer", "random, 2 answers", "information gain, 1 answer",
        "information gain, 2 answers", "greedy (upper bound), 1 answer",
        "greedy (upper bound), 2 answers",
    ]  # fmt: skip
    assert "10 %" in rounds.about
    assert "5 %" in rounds.about
    chart = str(rounds.chart)
    assert chart.count('class="line line-') >= 6  # curves and their legend
    assert "R1 by round" in chart
    gain, random = rounds.rows[4], rounds.rows[2]
    change = float(gain.change.split(" ")[0])
    assert change == pytest.approx(float(gain.share) - float(random.share), abs=0.11)
    assert gain.is_real
    assert [row.label for row in errors.rows] == [
        "first sentence", "random, 5 % wrong", "random, 50 % wrong",
        "information gain, 5 % wrong", "greedy (upper bound), 5 % wrong",
    ]  # fmt: skip


def test_dialogues_of_the_dataset_stand_by_round(
    results: Path, add_answers: Callable[..., Path], add_queries: Callable[..., Path]
) -> None:
    """Each round is held against the first that was asked."""
    run = add_answers("one", 1.0)
    for number in (2, 0, 1):
        add_queries(run, f"dialogue:round={number}", 0.5 * number)
    (ground,) = load_site(results, FOLDER).grounds
    (table,) = asked_tables(ground.runs_of("one"), "asked")
    labels = ["after 0 questions", "after 1 question", "after 2 questions"]
    assert [row.label for row in table.rows] == labels
    assert [bool(row.change) for row in table.rows] == [False, True, True]
