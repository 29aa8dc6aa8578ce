"""tiny-albef: how its fusion layers are taught, and what those that ship can do."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from safetensors import safe_open

from harness.method import Batch, Run
from methods.blocks.tiny import WEIGHTS
from methods.blocks.tiny_albef import load_tiny_albef
from methods.pretraining import tiny_albef
from methods.pretraining.drawn import DrawnPeople, draw_people, judge
from methods.pretraining.tiny_albef import (
    PretrainingConfig,
    TinyAlbefPretraining,
    nearest_others,
    pretrain_tiny_albef,
)


@pytest.fixture(scope="module")
def drawn() -> DrawnPeople:
    """A few people of the look of pre-training, whom no phase has seen."""
    return draw_people(24, 99, lambda what, done, total: None, held_out=300)


def test_the_nearest_others_are_the_nearest_but_the_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """For each text the images of largest cosine, in order, its own left out."""
    rng = np.random.default_rng(0)
    images, texts = rng.standard_normal((40, 6)), rng.standard_normal((1500, 6))
    own = rng.integers(40, size=1500)
    found = nearest_others(*map(torch.from_numpy, (images, texts, own)), 5)
    for row in (0, 7, 1023, 1024, 1499):
        cosines = {
            image: float(texts[row] @ images[image] / np.linalg.norm(images[image]))
            for image in range(40)
            if image != own[row]
        }
        assert found[row].tolist() == sorted(cosines, key=cosines.__getitem__, reverse=True)[:5]


@pytest.mark.parametrize("phase", [pytest.param(1, marks=pytest.mark.exhaustive), 2])
def test_what_ships_scores_better_than_its_cosine(drawn: DrawnPeople, phase: int) -> None:
    """After either phase, re-scoring finds more people than the cosine that chose whom."""
    state = load_tiny_albef(phase)
    method = TinyAlbefPretraining(PretrainingConfig(), drawn.view.summary(), state)
    figures = judge(method, drawn)
    assert figures["rescored"] > figures["cosine"] > 50
    with safe_open(WEIGHTS / f"tiny-albef-{phase}.safetensors", "pt") as file:
        said = file.metadata()
    assert float(said["held-out R1, rescored"]) > float(said["held-out R1, cosine"])


class Step(Run):
    """The first step of an epoch."""

    def __init__(self, drawn: DrawnPeople, method: TinyAlbefPretraining, epoch: int) -> None:
        self.drawn, self.method, self.epoch = drawn, method, epoch
        self.losses = dict(method.config.losses)

    def generator(self, purpose: str) -> torch.Generator:
        return torch.Generator().manual_seed(len(purpose) + self.epoch)

    def encode(self, train):  # type: ignore[no-untyped-def]  # as the protocol has it
        with torch.no_grad():
            images = self.method.encode_images(train.pixels(range(24)))
            return images, self.method.encode_texts(train.captions)


def first_batch(drawn: DrawnPeople) -> Batch:
    """The first eight captions of the view."""
    captions = torch.arange(8)
    images = drawn.view.image_of_caption[captions]
    texts = [drawn.view.captions[row] for row in range(8)]
    return Batch(drawn.view.pixels(images), texts, images, captions)


@pytest.mark.parametrize("epoch", [0, 1])
def test_others_are_never_the_own_image(drawn: DrawnPeople, epoch: int) -> None:
    """Random ones in the first epoch, then the nearest of the share, never the caption's own."""
    config = PretrainingConfig(nearest=1 / 6)
    method = TinyAlbefPretraining(config, drawn.view.summary(), load_tiny_albef())
    run, batch = Step(drawn, method, epoch), first_batch(drawn)
    method.prepare(drawn.view, run)
    method.begin_epoch(run)
    others = method.draw_others(batch, run)  # (B, K)
    assert others.shape == (8, 3)
    assert not (others == batch.image_index[:, None]).any()
    if epoch:
        images, texts = run.encode(drawn.view)
        near = nearest_others(images.embedding, texts.embedding, drawn.view.image_of_caption, 4)
        assert all(set(row.tolist()) <= set(near[i].tolist()) for i, row in enumerate(others))


def test_choice_and_matching_read_the_same_scores(drawn: DrawnPeople) -> None:
    """The own image stands first: a choice among 1 + K, and a verdict on each by itself."""
    method = TinyAlbefPretraining(
        PretrainingConfig(), drawn.view.summary(), load_tiny_albef()
    ).eval()
    run, batch = Step(drawn, method, 0), first_batch(drawn)
    method.prepare(drawn.view, run)
    method.begin_epoch(run)
    with torch.no_grad():
        losses = method.training_losses(batch, run)
        images = method.albef.encoder.encode_images(batch.images)
        others = drawn.view.pixels(method.draw_others(batch, run).flatten())
        rows, verdicts = [], []
        for row, caption in enumerate(batch.captions):
            text = method.albef.encoder.encode_texts([caption])
            scored = []
            for pixels in (batch.images[row], *others[3 * row : 3 * row + 3]):
                image = method.albef.encoder.encode_images(pixels[None])
                logits = method.albef.matching_head(method.albef.fuse(text, image)[:, 0])[0]
                scored.append(float(logits[1] - logits[0]))
                verdicts.append(F.cross_entropy(logits, torch.tensor(int(len(scored) == 1))))
            rows.append(float(np.logaddexp.reduce(scored) - scored[0]))
    assert float(losses["choice"]) == pytest.approx(np.mean(rows), rel=1e-4)
    assert float(losses["itm"]) == pytest.approx(float(torch.stack(verdicts).mean()), rel=1e-4)
    assert set(losses) == {"itc", "choice", "itm", "mlm"}
    assert images.embedding.shape[0] == 8


def test_the_command_makes_both_phases(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two files of the shape of those that ship, with what made them; the second goes on."""
    monkeypatch.setattr(tiny_albef, "PEOPLE", 48)
    monkeypatch.setattr(tiny_albef, "EPOCHS", {1: 1, 2: 1})
    monkeypatch.setattr("methods.pretraining.drawn.HELD_OUT", 20)
    files = pretrain_tiny_albef(tmp_path, 0, lambda what, done, total: None)
    assert [file.name for file in files] == ["tiny-albef-1.safetensors", "tiny-albef-2.safetensors"]
    contents = []
    for file in files:
        with safe_open(file, "pt") as made, safe_open(WEIGHTS / file.name, "pt") as ships:
            assert set(made.keys()) == set(ships.keys())
            assert made.metadata()["command"] == "harness pretrain tiny-albef"
            contents.append(made.get_tensor("matching_head.weight"))
    assert not torch.equal(*contents)
