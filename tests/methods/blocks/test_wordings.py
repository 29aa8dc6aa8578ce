"""Captions with words left out and exchanged."""

from __future__ import annotations

import pytest
import torch

from methods.blocks.wordings import delete, plain_words, reworded, swap

WORDS = [f"word{number}" for number in range(2000)]


def generator(seed: int = 0) -> torch.Generator:
    """Return a seeded generator."""
    return torch.Generator().manual_seed(seed)


def test_signs_are_no_words() -> None:
    """Lower case, one blank between words; commas and hyphens stay."""
    told = ' A man, in a "T-shirt" (red);  black*shoes: #3~.! '
    assert plain_words(told) == "a man, in a t-shirt red black shoes 3"
    assert plain_words("...") == ""


def test_each_word_is_left_out_with_the_probability() -> None:
    """Those that stay keep their order."""
    kept = delete(WORDS, 0.1, generator())
    assert 1750 < len(kept) < 1850
    assert [word for word in WORDS if word in set(kept)] == kept


def test_one_word_stays() -> None:
    """Where all would go one that is drawn does not; where none is there is none."""
    drawn = {tuple(delete(["a", "b", "c"], 1.0, generator(seed))) for seed in range(40)}
    assert drawn == {("a",), ("b",), ("c",)}
    assert delete(["a"], 1.0, generator()) == ["a"]
    assert delete([], 0.5, generator()) == []


def test_words_are_exchanged_as_often_as_a_share_of_them() -> None:
    """Two places differ after one exchange, at most 2 n after n; the words are the same."""
    assert swap(["a", "b"], 0.05, generator()) == ["b", "a"]
    assert swap(["a"], 0.05, generator()) == ["a"]
    words = swap(WORDS, 0.05, generator())
    assert sorted(words) == sorted(WORDS)
    assert 150 < sum(a != b for a, b in zip(words, WORDS, strict=True)) <= 200


def test_captions_are_reworded_in_order_and_by_the_generator() -> None:
    """Each caption has draws of its own; without changes words stay as they are."""
    captions = ["a man in a red coat with a bag"] * 2
    assert reworded(captions, {}, generator()) == captions
    one, other = reworded(captions, {"delete": 0.3, "swap": 0.3}, generator(1))
    assert one != other
    assert reworded(captions, {"delete": 0.3, "swap": 0.3}, generator(1)) == [one, other]


def test_a_change_that_is_not_known_is_refused() -> None:
    """The message lists those that are."""
    with pytest.raises(KeyError, match=r"\['sing'\]; there are: \['delete', 'swap'\]"):
        reworded(["a man"], {"sing": 0.1}, generator())
