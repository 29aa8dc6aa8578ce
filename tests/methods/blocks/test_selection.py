import math

import pytest
import torch
from torch import nn

from methods.blocks.backbones import load_dual_encoder
from methods.blocks.selection import attention_of, select_patches, select_words

CAPTIONS = ["a man in a red jacket and blue jeans", "a boy", ""]


def test_attention_is_the_mean_over_heads() -> None:
    """Of softmax(q k / sqrt(d)) over what is seen, as a loop has it."""
    torch.manual_seed(0)
    layer = nn.MultiheadAttention(8, 2, batch_first=True).double().requires_grad_(False)
    nn.init.normal_(layer.in_proj_bias)
    tokens, query = torch.randn(3, 5, 8).double(), torch.tensor([4, 0, 2])
    seen = torch.arange(5) <= torch.tensor([4, 4, 2])[:, None]
    found = attention_of(layer, tokens, query, seen)
    weight, bias = layer.in_proj_weight, layer.in_proj_bias
    for item in range(3):
        expected = [0.0] * 5
        for part in (slice(0, 4), slice(4, 8)):
            asked = (weight[:8] @ tokens[item, query[item]] + bias[:8])[part]
            exponents = []
            for token, there in zip(tokens[item], seen[item], strict=True):
                key = (weight[8:16] @ token + bias[8:16])[part]
                exponents.append(math.exp(float(asked @ key) / 2) if there else 0.0)
            for place, exponent in enumerate(exponents):
                expected[place] += exponent / sum(exponents) / 2
        assert found[item].tolist() == pytest.approx(expected)


def test_attention_is_that_of_torch() -> None:
    """Where everything is seen, from the first token of each item."""
    torch.manual_seed(0)
    layer, tokens = nn.MultiheadAttention(8, 2, batch_first=True), torch.randn(3, 5, 8)
    _, expected = layer(tokens, tokens, tokens, need_weights=True)
    torch.testing.assert_close(attention_of(layer, tokens, 0), expected[:, 0])


@pytest.mark.parametrize("name", ["tiny-clip"])
def test_the_patches_of_most_attention_are_selected(name: str) -> None:
    """Three tenths of the 48 patches, with the tokens and the embedding of the encoder."""
    encoder = load_dual_encoder(name, (96, 32)).eval()
    torch.manual_seed(0)
    images = torch.randint(0, 256, (2, 3, 96, 32), dtype=torch.uint8)
    inputs: list[torch.Tensor] = []
    last = encoder.visual.transformer.resblocks[-1].attn
    with torch.no_grad():
        found = select_patches(encoder, images, 0.3)
        with last.register_forward_pre_hook(lambda module, given: inputs.append(given[0])):
            encoded = encoder.encode_images(images)
        _, attention = last(*3 * inputs, need_weights=True)
    assert found.tokens.shape == (2, 14, encoder.width)
    assert found.real.all()
    torch.testing.assert_close(found.embedding, encoded.embedding)
    assert encoded.tokens is not None
    for row in range(2):
        order = sorted(range(1, 49), key=lambda patch: -float(attention[row, 0, patch]))
        torch.testing.assert_close(found.tokens[row], encoded.tokens[row, order[:14]])


def test_words_alone_are_selected() -> None:
    """All of a short text, neither start nor end, and none of an empty one."""
    encoder = load_dual_encoder("tiny-clip", (96, 32)).eval()
    ids = encoder.tokenize(CAPTIONS)
    with torch.no_grad():
        found = select_words(encoder, ids, 0.3)
        tokens = encoder.encode_tokens(ids).tokens
    assert tokens is not None
    counts = [len(encoder.word_pieces(caption)) for caption in CAPTIONS]
    assert found.real.sum(dim=1).tolist() == counts
    for row, count in enumerate(counts):
        chosen = {tuple(token.tolist()) for token in found.tokens[row, :count]}
        assert chosen == {tuple(token.tolist()) for token in tokens[row, 1 : 1 + count]}


def test_as_many_words_are_selected_as_a_share_of_the_longest_text() -> None:
    """A tenth of 62 words, whatever the text's own length; padding changes none of them."""
    encoder = load_dual_encoder("tiny-clip", (96, 32)).eval()
    with torch.no_grad():
        alone = select_words(encoder, encoder.tokenize(CAPTIONS[:1]), 0.1)
        beside = select_words(encoder, encoder.tokenize([CAPTIONS[0], CAPTIONS[0] * 3]), 0.1)
    assert alone.tokens.shape[1] == beside.tokens.shape[1] == 6
    torch.testing.assert_close(alone.tokens[0], beside.tokens[0])
