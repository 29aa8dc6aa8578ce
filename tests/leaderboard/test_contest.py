from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.files import read_table, write_table
from harness.results.comparison import compare_methods
from leaderboard.build import build_site
from leaderboard.records.contest import Contest, difference
from leaderboard.records.load import load_grounds

QUERIES = "evaluations/text-to-image/queries.parquet"


def contest(results: Path) -> Contest:
    """Return the only contest of a results folder."""
    (ground,) = load_grounds(results)
    return Contest(ground, results)


@pytest.fixture
def answered(results: Path, add_answers: Callable[..., Path]) -> Path:
    """Results of three methods with two seeds, the first far ahead."""
    for method, skill in (("one", 5.0), ("two", 1.0), ("three", 0.5)):
        for seed in (0, 1):
            add_answers(method, skill, seed=seed)
    return results


def spoil(path: Path, **columns: Any) -> None:
    """Replace columns of a run's queries by one value."""
    rows = [{**row, **columns} for row in read_table(path)]
    write_table(path, {name: [row[name] for row in rows] for name in rows[0]})


def test_all_pairs_of_methods_as_published_are_compared(answered: Path) -> None:
    """The family holds every pair, and a difference has the sign of its order."""
    family = contest(answered).family("r1")
    assert family is not None
    assert len(family.comparisons) == 3
    ahead = difference(family, ("one", "full"), ("three", "full"))
    behind = difference(family, ("three", "full"), ("one", "full"))
    assert ahead.difference == -behind.difference > 0


@pytest.mark.parametrize(
    ("columns", "reason"),
    [
        ({"average_precision": float("nan")}, "not numbers"),
        ({"person_id": 7}, "not of two people"),
        ({"first_hit": "first"}, "cannot be read"),
    ],
)
def test_spoilt_answers_stand_aside_with_their_reason(
    answered: Path, tmp_path: Path, columns: dict[str, Any], reason: str
) -> None:
    """The others are still compared, and the site is still built."""
    for seed in (0, 1):
        spoil(answered / f"demo/paperdolls/three/full/seed-{seed}" / QUERIES, **columns)
    found = contest(answered)
    assert found.published == (("one", "full"), ("two", "full"))
    assert reason in found.silent["three", "full"]
    build_site(answered, tmp_path / "site")


def test_other_seeds_stand_aside(answered: Path, add_answers: Callable[..., Path]) -> None:
    """A method that most others cannot be paired with is not compared, and it is said why."""
    add_answers("four", 1.0, seed=0)
    found = contest(answered)
    assert ("four", "full") not in found.published
    assert "seeds 0, 1 and 0" in found.silent["four", "full"]


def test_a_variant_with_more_seeds_changes_no_verdict(
    answered: Path, add_answers: Callable[..., Path]
) -> None:
    """What the methods as published spread is asked of them, whatever else ran beside them."""
    before = contest(answered).family("r1")
    for seed in range(4):
        add_answers("one", 4.0, seed=seed, variant="frozen")
    after = contest(answered).family("r1")
    assert before == after
    (told,) = compare_methods(answered, "demo", [], "r1")
    assert after is not None
    for a, b in (("one", "two"), ("one", "three"), ("two", "three")):
        there, here = told.family.between(a, b), difference(after, (a, "full"), (b, "full"))
        assert (there.low, there.adjusted) == (here.low, here.adjusted)
