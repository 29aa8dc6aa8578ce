from __future__ import annotations

import pytest

from leaderboard.typography import (
    MINUS,
    command_parts,
    fixed,
    interval_end,
    probability,
    scale_end,
    signed,
)


@pytest.mark.parametrize("value", [0.0, -0.0, -0.04, 0.04, -1e-12])
def test_zero_has_no_sign(value: float) -> None:
    """What is printed as zero is printed as "0.0", whichever side it is on."""
    assert fixed(value, 1) == signed(value, 1) == "0.0"


def test_signs_are_true_minus_and_plus() -> None:
    """A difference has its sign, a figure only a minus."""
    assert (fixed(-1.25, 1), signed(-1.26, 1), signed(1.26, 1)) == (
        f"{MINUS}1.2", f"{MINUS}1.3", "+1.3",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("value", "printed"),
    [(0.04, "+0.1"), (-0.04, f"{MINUS}0.1"), (1e-6, "+0.1"), (0.0, "0.0"), (0.26, "+0.3")],
)
def test_only_an_end_that_is_zero_is_printed_as_zero(value: float, printed: str) -> None:
    """So that an interval in print holds zero where the p-value says that it does."""
    assert interval_end(value, 1) == printed


def test_a_command_is_parted_before_its_options() -> None:
    """An option stays with its value, and the parts are the command."""
    command = 'harness run dgia --seeds 0,1 --set "a=[1, 2]" --force'
    parts = command_parts(command)
    assert parts == ["harness run dgia", "--seeds 0,1", '--set "a=[1, 2]"', "--force"]
    assert " ".join(parts) == command
    assert command_parts("") == [""]


def test_the_ends_of_a_narrow_scale_keep_their_decimals() -> None:
    """Half a point is not printed as nought."""
    ends = [scale_end(value) for value in (-30.0, -0.35, 0.0, 0.05, 1.5)]
    assert ends == [f"{MINUS}30", f"{MINUS}0.35", "0", "+0.05", "+1.5"]


@pytest.mark.parametrize(
    ("p_value", "printed"),
    [
        (500 / 10_001, "p 0.0499"), (0.05, "p 0.0500"), (501 / 10_001, "p 0.0500"),
        (10 / 10_001, "p < 0.001"), (0.0123, "p 0.012"), (0.5, "p 0.50"), (1.0, "p 1.00"),
    ],
)  # fmt: skip
def test_a_p_value_shows_its_side_of_the_level(p_value: float, printed: str) -> None:
    """One just below 0.05 is cut, not rounded to it."""
    assert probability(p_value) == printed
