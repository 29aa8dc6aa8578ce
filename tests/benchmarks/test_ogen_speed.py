"""What OGEN's parts, aggregation and losses cost beside its encoders, at full size."""

from __future__ import annotations

import resource
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from types import SimpleNamespace
from typing import Any, cast

import pytest
import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode
from transformers import BertConfig

from harness.method import Batch, Encoded, Run, TrainSummary
from methods.ogen import Ogen, OgenConfig

from .bounds import Bound

PEOPLE = 11_003  # of CUHK-PEDES' training split
ROWS = 8
LARGEST_SHARE = 0.05  # of the encoders' forward and backward passes
WORDS = "a man in red jacket and blue jeans carries black bag over his left shoulder"
CAPTION = f"{WORDS}, {WORDS}"


@pytest.fixture(scope="module")
def two_threads() -> Iterator[None]:
    """Let torch use two threads."""
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def bert_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the sizes of bert-base-uncased and a vocabulary of as many words."""
    folder = tmp_path_factory.mktemp("bert")
    config = BertConfig()
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", ",", *dict.fromkeys(WORDS.split())]
    words += [f"word{n}" for n in range(config.vocab_size - len(words))]
    (folder / "vocab.txt").write_text("\n".join(words), encoding="utf-8")
    config.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def ogen(two_threads: None, bert_folder: Path) -> Ogen:
    """The method at the paper's size, for as many people, with random weights."""
    torch.manual_seed(0)
    recipe = Ogen.recipes["paper"]
    vit = recipe.backbone.partition(".")[0]
    config = OgenConfig(backbone=f"{vit}+{bert_folder}", image_size=recipe.image_size)
    return Ogen(config, TrainSummary(ROWS, [CAPTION], PEOPLE))


@pytest.fixture(scope="module")
def batch(ogen: Ogen) -> Batch:
    """Images of noise, two of them of one person."""
    images = torch.randint(0, 256, (ROWS, 3, *ogen.config.image_size), dtype=torch.uint8)
    index = torch.arange(ROWS)
    return Batch(images, [CAPTION] * ROWS, index, index, index.clamp_min(1))


def step(method: Ogen, batch: Batch) -> dict[str, Tensor]:
    """Take a step but for the optimiser's part."""
    run = SimpleNamespace(
        losses=method.config.losses,
        generator=lambda purpose: torch.Generator().manual_seed(len(purpose)),
        spread=lambda function, *rows: function(*rows),
    )
    found = method.training_losses(batch, cast(Run, run))
    torch.stack(list(found.values())).sum().backward()
    return found


def operations(call: Callable[[], object]) -> int:
    """Return how many floating-point operations the matrix products of a call take."""
    with FlopCounterMode(display=False) as counter:
        call()
    return int(counter.get_total_flops())


@dataclass(frozen=True)
class FullStep:
    """A step from pixels and words: its losses, and what it took."""

    losses: dict[str, Tensor]
    operations: int
    seconds: float
    peak: float  # memory of the process, GiB


@pytest.fixture(scope="module")
def full_step(ogen: Ogen, batch: Batch) -> FullStep:
    """Take a step whose gradients stay."""
    found: dict[str, Tensor] = {}
    began = perf_counter()
    total = operations(lambda: found.update(step(ogen, batch)))
    seconds = perf_counter() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return FullStep(found, total, seconds, peak)


def test_a_full_size_step_runs(ogen: Ogen, full_step: FullStep) -> None:
    """ViT-B/16 at 384 x 192 and BERT: six finite losses reach encoders, parts and classifiers."""
    assert ogen.encoder.grid == (24, 12)
    assert full_step.losses.keys() == OgenConfig().losses.keys()
    for loss in full_step.losses.values():
        assert 0 < loss < torch.inf
    learning = ("encoder.", "image_parts.", "text_parts.2.", "student.", "classifiers.", "omni_")
    for name, parameter in ogen.named_parameters():
        if name.startswith(learning):
            assert parameter.grad is not None, name
            assert 0 < parameter.grad.abs().sum() < torch.inf, name
    assert all(parameter.grad is None for parameter in ogen.teacher.parameters())


def test_parts_and_losses_cost_little_beside_the_encoders(
    ogen: Ogen,
    batch: Batch,
    full_step: FullStep,
    benchmark: Any,
    bound: Bound,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """All of a step that is not an encoder's pass is at most 5 % of the passes' multiplications.

    The share of time has no bound: most of it goes into gradients of classifiers of 11,003
    people, which wait for memory, not for a core, and so for what else a machine does.
    """
    with torch.no_grad():
        images = ogen.encoder.encode_images(batch.images)
        texts = ogen.encoder.encode_tokens(ogen.encoder.tokenize(batch.captions))
    for name, encoded in (("encode_images", images), ("encode_tokens", texts)):
        assert encoded.tokens is not None
        encoded.tokens.requires_grad_()
        monkeypatch.setattr(ogen.encoder, name, lambda given, encoded=encoded: again(encoded))
    rest = operations(lambda: benchmark.pedantic(lambda: step(ogen, batch), rounds=1))
    share = rest / (full_step.operations - rest)
    benchmark.extra_info |= {
        "seconds of a whole step": round(full_step.seconds, 1),
        "peak memory of the process in GiB": round(full_step.peak, 2),
    }
    assert share > 0
    bound(share, LARGEST_SHARE, of="share of the encoders' multiplications")


def again(encoded: Encoded) -> Encoded:
    """Stand for an encoder that has encoded at no cost."""
    assert encoded.tokens is not None
    tokens = encoded.tokens.clone()
    return Encoded(tokens[:, 0], tokens, encoded.mask)
