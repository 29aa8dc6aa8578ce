"""Captions changed in one of two ways."""

from __future__ import annotations

from collections import Counter

import torch

from methods.blocks.eda import disturbed

CAPTION = "A man, in a RED-and-blue jacket, holds 2 bags of his friend while he walks."
LETTERS = "a man in a red and blue jacket holds bags of his friend while he walks"
WORDS = LETTERS.split()


def test_words_change_places_or_are_left_out() -> None:
    """Each way comes, on letters in lower case alone."""
    found = disturbed([CAPTION] * 200, 0.1, torch.Generator().manual_seed(0))
    swapped = [one for one in found if Counter(one.split()) == Counter(WORDS)]
    shorter = [one for one in found if len(one.split()) < len(WORDS)]
    assert any(one.split() != WORDS for one in swapped)
    assert 60 < len(shorter) < 120
    assert all(not Counter(one.split()) - Counter(WORDS) for one in found)


def test_a_caption_without_letters_becomes_empty() -> None:
    """One of a single word keeps it."""
    found = disturbed(["", "...", "Man"] * 10, 0.9, torch.Generator().manual_seed(1))
    assert set(found[::3]) | set(found[1::3]) == {""}
    assert set(found[2::3]) == {"man"}


def test_the_same_seed_changes_alike() -> None:
    """And another one otherwise."""
    one, again, other = (
        disturbed([CAPTION] * 5, 0.3, torch.Generator().manual_seed(seed)) for seed in (2, 2, 3)
    )
    assert one == again
    assert one != other
