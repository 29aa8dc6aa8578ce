"""What MeFa's three paths cost beside its encoders, at full size; and mining for CUHK-PEDES."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import torch
from torch import Tensor

from harness.method import Batch, Encoded, Run, TrainSummary
from harness.training.optimization import build_optimizer
from methods.blocks.phrases import tag
from methods.blocks.text_negatives import TIERS, mine
from methods.mefa import Mefa, MefaConfig

from .bounds import Bound
from .paired import paired_ratio

ROWS = 4
ROUNDS = 3
LARGEST_SHARE = 0.05  # of the encoders' forward and backward passes
BACKBONES = {"EVA02-B-16": (224, 224), "ViT-B-16-quickgelu": (224, 224)}  # without weights
CAPTION = "a man in a red jacket and blue jeans carries a black bag over his left shoulder"
STAGE = Mefa.recipes["paper"].stages[0]
NEGATIVES = tuple(CAPTION.replace("red", colour) for colour in ("green", "white", "grey"))

CAPTIONS = 68_126  # of CUHK-PEDES' training split
SENTENCES = Path(__file__).parents[1] / "methods" / "blocks" / "captions_of_people.txt"
REPEATS = 10
LARGEST_RATIO = 2.0  # of the time that tagging alone takes


@pytest.fixture
def two_threads() -> Iterator[None]:
    """Let torch use two threads."""
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def batch() -> Batch:
    """Return images of noise, two of them of one person."""
    images = torch.randint(0, 256, (ROWS, 3, 224, 224), dtype=torch.uint8)
    index = torch.arange(ROWS)
    return Batch(images, [CAPTION] * ROWS, index, index, torch.tensor([0, 0, 1, 2]))


@pytest.fixture
def run() -> Run:
    """Return what the method needs of a run."""
    stand_in = SimpleNamespace(
        losses=MefaConfig().losses,
        generator=lambda purpose: torch.Generator().manual_seed(0),
        spread=lambda function, *rows: function(*rows),
    )
    return cast(Run, stand_in)


def prepared(backbone: str, batch: Batch) -> Mefa:
    """Return the method with random weights and three negatives for each caption."""
    torch.manual_seed(0)
    config = MefaConfig(backbone=backbone, image_size=BACKBONES[backbone])
    method = Mefa(config, TrainSummary(ROWS, batch.captions, 3)).train()
    method.negatives_of_caption = dict.fromkeys(range(ROWS), NEGATIVES)
    method.neighbours = torch.tensor([[2, 3], [2, 3], [0, 1], [0, 1]])
    method.pixels = lambda rows: batch.images[torch.as_tensor(rows)]
    return method


def step(method: Mefa, batch: Batch, run: Run) -> dict[str, Tensor]:
    """Take a step but for the optimiser's part."""
    found = method.training_losses(batch, run)
    torch.stack(list(found.values())).sum().backward()
    return found


def encode(method: Mefa, batch: Batch) -> None:
    """Pass what a step encodes through the encoders alone: images and captions, and negatives."""
    encoder = method.encoder
    encoded = [encoder.encode_images(batch.images) for _ in range(2)]
    encoded += [encoder.encode_texts(texts) for texts in (batch.captions, [*NEGATIVES] * ROWS)]
    torch.stack([one.embedding.square().mean() for one in encoded]).sum().backward()


def remembered(encode: Callable[[Any], Encoded]) -> Callable[[Any], Encoded]:
    """Return an encoder that gives as many rows of constant tokens, which take a gradient."""
    known: dict[int, Encoded] = {}

    def give(items: Any) -> Encoded:
        if len(items) not in known:
            with torch.no_grad():
                found = encode(items)
            assert found.tokens is not None
            tokens = found.tokens.requires_grad_()
            known[len(items)] = Encoded(found.embedding.requires_grad_(), tokens, found.mask)
        return known[len(items)]

    return give


@pytest.mark.parametrize("backbone", BACKBONES)
def test_the_paths_cost_little_beside_the_encoders(
    backbone: str,
    batch: Batch,
    run: Run,
    two_threads: None,
    benchmark: Any,
    bound: Bound,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A step of LAMB on four pairs at 224 x 224; what is no encoder's pass takes at most 5 %."""
    method = prepared(backbone, batch)
    optimizer = build_optimizer(method.parameter_groups(STAGE), STAGE)
    found = step(method, batch, run)
    assert found.keys() == MefaConfig().losses.keys()
    assert all(0 < loss.item() < float("inf") for loss in found.values())
    encoder = method.encoder
    for part in (encoder.visual, encoder.text, method.refinement):
        assert any(p.grad is not None and p.grad.abs().sum() > 0 for p in part.parameters())
    before = method.refinement.project.weight.clone()
    optimizer.step()
    assert not torch.equal(method.refinement.project.weight, before)

    names = ("encode_images", "encode_tokens")
    at_no_cost = {name: remembered(getattr(encoder, name)) for name in names}

    def rest() -> None:
        with monkeypatch.context() as patch:
            for name, give in at_no_cost.items():
                patch.setattr(encoder, name, give)
            step(method, batch, run)

    rest()  # encodes what is remembered
    paired = paired_ratio(benchmark, rest, lambda: encode(method, batch), ROUNDS)
    bound(paired.ratio, LARGEST_SHARE, of="share of the encoders' passes")


@pytest.fixture(scope="module")
def captions() -> Sequence[str]:
    """Return 1,600 captions of 25 words on average, no two the same."""
    lines = SENTENCES.read_text("utf-8").splitlines()
    return [f"{line} {number}" for number in range(REPEATS) for line in lines]


def test_mining_costs_little_beside_tagging(
    captions: Sequence[str], benchmark: Any, bound: Bound
) -> None:
    """Two tiers, without a filler, in at most twice the time that parts of speech take."""
    mining = partial(mine, captions, "lexicon", 0)
    assert {one.tier for one in mining()} == set(TIERS[:2])
    paired = paired_ratio(benchmark, mining, lambda: tag(captions, "lexicon"), ROUNDS)
    for_all = paired.seconds / len(captions) * CAPTIONS
    benchmark.extra_info["seconds for CUHK-PEDES"] = round(for_all, 1)
    bound(paired.ratio, LARGEST_RATIO, of="times the tags alone")
