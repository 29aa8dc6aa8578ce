"""TBPS-CLIP's losses against loops over numbers, its tricks, and what its code says besides."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest
import torch
from torch import Tensor

from harness.method import Batch, Run, Stage, TrainSummary
from harness.training.optimization import build_optimizer, build_schedule, parameter_groups
from methods.blocks.image_pool import changed
from methods.tbps_clip import TbpsClip, TbpsClipConfig

from .published_weights import (
    WIDTH,
    Shapes,
    drawn,
    load_published,
    shapes_of_clip,
    shapes_of_linear,
)

Rows = list[list[float]]

PEOPLE = [3, 0, 1, 3, 1]
CAPTIONS = [
    "A man in a red jacket, and blue jeans.",
    "a woman wearing a green dress with a black bag",
    "a boy in shorts",
    "a man in a red jacket and black trousers, white sneakers",
    "a boy wearing a blue cap",
]


class Step:
    """Stands for a step of training, the third of an epoch of four."""

    step, steps_per_epoch = 2, 4

    def __init__(self, **weights: float) -> None:
        self.losses = weights

    def spread(self, function: Callable[..., Any], *rows: Any) -> Any:
        return function(*rows)

    def generator(self, purpose: str) -> torch.Generator:
        return torch.Generator().manual_seed(sum(map(ord, purpose)))


def method(**changes: Any) -> TbpsClip:
    """Return the tiny method in float64, without dropout unless asked for."""
    settings = {"temperature": 0.1, "pixels": "clip", "dropout": 0.0, **changes}
    config = TbpsClipConfig(backbone="tiny-clip", image_size=(96, 32), **settings)
    torch.manual_seed(0)
    return TbpsClip(config, TrainSummary(5, CAPTIONS, 5)).double().eval()


def batch() -> Batch:
    """Return five pairs of three people."""
    images = torch.randint(
        0, 256, (5, 3, 96, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(1)
    )
    return Batch(images, CAPTIONS, torch.arange(5), torch.arange(5), torch.tensor(PEOPLE))


def losses(tbps: TbpsClip, step: Step | None = None, **weights: float) -> dict[str, float]:
    """Return the losses of the batch."""
    found = tbps.training_losses(batch(), cast(Run, step or Step(**weights)))
    return {name: float(loss.detach()) for name, loss in found.items()}


# The reference: loops over numbers.


def embedded(tbps: TbpsClip, images: str = "images", texts: str = "texts") -> tuple[Rows, Rows]:
    """Return the embeddings of a view of the batch, of length one."""
    seen = changed(batch().images.float(), tbps.config.pool, Step().generator(images), 2)
    words = tbps.words(batch(), cast(Run, Step()), texts)
    with torch.no_grad():
        of_images, of_texts = tbps.encoder.embed_images(seen), tbps.encoder.embed_tokens(words)
    return unit(of_images), unit(of_texts)


def unit(rows: Tensor) -> Rows:
    """Return rows of length one."""
    lengths = [math.sqrt(sum(value * value for value in row)) for row in rows.tolist()]
    return [[v / n for v in row] for row, n in zip(rows.tolist(), lengths, strict=True)]


def dot(one: list[float], other: list[float]) -> float:
    """Return the product of two vectors."""
    return sum(a * b for a, b in zip(one, other, strict=True))


def likely(rows: Rows, columns: Rows, tau: float = 0.1) -> Rows:
    """Equation 2, one direction."""
    found = []
    for row in rows:
        exponents = [math.exp(dot(row, column) / tau) for column in columns]
        found.append([exponent / sum(exponents) for exponent in exponents])
    return found


def contrast(images: Rows, texts: Rows, same: Callable[[int, int], bool], share: float) -> float:
    """Equation 1 on soft labels."""
    total = 0.0
    for p in (likely(images, texts), likely(texts, images)):
        for i in range(5):
            count = sum(same(i, j) for j in range(5))
            for j in range(5):
                q = share * p[i][j] + (1 - share) * same(i, j) / count
                total -= q * math.log(p[i][j])
    return total / (2 * 5)


def one_person(i: int, j: int) -> bool:
    """Tell whether two rows are of one person."""
    return PEOPLE[i] == PEOPLE[j]


def one_pair(i: int, j: int) -> bool:
    """Tell whether two rows are one."""
    return i == j


def test_equations_1_and_2_contrast_by_people_and_by_pairs() -> None:
    """N-ITC and CLIP's ITC; two steps into an epoch of four, half of the soft label counts."""
    tbps = method()
    found = losses(tbps, nitc=1.0, itc=2.0)
    sides = embedded(tbps)
    assert found["nitc"] == pytest.approx(contrast(*sides, one_person, 0.25))
    assert found["itc"] == pytest.approx(2 * contrast(*sides, one_pair, 0.25))
    assert list(found) == ["nitc", "itc"]


@pytest.mark.parametrize(
    ("loss", "images", "texts"),
    [
        ("mvs", "images 2", "texts"),
        ("mvs_text", "images", "texts 2"),
        ("mvs_both", "images 2", "texts 2"),
    ],
)
def test_multi_view_supervision_is_eq_1_of_another_view(loss: str, images: str, texts: str) -> None:
    """Of the image, of the text, or of both."""
    tbps = method(wording={"delete": 0.4})
    expected = contrast(*embedded(tbps, images, texts), one_person, 0.25)
    assert losses(tbps, **{loss: 1.0})[loss] == pytest.approx(expected)
    assert expected != pytest.approx(contrast(*embedded(tbps), one_person, 0.25))


def test_soft_labels_rise_over_the_first_epoch_and_stay() -> None:
    """From none to half of the target."""
    tbps = method()
    for at, share in [(0, 0.0), (4, 0.5), (9, 0.5)]:
        step = Step(nitc=1.0)
        step.step = at
        expected = contrast(*embedded(tbps), one_person, share)
        assert losses(tbps, step)["nitc"] == pytest.approx(expected)


def test_equation_3_self_supervision_behind_the_projection() -> None:
    """Of two views of each image, and of two wordings of each text."""
    tbps = method(wording={"delete": 0.4})
    found = losses(tbps, ss=1.0, ss_text=1.0)
    run = cast(Run, Step())
    with torch.no_grad():
        pairs = {
            "ss": [
                tbps.view(batch(), run, name, tbps.config.view) for name in ("view 1", "view 2")
            ],
            "ss_text": [
                tbps.encoder.embed_tokens(tbps.words(batch(), run, name))
                for name in ("wording 1", "wording 2")
            ],
        }
        projected = {name: [tbps.projection(one) for one in views] for name, views in pairs.items()}
    for name, (ones, others) in projected.items():
        views = unit(torch.cat([ones, others]))
        total = 0.0
        for i in range(10):
            exponents = [math.exp(dot(views[i], views[k]) / 0.1) for k in range(10)]
            partner = exponents[(i + 5) % 10]
            total -= math.log(partner / (sum(exponents) - exponents[i]))
        assert found[name] == pytest.approx(total / 10)


def test_equation_4_reversed_contrast() -> None:
    """Both directions' mean of sum p log(p / (q + 0.01)), q without soft labels."""
    tbps = method()
    images, texts = embedded(tbps)
    total = 0.0
    for p in (likely(images, texts), likely(texts, images)):
        for i in range(5):
            count = sum(one_person(i, j) for j in range(5))
            for j in range(5):
                total += p[i][j] * math.log(p[i][j] / (one_person(i, j) / count + 0.01))
    assert losses(tbps, ritc=1.0)["ritc"] == pytest.approx(total / (2 * 5))


def test_equations_5_to_7_cyclic_contrast() -> None:
    """In one modality and across both; means over N^2, as in the code."""
    tbps = method()
    images, texts = embedded(tbps)
    total = 0.0
    for i in range(5):
        for j in range(5):
            total += (dot(images[i], images[j]) - dot(texts[i], texts[j])) ** 2
            total += (dot(images[i], texts[j]) - dot(images[j], texts[i])) ** 2
    assert losses(tbps, citc=1.0)["citc"] == pytest.approx(total / 25)


def test_the_total_is_that_of_the_code() -> None:
    """N-ITC and MVS-I averaged, SS by 0.4, R-ITC by 1, C-ITC by 0.1 of 0.25 of its parts."""
    weights = {"nitc": 0.5, "mvs": 0.5, "ss": 0.4, "ritc": 1.0, "citc": 0.1 * 0.25}
    assert TbpsClipConfig().losses == weights


def test_the_temperature_learns_and_is_at_least_a_hundredth() -> None:
    """It begins as CLIP's ended."""
    tbps = method(temperature=0.001)
    assert float(tbps.scale.detach()) == pytest.approx(100)
    tbps.scale.backward()  # type: ignore[no-untyped-call]  # of torch
    assert tbps.logit_scale.grad is not None
    assert float(tbps.logit_scale.grad) == pytest.approx(1000)


def test_dropout_is_of_the_texts_attention_and_judges_anew() -> None:
    """While it trains, texts differ from time to time, and images do not."""
    tbps = method(dropout=0.3).train()
    side = tbps.side(batch(), cast(Run, Step()), "texts")
    assert not torch.allclose(side.learning, side.judging)
    assert side.learning.requires_grad
    assert not side.judging.requires_grad
    seen = [tbps.side(batch(), cast(Run, Step()), "images").learning for _ in range(2)]
    assert torch.equal(*seen)
    said = [tbps.eval().encode_texts(CAPTIONS) for _ in range(2)]
    assert torch.equal(*said)


def test_what_is_locked_does_not_learn() -> None:
    """By default what turns patches into tokens; another module where it is named."""

    def fixed(tbps: TbpsClip) -> set[str]:
        return {name for name, one in tbps.named_parameters() if not one.requires_grad}

    assert fixed(method()) == {"encoder.visual.conv1.weight"}
    assert fixed(method(locked=())) == set()
    block = fixed(method(locked=("text.transformer.resblocks.1",)))
    assert len(block) == 12
    assert all(name.startswith("encoder.text.transformer.resblocks.1.") for name in block)
    with pytest.raises(ValueError, match=r"no 'visual.conv2' to lock; there are: visual, .*conv1"):
        method(locked=("visual.conv2",))


def test_without_global_gradients_a_card_moves_its_own_columns() -> None:
    """The loss is the same, its gradients are not."""
    found = {}
    for parts in (1, 4):
        tbps = method(gradient_parts=parts)
        loss = tbps.training_losses(batch(), cast(Run, Step(itc=1.0)))["itc"]
        loss.backward()  # type: ignore[no-untyped-call]  # of torch
        gradient = tbps.encoder.visual.proj.grad
        assert isinstance(gradient, Tensor)
        found[parts] = float(loss.detach()), gradient
    assert found[1][0] == pytest.approx(found[4][0])
    assert not torch.allclose(found[1][1], found[4][1])


def test_pixels_are_normalised_as_the_code_does() -> None:
    """A colour that is ImageNet's mean is nothing to the encoder."""
    tbps = method(pixels="imagenet")
    seen: list[Tensor] = []
    tbps.encoder.visual.register_forward_pre_hook(lambda module, given: seen.append(given[0]))
    mean = 255 * torch.tensor([0.485, 0.456, 0.406], dtype=torch.float64).view(1, 3, 1, 1)
    deviation = 255 * torch.tensor([0.229, 0.224, 0.225], dtype=torch.float64).view(1, 3, 1, 1)
    tbps.encode_images((mean + 2 * deviation).expand(1, 3, 96, 32))
    torch.testing.assert_close(seen[0], torch.full_like(seen[0], 2.0), rtol=0, atol=1e-5)


def test_captions_are_read_without_signs() -> None:
    """A full stop is no word, in training and at retrieval."""
    tbps = method(wording={})
    plain = tbps.encoder.tokenize(["a man in a red jacket, and blue jeans"])
    trained = tbps.words(batch(), cast(Run, Step()), "texts")[0, : plain.shape[1]]
    assert torch.equal(trained, plain[0])
    both = tbps.encode_texts(["A red coat.", "a red coat"])
    assert torch.equal(both[0], both[1])


def test_the_solver_is_the_papers() -> None:
    """AdamW from 1e-6 to 1e-4 in the first of five epochs, and by a cosine to 5e-6."""
    (stage,) = TbpsClip.recipes["paper"].stages
    assert (stage.epochs, stage.batch_size, stage.optimizer) == (5, 320, "adamw")
    tbps = method()
    optimizer = build_optimizer(parameter_groups(tbps, stage), stage)
    schedule = build_schedule(optimizer, stage, 10)
    rates = []
    for _ in range(51):
        rates.append(schedule.get_last_lr()[0])
        optimizer.step()
        schedule.step()
    assert [rates[0], rates[10], rates[50]] == pytest.approx([1e-6, 1e-4, 5e-6])


def test_vectors_biases_and_the_temperature_do_not_decay() -> None:
    """As in the code, where what has one dimension or none is spared."""
    stage = Stage(
        epochs=1, learning_rate=1.0, optimizer="adamw", weight_decay=0.02,
        undecayed=("biases", "norms"),
    )  # fmt: skip
    tbps = method()
    optimizer = build_optimizer(parameter_groups(tbps, stage), stage)
    decays = {id(p): g["weight_decay"] for g in optimizer.param_groups for p in g["params"]}
    learning = {name: one for name, one in tbps.named_parameters() if one.requires_grad}
    assert len(decays) == len(learning)
    found = {name: decays[id(one)] for name, one in learning.items()}
    assert found == {name: 0.02 if one.ndim > 1 else 0.0 for name, one in learning.items()}


SIZE = 32, 32


def shapes() -> Shapes:
    """Return what the code saves: CLIP with one block, its temperature, its projection."""
    projection = {"simclr_mlp.0": (128, WIDTH), "simclr_mlp.2": (512, 128)}
    towers = shapes_of_clip("visual.", "encode_text.", SIZE)
    return {"logit_scale": (), **towers, **shapes_of_linear(projection)}


@pytest.mark.parametrize("is_simplified", [False, True], ids=["whole", "simplified"])
def test_published_weights_have_their_place(tmp_path: Path, is_simplified: bool) -> None:
    """Every weight of the code's file is used; the simplified one has no projection."""
    state = drawn(shapes(), without=["simclr_mlp"] if is_simplified else [])
    content = {"model": state, "optimizer": {}}
    loaded = load_published("tbps-clip", tmp_path / "checkpoint_best.pth", content, SIZE)
    assert loaded.unused == {}
    assert loaded.used == len(state)
    projection = {f"projection.{layer}.{part}" for layer in (0, 2) for part in ("bias", "weight")}
    assert {*loaded.missing} == (projection if is_simplified else set())
    ours = loaded.method.state_dict()
    for name, theirs in {
        "encoder.visual.proj": "visual.proj",
        "encoder.text.ln_final.bias": "encode_text.ln_final.bias",
        "encoder.text.text_projection": "encode_text.text_projection",
        "logit_scale": "logit_scale",
    }.items():
        torch.testing.assert_close(ours[name], state[theirs])
