from __future__ import annotations

from decimal import Decimal

import pytest

from harness.results.agreement import (
    OF_METHODS,
    OF_ROWS,
    Claim,
    Counts,
    Outcome,
    Source,
    TriedClaim,
    count_outcomes,
    say_counts,
    say_outcomes,
)
from harness.significance import Comparison

SOURCES = (Source("dgia", "Table 4", "B+LRC"), Source("dgia", "Table 4", "B"))


def tried(printed: str, measured: float, p_value: float = 0.5) -> TriedClaim:
    """Return a claim by the printed and the measured difference."""
    reach = abs(measured) * (2 if p_value >= 0.05 else 0.5)
    found = Comparison(
        measured, 1.0, 9.0, p_value, p_value, measured - reach, measured + reach,
        1, 1, 1, measured, measured, 0.0, 3, (3, 3), 3, 3,
    )  # fmt: skip
    return TriedClaim(Claim("dgia:B+LRC", "dgia:B", Decimal(printed), SOURCES), found)


@pytest.mark.parametrize(
    ("printed", "measured", "outcome"),
    [
        ("4.35", 2.0, Outcome.AGREES),
        ("-4.35", -0.01, Outcome.AGREES),
        ("4.35", -2.0, Outcome.DISAGREES),
        ("-4.35", 2.0, Outcome.DISAGREES),
        ("4.35", 0.0, Outcome.DISAGREES),
        ("1.00", -0.1, Outcome.DISAGREES),
        ("0.99", 7.0, Outcome.TIED),
        ("-0.99", 7.0, Outcome.TIED),
        ("0", 0.0, Outcome.TIED),
    ],
)
def test_a_claim_stands_with_the_printed_sign(
    printed: str, measured: float, outcome: Outcome
) -> None:
    """Less than a point apart claims no order; no difference at all has not the printed sign."""
    assert tried(printed, measured).outcome is outcome


def test_what_is_wrong_and_told_apart_is_counted_among_what_is_wrong() -> None:
    """The four counts are those of a plain loop over signs and p-values."""
    cases = [
        (printed, measured, p_value)
        for printed in ("-2.5", "-0.4", "0.4", "1.0", "9.9")
        for measured in (-3.0, 0.0, 3.0)
        for p_value in (0.0499, 0.05)
    ]
    agree = disagree = tied = apart = 0
    for printed, measured, p_value in cases:
        if abs(float(printed)) < 1:
            tied += 1
        elif (float(printed) > 0 and measured > 0) or (float(printed) < 0 and measured < 0):
            agree += 1
        else:
            disagree += 1
            apart += p_value < 0.05
    found = count_outcomes(tried(*case) for case in cases)
    assert found == Counts(agree, disagree, tied, apart)
    assert found.claimed == agree + disagree == 18


@pytest.mark.parametrize(
    ("counts", "said"),
    [
        (
            Counts(9, 12, 0, 8),
            "9 of 21 pairs of methods stand as their papers report on CUHK-PEDES; 12 do not, 8 of "
            "them told apart.",
        ),
        (
            Counts(1, 1, 0, 1),
            "1 of 2 pairs of methods stands as their papers report on CUHK-PEDES; 1 does not, and "
            "is told apart.",
        ),
        (
            Counts(0, 1, 0, 0),
            "0 of 1 pair of methods stands as their papers report on CUHK-PEDES; 1 does not, and "
            "is not told apart.",
        ),
        (
            Counts(2, 3, 0, 0),
            "2 of 5 pairs of methods stand as their papers report on CUHK-PEDES; 3 do not, none of "
            "them told apart.",
        ),
        (Counts(3, 0, 4, 0), "3 of 3 pairs of methods stand as their papers report on CUHK-PEDES."),
    ],
)
def test_counts_are_said_in_a_sentence(counts: Counts, said: str) -> None:
    """How many stand, how many do not, and how many of those are told apart."""
    assert say_counts(counts, OF_METHODS, "CUHK-PEDES") == said


def test_ties_are_said_beside_the_claims() -> None:
    """Beside claims they are more; alone, nothing is claimed, and no count is made up."""
    both = say_outcomes(Counts(1, 0, 1, 0), OF_ROWS, "RSTPReid")
    assert both == [
        "1 of 1 difference between rows stands as their papers report on RSTPReid.",
        "1 more is a tie in print.",
    ]
    assert say_outcomes(Counts(2, 0, 3, 0), OF_ROWS, "RSTPReid")[1] == "3 more are ties in print."
    (alone,) = say_outcomes(Counts(0, 0, 3, 0), OF_ROWS, "RSTPReid")
    assert alone == "For RSTPReid papers claim no order: all are ties in print."
    with pytest.raises(ValueError, match="no claim"):
        say_counts(Counts(0, 0, 3, 0), OF_ROWS, "RSTPReid")
