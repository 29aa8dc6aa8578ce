import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from harness.method import Highlight, Run
from methods.blocks.masked_phrases import MaskedPhrases
from methods.blocks.masking import mask_words
from methods.laip import Laip, Masked, Pairs, fusion_triplet

from .scenes import (
    ALL,
    CAPTIONS,
    PHRASE_ROWS,
    SCORES,
    WIDTH,
    Phrase,
    Step,
    attended,
    batch_of,
    close,
    cosine,
    encoded,
    find_out,
    fuse,
    masked_of,
    method,
    phrase_embedding,
    scored,
    softmax,
    text_tokens,
    tokens,
    values,
    word_logits,
)

# Equations 8 to 12: phrases.


@pytest.mark.parametrize("attention", ["forward", "backward", "bidirectional"])
def test_equations_8_to_10_local_alignment(
    scene: Pairs, reference: list[Phrase], attention: str
) -> None:
    """1 - cos(weighted patches, the phrase with nothing masked): a caption's sum, then the mean."""
    model, total = method(attention=attention), 0.0
    for number, phrase in enumerate(reference):
        image = attended(scene, number, phrase.weights(attention))
        total += 1 - cosine(image, phrase_embedding(model, scene, number))
    x = replaced(scene, phrased=model.read_phrases(scene))
    close(model.local_alignment(x), total / 4, 1e-6)


def test_equation_8_patches_are_projected_behind_their_sum(
    scene: Pairs, reference: list[Phrase], monkeypatch: pytest.MonkeyPatch
) -> None:
    """G_I takes the attended patches of each phrase, without the image's class token."""
    model = method()
    given: list[Tensor] = []

    def project(found: Tensor) -> Tensor:
        given.append(found)
        return found.tanh() + 0.1

    monkeypatch.setattr(model.albef, "project_images", project)
    total = 0.0
    for number, phrase in enumerate(reference):
        image = np.tanh(attended(scene, number, phrase.weights("bidirectional"))) + 0.1
        total += 1 - cosine(image, phrase_embedding(model, scene, number))
    close(model.local_alignment(scene), total / 4, 1e-6)
    (projected,) = given
    assert projected.shape == (len(PHRASE_ROWS), WIDTH)


def test_equation_11_masked_phrases(model: Laip, scene: Pairs, reference: list[Phrase]) -> None:
    """Minus the log-probability of all masked pieces: a caption's sum, then the mean."""
    close(model.masked_phrases(scene), -sum(phrase.log_p for phrase in reference) / 4, 1e-8)


def averaged(terms: Sequence[float]) -> float:
    """Return the mean over captions of the mean over each one's phrases."""
    captions = [
        [term for term, row in zip(terms, PHRASE_ROWS, strict=True) if row == caption]
        for caption in range(4)
    ]
    return sum(sum(of_one) / len(of_one) for of_one in captions) / 4


def test_equation_12_with_means_over_phrases(scene: Pairs, reference: list[Phrase]) -> None:
    """`phrase_losses` "mean": captions of many phrases weigh no more than those of one."""
    model = method(phrase_losses="mean")
    alignment = [
        1 - cosine(
            attended(scene, number, phrase.weights("bidirectional")),
            phrase_embedding(model, scene, number),
        )
        for number, phrase in enumerate(reference)
    ]  # fmt: skip
    close(model.local_alignment(scene), averaged(alignment), 1e-6)
    close(model.masked_phrases(scene), averaged([-phrase.log_p for phrase in reference]), 1e-8)


def test_equation_11_in_saturation(scene: Pairs, monkeypatch: pytest.MonkeyPatch) -> None:
    """A word that is 200 logits off costs 200, not infinity."""
    model = method(losses={"mpm": 1.0})
    logits = torch.zeros(8, scene.phrases.ids.shape[1], 1024)
    logits[..., 5] = 200.0
    fused = Masked(logits, torch.zeros(0))
    monkeypatch.setattr(model, "fuse_phrases", lambda phrases, images: fused)
    x = encoded(model, seed=3)
    x.run.losses = {"mpm": 1.0}  # type: ignore[misc]  # a step that is not the harness's
    assert not (x.phrases.ids == 5).any()
    count = int(x.phrases.chosen.sum())
    assert float(model.masked_phrases(x)) == pytest.approx(200 * count / 4)


def test_equations_1_and_12_the_losses_that_are_summed(scene: Pairs) -> None:
    """The method as published: five losses of weight 1, by name what the functions give."""
    model = method()
    assert dict(model.config.losses) == dict.fromkeys(ALL, 1.0)
    found = model.training_losses(batch_of(), cast(Run, Step(seed=3)))
    x = model.seen
    assert x is not None
    expected = {
        "itc": model.contrast(x),
        "itm": model.matching(x),
        "tri": model.fusion_triplet(x),
        "biatt": model.local_alignment(scene),
        "mpm": model.masked_phrases(scene),
    }
    assert found.keys() == expected.keys()
    for name, loss in found.items():
        close(loss, values(expected[name]), 1e-7)


def test_equations_1_and_12_a_weight_multiplies_its_loss() -> None:
    """Twice the weight of a loss is twice its value."""
    model, run = method(), Step()
    once = model.training_losses(batch_of(), cast(Run, run))
    run.losses = dict.fromkeys(ALL, 2.0)
    twice = model.training_losses(batch_of(), cast(Run, run))
    for name in ALL:
        close(twice[name], 2 * values(once[name]))


def replaced(x: Pairs, **known: Any) -> Pairs:
    """Return a batch of which something is known already."""
    other = Pairs(x.batch, x.run, x.labels, x._laip)
    other.images = x.images
    for name, value in known.items():
        setattr(other, name, value)
    return other


# Phrases.


def word_groups(model: Laip, ids: Sequence[int]) -> list[list[int]]:
    """Return the places of the pieces of each word of a phrase of the scene."""
    places, start = [], 1
    pieces: Callable[[str], list[int]] = model.albef.encoder.word_pieces
    words = {tuple(pieces(w)) for caption in CAPTIONS for w in caption.split()}
    while start < len(ids) - 1:
        stop = next(e for e in range(len(ids) - 1, start, -1) if tuple(ids[start:e]) in words)
        places.append(list(range(start, stop)))
        start = stop
    return places


def test_one_word_of_each_phrase_is_masked(model: Laip) -> None:
    """All of its pieces and nothing else; every word is drawn about as often as another."""
    vocabulary = model.albef.encoder.vocabulary
    counts: dict[tuple[int, int], int] = {}
    for seed in range(300):
        found = model.mask_phrases(batch_of(), torch.Generator().manual_seed(seed))
        assert found.row.tolist() == PHRASE_ROWS
        for number in range(len(PHRASE_ROWS)):
            length = int((found.ids[number] != vocabulary.pad).sum())
            ids = found.ids[number, :length].tolist()
            assert (ids[0], ids[-1]) == (vocabulary.start, vocabulary.end)
            chosen = [i for i, flag in enumerate(found.chosen[number].tolist()) if flag]
            groups = word_groups(model, ids)
            assert chosen in groups
            expected = [vocabulary.mask if i in chosen else n for i, n in enumerate(ids)]
            assert found.masked[number, :length].tolist() == expected
            assert (found.masked[number, length:] == vocabulary.pad).all()
            key = number, groups.index(chosen)
            counts[key] = counts.get(key, 0) + 1
    sizes = [max(word for n, word in counts if n == number) + 1 for number in range(8)]
    assert sizes == [1, 2, 3, 3, 1, 2, 1, 2]
    for (number, _), count in counts.items():
        assert abs(count - 300 / sizes[number]) < 45


def test_phrases_are_those_of_their_captions(model: Laip) -> None:
    """In the batch's order, though the training set has another; the whole caption without one."""
    found = model.mask_phrases(batch_of(), torch.Generator())
    pieces = model.albef.encoder.word_pieces
    texts = [
        "man", "red jacket", "long blue jeans", "she is running", "girl", "zylophonic backpack",
        "woman", "green dress",
    ]  # fmt: skip
    for number, text in enumerate(texts):
        words = [piece for word in text.split() for piece in pieces(word)]
        assert found.ids[number].tolist()[1 : 1 + len(words)] == words
        assert (found.ids[number] != 0).sum() == len(words) + 2


def test_phrases_are_found_without_reading_from_the_device(model: Laip) -> None:
    """A device that is pretended holds no values: a step that read one would fail."""
    batch = batch_of()
    there = batch.caption_index.to("meta")
    found = model.mask_phrases(replace(batch, caption_index=there), torch.Generator())
    assert found.ids.device == found.row.device == torch.device("meta")
    assert found.ids.shape == model.mask_phrases(batch, torch.Generator()).ids.shape


def test_of_many_phrases_others_are_drawn_each_time() -> None:
    """At most so many as the config says, in their order, and all of them sooner or later."""
    model = method(most_phrases=2)
    spell = model.albef.encoder.word_pieces
    texts = ("man", "red jacket", "long blue jeans")
    pieces = [[piece for word in text.split() for piece in spell(word)] for text in texts]
    seen = set()
    for seed in range(30):
        found = model.mask_phrases(batch_of(), torch.Generator().manual_seed(seed))
        assert found.row.tolist() == [0, 0, 1, 2, 2, 3, 3]
        drawn = [row[1 : 1 + int((row != 0).sum()) - 2].tolist() for row in found.ids[:2]]
        numbers = [pieces.index(one) for one in drawn]
        assert numbers == sorted(numbers)
        seen.add(tuple(numbers))
    assert seen == {(0, 1), (0, 2), (1, 2)}


def test_a_phrase_does_not_depend_on_its_batch(model: Laip, scene: Pairs, masked: Masked) -> None:
    """Longer phrases of other rows, and so padding, change neither weights nor logits."""
    weights = model.weigh_patches(masked, scene.phrases)
    length = int((scene.phrases.ids[1] != 0).sum())
    assert length < scene.phrases.ids.shape[1]
    phrases = MaskedPhrases(
        *(part[1:2, :length] for part in scene.phrases[:3]), scene.phrases.row[1:2]
    )
    alone = model.fuse_phrases(phrases, scene.images)
    close(alone.logits[0], masked.logits[1, :length].detach().numpy(), 1e-8, 1e-10)
    close(model.weigh_patches(alone, phrases)[0], weights[1].numpy(), 1e-8)


def test_masked_words_of_the_whole_text(model: Laip) -> None:
    """Table V's MLM: the mean cross-entropy of the words that are masked, anywhere in a caption."""
    x = encoded(model)
    found = model.masked_words(x)
    masked = mask_words(x.ids, model.albef.encoder.vocabulary, x.run.generator("mask"), 0.15)
    terms = []
    for row in range(4):
        length = int((x.ids[row] != 0).sum())
        ids = masked.ids[row, :length].tolist()
        fused, _ = fuse(model, text_tokens(model, ids), values(tokens(x.images)[row]))
        for i in range(length):
            if masked.chosen[row, i]:
                logits = word_logits(model, fused[i : i + 1])[0]
                terms.append(-math.log(softmax(logits)[int(x.ids[row, i])]))
    assert len(terms) >= 4
    close(found, sum(terms) / len(terms), 1e-8)


def test_the_share_of_masked_words_is_the_configs(monkeypatch: pytest.MonkeyPatch) -> None:
    """`masked_share` 1 masks every word of a text."""
    model = method(masked_share=1.0)
    seen: list[Tensor] = []
    head = model.albef.masked_word_head
    head.register_forward_hook(lambda module, given, gave: seen.append(given[0]))
    x = encoded(model)
    model.masked_words(x)
    assert len(seen[0]) == int((x.ids != 0).sum()) - 2 * 4


@pytest.mark.parametrize("margin", [0.6, 0.2, 1.0])
def test_equation_20_fusion_triplet(margin: float) -> None:
    """[p(neg) - p(own) + delta]_+^2 for other images and other texts, of rows with a negative."""
    model = method(margin=margin)
    total = 0.0
    for row in (0, 1, 3):
        own, *others = (softmax(scores[row].tolist())[1] for scores in SCORES)
        total += sum(max(0.0, other - own + margin) ** 2 for other in others)
    close(model.fusion_triplet(scored(model)), total / 3, 1e-5)


def test_equation_20_by_hand() -> None:
    """A pair that leads by the margin costs nothing; one behind costs the square."""
    own, image, text = (torch.tensor(v) for v in ([0.9, 0.2], [0.1, 0.7], [0.2, 0.1]))
    # 0.1 - 0.9 + 0.6 < 0; 0.7 - 0.2 + 0.6 = 1.1; 0.2 - 0.9 + 0.6 < 0; 0.1 - 0.2 + 0.6 = 0.5
    close(fusion_triplet(own, image, text, 0.6), (1.1**2 + 0.5**2) / 2, 1e-6)
    assert fusion_triplet(own[:0], image[:0], text[:0], 0.6) == 0


def test_equation_20_a_better_own_score_costs_less() -> None:
    """Its gradient raises the own probability and lowers the others'."""
    scores = [torch.tensor([value], requires_grad=True) for value in (0.5, 0.4, 0.3)]
    fusion_triplet(*scores, margin=0.6).backward()
    own, image, text = (float(cast(Tensor, score.grad)) for score in scores)
    assert own < 0 < min(image, text)
    assert (own, image, text) == pytest.approx((-1.8, 1.0, 0.8), rel=1e-5)


# Gradients and state.


def test_the_weights_of_patches_are_fixed(model: Laip, scene: Pairs) -> None:
    """L_biatt learns through the patches and the phrase, not through how patches are weighed."""
    fresh = method()
    x = encoded(fresh, seed=3)
    fresh.local_alignment(x).backward()
    touched = {n.split(".")[1] for n, p in fresh.named_parameters() if p.grad is not None}
    assert touched == {"encoder"}
    parts = {n.split(".")[2] for n, p in fresh.named_parameters() if p.grad is not None}
    assert {"visual", "text"} <= parts


def test_local_alignment_has_the_gradient_of_its_formula() -> None:
    """With the weights given as numbers, both encoders get the very same gradients."""
    one, two = method(), method()
    x, y = encoded(one, seed=3), encoded(two, seed=3)
    weights = one.weigh_patches(masked_of(one, x), x.phrases)
    one.local_alignment(x).backward()
    total = torch.zeros((), dtype=torch.float64)
    for number, row in enumerate(PHRASE_ROWS):
        image = (weights[number].detach()[:, None] * tokens(y.images)[row, 1:]).sum(dim=0)
        length = int((y.phrases.ids[number] != 0).sum())
        text = two.albef.encoder.encode_tokens(y.phrases.ids[number : number + 1, :length])
        total = total + 1 - F.cosine_similarity(image, text.embedding[0], dim=0)
    (total / 4).backward()
    for (name, mine), theirs in zip(one.named_parameters(), two.parameters(), strict=True):
        assert (mine.grad is None) is (theirs.grad is None), name
        if mine.grad is not None and theirs.grad is not None:
            close(mine.grad, theirs.grad.numpy(), 1e-6, 1e-9)


def test_all_losses_reach_the_model_and_none_its_copy() -> None:
    """Encoders, fusion, heads and the temperature learn; copies and queues do not."""
    model = method()
    found = model.training_losses(batch_of(), cast(Run, Step()))
    torch.stack(list(found.values())).sum().backward()
    for name, parameter in model.named_parameters():
        if name.startswith("momentum_copy."):
            assert parameter.grad is None
            assert not parameter.requires_grad
        elif "encoder.masked_word_head" not in name:  # tiny-clip's own, behind no fusion
            assert parameter.grad is not None, name
            assert 0 < parameter.grad.abs().sum() < math.inf, name
    groups = list(model.parameter_groups(Laip.recipes["tiny"].stages[0]))
    learning = {id(p) for group in groups for p in group["params"]}
    assert learning == {id(p) for n, p in model.named_parameters() if "momentum_copy" not in n}


@pytest.fixture(scope="module")
def highlights(model: Laip) -> tuple[Laip, Tensor, list[list[Highlight]]]:
    """Return a method with images and what it highlights in them for the captions."""
    model = method()
    model.eval()
    images = batch_of().images
    return model, images, model.highlight(images, CAPTIONS)


def test_figures_2_and_7_show_the_words_of_each_phrase(
    highlights: tuple[Laip, Tensor, list[list[Highlight]]],
) -> None:
    """In the captions' order; a caption without a phrase is shown whole."""
    _, _, found = highlights
    assert [
        [caption[one.start : one.stop] for one in of_caption]
        for caption, of_caption in zip(CAPTIONS, found, strict=True)
    ] == [
        ["man", "red jacket", "long blue jeans"],
        ["she is running"],
        ["girl", "zylophonic backpack"],
        ["woman", "green dress"],
    ]


def test_figures_2_and_7_show_the_weights_of_the_losses(
    highlights: tuple[Laip, Tensor, list[list[Highlight]]],
) -> None:
    """Forward and bidirectional weights of a phrase whose last word is masked, laid out in rows."""
    model, images, found = highlights
    encoder = model.albef.encoder
    words = [encoder.word_pieces(word) for word in ("red", "jacket")]
    ids = torch.tensor([[encoder.vocabulary.start, *words[0], *words[1], encoder.vocabulary.end]])
    chosen = torch.zeros_like(ids, dtype=torch.bool)
    chosen[0, 1 + len(words[0]) : -1] = True
    masked = ids.masked_fill(chosen, encoder.vocabulary.mask)
    phrases = MaskedPhrases(ids, masked, chosen, torch.tensor([0]))
    x = SimpleNamespace(phrases=phrases, images=model.encode_images(images[:1]))
    reference = find_out(model, cast(Pairs, x), 0)
    for title, attention in (
        ("forward attention", "forward"),
        ("bidirectional attention", "bidirectional"),
    ):
        drawn = found[0][1].maps[title]
        assert drawn.shape == (12, 4)
        close(drawn.flatten(), reference.weights(attention), 2e-4)
