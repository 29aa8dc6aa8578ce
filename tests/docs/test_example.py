"""The worked example of the page on methods, as the page shows it, and the oracle beside it."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch.nn.functional import normalize

from harness.method import Encoded, TrainSummary

from .pages import EXAMPLE, ROOT

LONGEST = 76  # lines, so that the page can show it whole


def load(file: Path) -> Any:
    """A file as a module."""
    spec = importlib.util.spec_from_file_location(f"docs_{file.stem}", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # its dataclasses look there
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def example() -> Any:
    """The module of the worked example."""
    return load(EXAMPLE)


@pytest.fixture(scope="module")
def nam() -> Any:
    """The module of the method that is pre-trained on another set."""
    return load(EXAMPLE.with_name("nam.py"))


def test_the_page_shows_the_file() -> None:
    """The page includes the whole file, and it is short."""
    page = (ROOT / "docs" / "method.md").read_text(encoding="utf-8")
    assert "```{literalinclude} examples/sigmoid.py\n:language: python\n```" in page
    assert len(EXAMPLE.read_text(encoding="utf-8").splitlines()) < LONGEST


def test_its_loss_is_the_papers(example: Any) -> None:
    """The loss is that of the paper's equation, written as a loop over pairs, where a caption of
    the same image counts as right."""
    torch.manual_seed(0)
    config = example.SigmoidConfig(backbone="tiny-clip", image_size=(96, 32))
    method = example.Sigmoid(config, TrainSummary(3, ["a man", "a woman", "a boy", "a girl"]))
    batch = SimpleNamespace(
        images=torch.randint(0, 256, (4, 3, 96, 32), dtype=torch.uint8),
        captions=["a man", "a tall man", "a boy in red", "a girl"],
        image_index=torch.tensor([0, 0, 1, 2]),
    )
    run = SimpleNamespace(losses={"sigmoid": 0.5}, spread=lambda encode, rows: encode(rows))
    with torch.no_grad():
        found = method.training_losses(batch, run)["sigmoid"]
        images = normalize(method.encode_images(batch.images).embedding, dim=-1).double()
        texts = normalize(method.encode_texts(batch.captions).embedding, dim=-1).double()
    total = 0.0
    for i, image in enumerate(images):
        for j, text in enumerate(texts):
            sign = 1 if batch.image_index[i] == batch.image_index[j] else -1
            total += float(torch.log1p(torch.exp(-sign * (10.0 * (image @ text) - 10.0))))
    assert float(found) == pytest.approx(0.5 * total / 4, rel=1e-4)


def test_noise_aware_masking_is_the_authors(nam: Any) -> None:
    """Their loop over the words: one minus the cosine, centred on the share, clipped."""
    torch.manual_seed(0)
    likeness = torch.rand(3, 6) * 2 - 1
    words = torch.tensor([[0, 1, 1, 1, 1, 0], [0, 1, 1, 0, 0, 0], [0, 1, 0, 0, 0, 0]]).bool()
    found = nam.shares(likeness, words, 0.15)
    for row in range(3):
        places = [place for place in range(6) if words[row, place]]
        doubt = {place: 1 - float(likeness[row, place]) for place in places}
        mean = sum(doubt.values()) / len(places)
        for place in places:
            expected = min(max(doubt[place] - mean + 0.15, 0), 1)
            assert float(found[row, place]) == pytest.approx(expected, abs=1e-6)


def test_noise_aware_masking_looks_at_whole_captions_and_their_own_patches(nam: Any) -> None:
    """What a step leaves for the next epoch is of its captions; on the own set there is nothing."""
    torch.manual_seed(0)
    config = nam.NamConfig(backbone="tiny-clip", image_size=(96, 32))
    captions = ["a man in red", "a woman", "a boy with a bag"]
    method = nam.Nam(config, TrainSummary(3, captions)).eval()
    batch = SimpleNamespace(
        images=torch.randint(0, 256, (2, 3, 96, 32), dtype=torch.uint8),
        captions=captions[1:],
        image_index=torch.tensor([0, 1]),
        caption_index=torch.tensor([1, 2]),
    )
    run = SimpleNamespace(
        stage=0, epoch=0, losses={"sdm": 1.0}, device=torch.device("cpu"),
        train=SimpleNamespace(captions=captions),
        spread=lambda encode, rows: encode(rows),
        generator=lambda purpose: torch.Generator().manual_seed(0),
    )  # fmt: skip
    method.begin_epoch(run)
    assert (method.shares == 0.15).all()
    method.training_losses(batch, run)
    method.after_step(batch, run)
    assert (method.shares[0] == 0.15).all()
    ids = method.encoder.tokenize(batch.captions)
    with torch.no_grad():
        words = method.encoder.encode_tokens(ids).tokens
        patches = method.encoder.encode_images(batch.images).tokens[:, 1:]
    for row, caption in enumerate(batch.captions):
        count = len(method.encoder.word_pieces(caption))
        doubts = [
            1
            - max(float(normalize(word, dim=0) @ normalize(patch, dim=0)) for patch in patches[row])
            for word in words[row, 1 : 1 + count]
        ]
        expected = [min(max(one - sum(doubts) / count + 0.15, 0), 1) for one in doubts]
        found = method.shares[row + 1, 1 : 1 + count].tolist()
        assert found == pytest.approx(expected, abs=1e-5)
    run.stage = 1
    method.begin_epoch(run)
    assert method.shares is None


def test_the_oracle_relates_who_is_the_same_person() -> None:
    """In the batch and among what is stored, whatever is like what; never an image to itself."""
    oracle = load(EXAMPLE.with_name("oracle.py"))
    torch.manual_seed(0)
    config = oracle.OracleConfig(backbone="tiny-clip", image_size=(96, 32))
    captions = ["a man", "a woman", "a boy", "a girl", "a tall man"]
    method = oracle.DgiaOracle(config, TrainSummary(5, captions, person_count=3))
    people = torch.tensor([0, 1, 0, 2, 0])
    stored = Encoded(torch.randn(5, 64))
    train = SimpleNamespace(
        captions=captions,
        image_of_caption=torch.arange(5),
        captions_of_image=[[row] for row in range(5)],
        person_of_image=people,
    )
    run = SimpleNamespace(
        losses=config.losses, device=torch.device("cpu"), encode=lambda train: (stored, stored)
    )
    method.prepare(train, run)
    rows = torch.tensor([2, 3, 4])
    batch = SimpleNamespace(image_index=rows, person_ids=people[rows])
    pairs = SimpleNamespace(batch=batch, of=lambda modality: stored.embedding[rows])
    assert method.local_matches(pairs).tolist() == [
        [True, False, True], [False, True, False], [True, False, True],
    ]  # fmt: skip
    related, similarity = method.mine(pairs)
    assert related.tolist() == [
        [True, False, False, False, True], [False] * 5, [True, False, True, False, False],
    ]  # fmt: skip
    assert similarity.shape == (3, 5)
