import math
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from methods.blocks.granularity import (
    HEADS,
    ChannelAttention,
    Heads,
    ImageParts,
    TextParts,
    projection,
)

Array = NDArray[np.float64]

WIDTH, PART_WIDTH = 5, 6


def randomised(module: Any) -> Any:
    """Give a module's parameters, biases too, values that matter, in double precision."""
    generator = torch.Generator().manual_seed(0)
    for parameter in module.double().requires_grad_(False).parameters():
        parameter.copy_(torch.randn(parameter.shape, generator=generator, dtype=torch.float64))
    return module


def random(*shape: int, seed: int = 1) -> Tensor:
    """Return normal numbers of double precision."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator, dtype=torch.float64)


# The reference: loops over numbers.


def linear(module: nn.Linear, vector: Array) -> Array:
    """Return W x + b, term by term."""
    weight = module.weight.numpy()
    bias = np.zeros(len(weight)) if module.bias is None else module.bias.numpy()
    return np.array([sum(row * vector) + b for row, b in zip(weight, bias, strict=True)])


def gated(attention: ChannelAttention, vectors: list[Array]) -> list[Array]:
    """Return vectors times the gates that their mean opens."""
    first, _, last, _ = attention.gates
    mean = np.array([sum(column) / len(vectors) for column in zip(*vectors, strict=True)])
    hidden = np.array([max(value, 0.0) for value in linear(first, mean)])
    gates = np.array([1 / (1 + math.exp(-value)) for value in linear(last, hidden)])
    return [vector * gates for vector in vectors]


def highest_plus_average(vectors: list[Array]) -> Array:
    """Return by channel the maximum plus the average."""
    return np.array(
        [max(column) + sum(column) / len(column) for column in zip(*vectors, strict=True)]
    )


def sections(patches: Array, grid: tuple[int, int], count: int) -> list[Array]:
    """Pool patches, row by row of the grid, in horizontal sections that may overlap."""
    rows, columns = grid
    pooled = []
    for section in range(count):
        top = math.floor(section * rows / count)
        bottom = math.ceil((section + 1) * rows / count)
        inside = [
            patches[row * columns + column]
            for row in range(top, bottom)
            for column in range(columns)
        ]
        pooled.append(highest_plus_average(inside))
    return pooled


def attended(module: TextParts, tokens: list[Array]) -> list[Array]:
    """Pool tokens, each times its softmax weight of a head times the number of tokens."""
    tokens = gated(module.attention, [linear(module.project, token) for token in tokens])
    parts = []
    heads: Any = module.heads
    for scores in zip(*(linear(heads.scores, token) for token in tokens), strict=True):
        exponents = [math.exp(score) for score in scores]
        shares = [len(tokens) * value / sum(exponents) for value in exponents]
        parts.append(
            highest_plus_average([s * token for s, token in zip(shares, tokens, strict=True)])
        )
    return parts


def mapped(module: TextParts, tokens: list[Array]) -> list[Array]:
    """Pool, head by head, its share of softmax(q k / sqrt(d)) v W_o of each token."""
    tokens = gated(module.attention, [linear(module.project, token) for token in tokens])
    heads: Any = module.heads
    query, key, value = (
        [linear(one, token) for token in tokens] for one in (heads.query, heads.key, heads.value)
    )
    size = len(query[0]) // heads.heads
    parts = []
    for head in range(heads.heads):
        part = slice(head * size, (head + 1) * size)
        words = []
        for asked in query:
            scores = [sum(asked[part] * other[part]) / math.sqrt(size) for other in key]
            exponents = [math.exp(score) for score in scores]
            mixed = sum(
                share / sum(exponents) * other[part]
                for share, other in zip(exponents, value, strict=True)
            )
            words.append(np.array([sum(row[part] * mixed) for row in heads.out.weight.numpy()]))
        parts.append(highest_plus_average(words))
    return parts


def close(found: Tensor, expected: object) -> None:
    """Hold a tensor against the reference."""
    wanted = torch.from_numpy(np.array(expected))
    torch.testing.assert_close(found, wanted, rtol=1e-6, atol=1e-6)  # a mean in float32


# Channel attention and projection.


def test_channel_attention_gates_by_the_mean_of_the_real_parts() -> None:
    """Squeeze, excite, scale: one gate a channel for all parts; what is masked has no say."""
    attention = randomised(ChannelAttention(PART_WIDTH))
    parts = random(2, 4, PART_WIDTH)
    mask = torch.tensor([[True, True, True, True], [True, True, False, False]])
    found = attention(parts, mask)
    close(found[0], gated(attention, list(parts[0].numpy())))
    close(found[1, :2], gated(attention, list(parts[1, :2].numpy())))
    close(attention(parts)[1], gated(attention, list(parts[1].numpy())))


def test_channel_attention_is_a_bottleneck() -> None:
    """A sixteenth of the channels, but never fewer than four."""
    for width, narrow in ((768, 48), (128, 8), (64, 4), (8, 4)):
        assert ChannelAttention(width).gates[0].out_features == narrow


@pytest.mark.parametrize("part_width", [3, 5, 7])
def test_the_projection_starts_as_the_identity(part_width: int) -> None:
    """Channels pass as they are; those that are not there are zero."""
    project = projection(5, part_width).double()
    vector = random(2, 5)
    expected = torch.zeros(2, part_width, dtype=torch.float64)
    shared = min(5, part_width)
    expected[:, :shared] = vector[:, :shared]
    assert torch.equal(project(vector), expected)
    assert project.weight.requires_grad


# Parts of images.


@pytest.mark.parametrize(
    ("grid", "count"),
    [
        ((12, 4), 3),
        ((12, 4), 6),
        ((12, 4), 4),
        ((12, 4), 8),
        ((24, 12), 3),
        ((24, 12), 6),
        ((24, 12), 4),
        ((24, 12), 8),
    ],
)
def test_image_parts_are_horizontal_sections(grid: tuple[int, int], count: int) -> None:
    """Max plus average of each section, projected, gated by all sections of the image."""
    parts = randomised(ImageParts(grid, WIDTH, PART_WIDTH, count))
    tokens = random(2, 1 + math.prod(grid), WIDTH)
    found = parts(tokens)
    assert found.shape == (2, count, PART_WIDTH)
    for image, values in zip(found, tokens.numpy(), strict=True):
        pooled = [linear(parts.project, part) for part in sections(values[1:], grid, count)]
        close(image, gated(parts.attention, pooled))


def test_sections_that_do_not_divide_the_rows_overlap() -> None:
    """Of 8 sections on 12 rows the first holds rows 0 and 1, the second rows 1 and 2."""
    parts = ImageParts((12, 1), 1, 1, 8)
    bright = torch.zeros(1, 12, 1)
    bright[0, 1] = 1.0
    assert parts.pool(bright)[0, :, 0].tolist() == [1.5, 1.5, 0, 0, 0, 0, 0, 0]


def test_sections_run_from_the_head_down() -> None:
    """Row by row of the grid: the first part is the top third, whichever column differs."""
    parts = ImageParts((3, 4), 1, 1, 3)
    for row in range(3):
        for column in range(4):
            bright = torch.zeros(1, 12, 1)
            bright[0, row * 4 + column] = 1.0
            assert parts.pool(bright)[0].flatten().nonzero().tolist() == [[row]]


def test_one_part_of_an_image_is_its_class_token() -> None:
    """Granularity 1 does not look at patches, and the others not at the class token."""
    tokens, others = random(2, 13, WIDTH), random(2, 13, WIDTH, seed=2)
    whole = randomised(ImageParts((3, 4), WIDTH, PART_WIDTH, 1))
    changed = torch.cat([tokens[:, :1], others[:, 1:]], dim=1)
    assert torch.equal(whole(tokens), whole(changed))
    for image, values in zip(whole(tokens), tokens.numpy(), strict=True):
        close(image, gated(whole.attention, [linear(whole.project, values[0])]))
    thirds = randomised(ImageParts((3, 4), WIDTH, PART_WIDTH, 3))
    changed = torch.cat([others[:, :1], tokens[:, 1:]], dim=1)
    assert torch.equal(thirds(tokens), thirds(changed))


# Parts of captions.


@pytest.fixture
def caption() -> tuple[Tensor, Tensor, Tensor]:
    """The tokens of two captions, of which the second is of four, and their first ones."""
    tokens = random(2, 7, WIDTH)
    mask = torch.tensor([[True] * 7, [True] * 4 + [False] * 3])
    return tokens[:, 0], tokens, mask


@pytest.mark.parametrize("count", [3, 6])
def test_text_parts_are_attended_tokens(caption: tuple[Tensor, Tensor, Tensor], count: int) -> None:
    """Projected, gated, weighed by one head a part, then max plus average over real tokens."""
    parts = randomised(TextParts(WIDTH, PART_WIDTH, count))
    parts.project.bias[0] = -20  # a channel that is negative in all words, but 0 in padding
    found = parts(*caption)
    assert found.shape == (2, count, PART_WIDTH)
    close(found[0], attended(parts, list(caption[1][0].numpy())))
    close(found[1], attended(parts, list(caption[1][1, :4].numpy())))


@pytest.mark.parametrize("count", [3, 6, 4])
def test_text_parts_with_values_of_their_own(
    caption: tuple[Tensor, Tensor, Tensor], count: int
) -> None:
    """Each head's queries, keys, values and output: words attend to real ones, then max + mean.

    Four heads do not divide six channels, and are of one.
    """
    parts = randomised(TextParts(WIDTH, PART_WIDTH, count, "attention"))
    found = parts(*caption)
    assert found.shape == (2, count, PART_WIDTH)
    close(found[0], mapped(parts, list(caption[1][0].numpy())))
    close(found[1], mapped(parts, list(caption[1][1, :4].numpy())))


def test_heads_that_are_summed_are_multi_head_attention() -> None:
    """With the same weights torch's own gives the sum of what the heads give each word."""
    heads = randomised(HEADS["attention"](PART_WIDTH, 3))
    whole = nn.MultiheadAttention(PART_WIDTH, 3, batch_first=True).double().requires_grad_(False)
    linears = heads.query, heads.key, heads.value
    whole.in_proj_weight.copy_(torch.cat([one.weight for one in linears]))
    whole.in_proj_bias.copy_(torch.cat([one.bias for one in linears]))
    whole.out_proj.weight.copy_(heads.out.weight)
    words, mask = random(2, 7, PART_WIDTH), torch.ones(2, 7, dtype=torch.bool)
    mask[1, 4:] = False
    expected, _ = whole(words, words, words, key_padding_mask=~mask)
    torch.testing.assert_close(heads(words, mask).sum(dim=2), expected, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("heads", HEADS)
@pytest.mark.parametrize("count", [1, 3])
def test_padding_never_matters(
    caption: tuple[Tensor, Tensor, Tensor], count: int, heads: Heads
) -> None:
    """More of it, or other values in it, leave every part as it was."""
    parts = randomised(TextParts(WIDTH, PART_WIDTH, count, heads))
    whole, tokens, mask = caption
    before = parts(whole, tokens, mask)
    for noise in (-1e3, 1e3):
        changed = tokens.masked_fill(~mask[..., None], noise)
        torch.testing.assert_close(parts(whole, changed, mask), before, rtol=1e-12, atol=0)
        longer = torch.cat([changed, torch.full((2, 5, WIDTH), noise, dtype=torch.float64)], dim=1)
        longer_mask = torch.cat([mask, torch.zeros(2, 5, dtype=torch.bool)], dim=1)
        found = parts(whole, longer, longer_mask)
        torch.testing.assert_close(found, before, rtol=1e-12, atol=0)


def test_even_attention_pools_as_a_section_does(caption: tuple[Tensor, Tensor, Tensor]) -> None:
    """With heads of zeros every part is the maximum plus the average of the tokens."""
    parts = randomised(TextParts(WIDTH, PART_WIDTH, 3))
    nn.init.zeros_(parts.heads.scores.weight)
    found = parts(*caption)
    for row, length in ((0, 7), (1, 4)):
        words = [linear(parts.project, token) for token in caption[1][row, :length].numpy()]
        pooled = highest_plus_average(gated(parts.attention, words))
        close(found[row], [pooled] * 3)


def test_one_part_of_a_caption_is_its_own_token(caption: tuple[Tensor, Tensor, Tensor]) -> None:
    """Granularity 1 is the whole caption's token, whatever the others are."""
    parts = randomised(TextParts(WIDTH, PART_WIDTH, 1))
    whole, tokens, mask = random(2, WIDTH, seed=3), caption[1], caption[2]
    found = parts(whole, tokens, mask)
    for row in range(2):
        close(found[row], gated(parts.attention, [linear(parts.project, whole[row].numpy())]))
    assert torch.equal(parts(whole, -tokens, mask), found)


@pytest.mark.parametrize("heads", HEADS)
def test_heads_look_at_different_words(
    caption: tuple[Tensor, Tensor, Tensor], heads: Heads
) -> None:
    """At the start heads differ from each other, or they would learn the same."""
    torch.manual_seed(0)
    found = TextParts(WIDTH, PART_WIDTH, 3, heads).double()(*caption)[0]
    assert (found[0] - found[1]).abs().max() > 1e-3
    assert (found[1] - found[2]).abs().max() > 1e-3


@pytest.mark.parametrize("heads", HEADS)
def test_gradients_are_finite_beside_padding(
    caption: tuple[Tensor, Tensor, Tensor], heads: Heads
) -> None:
    """Masked places give no NaN, and padding no gradient."""
    parts = randomised(TextParts(WIDTH, PART_WIDTH, 3, heads)).requires_grad_()
    whole, tokens, mask = caption
    tokens.requires_grad_()
    parts(whole, tokens, mask).square().sum().backward()
    assert tokens.grad is not None
    assert (tokens.grad[~mask] == 0).all()
    assert (tokens.grad[mask] != 0).all()
    for name, parameter in parts.named_parameters():
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all()
