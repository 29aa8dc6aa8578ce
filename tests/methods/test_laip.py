import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple, cast

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from scipy.special import erf
from torch import Tensor, nn

from harness import plan, registry
from harness.data.catalogue import find_declaration
from harness.data.declaration import Located
from harness.data.schema import Split
from harness.evaluation import encode_split, score_text_to_image
from harness.method import Batch, Encoded, Highlight, Run, Supervision, TrainSet, TrainSummary
from harness.plan.spec import RunSpec
from harness.registry import Listing
from harness.registry.description import describe
from harness.training.checkpoints import load_state
from harness.training.optimization import build_optimizer, parameter_groups
from methods import laip
from methods.blocks.masked_phrases import MaskedPhrases
from methods.laip import (
    STAGE_1,
    Fused,
    Laip,
    LaipConfig,
    Masked,
    Pairs,
    attention_gradient,
    fusion_triplet,
    normalised,
)

from .blocks.published_albef import (
    SQUARE,
    TEMPERATURE,
    build_narrow,
    published,
    write_vocabulary,
)

Array = NDArray[np.float64]

HEADS, PATCHES, WIDTH = 4, 48, 64  # of tiny-albef
ALL = ("itc", "itm", "tri", "biatt", "mpm")
PEOPLE = [2, 0, 2, 1]
# Three phrases, none (so the whole caption), two of which one word has eight pieces, and two.
CAPTIONS = [
    "a man in a red jacket and long blue jeans",
    "she is running",
    "a girl with a zylophonic backpack",
    "a woman wearing a green dress",
]
ORDER = [2, 0, 3, 1]  # where the batch's captions stand in the training set
PHRASE_ROWS = [0, 0, 0, 1, 2, 2, 3, 3]
ROWS = {
    (table, label): dict(changes)
    for table, rows in Laip.ablations.items()
    for label, changes in rows.items()
}


# The reference: loops over phrases, heads and tokens.


def values(parameter: Tensor) -> Array:
    """Return the numbers of a parameter."""
    return cast(Array, parameter.detach().numpy())


def softmax(scores: Sequence[float] | Array) -> list[float]:
    """Return the softmax of scores."""
    largest = max(scores)
    exponents = [math.exp(score - largest) for score in scores]
    total = sum(exponents)
    return [value / total for value in exponents]


def mapped(module: Any, tokens: Array) -> Array:
    """Send each token through a linear map."""
    # A product of matrices would wake BLAS' threads, which wait for each other on a busy machine.
    found = np.einsum("oi,li->lo", values(module.weight), tokens) + values(module.bias)
    return cast(Array, found)


def normed(module: Any, tokens: Array) -> Array:
    """Return tokens of mean 0 and deviation 1, scaled and moved."""
    found = []
    for token in tokens:
        centred = token - token.mean()
        deviation = math.sqrt((centred**2).mean() + module.eps)
        found.append(centred / deviation * values(module.weight) + values(module.bias))
    return np.array(found)


def gelu(tokens: Array) -> Array:
    """Return x Phi(x)."""
    return cast(Array, tokens * (1 + erf(tokens / math.sqrt(2))) / 2)


def attend(
    module: Any, tokens: Array, others: Array, change: Array | None = None
) -> tuple[Array, Array]:
    """Let tokens (L, D) attend to others (N, D): the tokens behind it, and A (H, L, N).

    `change` (N,) is added to row 0 of A of every head.
    """
    query, key, value = (
        mapped(getattr(module.self, name), given)
        for name, given in (("query", tokens), ("key", others), ("value", others))
    )
    size = WIDTH // HEADS
    found, maps = np.zeros_like(query), np.zeros((HEADS, len(tokens), len(others)))
    for head in range(HEADS):
        part = slice(head * size, (head + 1) * size)
        for i in range(len(tokens)):
            scores = key[:, part] @ query[i, part] / math.sqrt(size)
            exponents = np.exp(scores - scores.max())
            maps[head, i] = exponents / exponents.sum()
            if i == 0 and change is not None:
                maps[head, i] += change
            found[i, part] = maps[head, i] @ value[:, part]
    return normed(module.output.LayerNorm, mapped(module.output.dense, found) + tokens), maps


def fuse(
    model: Laip,
    texts: Array,
    images: Array,
    layer: int = 3,
    change: Array | None = None,
    first: int = 1,
) -> tuple[Array, Array]:
    """Fuse a text (L, D) with an image (N, D): tokens, and A of a layer's cross-attention.

    With `first`, from that layer on.
    """
    seen = np.zeros(0)
    for number in range(first, 7):
        texts, maps = fuse_once(model, texts, images, number, change if number == layer else None)
        seen = maps if number == layer else seen
    return texts, seen


def fuse_once(
    model: Laip, texts: Array, images: Array, layer: int, change: Array | None = None
) -> tuple[Array, Array]:
    """Pass a text through one fusion layer: tokens, and A of its cross-attention."""
    block = cast(Any, model.albef.fusion.layers)[layer - 1]
    texts, _ = attend(block.attention, texts, texts)
    texts, maps = attend(block.crossattention, texts, images, change)
    hidden = gelu(mapped(block.intermediate.dense, texts))
    return normed(block.output.LayerNorm, mapped(block.output.dense, hidden) + texts), maps


def word_logits(model: Laip, fused: Array) -> Array:
    """Return logits over the vocabulary for tokens (L, D)."""
    first, _, norm, last = cast(Any, model.albef.masked_word_head)
    return mapped(last, normed(norm, gelu(mapped(first, fused))))


def text_tokens(model: Laip, ids: Sequence[int]) -> Array:
    """Encode one text, without padding."""
    return values(tokens(model.albef.encoder.encode_tokens(torch.tensor([ids])))[0])


def cosine(a: Array, b: Array) -> float:
    """Return the cosine of two vectors."""
    dot = sum(x * y for x, y in zip(a, b, strict=True))
    return float(dot / math.sqrt(sum(x * x for x in a)) / math.sqrt(sum(y * y for y in b)))


def summing_to_one(weights: Sequence[float]) -> list[float]:
    """Return weights divided by their sum; all-zero ones even."""
    total = sum(weights)
    return [weight / total if total > 0 else 1 / len(weights) for weight in weights]


class Phrase(NamedTuple):
    """What the reference finds out about one phrase."""

    forward: list[float]  # (N,) mean over heads of A[0, j]
    backward: list[float]  # (N,) mean over heads of ds/dA[0, j], by central differences
    score: float  # s
    log_p: float  # of the masked pieces, summed

    def weights(self, attention: str) -> list[float]:
        """Return w_j, equation 7, or with one of the attentions alone."""
        positive = [max(0.0, value) for value in self.backward]
        return summing_to_one(
            {
                "forward": self.forward,
                "backward": positive,
                "bidirectional": [a * b for a, b in zip(self.forward, positive, strict=True)],
            }[attention]
        )


def find_out(model: Laip, x: Pairs, number: int, layer: int = 3) -> Phrase:
    """Work through equations 2 to 6 and 11 for one phrase of the batch."""
    phrases = x.phrases
    length = int((phrases.ids[number] != model.albef.encoder.vocabulary.pad).sum())
    hidden = [i for i in range(length) if phrases.chosen[number, i]]
    true = phrases.ids[number].tolist()
    texts = text_tokens(model, phrases.masked[number, :length].tolist())
    images = values(tokens(x.images)[int(phrases.row[number])])

    for block in range(1, layer):
        texts, _ = fuse_once(model, texts, images, block)

    def score(change: Array | None = None) -> tuple[float, Array, Array]:
        fused, maps = fuse(model, texts, images, layer, change, first=layer)
        logits = word_logits(model, fused[hidden])
        return sum(row[true[i]] for row, i in zip(logits, hidden, strict=True)), logits, maps

    found, logits, maps = score()
    backward = []
    for j in range(1, 1 + PATCHES):
        change = np.zeros(1 + PATCHES)
        change[j] = 1e-4
        backward.append((score(change)[0] - score(-change)[0]) / 2e-4 / HEADS)
    return Phrase(
        forward=[sum(maps[:, 0, j]) / HEADS for j in range(1, 1 + PATCHES)],
        backward=backward,
        score=found,
        log_p=sum(
            math.log(softmax(row)[true[i]]) for row, i in zip(logits, hidden, strict=True)
        ),
    )  # fmt: skip


def attended(x: Pairs, number: int, weights: Sequence[float]) -> Array:
    """Return the sum of a phrase's weighted patches, equation 8."""
    patches = values(tokens(x.images)[int(x.phrases.row[number])])[1:]
    found = np.zeros(WIDTH)
    for weight, patch in zip(weights, patches, strict=True):
        found += weight * patch
    return found


def phrase_embedding(model: Laip, x: Pairs, number: int) -> Array:
    """Encode one phrase, nothing masked, without padding."""
    ids = [i for i in x.phrases.ids[number].tolist() if i != model.albef.encoder.vocabulary.pad]
    return values(model.albef.encoder.encode_tokens(torch.tensor([ids])).embedding[0])


# The method, and what stands for the harness.


class Step:
    """Stands for a step of training."""

    device = torch.device("cpu")

    def __init__(
        self,
        names: Sequence[str] = ALL,
        stage: int = 1,
        epoch: int = 0,
        step: int = 0,
        seed: int = 0,
    ) -> None:
        self.losses = dict.fromkeys(names, 1.0)
        self.stage, self.epoch, self.step, self.steps_per_epoch = stage, epoch, step, 4
        self.seed = seed

    def generator(self, purpose: str) -> torch.Generator:
        return torch.Generator().manual_seed(sum(map(ord, purpose)) + 1000 * self.seed)

    def spread(self, function: Callable[..., Any], *rows: Any) -> Any:
        return function(*rows)


def method(**changes: Any) -> Laip:
    """Return the method in doubles, with a small queue, the phrases of its captions parsed."""
    torch.manual_seed(0)
    settings: dict[str, Any] = {
        "backbone": "tiny-albef", "image_size": (96, 32), "queue": 8, "tagger": "lexicon",
    }  # fmt: skip
    config = LaipConfig(**{**settings, **changes})
    captions = [CAPTIONS[row] for row in ORDER]
    model = Laip(config, TrainSummary(4, captions, 3)).double()
    model.prepare(cast(TrainSet, SimpleNamespace(captions=captions)), cast(Run, Step()))
    return model


def batch_of(people: Sequence[int] | None = PEOPLE, images: Sequence[int] = range(4)) -> Batch:
    """Return a batch of four random images with the captions."""
    generator = torch.Generator().manual_seed(1)
    pixels = torch.randint(0, 256, (4, 3, 96, 32), generator=generator, dtype=torch.uint8)
    rows = torch.tensor([ORDER.index(row) for row in range(4)])
    labels = None if people is None else torch.tensor(people)
    return Batch(pixels, CAPTIONS, torch.tensor(list(images)), rows, labels)


def encoded(
    model: Laip, names: Sequence[str] = (), seed: int = 0, batch: Batch | None = None
) -> Pairs:
    """Return the encoded batch of a step whose losses are those named."""
    model.training_losses(batch or batch_of(), cast(Run, Step(names, seed=seed)))
    assert model.seen is not None
    return model.seen


def tokens(found: Encoded) -> Tensor:
    """Return the tokens, which are there."""
    assert found.tokens is not None
    return found.tokens


def drawn(
    model: Laip, people: Sequence[int], step: Step | None = None, width: int = 5, seed: int = 3
) -> Pairs:
    """Return a batch whose embeddings are random."""
    generator = torch.Generator().manual_seed(seed)
    images, texts, old_images, old_texts = (
        torch.randn(len(people), width, generator=generator, dtype=torch.float64) for _ in range(4)
    )
    run, words = cast(Run, step or Step()), torch.zeros(len(people), 1)
    labels = torch.tensor(people)
    x = Pairs(batch_of(), run, Encoded(images.requires_grad_()), words, labels, model)
    x.texts = Encoded(texts.requires_grad_())
    x.momentum = (F.normalize(old_images, dim=1), F.normalize(old_texts, dim=1))
    return x


def close(found: Any, expected: Any, rtol: float = 1e-9, atol: float = 1e-12) -> None:
    """Hold numbers, or rows of them, against the reference."""
    found = found.detach() if isinstance(found, Tensor) else torch.from_numpy(np.array(found))
    wanted = torch.from_numpy(np.array(expected))
    torch.testing.assert_close(found.double(), wanted.double(), rtol=rtol, atol=atol)


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Let torch use one thread: more only wait for each other on what is this small."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def model() -> Laip:
    """The method, for tests that leave it as it is."""
    return method()


@pytest.fixture(scope="module")
def scene(model: Laip) -> Pairs:
    """A batch of eight phrases; the word of eight pieces is masked in one."""
    x = encoded(model, seed=3)
    assert x.phrases.row.tolist() == PHRASE_ROWS
    counts = x.phrases.chosen.sum(dim=1).tolist()
    assert max(counts) > 7  # a word of several pieces
    assert not x.phrases.chosen[:, 0].any()
    return x


@pytest.fixture(scope="module")
def reference(model: Laip, scene: Pairs) -> list[Phrase]:
    """What the reference finds out about the phrases."""
    return [find_out(model, scene, number) for number in range(len(PHRASE_ROWS))]


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


def test_equation_4_forward_weights(scene: Pairs, reference: list[Phrase]) -> None:
    """+ForAtt: the mean over heads of A's first row, its class token dropped, sums to 1."""
    weights = method(attention="forward").weigh_patches(scene.masked, scene.phrases)
    close(weights, [phrase.weights("forward") for phrase in reference])


def test_equations_5_and_6_backward_attention(scene: Pairs, reference: list[Phrase]) -> None:
    """+BackAtt: ds/dA[0, j] of the summed logits of the masked word, clamped, sums to 1."""
    assert any(min(phrase.backward) < 0 < max(phrase.backward) for phrase in reference)
    weights = method(attention="backward").weigh_patches(scene.masked, scene.phrases)
    close(weights, [phrase.weights("backward") for phrase in reference], 1e-5, 1e-8)


def test_equation_5_the_score_is_the_true_words_logit(
    scene: Pairs, reference: list[Phrase]
) -> None:
    """The logits of all pieces of a masked word are summed, of unequally long phrases too."""
    true = scene.masked.logits.gather(2, scene.phrases.ids[..., None])[..., 0]
    for number, phrase in enumerate(reference):
        close(true[number][scene.phrases.chosen[number]].sum(), phrase.score, 1e-8)


@pytest.mark.parametrize("layer", [1, 5])
def test_equations_6_and_7_at_another_layer(model: Laip, scene: Pairs, layer: int) -> None:
    """The layer of the config weighs the patches."""
    other = method(layer=layer)
    x = encoded(other, seed=3)
    weights = other.weigh_patches(x.masked, x.phrases)
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

    monkeypatch.setattr(laip, "attention_gradient", recorded)
    model.weigh_patches(x.masked, x.phrases)
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


def test_the_factor_of_backward_attention_is_exact(model: Laip, scene: Pairs) -> None:
    """In full precision it changes no bit of the gradient."""
    true = scene.masked.logits.gather(2, scene.phrases.ids[..., None])[..., 0]
    score = true[scene.phrases.chosen].sum()
    (plain,) = torch.autograd.grad(score, scene.masked.attention, retain_graph=True)
    assert torch.equal(attention_gradient(score, scene.masked.attention), plain)


def test_weights_of_patches_under_mixed_precision() -> None:
    """Where a masked word hangs little on the image, half precision finds the same patches."""
    model = method(attention="backward").float()
    with torch.no_grad():
        head: Any = model.albef.masked_word_head
        head[3].weight.mul_(1e-4)
    x = encoded(model, seed=3)
    expected = model.weigh_patches(x.masked, x.phrases)
    with torch.autocast("cpu", dtype=torch.float16):
        found = model.weigh_patches(model.fuse_phrases(x.phrases, x.images), x.phrases)
    assert found.dtype == torch.float32
    close(found, expected.numpy(), 0.1, 1e-2)


# Equations 8 to 12: phrases.


@pytest.mark.parametrize("attention", ["forward", "backward", "bidirectional"])
def test_equations_8_to_10_local_alignment(
    model: Laip, scene: Pairs, reference: list[Phrase], attention: str
) -> None:
    """1 - cos(weighted patches, the phrase with nothing masked): a caption's sum, then the mean."""
    total = 0.0
    for number, phrase in enumerate(reference):
        image = attended(scene, number, phrase.weights(attention))
        total += 1 - cosine(image, phrase_embedding(model, scene, number))
    close(method(attention=attention).local_alignment(scene), total / 4, 1e-6)


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


def test_equation_11_in_saturation(model: Laip, scene: Pairs) -> None:
    """A word that is 200 logits off costs 200, not infinity."""
    logits = torch.zeros(8, scene.phrases.ids.shape[1], 1024)
    logits[..., 5] = 200.0
    x = replaced(scene, masked=Masked(logits, torch.zeros(0)), phrases=scene.phrases)
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
    other = Pairs(x.batch, x.run, x.images, x.words, x.labels, x._laip)
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


def test_a_phrase_does_not_depend_on_its_batch(model: Laip, scene: Pairs) -> None:
    """Longer phrases of other rows, and so padding, change neither weights nor logits."""
    weights = model.weigh_patches(scene.masked, scene.phrases)
    length = int((scene.phrases.ids[1] != 0).sum())
    assert length < scene.phrases.ids.shape[1]
    phrases = MaskedPhrases(
        *(part[1:2, :length] for part in scene.phrases[:3]), scene.phrases.row[1:2]
    )
    masked = model.fuse_phrases(phrases, scene.images)
    close(masked.logits[0], scene.masked.logits[1, :length].detach().numpy(), 1e-8, 1e-10)
    close(model.weigh_patches(masked, phrases)[0], weights[1].numpy(), 1e-8)


def test_masked_words_of_the_whole_text(model: Laip) -> None:
    """Table V's MLM: the mean cross-entropy of the words that are masked, anywhere in a caption."""
    x = encoded(model)
    found = model.masked_words(x)
    masked = laip.mask_words(x.words, model.albef.encoder.vocabulary, x.run.generator("mask"), 0.15)
    terms = []
    for row in range(4):
        length = int((x.words[row] != 0).sum())
        ids = masked.ids[row, :length].tolist()
        fused, _ = fuse(model, text_tokens(model, ids), values(tokens(x.images)[row]))
        for i in range(length):
            if masked.chosen[row, i]:
                logits = word_logits(model, fused[i : i + 1])[0]
                terms.append(-math.log(softmax(logits)[int(x.words[row, i])]))
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
    assert len(seen[0]) == int((x.words != 0).sum()) - 2 * 4


# Equations 13 to 17: the contrast.


def test_equations_13_and_14_embeddings_of_both_encoders(model: Laip) -> None:
    """Of tiny-albef the class token and the text's pooled token, in one space; the cosine, 15."""
    images = model.encode_images(batch_of().images)
    assert torch.equal(images.embedding, tokens(images)[:, 0])
    texts = model.encode_texts(CAPTIONS)
    again = model.albef.encoder.encode_tokens(model.albef.encoder.tokenize(CAPTIONS))
    assert torch.equal(texts.embedding, again.embedding)
    assert images.embedding.shape == texts.embedding.shape == (4, WIDTH)


class Slots:
    """The queues of a reference: lists."""

    def __init__(self, model: Laip, pushes: Sequence[Sequence[int]], width: int = 5) -> None:
        generator = torch.Generator().manual_seed(9)
        self.images: list[Array] = []
        self.texts: list[Array] = []
        self.labels: list[int] = []
        for queue in (model.image_queue, model.text_queue):
            queue.features = torch.zeros(len(queue.features), width, dtype=torch.float64)
        for labels in pushes:
            images, texts = (
                F.normalize(torch.randn(len(labels), width, generator=generator).double(), dim=1)
                for _ in range(2)
            )
            model.image_queue.push(images, torch.tensor(labels))
            model.text_queue.push(texts, torch.tensor(labels))
            self.images = [*self.images, *images.numpy()][-8:]
            self.texts = [*self.texts, *texts.numpy()][-8:]
            self.labels = [*self.labels, *labels][-8:]


def contrast(x: Pairs, slots: Slots, tau: float, share: float) -> float:
    """Return L_itc, equations 15 to 17, with momentum distillation, by rows and columns."""
    labels = x.labels.tolist()
    known = [*labels, *slots.labels]
    images, texts = (values(each) for each in x.momentum)
    sides = (
        (values(x.images.embedding), images, [*texts, *slots.texts]),
        (values(x.texts.embedding), texts, [*images, *slots.images]),
    )
    total = 0.0
    for rows, taught, columns in sides:
        for i in range(len(labels)):
            p = softmax([cosine(rows[i], column) / tau for column in columns])
            view = softmax([cosine(taught[i], column) / tau for column in columns])
            positives = sum(label == labels[i] for label in known)
            for j in range(len(columns)):
                truth = (known[j] == labels[i]) / positives
                target = share * view[j] + (1 - share) * truth
                total -= target * math.log(p[j])
    return total / len(labels) / 2


PUSHES = {
    "empty": [],
    "partly filled": [[2, 7, 2], [0, 9]],
    "wrapped around": [[2, 7, 2], [0, 9, 1], [5, 5, 0, 2]],
    "nobody's, as from weights": [[laip.NOBODY] * 4, [2, 9]],
}


@pytest.mark.parametrize("pushes", PUSHES.values(), ids=PUSHES)
@pytest.mark.parametrize("people", [PEOPLE, [4, 4, 4, 4], [3, 1, 0, 2]])
def test_equations_15_to_17_contrast(pushes: list[list[int]], people: list[int]) -> None:
    """Batch and filled slots are columns; all that match share the target, in both directions."""
    model = method(temperature=0.3)
    slots = Slots(model, pushes)
    x = drawn(model, people)
    close(model.contrast(x), contrast(x, slots, 0.3, 0.4), 1e-6)


@pytest.mark.parametrize(
    ("stage", "epoch", "step", "share"),
    [(0, 0, 0, 0.0), (0, 0, 1, 0.1), (0, 0, 3, 0.3), (0, 1, 4, 0.4), (0, 7, 30, 0.4),
     (1, 0, 0, 0.4), (1, 0, 1, 0.4)],
)  # fmt: skip
def test_equation_17_distillation_is_ramped_once(
    stage: int, epoch: int, step: int, share: float
) -> None:
    """The momentum model's share rises over the first epoch of the first stage only."""
    model = method(temperature=0.3)
    slots = Slots(model, [[2, 7, 2]])
    x = drawn(model, PEOPLE, Step(stage=stage, epoch=epoch, step=step))
    close(model.contrast(x), contrast(x, slots, 0.3, share), 1e-6)


def test_equation_17_the_share_is_the_configs() -> None:
    """`distillation` 0 takes the labels alone."""
    model = method(temperature=0.3, distillation=0.0)
    slots, x = Slots(model, []), drawn(model, PEOPLE)
    close(model.contrast(x), contrast(x, slots, 0.3, 0.0), 1e-6)


@pytest.mark.parametrize(("temperature", "tau"), [(0.07, 0.07), (1e-5, 0.001), (2.0, 0.5)])
def test_equation_16_temperature(temperature: float, tau: float) -> None:
    """It is learned, from the config's value on, and kept between 0.001 and 0.5."""
    model = method(temperature=temperature)
    slots, x = Slots(model, []), drawn(model, PEOPLE)
    loss = model.contrast(x)
    close(model.tau, tau, 1e-6)
    assert torch.isfinite(loss)
    if tau == temperature:
        close(loss, contrast(x, slots, tau, 0.4), 1e-5)
        loss.backward()
        assert model.temperature.grad is not None
        assert model.temperature.grad != 0


def test_momentum_targets_take_no_gradient() -> None:
    """Where targets are all the momentum model's, its rows have no gradient; columns are given.

    What the copies encode has none at all.
    """
    model = method(distillation=1.0, temperature=0.3)
    Slots(model, [])
    x = drawn(model, PEOPLE)
    taught = [part.clone().requires_grad_() for part in x.momentum]
    target = torch.full((4, 4), 0.25, dtype=torch.float64)
    for rows, seen, columns in zip(
        (x.images.embedding, x.texts.embedding), taught, x.momentum, strict=True
    ):
        model._soft_contrast(rows, seen, columns, target, 1.0).backward()
        assert rows.grad is not None
        assert rows.grad.abs().sum() > 0
        assert seen.grad is None
    found = encoded(model)
    assert not any(part.requires_grad for part in found.momentum)
    for part in found.momentum:
        close(part.norm(dim=1), [1.0] * 4)


def test_equation_16_the_momentum_encoders_see_the_same_batch() -> None:
    """Their embeddings are those of their own weights, not of the model's."""
    model = method()
    with torch.no_grad():
        for parameter in model.momentum_copy.parameters():
            parameter.mul_(0.9)
    x = encoded(model)
    copy = cast(Any, model.momentum_copy.module)
    images, texts = copy.encode_images(batch_of().images), copy.encode_texts(CAPTIONS)
    for found, expected in zip(x.momentum, (images, texts), strict=True):
        close(found, F.normalize(expected.embedding, dim=1).numpy(force=True))
    assert (x.momentum[0] - F.normalize(x.images.embedding, dim=1)).abs().max() > 1e-3


# Equations 18 to 20: matching.


def test_equation_18_a_pair_scores_the_difference_of_its_logits(model: Laip) -> None:
    """W^O = w_1 - w_0 on the first fused token."""
    texts, images = model.encode_texts(CAPTIONS), model.encode_images(batch_of().images)
    image_of_text = torch.tensor([2, 0, 1, 0])
    found = model.rescore(texts, images, image_of_text)
    head = model.albef.matching_head
    for row in range(4):
        length = int((model.albef.encoder.tokenize(CAPTIONS)[row] != 0).sum())
        image = values(tokens(images)[image_of_text[row]])
        fused, _ = fuse(model, values(tokens(texts)[row, :length]), image)
        weight, bias = values(head.weight), values(head.bias)
        expected = (weight[1] - weight[0]) @ fused[0] + bias[1] - bias[0]
        close(found[row], expected, 1e-8)


def test_equation_18_in_saturation(model: Laip, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pairs whose probabilities of a match are 1.0 in single precision are still told apart."""
    fused = torch.zeros(3, 2, WIDTH)
    fused[:, 0, 0] = torch.tensor([40.0, 60.0, 50.0])
    fused[:, 1, 0] = torch.tensor([9.0, 7.0, 8.0])  # not the first token
    head = nn.Linear(WIDTH, 2)
    with torch.no_grad():
        head.weight.zero_()[1, 0] = 0.75
        head.weight[0, 0] = -0.25
    logits = head(fused[:, 0])
    assert len(set(logits.softmax(dim=1)[:, 1].tolist())) == 1
    other = method().float()
    other.albef.matching_head = head
    monkeypatch.setattr(other.albef, "fuse", lambda texts, images, image_of_text: fused)
    pairs = Encoded(torch.zeros(3, 1))
    found = other.rescore(pairs, pairs, torch.arange(3))
    close(found - found[0], [0.0, 20.0, 10.0], 1e-6)


def cross_entropy(logits: Sequence[float], label: int) -> float:
    """Return -log p of a label, without leaving the logarithm."""
    largest = max(logits)
    return largest + math.log(sum(math.exp(v - largest) for v in logits)) - logits[label]


LOGITS = Fused(
    own=torch.tensor([[-1.0, 2.0], [0.5, 0.0], [30.0, -60.0], [-0.2, 0.1]]),
    other_image=torch.tensor([[0.3, 0.4], [2.0, -1.0], [-50.0, 60.0]]),
    other_text=torch.tensor([[1.0, 0.0], [0.0, 0.7], [0.1, 0.0]]),
    rows=torch.tensor([0, 1, 3]),
)


def test_equation_19_matching(model: Laip) -> None:
    """The mean cross-entropy of all pairs: own ones match, other images and other texts do not."""
    x = drawn(model, PEOPLE)
    x.fused = LOGITS
    terms = [cross_entropy(row.tolist(), 1) for row in LOGITS.own]
    terms += [cross_entropy(row.tolist(), 0) for row in LOGITS.other_image]
    terms += [cross_entropy(row.tolist(), 0) for row in LOGITS.other_text]
    assert max(terms) > 80  # a probability of 0 in single precision
    close(model.matching(x), sum(terms) / 10, 1e-6)


@pytest.mark.parametrize("margin", [0.6, 0.2, 1.0])
def test_equation_20_fusion_triplet(margin: float) -> None:
    """[p(neg) - p(own) + delta]_+^2 for other images and other texts, of rows with a negative."""
    model = method(margin=margin)
    x = drawn(model, PEOPLE)
    x.fused = LOGITS
    total = 0.0
    for number, row in enumerate(LOGITS.rows.tolist()):
        own = softmax(LOGITS.own[row].tolist())[1]
        for others in (LOGITS.other_image, LOGITS.other_text):
            other = softmax(others[number].tolist())[1]
            total += max(0.0, other - own + margin) ** 2
    close(model.fusion_triplet(x), total / 3, 1e-5)


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


def test_equations_18_to_20_pairs_that_are_fused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each text with its own and with another image, each image with another text."""
    model = method()
    x = encoded(model)
    images, texts, rows = torch.tensor([1, 3, 0]), torch.tensor([3, 2, 2]), torch.tensor([0, 1, 3])
    monkeypatch.setattr(model, "draw_negatives", lambda x: (images, texts, rows))
    found = model.fuse_with_negatives(x)

    def logits(text: int, image: int) -> Array:
        length = int((x.words[text] != 0).sum())
        fused, _ = fuse(
            model, values(tokens(x.texts)[text, :length]), values(tokens(x.images)[image])
        )
        return mapped(model.albef.matching_head, fused[:1])[0]

    close(found.own, [logits(row, row) for row in range(4)], 1e-8)
    close(found.other_image, [logits(0, 1), logits(1, 3), logits(3, 0)], 1e-8)
    close(found.other_text, [logits(3, 0), logits(2, 1), logits(2, 3)], 1e-8)
    assert torch.equal(found.rows, rows)


def test_hard_negatives_follow_the_contrast(monkeypatch: pytest.MonkeyPatch) -> None:
    """Odds are the contrastive softmax over what does not match; positives have none."""
    model = method(temperature=0.3)
    x = drawn(model, PEOPLE)
    seen: list[Tensor] = []
    draw = torch.multinomial

    def recorded(odds: Tensor, count: int, **named: Any) -> Tensor:
        seen.append(odds)
        return draw(odds, count, **named)

    monkeypatch.setattr(torch, "multinomial", recorded)
    images, texts, rows = model.draw_negatives(x)
    assert rows.tolist() == [0, 1, 2, 3]
    old_images, old_texts = (values(each) for each in x.momentum)
    sides = (
        (values(x.texts.embedding), old_images),
        (values(x.images.embedding), old_texts),
    )
    for odds, (anchors, others) in zip(seen, sides, strict=True):
        for i in range(4):
            known = [j for j in range(4) if PEOPLE[j] != PEOPLE[i]]
            shares = softmax([cosine(anchors[i], others[j]) / 0.3 for j in known])
            expected = [shares[known.index(j)] if j in known else 0.0 for j in range(4)]
            close(odds[i], expected, 1e-6)
    assert (
        images.tolist() == draw(seen[0], 1, generator=x.run.generator("negatives"))[:, 0].tolist()
    )
    assert not torch.equal(seen[0], seen[1])
    assert texts.shape == (4,)


def test_a_positive_is_never_drawn() -> None:
    """Not where it is nearest by far, and the others' odds would vanish beside it."""
    model = method(temperature=0.001)
    for seed in range(40):
        x = drawn(model, PEOPLE, Step(seed=seed))
        same = F.normalize(torch.ones(4, 5, dtype=torch.float64), dim=1)
        x.images, x.texts = Encoded(same), Encoded(same)
        x.momentum = (same.clone(), same.clone())
        for part in x.momentum:
            part[[1, 3]] *= -1  # nothing but positives is near to rows 0 and 2
        images, texts, rows = model.draw_negatives(x)
        for chosen in (images, texts):
            for row, other in zip(rows.tolist(), chosen.tolist(), strict=True):
                assert PEOPLE[row] != PEOPLE[other]


def test_a_batch_of_one_person_has_no_negatives() -> None:
    """Own pairs alone are matched, the triplet is 0, and all losses are finite and learn."""
    model = method()
    found = model.training_losses(batch_of([1, 1, 1, 1]), cast(Run, Step()))
    x = model.seen
    assert x is not None
    assert [len(part) for part in x.fused] == [4, 0, 0, 0]
    terms = [cross_entropy(row.tolist(), 1) for row in x.fused.own]
    close(found["itm"], sum(terms) / 4, 1e-8)
    assert found["tri"] == 0
    torch.stack(list(found.values())).sum().backward()
    for name, parameter in model.albef.named_parameters():
        if parameter.grad is not None:
            assert torch.isfinite(parameter.grad).all(), name


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
    weights = one.weigh_patches(x.masked, x.phrases)
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


@pytest.mark.parametrize("names", [("itc", "itm"), ("itc",), ("itm",)])
def test_after_a_step_the_copies_move_and_the_queues_fill(names: tuple[str, ...]) -> None:
    """What the copies gave before they moved is queued, unit length, with its labels."""
    model = method(momentum=0.75)
    run = cast(Run, Step(names))
    for _ in range(3):
        x = encoded(model, names)
        given = [part.clone() for part in x.momentum]
        before = [p.clone() for p in model.momentum_copy.parameters()]
        with torch.no_grad():
            for parameter in model.albef.parameters():
                parameter.add_(0.01)
        model.after_step(batch_of(), run)
        new = model.albef.encoder.parameters()
        for old, mine, theirs in zip(before, model.momentum_copy.parameters(), new, strict=True):
            close(mine, (0.75 * old + 0.25 * theirs).numpy(force=True))
        assert model.seen is None
    for queue, part in ((model.image_queue, given[0]), (model.text_queue, given[1])):
        features, labels = queue.filled()
        assert len(features) == 8
        close(features[:4], part.numpy())  # the third push wrapped around
        assert labels.tolist() == [*PEOPLE, *PEOPLE]


def test_a_checkpoint_holds_copies_and_queues() -> None:
    """Another model goes on from it with the same losses."""
    one, two = method(), method()
    for _ in range(2):
        encoded(one, ("itc",))
        with torch.no_grad():
            for parameter in one.albef.parameters():
                parameter.mul_(1.01)
        one.after_step(batch_of(), cast(Run, Step(("itc",))))
    state = one.state_dict()
    for part in ("momentum_copy.module.", "image_queue.features", "text_queue.labels",
                 "image_queue.count", "temperature"):  # fmt: skip
        assert any(name.startswith(part) for name in state)
    two.load_state_dict(state)
    losses = [m.training_losses(batch_of(), cast(Run, Step())) for m in (one, two)]
    for name in ALL:
        assert torch.equal(losses[0][name], losses[1][name])


# Going on from published weights.


@pytest.fixture
def published_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with weights of the layout of ALBEF.pth, narrow."""
    build_narrow(monkeypatch)
    write_vocabulary(tmp_path)
    state, _ = published(0, "text_encoder.bert.", head=True, patches=4)
    unit = {name: F.normalize(state[name], dim=0) for name in ("image_queue", "text_queue")}
    torch.save({"model": {**state, **unit}}, tmp_path / "ALBEF.pth")
    return tmp_path


def from_weights(folder: Path, **changes: Any) -> tuple[Laip, dict[str, Tensor]]:
    """Return the method on published weights, in single precision, with what the file holds."""
    settings: dict[str, Any] = {
        "backbone": f"albef/{folder}", "image_size": SQUARE, "weights": "albef", "queue": 6,
        "tagger": "lexicon",
    }  # fmt: skip
    model = Laip(LaipConfig(**{**settings, **changes}), TrainSummary(4, CAPTIONS, 3))
    model.prepare(cast(TrainSet, SimpleNamespace(captions=CAPTIONS)), cast(Run, Step()))
    return model, torch.load(folder / "ALBEF.pth", weights_only=True)["model"]


def small_batch() -> Batch:
    """Return a batch of images of the small encoder's size."""
    generator = torch.Generator().manual_seed(1)
    pixels = torch.randint(0, 256, (4, 3, *SQUARE), generator=generator, dtype=torch.uint8)
    rows = torch.arange(4)
    return Batch(pixels, CAPTIONS, rows, rows, torch.tensor(PEOPLE))


def test_a_contrast_goes_on_from_published_weights(published_folder: Path) -> None:
    """Copies, queue and temperature are the file's; no slot of the queue shows a training person.

    What copies are called in the file: a few of every kind.
    """
    model, state = from_weights(published_folder)
    copies = model.momentum_copy.module.state_dict()
    for here, there in {
        "visual.blocks.1.attn.qkv.weight": "visual_encoder_m.blocks.1.attn.qkv.weight",
        "vision_proj.bias": "vision_proj_m.bias",
        "layers.5.output.dense.weight":
            "text_encoder_m.bert.encoder.layer.5.output.dense.weight",
        "embeddings.word_embeddings.weight":
            "text_encoder_m.bert.embeddings.word_embeddings.weight",
    }.items():  # fmt: skip
        assert torch.equal(copies[here], state[there])
        assert not torch.equal(copies[here], model.albef.encoder.state_dict()[here])
    order = [2, 3, 4, 5, 0, 1]
    for queue, name in ((model.image_queue, "image_queue"), (model.text_queue, "text_queue")):
        features, labels = queue.filled()
        assert torch.equal(features, state[name].T[order])
        assert labels.tolist() == [-100] * 6
    assert float(model.temperature.detach()) == pytest.approx(TEMPERATURE)
    model, _ = from_weights(published_folder, temperature=0.3)
    assert float(model.temperature.detach()) == pytest.approx(0.3)


@pytest.mark.parametrize(("slots", "order"), [(4, [4, 5, 0, 1]), (9, [2, 3, 4, 5, 0, 1])])
def test_a_queue_of_another_size_keeps_the_newest(
    published_folder: Path, slots: int, order: list[int]
) -> None:
    """A shorter one drops the oldest; of a longer one the slots that are left do not count."""
    model, state = from_weights(published_folder, queue=slots)
    assert torch.equal(model.image_queue.filled()[0], state["image_queue"].T[order])


def test_training_from_published_weights(published_folder: Path) -> None:
    """All losses are finite and learn; each batch of four takes the place of the oldest of six."""
    model, state = from_weights(published_folder)
    names = (*ALL, "mlm")
    old = state["image_queue"].T[[2, 3, 4, 5, 0, 1]]
    given = []
    for _ in range(2):
        found = model.training_losses(small_batch(), cast(Run, Step(names)))
        assert all(torch.isfinite(loss) for loss in found.values())
        torch.stack(list(found.values())).sum().backward()
        assert model.seen is not None
        given.append(model.seen.momentum[0])
        model.after_step(small_batch(), cast(Run, Step(names)))
        if len(given) == 1:
            features, labels = model.image_queue.filled()
            close(features, torch.cat([given[0], old[4:]]).numpy(), 1e-6)
            assert labels.tolist() == [*PEOPLE, -100, -100]
    features, labels = model.image_queue.filled()
    close(features, torch.cat([given[1][2:], given[0][2:], given[1][:2]]).numpy(), 1e-6)
    assert labels.tolist() == [*PEOPLE[2:], *PEOPLE[2:], *PEOPLE[:2]]
    for name, parameter in model.named_parameters():
        assert parameter.requires_grad is not name.startswith("momentum_copy."), name
        assert (parameter.grad is not None) is parameter.requires_grad, name


def test_a_checkpoint_replaces_what_came_with_the_weights(published_folder: Path) -> None:
    """A run that goes on has its own copies, queues and temperature, not the file's again."""
    one, _ = from_weights(published_folder)
    for _ in range(2):
        one.training_losses(small_batch(), cast(Run, Step(("itc",))))
        with torch.no_grad():
            for parameter in one.albef.parameters():
                parameter.mul_(1.01)
            one.temperature.fill_(0.2)
        one.after_step(small_batch(), cast(Run, Step(("itc",))))
    torch.save(one.state_dict(), published_folder / "checkpoint.pt")
    two, _ = from_weights(published_folder)
    load_state(two, torch.load(published_folder / "checkpoint.pt", weights_only=True))
    losses = []
    for model in (one, two):
        torch.manual_seed(0)
        losses.append(model.training_losses(small_batch(), cast(Run, Step())))
    for name in ALL:
        assert torch.equal(losses[0][name], losses[1][name])
    for name, value in one.state_dict().items():
        assert torch.equal(two.state_dict()[name], value), name


# What a row computes.


class Uncalled:
    """Fails where it is called."""

    def __call__(self, *given: object, **named: object) -> None:
        raise AssertionError("this row does not need it")


NEEDS = {
    "tag": {"biatt", "mpm"},
    "fuse_phrases": {"biatt", "mpm"},
    "mask_phrases": {"biatt", "mpm"},
    "weigh_patches": {"biatt"},
    "masked_words": {"mlm"},
    "fuse_with_negatives": {"itm", "tri"},
    "fusion_triplet": {"tri"},
}


@pytest.mark.parametrize(("table", "label"), ROWS, ids=[" ".join(key) for key in ROWS])
def test_a_row_computes_its_losses_and_nothing_else(
    table: str, label: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A loss that is off is not computed; rows without phrases parse and fuse none."""
    names = dict(ROWS[table, label]).get("losses", LaipConfig().losses)
    for name, needed_by in NEEDS.items():
        if not needed_by & names.keys():
            monkeypatch.setattr(*((laip, name) if name == "tag" else (Laip, name)), Uncalled())
    model = method(**ROWS[table, label])
    found = model.training_losses(batch_of(), cast(Run, Step(tuple(names))))
    assert found.keys() == names.keys()
    assert all(torch.isfinite(loss) for loss in found.values())


def test_the_first_stage_computes_contrast_and_matching_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of the method as published too."""
    for name, needed_by in NEEDS.items():
        if name != "tag" and not needed_by & set(STAGE_1):
            monkeypatch.setattr(Laip, name, Uncalled())
    for recipe in Laip.recipes.values():
        first, second = recipe.stages
        assert first.losses == ("itc", "itm")
        assert second.losses is None
        found = method().training_losses(batch_of(), cast(Run, Step(first.losses)))
        assert found.keys() == {"itc", "itm"}


def rows_of(table: str) -> dict[str, Mapping[str, Any]]:
    """Return the rows of a table by label."""
    return {label: changes for (of, label), changes in ROWS.items() if of == table}


def test_table_4_and_its_rows() -> None:
    """Each row's losses, attention and starting weights."""
    found = {}
    for label, changes in rows_of("Table IV").items():
        config = LaipConfig(**changes)
        found[label] = (config.weights, " ".join(config.losses), config.attention)
        assert replace(config, **{n: getattr(LaipConfig(), n) for n in changes}) == LaipConfig()
        assert set(config.losses.values()) == {1.0}
    local = "itc itm biatt"
    assert found == {
        "Baseline": ("albef", "itc itm", "bidirectional"),
        "Baseline⁺": ("coco", "itc itm", "bidirectional"),
        "+ForAtt": ("coco", local, "forward"),
        "+BackAtt": ("coco", local, "backward"),
        "+BidirAtts": ("coco", local, "bidirectional"),
        "+MPM": ("coco", "itc itm mpm", "bidirectional"),
        "+BidirAtts+MPM": ("coco", f"{local} mpm", "bidirectional"),
        "LAIP(Ours)": ("coco", "itc itm tri biatt mpm", "bidirectional"),
    }


def test_tables_5_and_6_and_figure_6() -> None:
    """What their rows change, and only that."""
    mlm = rows_of("Table V")["MLM"]
    assert mlm.keys() == {"losses"}
    assert mlm["losses"] == dict.fromkeys(("itc", "itm", "tri", "biatt", "mlm"), 1.0)
    both = {"itc": 1.0, "itm": 1.0}
    assert rows_of("Table VI") == {
        "Baseline": {"losses": both, "weights": "albef"},
        "Baseline⁺": {"losses": both},
        "LAIP": {"weights": "albef"},
        "LAIP⁺": {},
    }
    assert list(rows_of("Figure 6, layer").values()) == [{"layer": n} for n in range(1, 6)]
    margins = [0.2, 0.4, 0.6, 0.8, 1.0]
    assert list(rows_of("Figure 6, delta").values()) == [{"margin": m} for m in margins]
    assert LaipConfig().layer == 3
    assert LaipConfig().margin == 0.6


@pytest.mark.parametrize("scale", ["tiny", "paper"])
@pytest.mark.parametrize("number", [0, 1])
def test_what_decays_is_what_albef_decays(scale: str, number: int) -> None:
    """By ALBEF's own rule neither biases nor other vectors do; the temperature, a number, does."""
    model, stage = method(), Laip.recipes[scale].stages[number]
    groups = build_optimizer(parameter_groups(model, stage), stage).param_groups
    decays = {id(p): group["weight_decay"] for group in groups for p in group["params"]}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            spared = len(parameter.shape) == 1 or name.endswith(".bias")
            assert decays.pop(id(parameter)) == (0.0 if spared else 0.02), name
    assert not decays


def test_the_recipe_is_the_papers() -> None:
    """384 x 384, 30 and 15 epochs of AdamW from 1e-6 to 1e-5 and down a cosine, k 128."""
    recipe, config = Laip.recipes["paper"], LaipConfig()
    assert recipe.image_size == (384, 384)
    assert [stage.epochs for stage in recipe.stages] == [30, 15]
    for stage in recipe.stages:
        assert (stage.optimizer, stage.schedule, stage.learning_rate) == ("adamw", "cosine", 1e-5)
        assert stage.learning_rate * stage.warmup_start == pytest.approx(1e-6)
        assert stage.warmup_epochs > 0
        assert stage.learning_rate * stage.schedule_end == pytest.approx(1e-6)
        assert stage.batch_size == 4 * 32
    assert recipe.candidates == 128
    assert (config.momentum, config.queue, config.temperature) == (0.995, 65_536, None)
    assert float(method().temperature.detach()) == pytest.approx(0.07)
    assert (config.distillation, config.weights) == (0.4, "coco")
    assert config.supervision is Supervision.IDENTITY


def planned(**settings: object) -> dict[str, RunSpec]:
    """Plan every row at scale tiny."""
    (plugin,) = (p for p in registry.find_plugins() if p.module.name == "methods.laip")
    description = describe(registry.load_method("laip", plugin))
    listing = Listing("laip", plugin, description)
    suite = plan.Suite("demo", "Demo", "tiny", (0,), ())
    located = Located(find_declaration("paperdolls"), {}, "of nothing")
    choices = plan.choose(["laip"], [listing], "tiny", ablations=True)
    return {s.variant: s for s in plan.plan(suite, [located], choices, (0,), settings)}


def test_rows_share_the_first_stage_where_they_agree_on_it() -> None:
    """All rows but those from other weights; a setting that stage reads makes a key of its own."""
    specs = planned()
    without_coco = {"Baseline", "LAIP"}
    assert without_coco < specs.keys()
    assert all(len(spec.stage_keys) == 1 for spec in specs.values())
    with_coco = {specs[name].stage_keys for name in specs.keys() - without_coco}
    assert len(with_coco) == 1
    others = {specs[name].stage_keys for name in without_coco}
    assert len(others) == 1
    assert with_coco != others
    assert len({spec.key for spec in specs.values()}) == len(specs)
    for setting in ("momentum", "distillation", "temperature"):
        (changed,) = {
            spec.stage_keys for spec in planned(**{setting: 0.123}).values()
            if spec.config["weights"] == "coco"
        }  # fmt: skip
        assert {changed} != with_coco


def test_rows_that_differ_in_the_second_stage_train_the_same_first() -> None:
    """What the first stage is said not to read changes neither its losses nor its gradients."""
    changes: dict[str, Any] = {
        "attention": "forward", "layer": 1, "margin": 0.1, "masked_share": 0.9,
        "most_phrases": 1, "phrase_losses": "mean", "losses": {"itc": 1.0, "itm": 1.0},
    }  # fmt: skip
    assert set(laip.STAGE_2_ALONE) == (changes.keys() | {"tagger"}) - {"losses"}
    one, two = method(), method(**changes)
    for model in (one, two):
        found = model.training_losses(batch_of(), cast(Run, Step(STAGE_1, stage=0)))
        torch.stack(list(found.values())).sum().backward()
    for (name, mine), theirs in zip(one.named_parameters(), two.parameters(), strict=True):
        assert torch.equal(mine, theirs)
        if mine.grad is not None:
            assert theirs.grad is not None, name
            assert torch.equal(mine.grad, theirs.grad), name


# Pairs as labels.


def test_pairs_as_positives_never_read_identities() -> None:
    """Images are the labels: two captions of an image match, two images of a person do not."""
    model = method(positives="pair", supervision=Supervision.PAIRS)
    batch = batch_of(people=None, images=[7, 3, 3, 9])
    found = model.training_losses(batch, cast(Run, Step()))
    assert all(torch.isfinite(loss) for loss in found.values())
    x = model.seen
    assert x is not None
    assert x.labels.tolist() == [7, 3, 3, 9]
    other = method(positives="pair")
    same = other.training_losses(replace(batch, person_ids=torch.tensor([1, 1, 1, 1])), x.run)
    for name in ALL:
        assert torch.equal(found[name], same[name])
    model.after_step(batch, x.run)
    assert model.image_queue.filled()[1].tolist() == [7, 3, 3, 9]


def test_people_as_positives() -> None:
    """Identities are the labels, whatever the images' numbers."""
    assert encoded(method(), batch=batch_of(images=[5, 5, 6, 7])).labels.tolist() == PEOPLE


# Retrieval.


@pytest.fixture(scope="module")
def retrieval() -> tuple[Laip, Split, Tensor]:
    """The method in single precision, with a gallery of nine images and seven queries."""
    model = method().float()
    with torch.no_grad():
        model.albef.matching_head.weight.mul_(3)
    generator = torch.Generator().manual_seed(4)
    pixels = torch.rand(9, 3, 4, 2, generator=generator) * 255
    images = F.interpolate(pixels, (96, 32)).to(torch.uint8)
    captions = (*CAPTIONS, "a boy", "the old lady in a long yellow coat with white shoes", "jeans")
    split = Split(
        name="test",
        encoded=lambda row: b"",
        image_ids=tuple(map(str, range(9))),
        captions=captions,
        image_of_caption=np.array([0, 2, 4, 6, 8, 1, 3]),
        person_of_image=np.array([0, 0, 1, 1, 2, 2, 3, 3, 4]),
    )
    return model, split, images


def order_of(retrieval: tuple[Laip, Split, Tensor], candidates: int) -> list[list[int]]:
    """Return the gallery rows of every query, best first, as the harness ranks them."""
    model, split, images = retrieval
    features = encode_split(
        model, split, lambda rows: images[torch.as_tensor(rows)], torch.device("cpu")
    )
    found = score_text_to_image(model, features, split, candidates, top=9)
    return [list(map(int, row)) for row in found.top_rows]


@torch.no_grad()
def scores_of(retrieval: tuple[Laip, Split, Tensor]) -> tuple[Array, Array]:
    """Return cosines and logit differences of every pair, one at a time: (7, 9) each."""
    model, split, images = retrieval
    cosines, fine = np.zeros((7, 9)), np.zeros((7, 9))
    for i, caption in enumerate(split.captions):
        text = model.encode_texts([caption])
        for j in range(9):
            image = model.encode_images(images[j : j + 1])
            cosines[i, j] = float(F.cosine_similarity(text.embedding, image.embedding))
            logits = model.albef.matching_head(model.albef.fuse(text, image)[:, 0])[0]
            fine[i, j] = float(logits[1] - logits[0])
    return cosines, fine


def test_candidates_are_scored_again(retrieval: tuple[Laip, Split, Tensor]) -> None:
    """All as candidates: every pair by fusion; none: by cosine; some: the nearest are reordered."""
    cosines, fine = scores_of(retrieval)
    by_cosine = np.argsort(-cosines, axis=1)
    by_fusion = np.argsort(-fine, axis=1)
    gaps = np.diff(np.sort(fine, axis=1), axis=1)
    assert gaps.min() > 1e-4  # tokens are held in half precision
    assert not np.array_equal(by_cosine, by_fusion)
    assert order_of(retrieval, 0) == by_cosine.tolist()
    assert order_of(retrieval, 9) == by_fusion.tolist()
    expected = [
        [*sorted(row[:4], key=lambda j: -fine[i, j]), *row[4:]]
        for i, row in enumerate(by_cosine.tolist())
    ]
    assert order_of(retrieval, 4) == expected


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
