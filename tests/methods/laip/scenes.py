"""LAIP on a batch of four, and a reference of loops over phrases, heads and tokens."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any, NamedTuple, cast

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from scipy.special import erf
from torch import Tensor

from harness.method import Batch, Encoded, Run, TrainSet, TrainSummary
from methods.laip import Laip, LaipConfig, Masked, Pairs

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

# Scores of pairs, of texts with other images, of images with other texts. Row 2 has no negative.
SCORES = torch.tensor([
    [[-1.0, 2.0], [0.5, 0.0], [30.0, -60.0], [-0.2, 0.1]],
    [[0.3, 0.4], [2.0, -1.0], [30.0, -60.0], [-50.0, 60.0]],
    [[1.0, 0.0], [0.0, 0.7], [30.0, -60.0], [0.1, 0.0]],
])  # fmt: skip
SAME = torch.eye(4, dtype=torch.bool) | (torch.arange(4) == 2)[:, None]


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
    step = Step(names, seed=seed)
    model.training_losses(batch or batch_of(), cast(Run, step))
    assert model.seen is not None
    step.losses = dict.fromkeys(ALL, 1.0)  # a test may ask for any
    return model.seen


def masked_of(model: Laip, x: Pairs) -> Masked:
    """Return the phrases of a batch, fused with their images."""
    return model.fuse_phrases(x.phrases, x.images)


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
    x = Pairs(batch_of(), cast(Run, step or Step()), torch.tensor(people), model)
    x.images, x.texts = Encoded(images.requires_grad_()), Encoded(texts.requires_grad_())
    x.judging = (F.normalize(old_images, dim=1), F.normalize(old_texts, dim=1))
    return x


def scored(model: Laip) -> Pairs:
    """Return a batch of known scores, of which one row has no negative."""
    x = drawn(model, PEOPLE)
    x.scores, x.same = SCORES, SAME
    return x


def close(found: Any, expected: Any, rtol: float = 1e-9, atol: float = 1e-12) -> None:
    """Hold numbers, or rows of them, against the reference."""
    found = found.detach() if isinstance(found, Tensor) else torch.from_numpy(np.array(found))
    wanted = torch.from_numpy(np.array(expected))
    torch.testing.assert_close(found.double(), wanted.double(), rtol=rtol, atol=atol)
