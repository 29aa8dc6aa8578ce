import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from torch import Tensor

from methods.blocks.masked_phrases import MaskedPhrases
from methods.laip import Laip, Masked, Pairs, attention_gradient, normalised

from .scenes import (
    HEADS,
    PATCHES,
    PHRASE_ROWS,
    WIDTH,
    Array,
    Phrase,
    close,
    encoded,
    find_out,
    fuse,
    masked_of,
    method,
    text_tokens,
    tokens,
    values,
    word_logits,
)

# Equations 2 to 7: attention, forward and backward.


@pytest.mark.parametrize("layer", [1, 3, 5])
def test_equations_2_to_4_forward_attention(model: Laip, scene: Pairs, layer: int) -> None:
    """A = softmax(Q K / sqrt(d / H)) of each head of the layer that is asked for."""
    other = method(layer=layer)
    masked = other.fuse_phrases(scene.phrases, scene.images)
    for number in (3, 4):
        length = int((scene.phrases.ids[number] != 0).sum())
        texts = text_tokens(model, scene.phrases.masked[number, :length].tolist())
        images = values(tokens(scene.images)[PHRASE_ROWS[number]])
        fused, maps = fuse(model, texts, images, layer)
        close(masked.attention[number, :, :length], maps)
        close(masked.logits[number, :length], word_logits(model, fused), 1e-8, 1e-10)


def test_equation_4_forward_weights(scene: Pairs, masked: Masked, reference: list[Phrase]) -> None:
    """+ForAtt: the mean over heads of A's first row, its class token dropped, sums to 1."""
    weights = method(attention="forward").weigh_patches(masked, scene.phrases)
    close(weights, [phrase.weights("forward") for phrase in reference])


def test_equations_5_and_6_backward_attention(
    scene: Pairs, masked: Masked, reference: list[Phrase]
) -> None:
    """+BackAtt: ds/dA[0, j] of the summed logits of the masked word, clamped, sums to 1."""
    assert any(min(phrase.backward) < 0 < max(phrase.backward) for phrase in reference)
    weights = method(attention="backward").weigh_patches(masked, scene.phrases)
    close(weights, [phrase.weights("backward") for phrase in reference], 1e-5, 1e-8)


def test_equation_5_the_score_is_the_true_words_logit(
    scene: Pairs, masked: Masked, reference: list[Phrase]
) -> None:
    """The logits of all pieces of a masked word are summed, of unequally long phrases too."""
    true = masked.logits.gather(2, scene.phrases.ids[..., None])[..., 0]
    for number, phrase in enumerate(reference):
        close(true[number][scene.phrases.chosen[number]].sum(), phrase.score, 1e-8)


@pytest.mark.parametrize("layer", [1, 5])
def test_equations_6_and_7_at_another_layer(model: Laip, scene: Pairs, layer: int) -> None:
    """The layer of the config weighs the patches."""
    other = method(layer=layer)
    x = encoded(other, seed=3)
    weights = other.weigh_patches(masked_of(other, x), x.phrases)
    expected = find_out(model, scene, 3, layer).weights("bidirectional")
    close(weights[3], expected, 1e-5, 1e-8)


def test_equation_6_the_gradient_is_that_of_each_head_and_patch(
    model: Laip, scene: Pairs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Changing one entry of the first row of A in a running layer changes s as the gradient says.

    Every phrase on its own, every head, and the class token's column too.
    """
    gradient = gradient_of_attention(model, scene, monkeypatch)  # (P, H, L, 1 + N)
    for number in range(len(PHRASE_ROWS)):
        expected = slopes(model, scene, number)  # (H, 1 + N)
        close(gradient[number, :, 0], expected.numpy(), 1e-4, 1e-8)


def gradient_of_attention(model: Laip, x: Pairs, monkeypatch: pytest.MonkeyPatch) -> Tensor:
    """Return the gradient that weighing asks for."""
    found: list[Tensor] = []
    grad = attention_gradient

    def recorded(*given: Any) -> Tensor:
        found.append(grad(*given))
        return found[-1]

    monkeypatch.setattr("methods.laip.method.attention_gradient", recorded)
    model.weigh_patches(masked_of(model, x), x.phrases)
    (gradient,) = found
    return gradient


@torch.no_grad()
def slopes(model: Laip, x: Pairs, number: int, layer: int = 3, step: float = 1e-4) -> Tensor:
    """Return central differences of s by the entries of the first row of A: (H, 1 + N)."""
    one = slice(number, number + 1)
    found = torch.zeros(HEADS, 1 + PATCHES, dtype=torch.float64)
    entries = HEADS * (1 + PATCHES)
    fusion: Any = model.albef.fusion
    module = fusion.layers[layer - 1].crossattention.self
    size = WIDTH // HEADS

    def bend(module: Any, given: Any, named: Any, gave: Any) -> Any:
        value = module.value(named["encoder_hidden_states"])  # (2 E, 1 + N, D)
        mixed = gave[0].clone()
        for sign, start in ((step, 0), (-step, entries)):
            for entry in range(entries):
                head, j = divmod(entry, 1 + PATCHES)
                part = slice(head * size, (head + 1) * size)
                mixed[start + entry, 0, part] += sign * value[start + entry, j, part]
        return mixed, gave[1]

    length = int((x.phrases.ids[number] != 0).sum())
    texts = model.albef.encoder.encode_tokens(x.phrases.masked[one, :length])
    copies = torch.zeros(2 * entries, dtype=torch.long)
    hook = module.register_forward_hook(bend, with_kwargs=True)
    fused = fusion(
        tokens(texts)[copies], texts.mask[copies], tokens(x.images)[x.phrases.row[one]][copies]
    )
    hook.remove()
    chosen = x.phrases.chosen[number, :length]
    logits = model.albef.masked_word_head(fused[:, chosen])  # (2 E, pieces, vocabulary)
    true = x.phrases.ids[number, :length][chosen]
    score = logits[:, torch.arange(len(true)), true].sum(dim=1)  # (2 E,)
    return ((score[:entries] - score[entries:]) / (2 * step)).view_as(found)


def test_behind_the_last_layer_the_whole_phrase_gets_no_gradient(model: Laip, scene: Pairs) -> None:
    """There a word is read from its own row: that of A has a gradient, row 0 none at all."""
    texts = model.albef.encoder.encode_tokens(scene.phrases.masked)
    fused, attention = model.albef.fusion.watch(
        tokens(texts), texts.mask, tokens(scene.images), 6, scene.phrases.row
    )
    logits = model.albef.masked_word_head(fused)
    true = logits.gather(2, scene.phrases.ids[..., None])[..., 0]
    (gradient,) = torch.autograd.grad(true[scene.phrases.chosen].sum(), attention)
    assert not gradient[:, :, 0].any()
    rows = gradient.abs().amax(dim=(1, 3))  # (P, L)
    assert rows[scene.phrases.chosen].min() > 0


@pytest.mark.parametrize("layer", [0, 6, 7, -1])
def test_a_layer_without_a_gradient_is_refused(layer: int) -> None:
    """The last layer, and what is no layer; the message says why and what there is."""
    with pytest.raises(ValueError, match=rf"layer {layer} .* 1 to 5.* last layer, 6, .* no grad"):
        method(layer=layer)


class Slope(NamedTuple):
    """An attention whose gradient is known."""

    masked: Masked
    phrases: MaskedPhrases
    attention: Array  # (P, H, L, 1 + N)
    gradient: Array  # the same


def slope(scales: Sequence[float]) -> Slope:
    """Return attentions of 2 heads to 5 patches, gradients of a scale for each phrase.

    Logits are linear in the attention. The masked words lie elsewhere in each phrase, one has two
    pieces; what is not masked, and other words, have logits with other slopes.
    """
    generator = np.random.default_rng(5)
    count, heads, length, columns, vocabulary = len(scales), 2, 4, 6, 7
    maps = generator.dirichlet(np.ones(columns), size=(count, heads, length))
    slopes = generator.normal(size=(count, heads, length, columns))
    decoys = generator.normal(size=(count, heads, length, columns))
    attention = torch.from_numpy(maps).requires_grad_()
    ids = torch.from_numpy(generator.integers(0, vocabulary, size=(count, length)))
    chosen = torch.zeros(count, length, dtype=torch.bool)
    chosen[0, 1] = chosen[1:, 2] = chosen[1:, 3] = True
    rows = []
    for p, scale in enumerate(scales):
        signed = -np.abs(slopes[p]) if scale < 0 else slopes[p]
        slopes[p] = signed * abs(scale)
        wrong = (attention[p] * torch.from_numpy(decoys[p])).sum()
        true = (attention[p] * torch.from_numpy(slopes[p])).sum()
        row = wrong * torch.ones(length, vocabulary, dtype=torch.float64)
        for i in range(length):
            if chosen[p, i]:
                row = row.index_put((torch.tensor(i), ids[p, i]), (1 + i) * true)
        rows.append(row)
    factors = [sum(1 + i for i in range(length) if chosen[p, i]) for p in range(count)]
    gradient = slopes * np.array(factors)[:, None, None, None]
    phrases = MaskedPhrases(ids, ids, chosen, torch.zeros(count, dtype=torch.long))
    return Slope(Masked(torch.stack(rows), attention), phrases, maps, gradient)


@pytest.mark.parametrize("attention", ["forward", "backward", "bidirectional"])
def test_equation_7_heads_are_averaged_then_multiplied_then_normalised(attention: str) -> None:
    """Negative means count as 0; where there is nothing else, weights are even."""
    case = slope([1.0, 1e-9, -1.0])
    found = method(attention=attention).weigh_patches(case.masked, case.phrases)
    for p in range(3):
        forward = [sum(case.attention[p, :, 0, j]) / 2 for j in range(1, 6)]
        backward = [max(0.0, sum(case.gradient[p, :, 0, j]) / 2) for j in range(1, 6)]
        phrase = Phrase(forward, backward, 0.0, 0.0)
        close(found[p], phrase.weights(attention))
        assert len({round(float(w), 6) for w in found[p]}) > 1 or (p == 2)
    assert not found.requires_grad
    if attention != "forward":
        close(found[2], [0.2] * 5)


@pytest.mark.parametrize("scale", [1.0, 1e-5, 1e-12, 1e-30])
def test_equation_7_small_weights_are_not_flattened(scale: float) -> None:
    """In single precision the weights are the same at every scale."""
    weights = torch.tensor([[3.0, 0.0, 1.0], [0.0, 0.0, 2.0]]) * scale
    close(normalised(weights), [[0.75, 0.0, 0.25], [0.0, 0.0, 1.0]], 1e-6)


def test_equation_7_of_nothing_is_even() -> None:
    """A phrase whose weights are all zero sees the mean of its patches; others stay."""
    found = normalised(torch.tensor([[0.0, 0.0, 0.0, 0.0], [0.0, 3.0, 0.0, 1.0]]))
    close(found, [[0.25] * 4, [0.0, 0.75, 0.0, 0.25]], 1e-6)


def test_half_precision_is_left_behind() -> None:
    """Products that half precision would call zero are told apart in single precision."""
    case = slope([1.0])
    attention = case.masked.attention.detach().half().requires_grad_()
    gradient = torch.from_numpy(case.gradient).half() * 1e-3
    logits = torch.zeros(1, 4, 7).half() + (attention * gradient).sum()
    found = method().weigh_patches(Masked(logits, attention), case.phrases)
    assert found.dtype == torch.float32
    shares = values(attention)[0, :, 0].astype(np.float64)  # (H, 1 + N)
    forward = [sum(shares[:, j]) / 2 for j in range(1, 6)]
    backward = [float(gradient[0, :, 0, j].double().sum()) / 2 for j in range(1, 6)]
    close(found[0], Phrase(forward, backward, 0, 0).weights("bidirectional"), 2e-3, 1e-5)


def half_chain(factors: Sequence[float]) -> tuple[Tensor, Tensor, Tensor]:
    """Return a score in half precision, the attention that it is of, and the true slopes."""
    generator = torch.Generator().manual_seed(3)
    attention = torch.rand(2, 3, 4, 5, generator=generator).requires_grad_()
    slopes = 1 + torch.rand(2, 3, 4, 5, generator=generator)
    score = (attention.half() * slopes.half()).sum() / 16
    for factor in factors:
        score = score * torch.tensor(factor, dtype=torch.float16)
    return score, attention, slopes.double() / 16 * math.prod(factors)


@pytest.mark.parametrize("factors", [[2.0**-11] * 2, [2.0**-3], [2.0**9], [2.0**7, 2.0**5]])
def test_backward_attention_in_half_precision(factors: list[float]) -> None:
    """Gradients that would vanish there are told apart, and none that is finite overflows."""
    score, attention, expected = half_chain(factors)
    found = attention_gradient(score, attention)
    assert found.dtype == torch.float32
    close(found, expected.numpy(), 2e-2, 0.0)
    (plain,) = torch.autograd.grad(score, attention)
    if factors == [2.0**-11] * 2:
        assert len(plain.unique()) < 4  # so that patches could not be told apart


def test_the_factor_of_backward_attention_is_exact(scene: Pairs, masked: Masked) -> None:
    """In full precision it changes no bit of the gradient."""
    true = masked.logits.gather(2, scene.phrases.ids[..., None])[..., 0]
    score = true[scene.phrases.chosen].sum()
    (plain,) = torch.autograd.grad(score, masked.attention, retain_graph=True)
    assert torch.equal(attention_gradient(score, masked.attention), plain)


def test_weights_of_patches_under_mixed_precision() -> None:
    """Where a masked word hangs little on the image, half precision finds the same patches."""
    model = method(attention="backward").float()
    with torch.no_grad():
        head: Any = model.albef.masked_word_head
        head[3].weight.mul_(1e-4)
    x = encoded(model, seed=3)
    expected = model.weigh_patches(masked_of(model, x), x.phrases)
    with torch.autocast("cpu", dtype=torch.float16):
        found = model.weigh_patches(model.fuse_phrases(x.phrases, x.images), x.phrases)
    assert found.dtype == torch.float32
    close(found, expected.numpy(), 0.1, 1e-2)
