"""Text of whatever origin, made fit to be shown."""

from __future__ import annotations

import pytest

from harness.printable import printable, printable_lines, refuse_unprintable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("exactly te", "exactly te"),
        ("exactly ten", "exactly te..."),
        ("a\x1b[2J", r"a\x1b[2J"),
        ("\u202e", r"\u202e"),
        ("", ""),
    ],
)
def test_a_text_is_one_line_of_bounded_length(text: str, shown: str) -> None:
    """As long as is allowed it stays whole; control characters are spelt out."""
    assert printable(text, 10) == shown


def test_lines_stay_lines() -> None:
    """Each is made fit by itself."""
    assert printable_lines("a\x07\nb", 10) == "a\\x07\nb"


def test_a_name_is_as_long_as_is_allowed_and_no_longer() -> None:
    """One character more is refused, and so is a line break."""
    refuse_unprintable("the title", "a" * 10, 10)
    with pytest.raises(ValueError, match=r"the title .* has 11 characters, more than 10"):
        refuse_unprintable("the title", "a" * 11, 10)
    with pytest.raises(ValueError, match="control characters"):
        refuse_unprintable("the title", "a\nb", 10)
