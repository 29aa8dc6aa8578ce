"""What is compared is paired, checked and grouped by person before anything is counted."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from harness.significance import compare, compare_all
from harness.significance.sample import group

from .cases import small_case


@pytest.mark.parametrize("seeds", [1, 3])
def test_influences_agree_with_loops(seeds: int) -> None:
    """A person's influence is what that person's queries add to the mean, beyond their share."""
    a, b, people = small_case(seeds)
    sample = group({"a": a, "b": b}, people)
    for place, values in enumerate((a, b)):
        for s in range(seeds):
            mean = sum(values[s]) / 120
            expected = [
                sum(values[s, q] - mean for q in range(120) if people[q] == person) / 120
                for person in range(30)
            ]
            assert sample.influences[place, s] == pytest.approx(expected)
    assert sample.influences.sum(2) == pytest.approx(0, abs=1e-9)


def test_a_single_run_stands_beside_several() -> None:
    """One run, (Q,) or (1, Q), counts under every seed of the others, and as without seeds."""
    a, b, people = small_case()
    for single in (b[0], b[:1]):
        sample = group({"a": a, "b": single}, people)
        assert sample.is_seeded.tolist() == [True, False]
        assert sample.seed_means[1] == pytest.approx([b[0].mean()] * 3)
    assert compare(a, b[0], people) == compare(a, b[:1], people)


@pytest.mark.parametrize(
    ("a", "b", "people", "message"),
    [
        ([1.0, 2.0], [1.0], [0, 1], "'a' has 2 queries, 'b' has 1"),
        ([[1.0, 2.0]] * 3, [[1.0, 2.0]] * 2, [0, 1], "'a' has 3 seeds, 'b' has 2"),
        ([1.0, 2.0], [1.0, 3.0], [0, 1, 2], "each of 2 queries"),
        ([1.0, float("nan")], [1.0, 3.0], [0, 1], "'a' hold NaN"),
        ([1.0, 2.0], [1.0, float("inf")], [0, 1], "'b' hold NaN or infinity"),
        ([], [], [], "no query"),
        ([[[1.0]]], [[[1.0]]], [0], r"must be \(seeds, queries\)"),
        ([1.0, 2.0], [1.0, 3.0], [5, 5], "one person"),
    ],
)
def test_wrong_inputs_are_refused(a: Any, b: Any, people: Any, message: str) -> None:
    """What cannot be compared is an error that says why."""
    with pytest.raises(ValueError, match=message):
        compare(a, b, people)


def test_too_few_methods_or_draws_are_refused() -> None:
    """One method, and draws of which no corrected p-value can be below 0.05, are errors."""
    a, b, people = small_case()
    with pytest.raises(ValueError, match="two methods"):
        compare_all({"a": a}, people)
    with pytest.raises(ValueError, match="draws must be at least 20; got 19"):
        compare_all({"a": a, "b": b}, people, draws=19)


def test_rounding_is_measured_by_the_values() -> None:
    """What differs by a billionth of the largest value is a tie, whatever the unit."""
    people = np.arange(4)
    for unit in (1e-6, 1.0, 1e6):
        a = unit * np.array([1.0, 2.0, 3.0, 100.0])
        sample = group({"a": a, "b": a + unit * np.array([1e-8, -1e-8, 1e-6, 0])}, people)
        assert (sample.difference(0, 1) != 0).tolist() == [False, False, True, False]
