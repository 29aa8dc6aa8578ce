"""What a step of RDE and its pass over the pairs take at full size, beside the encoders."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, cast

import pytest
import torch
from torch import Tensor

from harness.method import Batch, Run, TrainSummary
from methods.rde import Rde, RdeConfig

from .bounds import Bound
from .paired import paired_ratio

PAIRS = 68_126  # of CUHK-PEDES' training split
ROWS, HEIGHT, WIDTH = 8, 384, 128
ROUNDS = 3
LARGEST_SHARE = 0.2  # of encoding eight of 34,054 images
CAPTION = "a man in a red jacket and blue jeans carries a black bag over his left shoulder"


@pytest.fixture(scope="module")
def rde() -> Iterator[Rde]:
    """Return the method at the paper's size with random weights; torch uses two threads."""
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    torch.manual_seed(0)
    config = RdeConfig(backbone="ViT-B-16-quickgelu", image_size=(HEIGHT, WIDTH))
    yield Rde(config, TrainSummary(PAIRS, [CAPTION] * PAIRS, PAIRS))
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def batch() -> Batch:
    """Return images of noise, two of each person."""
    images = torch.randint(0, 256, (ROWS, 3, HEIGHT, WIDTH), dtype=torch.uint8)
    index = torch.arange(ROWS)
    return Batch(images, [CAPTION] * ROWS, index, index, index // 2)


@pytest.fixture
def run() -> Run:
    """Return what the method needs of a run: losses of which a tenth are far from the others."""
    torch.manual_seed(0)
    measured = {name: torch.rand(PAIRS) + 3 * (torch.rand(PAIRS) < 0.1) for name in ("bge", "tse")}
    stand_in = SimpleNamespace(
        losses=RdeConfig().losses,
        generator=lambda purpose: torch.Generator().manual_seed(0),
        spread=lambda function, *rows: function(*rows),
        measure=lambda function: measured,
        report_pairs=lambda name, images, captions: None,
        train=SimpleNamespace(image_of_caption=torch.arange(PAIRS)),
    )
    return cast(Run, stand_in)


def step(method: Rde, batch: Batch, run: Run) -> dict[str, Tensor]:
    """Take a step but for the optimiser's part."""
    found = method.training_losses(batch, run)
    torch.stack(list(found.values())).sum().backward()
    return found


@pytest.mark.timeout(900)  # a pass of the encoders takes half a minute and more
def test_a_full_size_step_runs(rde: Rde, batch: Batch, run: Run, benchmark: Any) -> None:
    """ViT-B/16 at 384 x 128 with 57 patches and 22 words: losses are finite, weights move."""
    (stage,) = Rde.recipes["paper"].stages
    groups = list(rde.parameter_groups(stage))
    optimizer = torch.optim.Adam(groups, lr=stage.learning_rate, eps=stage.eps or 0)
    before = rde.encoder.visual.proj.detach().clone(), rde.text_tokens.fc.weight.detach().clone()
    found = benchmark.pedantic(lambda: step(rde, batch, run), rounds=1)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    assert all(torch.isfinite(loss) and loss > 0 for loss in found.values())
    assert not torch.equal(rde.encoder.visual.proj, before[0])
    assert not torch.equal(rde.text_tokens.fc.weight, before[1])
    patches = rde.eval().select_patches(batch.images[:1])
    words = rde.select_words(rde.encoder.tokenize(batch.captions[:1]))
    assert (patches.tokens.shape[1], words.tokens.shape[1]) == (57, 22)


@torch.no_grad()
def test_dividing_all_pairs_costs_less_than_encoding_a_few(
    rde: Rde, batch: Batch, run: Run, benchmark: Any, bound: Bound
) -> None:
    """Both mixtures over all losses of CUHK-PEDES, beside eight images through the encoder."""
    rde.eval()
    paired = paired_ratio(
        benchmark, lambda: rde.begin_epoch(run), lambda: rde.encode_images(batch.images), ROUNDS
    )
    assert 0.6 * PAIRS < int(rde.trusted.sum()) < 0.95 * PAIRS
    bound(paired.ratio, LARGEST_SHARE, of="share of encoding eight images")
