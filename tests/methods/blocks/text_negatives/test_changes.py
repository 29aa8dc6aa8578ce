from __future__ import annotations

import pytest

from methods.blocks.text_negatives.changes import Edit, article, changed


def edits_of(caption: str, *replaced: tuple[str, str]) -> list[Edit]:
    """Return edits that put the second of each pair in the place of the first."""
    starts = [caption.index(old) for old, _ in replaced]
    return [
        Edit(start, start + len(old), new)
        for start, (old, new) in zip(starts, replaced, strict=True)
    ]


@pytest.mark.parametrize(
    ("caption", "replaced", "expected"),
    [
        ("A red coat, too.", ("red", "blue"), "A blue coat, too."),
        ("A red coat.", ("red", "orange"), "An orange coat."),
        ("in AN orange coat", ("orange", "red"), "in A red coat"),
        ("with an\tolive bag", ("olive", "pink"), "with a\tpink bag"),
        ("a bag", ("bag", "umbrella"), "an umbrella"),
        ("panama hat", ("hat", "umbrella"), "panama umbrella"),
        ("Red coats.", ("Red", "blue"), "Blue coats."),
        ("red coats", ("red", "Blue"), "blue coats"),
        ("a T-shirt", ("T-shirt", "jacket"), "a jacket"),
        ("a coat", ("coat", "T-shirt"), "a T-shirt"),
        ("a coat", ("coat", "NIKE"), "a NIKE"),
        ("A man", ("man", "woman"), "A woman"),
    ],
)
def test_capitals_and_articles_fit_what_is_put_in(
    caption: str, replaced: tuple[str, str], expected: str
) -> None:
    """Capitals belong to places, save for what has its own; an article goes by the next word."""
    assert changed(caption, edits_of(caption, replaced)) == expected


def test_edits_come_in_any_order_and_may_insert_or_take_away() -> None:
    """All places are those of the caption."""
    caption = "a red hat and blue jeans"
    edits = [
        *edits_of(caption, ("jeans", "hat"), ("hat", "jeans")),
        Edit(0, 2, ""),
        Edit(14, 14, "a "),
    ]
    assert changed(caption, edits) == "red jeans and a blue hat"
    assert changed(caption, []) == caption


@pytest.mark.parametrize(
    ("word", "expected"),
    [("orange", "an"), ("red", "a"), ("uniform", "a"), ("umbrella", "an"), ("one-piece", "a")],
)
def test_articles_go_by_the_sound(word: str, expected: str) -> None:
    """A vowel that is written is not always one that is said."""
    assert article(word) == expected
