import pytest
import torch
from torch import Tensor

from methods.blocks.dual_encoder import Vocabulary
from methods.blocks.masking import Masked, disturb_words, hide_words, mask_words

# The padding id is also a word's, as in CLIP's vocabulary.
VOCABULARY = Vocabulary(size=100, pad=0, start=97, mask=98, end=99, length=40, trims=True)


def captions(count: int = 400, words: int = 20) -> Tensor:
    """Return captions of random words, each with five places of padding."""
    generator = torch.Generator().manual_seed(0)
    ids = torch.randint(0, 97, (count, words + 7), generator=generator)
    ids[:, 0], ids[:, words + 1], ids[:, words + 2 :] = 97, 99, 0
    return ids


def masked(ids: Tensor, seed: int = 0, **settings: float) -> Masked:
    """Mask with a generator of a seed."""
    return mask_words(ids, VOCABULARY, torch.Generator().manual_seed(seed), **settings)


def test_only_words_are_chosen() -> None:
    """Start, end and padding stay; a word whose id is the padding's can be chosen."""
    ids = captions()
    found = masked(ids, share=1.0)
    assert found.chosen.sum(dim=1).tolist() == [20] * len(ids)
    assert not found.chosen[:, 0].any()
    assert not found.chosen[:, 21:].any()


def test_shares_are_as_asked() -> None:
    """15 % of the words are chosen: 80 % of them hidden, 10 % replaced, 10 % kept."""
    ids = captions(3000)
    found = masked(ids)
    words = 20 * len(ids)
    chosen = int(found.chosen.sum())
    hidden = int((found.ids == VOCABULARY.mask).sum())
    changed = int((found.ids != ids).sum())
    assert chosen / words == pytest.approx(0.15, abs=0.01)
    assert hidden / chosen == pytest.approx(0.8, abs=0.02)
    assert (changed - hidden) / chosen == pytest.approx(0.1, abs=0.02)
    assert torch.equal(found.ids[~found.chosen], ids[~found.chosen])
    assert torch.equal(found.labels, ids)


def test_replacements_are_never_special() -> None:
    """A random word is a word: another end token would move the pooling."""
    found = masked(captions(2000), share=1.0, hidden=0.0, replaced=1.0)
    assert int((found.ids == VOCABULARY.end).sum()) == 2000
    assert not (found.ids == VOCABULARY.mask).any()


def test_a_caption_always_has_a_word_to_predict() -> None:
    """Where chance chose none the first word is hidden; an empty caption has none to hide."""
    ids = captions(50)
    ids[0, 1], ids[0, 2:] = 99, 0
    found = masked(ids, share=0.0)
    assert found.chosen.sum(dim=1).tolist() == [0] + [1] * 49
    assert (found.ids[1:, 1] == VOCABULARY.mask).all()


def test_the_generator_decides() -> None:
    """The same generator masks the same words, another others."""
    ids = captions()
    assert torch.equal(masked(ids, 1).ids, masked(ids, 1).ids)
    assert not torch.equal(masked(ids, 1).ids, masked(ids, 2).ids)


def hidden(ids: Tensor, probability: float, seed: int = 0) -> Tensor:
    """Hide words with a generator of a seed."""
    return hide_words(ids, VOCABULARY, torch.Generator().manual_seed(seed), probability)


def test_hiding_leaves_start_end_and_padding() -> None:
    """With probability 1 every word is hidden, also one whose id is the padding's; no more."""
    ids = captions()
    ids[0, 1], ids[0, 2:] = 99, 0  # a caption without a word
    found = hidden(ids, 1.0)
    assert (found[1:, 1:21] == VOCABULARY.mask).all()
    assert torch.equal(found[:, 0], ids[:, 0])
    assert torch.equal(found[:, 21:], ids[:, 21:])
    assert torch.equal(found[0], ids[0])


@pytest.mark.parametrize("probability", [0.1, 0.5])
def test_each_word_is_hidden_with_the_probability(probability: float) -> None:
    """Captions have different numbers of hidden words, and the share over all is as asked."""
    ids = captions(1000)
    counts = (hidden(ids, probability) == VOCABULARY.mask).sum(dim=1)  # (1000,)
    assert float(counts.float().mean()) / 20 == pytest.approx(probability, abs=0.01)
    spread = 20 * probability * (1 - probability)  # variance of independent draws
    assert float(counts.float().var()) == pytest.approx(spread, rel=0.2)


def test_a_hidden_word_is_always_the_mask() -> None:
    """No word is replaced by another, and none is forced where chance hides none."""
    ids = captions()
    before = ids.clone()
    found = hidden(ids, 0.5)
    assert (found[found != ids] == VOCABULARY.mask).all()
    assert torch.equal(ids, before)
    assert torch.equal(hidden(ids, 0.0), ids)


def test_the_generator_decides_what_is_hidden() -> None:
    """The same generator hides the same words, another others."""
    ids = captions()
    assert torch.equal(hidden(ids, 0.5, 1), hidden(ids, 0.5, 1))
    assert not torch.equal(hidden(ids, 0.5, 1), hidden(ids, 0.5, 2))


def disturbed(ids: Tensor, **shares: float) -> Tensor:
    """Disturb with a generator of seed 0."""
    settings = {"share": 0.2, "hidden": 0.6, "replaced": 0.2, **shares}
    return disturb_words(ids, VOCABULARY, torch.Generator().manual_seed(0), **settings)


def test_words_are_hidden_replaced_and_removed() -> None:
    """Of a fifth of the words 60, 20 and 20 %; start and end stay, and padding fills up."""
    ids = captions(3000)
    found = disturbed(ids)
    ends = (found == VOCABULARY.end).int().argmax(dim=1)
    removed = 21 - ends
    words = 20 * len(ids)
    assert int(removed.sum()) / words == pytest.approx(0.04, abs=0.004)
    assert int((found == VOCABULARY.mask).sum()) / words == pytest.approx(0.12, abs=0.01)
    whole = removed == 0
    changed = (found[whole] != ids[whole]) & (found[whole] != VOCABULARY.mask)
    assert int(changed.sum()) / int(20 * whole.sum()) == pytest.approx(0.04, abs=0.01)
    assert (found == VOCABULARY.end).sum(dim=1).tolist() == [1] * len(ids)
    assert (found[:, 0] == VOCABULARY.start).all()
    behind = torch.arange(ids.shape[1]) > ends[:, None]
    assert (found[behind] == VOCABULARY.pad).all()


def test_what_is_behind_a_removed_word_moves_up() -> None:
    """The words that are left keep their order."""
    ids = torch.cat([torch.tensor([97]), torch.arange(1, 21), torch.tensor([99])])[None]
    (found,) = disturbed(ids.expand(50, -1), share=0.5, hidden=0.0, replaced=0.0)[:1].tolist()
    left = [word for word in found if 0 < word < 97]
    assert left == sorted(left)
    assert len(left) < 20
    assert found == [97, *left, 99, *[0] * (20 - len(left))]


def test_without_a_share_nothing_is_disturbed() -> None:
    """Captions stay as they are."""
    assert torch.equal(disturbed(captions(), share=0.0), captions())
