from __future__ import annotations

from random import Random

import pytest

from methods.blocks.phrases import tag
from methods.blocks.text_negatives.changes import changed
from methods.blocks.text_negatives.reading import read
from methods.blocks.text_negatives.swaps import swaps


def swapped(caption: str, seed: int = 0) -> list[str]:
    """Return all texts that swaps make of a caption."""
    (words,) = tag([caption], "lexicon")
    found = swaps(caption, read(words), Random(seed))
    return [changed(caption, change.edits) for change in found]


@pytest.mark.parametrize(
    ("caption", "expected"),
    [
        ("in a red hat and a blue coat", "in a red coat and a blue hat"),
        ("in a red coat and white shoes", "in red shoes and a white coat"),
        ("in white shoes and an orange coat", "in a white coat and orange shoes"),
        ("in white shoes and a black coat", "in a white coat and black shoes"),
        ("black jeans, white leather shoes", "black leather shoes, white jeans"),
        ("a red umbrella and a white book", "a red book and a white umbrella"),
        ("white hair and a black beard", "a white beard and black hair"),
        ("a red and white hat, a blue coat", "a red and white coat, a blue hat"),
        ("Her hat is red, her coat is black.", "Her coat is red, her hat is black."),
        ("a striped hat and a plain coat", "a striped coat and a plain hat"),
    ],
)
def test_nouns_of_one_group_change_places(caption: str, expected: str) -> None:
    """With articles that go along, so that both are as many as they were."""
    assert swapped(caption) == [expected]


@pytest.mark.parametrize(
    ("caption", "why"),
    [
        ("in a red hat and a red coat", "both are red: the same is said again"),
        ("in a navy hat and a blue coat", "a navy hat may be called blue"),
        ("in a hat and a blue coat", "nothing is said of the hat"),
        ("in a striped hat and a blue coat", "the hat may be blue"),
        ("a red hat, a blue bag", "what is worn and what is carried"),
        ("white hair and a black coat", "hair is not worn"),
        ("a red bag and a blue backpack", "a backpack is a bag"),
        ("Her hat is red, her shoes are black.", "her shoes is red"),
        ("the red hat and black shoes", "black hat"),
        ("a red hat and a pair of black shoes", "a pair of black hat"),
        ("a red coat over black trousers", "over a black coat"),
        ("a long red skirt and a black hat", "a long red hat"),
        ("a red hat, no black coat", "there is no coat"),
        ("a red thing and a blue gift", "nothing that is known"),
        ("a red hat", "one alone"),
    ],
)
def test_what_would_be_true_or_no_sentence_is_left(caption: str, why: str) -> None:
    """Only what contradicts the caption, as a sentence, is a negative."""
    assert swapped(caption) == [], why


def test_swaps_come_in_an_order_of_their_own() -> None:
    """Each pair once; which is first depends on the seed."""
    caption = "a red hat, a blue coat, a green scarf"
    assert len(set(swapped(caption))) == len(swapped(caption)) == 3
    assert len({swapped(caption, seed)[0] for seed in range(20)}) == 3
