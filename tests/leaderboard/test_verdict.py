from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.results import METRICS
from leaderboard.ranking.competitors import make_board
from leaderboard.ranking.verdict import say_power, write_clause, write_switch, write_verdict
from leaderboard.records.contest import difference
from leaderboard.reported.tables import FOLDER
from leaderboard.site.site import load_site

Add = Callable[..., Path]
STREET = {"name": "street", "title": "Street", "fingerprint": "ab", "drawn": True}


def verdicts(results: Path) -> list[str]:
    """Return the sentence of each ground."""
    site = load_site(results, FOLDER)
    boards = [make_board(site, ground) for ground in site.grounds]
    return ["".join(phrase.text for phrase in write_verdict(board)) for board in boards]


def clauses(results: Path) -> list[str]:
    """Return the clause of each ground."""
    site = load_site(results, FOLDER)
    boards = [make_board(site, ground) for ground in site.grounds]
    return ["".join(phrase.text for phrase in write_clause(board)) for board in boards]


def add_elsewhere(add_queries: Add, run: Path, skill: float) -> None:
    """Add what a run answers on another dataset."""
    path = add_queries(run, "on-street", skill)
    record = json.loads((path / "evaluation.json").read_text())
    (path / "evaluation.json").write_text(json.dumps({**record, "queries": "", "on": STREET}))


def test_a_clear_winner_is_best_by_at_least_so_much(results: Path, add_answers: Add) -> None:
    """It is named with the least end of its leads, for all pairs at once."""
    for seed in range(3):
        for method, skill in (("good", 3.5), ("fair", 1.0), ("poor", 0.2)):
            add_answers(method, skill, seed=seed)
    (said,) = verdicts(results)
    family = load_site(results, FOLDER).contests["demo/paperdolls"].family("r1")
    assert family is not None
    leads = [difference(family, ("good", "full"), (other, "full")) for other in ("fair", "poor")]
    start = "GOOD is best on PaperDolls, at least "
    assert said.startswith(start)
    assert float(said.removeprefix(start).split()[0]) == pytest.approx(
        min(one.low for one in leads), abs=0.06
    )
    assert " points of R1 ahead of each of the other 2; all other metrics agree" in said
    assert said.endswith("; not tried on other data.")


def test_five_that_cannot_be_told_apart_are_not_ranked_in_words(
    results: Path, add_answers: Add
) -> None:
    """The first is called first, never best, and nobody is left out by name."""
    for method in "abcde":
        add_answers(method, 1.5)
    (said,) = verdicts(results)
    assert said.startswith("No method is best on PaperDolls: ")
    assert " is first, but cannot be told apart from any of the other 4; " in said
    assert "the other metrics leave it open too" in said
    assert said.count("best") == 1
    (clause,) = clauses(results)
    assert clause.endswith(" is first, not told apart from 4 others")


def test_rivals_are_named_and_who_is_behind_is_not(results: Path, add_answers: Add) -> None:
    """Of three the two at the head stand in the sentence, each with a link to its page."""
    for method, skill in (("one", 2.4), ("two", 2.4), ("far", 0.1)):
        add_answers(method, skill)
    site = load_site(results, FOLDER)
    phrases = write_verdict(make_board(site, site.grounds[0]))
    said = "".join(phrase.text for phrase in phrases)
    assert "but cannot be told apart from" in said
    assert "FAR" not in said
    links = {phrase.text: phrase.href for phrase in phrases if phrase.href}
    assert links == {
        "ONE": "methods/one.html",
        "TWO": "methods/two.html",
        "PaperDolls": "#demo-paperdolls",
    }


@pytest.mark.parametrize(
    ("skills", "said"),
    [
        ({"good": 3.0, "fair": 1.0}, "on Street, without training on it, it is best too"),
        ({"good": 0.2, "fair": 3.0}, "on Street, without training on it, FAIR is best"),
        ({"good": 1.0, "fair": 1.0}, "on Street, without training on it, none is better either"),
        (
            {"good": 0.95, "fair": 1.0},
            "on Street, without training on it, FAIR is 1.6 points ahead, which may be chance",
        ),
    ],
)
def test_whether_it_holds_on_other_data(
    skills: dict[str, float], said: str, results: Path, add_answers: Add, add_queries: Add
) -> None:
    """What was trained here and tested there is compared there, by the paired test."""
    for seed in range(2):
        for method, skill in (("good", 3.5), ("fair", 1.0)):
            add_elsewhere(
                add_queries, add_answers(method, skill, seed=seed), skills[method] + seed / 100
            )
    assert verdicts(results)[0].endswith(f"; {said}.")


def test_another_dataset_of_the_suite_is_other_data(results: Path, add_answers: Add) -> None:
    """Where the leader of one was trained on another too, each sentence says what it does there."""
    for dataset, skills in (("one", (3.0, 0.5)), ("two", (0.5, 3.0))):
        data = {"title": dataset.title(), "fingerprint": dataset}
        for method, skill in zip(("a", "b"), skills, strict=True):
            add_answers(method, skill, dataset=dataset, data=data)
    first, second = verdicts(results)
    assert clauses(results) == ["One: A is best", "Two: B is best"]
    assert first.startswith("A is best on One")
    assert first.endswith("; on Two B is best.")
    assert second.endswith("; on One A is best.")


def test_nothing_to_compare_is_said(results: Path, add_answers: Add, add_run: Add) -> None:
    """A lone method is no winner, and what has no answers is not ranked at all."""
    add_answers("lone", 1.0)
    add_run("mute", 50.0, dataset="other")
    lone, mute = sorted(verdicts(results), reverse=True)
    assert set(clauses(results)) == {
        "PaperDolls: LONE is alone", "PaperDolls: nothing is ranked",
    }  # fmt: skip
    assert "On " in mute + lone
    assert {
        "LONE is the only method that can be ranked on PaperDolls.",
        "On PaperDolls no method has figures that can be ranked.",
    } == {lone, mute}


def test_the_switch_names_who_leads_by_each_metric(results: Path, add_answers: Add) -> None:
    """Those than whom none is better, the highest mean first; of many, how many more."""
    for method in "abcd":
        add_answers(method, 1.5)
    add_answers("poor", 0.1)
    site = load_site(results, FOLDER)
    board = make_board(site, site.grounds[0])
    cells = write_switch(board)
    assert [cell.name for cell in cells] == list(METRICS.values())
    for cell in cells:
        group = cell.group
        assert group is not None
        leaders = {
            one.method.upper()
            for one in board.ranked
            if (score := one.scores[cell.key]) and score.place and score.place.rank == 1
        }
        means = {one.method.upper(): one.scores[cell.key].summary.mean for one in board.ranked}
        assert means[group.names.split()[0]] == max(means[name] for name in leaders)
        assert group.figure == f"{max(means.values()):.1f}"
        assert len(leaders) < 4 or group.names.endswith(" \N{ALMOST EQUAL TO} 3 others")


def test_the_power_is_that_of_the_plan(results: Path, add_answers: Add) -> None:
    """Of two methods the line has the figure of `harness plan-power`; of one there is none."""
    from harness.results.comparison import plan_comparison

    for seed in range(3):
        add_answers("one", 1.0, seed=seed)
    site = load_site(results, FOLDER)
    assert say_power(make_board(site, site.grounds[0])) == ""
    for seed in range(3):
        add_answers("two", 1.3, seed=seed)
    site = load_site(results, FOLDER)
    (plan,) = plan_comparison(results, "demo", ["one", "two"], "r1", None, None, 1.0)
    said = say_power(make_board(site, site.grounds[0]))
    assert f"truly differ by {plan.detectable:.1f} points of R1," in said
