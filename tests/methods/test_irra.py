import math
from collections.abc import Callable
from typing import Any, cast

import pytest
import torch
from torch import Tensor

from harness.method import Batch, Run, Stage, TrainSummary
from harness.training.optimization import build_optimizer, parameter_groups
from methods.blocks import losses
from methods.blocks.masking import mask_words
from methods.irra import InteractionEncoder, Irra, IrraConfig

CAPTIONS = [
    "a man in a red jacket and blue jeans",
    "a woman wearing a green dress with a black bag",
    "a boy in shorts",
    "a man in a red jacket and black trousers, white sneakers",
]


class Step:
    """Stands for a step of training: weights of the losses and a generator."""

    def __init__(self, **weights: float) -> None:
        self.losses = weights

    def spread(self, function: Callable[..., Any], *rows: Any) -> Any:
        return function(*rows)

    def generator(self, purpose: str) -> torch.Generator:
        return torch.Generator().manual_seed(len(purpose))


def method(**changes: Any) -> Irra:
    """Return the tiny method for five people."""
    config = IrraConfig(backbone="tiny-clip", image_size=(96, 32), heads=4, depth=2, **changes)
    torch.manual_seed(0)
    return Irra(config, TrainSummary(4, CAPTIONS, 5)).eval()


def step(irra: Irra, **weights: float) -> dict[str, Tensor]:
    """Return the losses of a batch of four, two of one person."""
    torch.manual_seed(1)
    images = torch.randint(0, 256, (4, 3, 96, 32), dtype=torch.uint8)
    index = torch.arange(4)
    batch = Batch(images, CAPTIONS, index, index, torch.tensor([3, 0, 1, 3]))
    return irra.training_losses(batch, cast(Run, Step(**weights)))


def test_equation_1_cross_attention_without_a_residual() -> None:
    """Without blocks the interaction is LN(softmax(Q K / sqrt(d)) V), head by head."""
    torch.manual_seed(0)
    width, heads = 8, 2
    encoder = InteractionEncoder(width, heads, depth=1).double().requires_grad_(False)
    encoder.blocks.resblocks = torch.nn.ModuleList()
    torch.nn.init.normal_(encoder.cross_attention.in_proj_bias)
    texts, images = torch.randn(1, 3, width).double(), torch.randn(1, 5, width).double()
    found = encoder(texts, images)[0]

    def normal(row: Tensor) -> Tensor:
        return (row - row.mean()) / (row.var(unbiased=False) + 1e-5).sqrt()

    weight, bias = encoder.cross_attention.in_proj_weight, encoder.cross_attention.in_proj_bias
    out = encoder.cross_attention.out_proj
    size = width // heads
    for token in range(3):
        mixed = torch.zeros(width).double()
        for head in range(heads):
            part = slice(head * size, (head + 1) * size)
            query = (weight[:width] @ normal(texts[0, token]) + bias[:width])[part]
            scores, values = [], []
            for image in images[0]:
                key = (weight[width : 2 * width] @ normal(image) + bias[width : 2 * width])[part]
                values.append((weight[2 * width :] @ normal(image) + bias[2 * width :])[part])
                scores.append(float(query @ key) / math.sqrt(size))
            shares = [math.exp(score) for score in scores]
            mixed[part] = sum(
                share / sum(shares) * value for share, value in zip(shares, values, strict=True)
            )
        expected = normal(out.weight @ mixed + out.bias)
        torch.testing.assert_close(found[token], expected)


def test_equation_2_masked_words_are_predicted_with_the_image_in_view() -> None:
    """The mean negative log probability of the chosen words alone, from fused tokens."""
    irra = method().double()
    seen: list[Tensor] = []
    irra.masked_word_head.register_forward_hook(lambda *call: seen.append(call[2]))
    loss = step(irra, mlm=1.0)["mlm"]
    logits = seen[0].tolist()
    generator = Step().generator("mask")
    masked = mask_words(irra.encoder.tokenize(CAPTIONS), irra.encoder.vocabulary, generator)
    labels = masked.labels[masked.chosen].tolist()
    assert len(labels) == len(logits) > 3
    total = 0.0
    for row, label in zip(logits, labels, strict=True):
        total += math.log(sum(math.exp(value) for value in row)) - row[label]
    assert loss.item() == pytest.approx(total / len(labels), rel=1e-5)


def test_the_words_behind_masks_depend_on_the_image() -> None:
    """The interaction encoder lets image tokens change what is predicted."""
    irra = method()
    texts = irra.encoder.encode_texts(CAPTIONS[:1]).tokens
    images = torch.randn(2, 49, irra.encoder.width)
    assert texts is not None
    one, two = (irra.interaction(texts, image[None]) for image in images)
    assert not torch.allclose(one, two)


def test_equation_7_the_total_is_the_sum_of_three() -> None:
    """Each loss comes weighted under its name; nothing else is computed."""
    irra = method()
    found = step(irra, sdm=1.0, id=2.0, mlm=1.0)
    assert list(found) == ["sdm", "id", "mlm"]
    assert found["id"].item() == pytest.approx(2 * step(irra, id=1.0)["id"].item())


@pytest.mark.parametrize("text", ["clean", "masked"])
def test_the_text_that_sdm_sees_is_a_choice(text: str) -> None:
    """Clean, as the paper draws it, or masked, as its code has it."""
    irra = method(matching_text=text)
    seen: list[Tensor] = []
    irra.encoder.text.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    step(irra, sdm=1.0)
    has_masks = bool((seen[0] == irra.encoder.vocabulary.mask).any())
    assert has_masks is (text == "masked")


def test_sdm_uses_the_identities_of_the_batch() -> None:
    """Rows 0 and 3 are one person: with other identities the loss differs."""
    torch.manual_seed(0)
    images, texts = torch.randn(4, 8), torch.randn(4, 8)
    same = losses.sdm(images, texts, torch.tensor([3, 0, 1, 3]), 0.02)
    other = losses.sdm(images, texts, torch.tensor([3, 0, 1, 2]), 0.02)
    assert not torch.isclose(same, other)


def test_new_modules_and_biases_have_rates_of_their_own() -> None:
    """New modules learn five times faster, biases twice; each parameter has one group."""
    irra = method()
    groups = list(irra.parameter_groups(Stage(epochs=1, learning_rate=1.0)))
    rates = {id(p): g["lr"] for g in groups for p in g["params"]}
    named = dict(irra.named_parameters())
    assert len(rates) == len(named) == sum(len(group["params"]) for group in groups)
    assert rates[id(named["encoder.visual.proj"])] == 1.0
    assert rates[id(named["encoder.visual.ln_post.bias"])] == 2.0
    assert rates[id(named["interaction.norm.weight"])] == 5.0
    assert rates[id(named["classifier.bias"])] == 5.0


def test_the_solver_is_the_codes() -> None:
    """Adam's eps of 1e-3; each bias is spared from weight decay, and nothing else."""
    (stage,) = Irra.recipes["paper"].stages
    assert (stage.optimizer, stage.betas, stage.eps) == ("adam", (0.9, 0.999), 1e-3)
    assert stage.weight_decay == 4e-5
    irra = method()
    optimizer = build_optimizer(parameter_groups(irra, stage), stage)
    decays = {id(p): g["weight_decay"] for g in optimizer.param_groups for p in g["params"]}
    found = {name: decays[id(p)] for name, p in irra.named_parameters()}
    assert found == {name: 0.0 if "bias" in name else 4e-5 for name in found}
    assert {group["eps"] for group in optimizer.param_groups} == {1e-3}
