from typing import Any

import pytest
import torch
from torch import Tensor

from methods.blocks.fusion import FusionEncoder, additive_mask

WIDTH, HEADS, LAYERS = 8, 2, 4


@pytest.fixture
def fusion() -> FusionEncoder:
    """Four small layers in doubles."""
    torch.manual_seed(0)
    encoder = FusionEncoder(WIDTH, HEADS, LAYERS).double()
    with torch.no_grad():
        for parameter in encoder.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    return encoder


def texts(length: int = 5) -> tuple[Tensor, Tensor]:
    """Return two texts, the second of two tokens less."""
    generator = torch.Generator().manual_seed(1)
    drawn = torch.randn(2, length, WIDTH, generator=generator, dtype=torch.float64)
    mask = torch.ones(2, length, dtype=torch.bool)
    mask[1, -2:] = False
    return drawn, mask


def images() -> Tensor:
    """Return the tokens of two images."""
    generator = torch.Generator().manual_seed(2)
    return torch.randn(2, 7, WIDTH, generator=generator, dtype=torch.float64)


def test_watching_changes_nothing(fusion: FusionEncoder) -> None:
    """The tokens are those of the forward pass, but for the rounding of another kernel."""
    plain = fusion(*texts(), images())
    for layer in range(1, LAYERS + 1):
        fused, attention = fusion.watch(*texts(), images(), layer)
        torch.testing.assert_close(fused, plain, rtol=1e-12, atol=1e-12)
        assert attention.shape == (2, HEADS, 5, 7)


def test_texts_may_share_an_image(fusion: FusionEncoder) -> None:
    """As if its tokens were repeated for each: outputs, attention and the images' gradient."""
    drawn, mask = texts()
    three, mask = drawn[[0, 1, 1]] + torch.arange(3.0)[:, None, None], mask[[0, 1, 0]]
    numbers = torch.tensor([1, 0, 1])
    shared, repeated = images().requires_grad_(), images()[numbers].requires_grad_()
    fused, attention = fusion.watch(three, mask, shared, 2, numbers)
    expected, expected_attention = fusion.watch(three, mask, repeated, 2)
    torch.testing.assert_close(fused, expected)
    torch.testing.assert_close(attention, expected_attention)
    torch.testing.assert_close(fusion(three, mask, shared, numbers), expected)
    fused.square().sum().backward()
    expected.square().sum().backward()
    assert shared.grad is not None
    assert repeated.grad is not None
    summed = torch.zeros_like(shared).index_add(0, numbers, repeated.grad)
    torch.testing.assert_close(shared.grad, summed)


@pytest.mark.parametrize("layer", [1, 2, 4])
def test_the_attention_is_that_of_the_layer(fusion: FusionEncoder, layer: int) -> None:
    """softmax(q k / sqrt(d)) head by head over what enters the layer's cross-attention."""
    entering: list[Tensor] = []
    module = fusion.layers[layer - 1].crossattention.self  # type: ignore[union-attr]  # a layer
    hook = module.register_forward_pre_hook(lambda module, given: entering.append(given[0]))
    _, attention = fusion.watch(*texts(), images(), layer)
    hook.remove()
    query, key = module.query(entering[0]), module.key(images())
    size = WIDTH // HEADS
    for b in range(2):
        for head in range(HEADS):
            part = slice(head * size, (head + 1) * size)
            for i in range(5):
                scores = torch.stack([query[b, i, part] @ k[part] for k in key[b]]) / size**0.5
                torch.testing.assert_close(attention[b, head, i], scores.softmax(dim=0))


def test_the_attention_is_part_of_the_graph(fusion: FusionEncoder) -> None:
    """What is computed from the tokens has a gradient by it, and it by the images."""
    seen = images().requires_grad_()
    fused, attention = fusion.watch(*texts(), seen, 2)
    (gradient,) = torch.autograd.grad(fused[:, 1].sum() ** 2, attention, retain_graph=True)
    assert gradient[:, :, 0].abs().sum() > 0
    attention[:, :, 0, 0].sum().backward()
    assert seen.grad is not None
    assert seen.grad.abs().sum() > 0


def test_with_dropout_the_attention_is_that_before_it() -> None:
    """Equation 3's softmax, whose rows sum to 1, though what is applied is dropped out."""
    torch.manual_seed(0)
    encoder = FusionEncoder(WIDTH, HEADS, LAYERS, dropout=0.5).double()
    for training in (True, False):
        fused, attention = encoder.train(training).watch(*texts(), images(), 2)
        assert (attention > 0).all()
        ones = torch.ones(2, HEADS, 5, dtype=torch.float64)
        torch.testing.assert_close(attention.sum(dim=-1), ones)
        again, _ = encoder.watch(*texts(), images(), 2)
        assert torch.equal(fused, again) is not training


def test_the_gradient_of_attention_is_through_the_dropout() -> None:
    """What was dropped has none; the others' is that of the applied weights, doubled."""
    torch.manual_seed(0)
    encoder = FusionEncoder(WIDTH, HEADS, 1, dropout=0.5).double().train()
    module: Any = encoder.layers[0].crossattention.self  # type: ignore[union-attr]  # a layer
    left: list[Tensor] = []
    module.register_forward_hook(lambda module, given, gave: left.append(gave[0]))
    _, attention = encoder.watch(*texts(), images(), 1)
    (mixed,) = left  # (B, L, D), before any other dropout
    (gradient,) = torch.autograd.grad(mixed.sum(), attention)
    value = module.value(images()).unflatten(2, (HEADS, -1)).sum(dim=3)  # (B, N, H)
    whole = 2 * value.transpose(1, 2)[:, :, None].expand_as(gradient)
    dropped = gradient == 0
    assert 0.3 < dropped.double().mean() < 0.7
    torch.testing.assert_close(gradient, whole.masked_fill(dropped, 0.0))


def test_every_token_sees_all_real_ones(fusion: FusionEncoder) -> None:
    """Changing the last real token changes the first, as no decoder would; padding changes none."""
    drawn, mask = texts()
    before = fusion(drawn, mask, images())
    changed = drawn.clone()
    changed[1, 2] += 1
    assert (fusion(changed, mask, images()) - before)[1, 0].abs().max() > 1e-3
    padded = drawn.clone()
    padded[1, 3:] += 100
    after = fusion(padded, mask, images())
    torch.testing.assert_close(after[1, :3], before[1, :3])
    torch.testing.assert_close(fusion(drawn[1:, :3], mask[1:, :3], images()[1:])[0], before[1, :3])


def test_a_mask_is_spelled_out_for_every_row() -> None:
    """(B, L) becomes (B, 1, L, L): 0 for real tokens, the lowest number for padding."""
    mask = torch.tensor([[True, True, False]])
    found = additive_mask(mask, torch.zeros(1, dtype=torch.float16))
    assert found.dtype == torch.float16
    lowest = torch.finfo(torch.float16).min
    assert found.tolist() == [[[[0.0, 0.0, lowest]] * 3]]
