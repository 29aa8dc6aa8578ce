"""What DGIA's relations and memory banks cost beside its encoders, at full size."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, cast

import pytest
import torch
from torch import Tensor

from harness.method import Batch, Encoded, Run, TrainSummary
from methods.dgia import Dgia, DgiaConfig

from .bounds import Bound
from .paired import paired_ratio

IMAGES, CAPTIONS = 34_054, 68_126  # of CUHK-PEDES' training split
ROWS, HEIGHT, WIDTH = 8, 384, 128
ROUNDS = 3
LARGEST_SHARE = 0.05  # of the encoders' forward and backward passes
CAPTION = "a man in a red jacket and blue jeans carries a black bag over his left shoulder"


@pytest.fixture(scope="module")
def two_threads() -> Iterator[None]:
    """Let torch use two threads."""
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def dgia(two_threads: None) -> Dgia:
    """Return the method at the paper's size with random weights and banks of related people."""
    torch.manual_seed(0)
    config = DgiaConfig(backbone="ViT-B-16-quickgelu", image_size=(HEIGHT, WIDTH))
    method = Dgia(config, TrainSummary(IMAGES, [CAPTION] * CAPTIONS))
    person = torch.randn(IMAGES // 3 + 1, method.encoder.width)[torch.arange(IMAGES) // 3]
    image_of_caption = torch.arange(CAPTIONS) % IMAGES
    method.image_bank.fill(person + 0.3 * torch.randn_like(person))
    texts = person[image_of_caption]
    method.text_bank.fill(texts + 0.3 * torch.randn_like(texts))
    method.image_of_caption = image_of_caption
    second = torch.arange(IMAGES, 2 * IMAGES)
    second[second >= CAPTIONS] = -1
    method.captions_of_image = torch.stack([torch.arange(IMAGES), second], dim=1)
    return method


@pytest.fixture(scope="module")
def batch() -> Batch:
    """Return images of noise that stand for the first people of the banks."""
    images = torch.randint(0, 256, (ROWS, 3, HEIGHT, WIDTH), dtype=torch.uint8)
    index = torch.arange(0, 3 * ROWS, 3)
    return Batch(images, [CAPTION] * ROWS, index, index)


@pytest.fixture
def run() -> Run:
    """Return what the method needs of a run."""
    stand_in = SimpleNamespace(
        losses=DgiaConfig().losses,
        generator=lambda purpose: torch.Generator().manual_seed(0),
        spread=lambda function, *rows: function(*rows),
        report_pairs=lambda name, images, captions: None,
    )
    return cast(Run, stand_in)


def step(method: Dgia, batch: Batch, run: Run) -> dict[str, Tensor]:
    """Take a step but for the optimiser's part."""
    found = method.training_losses(batch, run)
    torch.stack(list(found.values())).sum().backward()
    method.after_step(batch, run)
    return found


def encode(method: Dgia, batch: Batch) -> None:
    """Pass a clean and an augmented batch through the encoders, forward and backward."""
    encoder = method.encoder
    words = encoder.tokenize(batch.captions)
    total = torch.zeros(())
    for _ in ("clean", "augmented"):
        total = total + encoder.encode_images(batch.images).embedding.square().mean()
        total = total + encoder.encode_tokens(words).embedding.square().mean()
    total.backward()


def test_a_full_size_step_runs(dgia: Dgia, batch: Batch, run: Run, benchmark: Any) -> None:
    """ViT-B/16 at 384 x 128 with banks of CUHK-PEDES' size: every loss is finite, weights move."""
    optimizer = torch.optim.Adam(dgia.parameters(), lr=1e-5)
    before = dgia.encoder.visual.proj.detach().clone()
    found = benchmark.pedantic(lambda: step(dgia, batch, run), rounds=1)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    assert all(torch.isfinite(loss) for loss in found.values())
    assert found["rc_g"] > 0
    assert not torch.equal(dgia.encoder.visual.proj, before)


@pytest.mark.timeout(900)  # a pass of the encoders takes half a minute and more
def test_relations_cost_little_beside_the_encoders(
    dgia: Dgia,
    batch: Batch,
    run: Run,
    benchmark: Any,
    bound: Bound,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """All of a step that is not an encoder's pass takes at most 5 % of the encoders' passes."""
    images = dgia.image_bank.features[batch.image_index].requires_grad_()
    texts = dgia.text_bank.features[batch.caption_index].requires_grad_()
    found: list[int] = []
    monkeypatch.setattr(
        run, "report_pairs", lambda name, images, captions: found.append(len(images))
    )

    def rest() -> None:
        with monkeypatch.context() as patch:
            patch.setattr(dgia.encoder, "encode_images", lambda pixels: Encoded(images))
            patch.setattr(dgia.encoder, "encode_tokens", lambda words: Encoded(texts))
            step(dgia, batch, run)

    rest()  # the first takes longer
    assert sum(found) > 0
    paired = paired_ratio(benchmark, rest, lambda: encode(dgia, batch), ROUNDS)
    bound(paired.ratio, LARGEST_SHARE, of="share of the encoders' passes")
