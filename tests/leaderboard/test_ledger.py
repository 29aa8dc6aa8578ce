from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from leaderboard.records.contest import Contest
from leaderboard.records.ledger import Ledger
from leaderboard.records.load import load_grounds

GOOD, EVEN, POOR = ("good", "full"), ("even", "full"), ("poor", "full")
SHORT, OTHER = ("good", "short"), ("good", "other")


@pytest.fixture
def ledger(results: Path, add_answers: Callable[..., Path]) -> Ledger:
    """Three methods with three seeds, a variant with two of them, and one with another seed."""
    for seed in range(3):
        for method, skill in (("good", 2.2), ("even", 2.3), ("poor", 0.2)):
            add_answers(method, skill, seed=seed)
    for seed in (0, 1):
        add_answers("good", 2.0, seed=seed, variant="short")
    add_answers("good", 2.0, seed=7, variant="other")
    (ground,) = load_grounds(results)
    return Contest(ground, results).ledger


def test_pairs_are_compared_on_the_seeds_that_both_have(ledger: Ledger) -> None:
    """A variant with two of three seeds is compared on two, one without any of them is not."""
    assert ledger.common_seeds((GOOD, EVEN)) == (0, 1, 2)
    assert ledger.common_seeds((SHORT, GOOD)) == (0, 1)
    assert ledger.common_seeds((OTHER, GOOD)) == ()
    found = ledger.compare([(SHORT, GOOD), (OTHER, GOOD), (GOOD, POOR)], "r1")
    assert {pair: one.seeds for pair, one in found.items()} == {(SHORT, GOOD): 2, (GOOD, POOR): 3}


def test_leaders_are_those_than_which_no_other_is_better(ledger: Ledger) -> None:
    """Of two that are not told apart both lead, whatever stands in the table beside them."""
    assert ledger.leaders([GOOD, EVEN, POOR], "r1") == {GOOD, EVEN}
    assert ledger.leaders([SHORT, POOR], "r1") == {SHORT}
    assert ledger.leading_rows([POOR, GOOD, EVEN])["r1"] == [1, 2]


def test_nobody_leads_where_it_cannot_be_told(ledger: Ledger) -> None:
    """Alone, beside what has no answers, or without a common seed, no row is marked."""
    assert ledger.leaders([GOOD], "r1") == frozenset()
    assert ledger.leaders([GOOD, OTHER], "r1") == frozenset()
    assert ledger.leaders([GOOD, ("lost", "full")], "r1") == frozenset()


def test_an_interval_is_of_all_seeds_of_its_entry(ledger: Ledger) -> None:
    """It holds the mean; what has no answers has none."""
    for entry in (GOOD, EVEN, POOR, SHORT):
        interval = ledger.interval(entry, "map")
        assert interval is not None
        assert interval[0] < ledger.answers[entry].values["map"].mean() < interval[1]
    assert ledger.interval(OTHER, "map") is None


def test_the_family_of_a_contest_is_judged_by_the_spread_of_the_board(
    results: Path, ledger: Ledger
) -> None:
    """Rows that were run beside the methods as published tell how far seeds spread, too."""
    (ground,) = load_grounds(results)
    family = Contest(ground, results).family("r1")
    assert family is not None
    spread = ledger.spreads["r1"]
    assert spread is not None
    assert spread.own_degrees == 4  # of three methods with all three seeds
    assert len(family.comparisons) == 3
