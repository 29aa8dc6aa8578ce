"""The tests that papers know agree with the libraries that papers use."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats
from statsmodels.stats import contingency_tables

from harness.significance import mcnemar, paired_t, wilcoxon

from .cases import small_case


@pytest.mark.parametrize(("a_only", "b_only"), [(0, 1), (3, 9), (14, 10), (15, 10), (60, 91)])
def test_mcnemar_agrees_with_statsmodels(a_only: int, b_only: int) -> None:
    """P is statsmodels': exact for fewer than 25 discordant queries, else by chi-square."""
    a = np.repeat([True, True, False, False], [40, a_only, b_only, 20])
    b = np.repeat([True, False, True, False], [40, a_only, b_only, 20])
    exact = a_only + b_only < 25
    expected = contingency_tables.mcnemar([[40, a_only], [b_only, 20]], exact=exact)
    result = mcnemar(100.0 * a, 100.0 * b)
    assert (result.a_only, result.b_only, result.exact) == (a_only, b_only, exact)
    assert result.p_value == pytest.approx(expected.pvalue)


@pytest.mark.parametrize("each", [0, 5, 50])
def test_mcnemar_of_an_even_split_is_one(each: int) -> None:
    """As many queries on either side, or none, are no sign of a difference."""
    a = np.repeat([1, 0, 0], [each, each, 1])
    b = np.repeat([0, 1, 0], [each, each, 1])
    assert mcnemar(a, b).p_value == 1


def test_mcnemar_takes_hits_only() -> None:
    """Average precision, and hits of unequal length, are errors."""
    with pytest.raises(ValueError, match="0 or one other number"):
        mcnemar([0.0, 50.0, 100.0], [0.0, 0.0, 0.0])
    with pytest.raises(ValueError, match="of one length"):
        mcnemar([0, 1], [0, 1, 1])


def test_classical_tests_use_means_by_person() -> None:
    """The t-test and Wilcoxon's are scipy's on the mean difference of each person."""
    a, b, people = small_case()
    by_query = (a - b).mean(0)
    means = [by_query[people == person].mean() for person in range(30)]
    assert paired_t(a, b, people) == pytest.approx(scipy.stats.ttest_1samp(means, 0).pvalue)
    assert wilcoxon(a, b, people) == pytest.approx(scipy.stats.wilcoxon(means).pvalue)
    assert paired_t(a, a, people) == wilcoxon(a, a, people) == 1


def test_wilcoxon_ranks_equal_differences_equally() -> None:
    """Differences that are equal but for rounding share a rank, as whole numbers do."""
    people = np.repeat(np.arange(8), 2)
    whole = np.array([1, 2, 3, -2, -3, 3, 5, 1])[people] + people * np.tile([-1, 1], 8)
    zeros = np.zeros(16)
    assert wilcoxon(whole / 10, zeros, people) == wilcoxon(whole, zeros, people)
