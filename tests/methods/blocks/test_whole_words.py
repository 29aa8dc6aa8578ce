"""Whole words and runs of them are masked, each by its own draws."""

from __future__ import annotations

import pytest
import torch

from methods.blocks.dual_encoder import Vocabulary
from methods.blocks.masking import Masked
from methods.blocks.whole_words import Choice, mask_whole_words

PAD, START, MASK, END = 0, 1, 2, 3
VOCABULARY = Vocabulary(size=200, pad=PAD, start=START, mask=MASK, end=END, length=64, trims=True)
INNER = frozenset(range(100, 200))  # word pieces that go on with a word
# Words of one piece, of two at 2 and 9, of three at 4.
LONG = [START, 10, 11, 110, 12, 120, 121, 13, 14, 15, 115, 16, 17, 18, 19, 20, END]
SHORT = [START, 30, END]
ONE_WORD = Choice(share=0.01, most=10, runs=0.0)


def masked(rows: list[list[int]], choice: Choice, seed: int = 0) -> Masked:
    """Return captions, padded to the longest, with words masked."""
    length = max(map(len, rows))
    ids = torch.tensor([row + [PAD] * (length - len(row)) for row in rows])
    generator = torch.Generator().manual_seed(seed)
    return mask_whole_words(ids, VOCABULARY, INNER, generator, choice)


def places(found: Masked, row: int = 0) -> set[int]:
    """Return where a caption has chosen words."""
    return set(found.chosen[row].nonzero()[:, 0].tolist())


def test_a_word_is_chosen_as_a_whole() -> None:
    """Three pieces are one word far more often than if each were drawn by itself: once in 455."""
    found = [places(masked([LONG], Choice(share=3 / 15, runs=0.0), seed)) for seed in range(200)]
    assert {len(one) for one in found} == {3}
    assert sum(one == {4, 5, 6} for one in found) > 15
    # Of two pieces of a word both are taken, unless one is given up: there are only to be three.
    apart = [one for one in found if len(one & {9, 10}) == 1 and not one & {2, 3, 4, 5, 6}]
    together = [one for one in found if {9, 10} <= one]
    assert len(together) > 2 * len(apart)


def test_runs_take_words_that_follow() -> None:
    """Where every choice is a run, two tokens or three and the words that they touch are masked."""
    seen = set()
    for seed in range(60):
        found = sorted(places(masked([LONG], Choice(share=2 / 15, runs=1.0, longest=3), seed)))
        assert len(found) == 2
        whole = sorted(places(masked([LONG], Choice(share=4 / 15, runs=1.0, longest=3), seed)))
        assert len(whole) == 4
        seen.add(whole[1] - whole[0] == 1)
    assert True in seen


def test_as_many_as_a_share_of_the_words_but_not_more_than_are_allowed() -> None:
    """A quarter of 15 tokens is 4; at most so many; at least one."""
    assert len(places(masked([LONG], Choice()))) == 4
    assert len(places(masked([LONG], Choice(most=2)))) == 2
    assert len(places(masked([SHORT], ONE_WORD))) == 1
    assert places(masked([[START, END], LONG], Choice())) == set()


@pytest.mark.parametrize("seed", range(5))
def test_start_end_and_padding_are_left(seed: int) -> None:
    """Also where nearly all is chosen."""
    found = masked([SHORT, LONG], Choice(share=1.0, most=100), seed)
    assert places(found, 0) == {1}
    assert places(found, 1) == set(range(1, 16))
    edges = ~found.chosen
    assert torch.equal(found.ids[edges], found.labels[edges])


def test_most_are_hidden_some_replaced_and_some_kept() -> None:
    """80, 10 and 10 % of what is chosen; a random word is none of the special ones."""
    found = masked([LONG] * 400, Choice(share=1.0, most=100))
    ids, labels = found.ids[found.chosen], found.labels[found.chosen]
    hidden, kept = ids == MASK, ids == labels
    assert float(hidden.float().mean()) == pytest.approx(0.8, abs=0.02)
    assert float(kept.float().mean()) == pytest.approx(0.1, abs=0.015)
    other = ids[~hidden & ~kept]
    assert len(other) > 400
    assert not torch.isin(other, torch.tensor([PAD, START, MASK, END])).any()


def test_a_caption_is_masked_by_its_own_draws() -> None:
    """What stands behind it in the batch changes nothing, and another seed does."""
    alone = masked([LONG, SHORT], Choice(), 3)
    beside = masked([LONG, LONG], Choice(), 3)
    assert torch.equal(alone.ids[0, :17], beside.ids[0])
    assert not torch.equal(masked([LONG], Choice(), 3).ids, masked([LONG], Choice(), 4).ids)
