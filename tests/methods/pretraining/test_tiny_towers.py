"""tiny-towers: two towers that share no space, each of which has learned."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from safetensors import safe_open
from safetensors.torch import load_file

from harness.data.paperdolls.looks import VARIED
from harness.method import Batch, Run
from methods.blocks.masking import mask_words
from methods.blocks.tiny import IMAGE_SIZE, WEIGHTS, load_tiny, load_tokenizer
from methods.pretraining import tiny_towers
from methods.pretraining.drawn import DrawnPeople, draw_people, judge
from methods.pretraining.tiny_towers import (
    NOT_SHOWN,
    PretrainingConfig,
    TinyTowersPretraining,
    label,
    pretrain_tiny_towers,
)


@pytest.fixture(scope="module")
def drawn() -> DrawnPeople:
    """People of the look of pre-training, whom the towers have not seen."""
    return draw_people(300, 99, lambda what, done, total: None, VARIED, held_out=300)


class Step(Run):
    """The first step of a training."""

    def __init__(self) -> None:
        self.losses = dict(PretrainingConfig().losses)

    def generator(self, purpose: str) -> torch.Generator:
        return torch.Generator().manual_seed(len(purpose))


def shipped(drawn: DrawnPeople) -> TinyTowersPretraining:
    """The method with the towers that ship, and heads that are new."""
    torch.manual_seed(0)
    words, labels = load_tokenizer(WEIGHTS), label(drawn.facts)
    method = TinyTowersPretraining(PretrainingConfig(), drawn.view.summary(), words, labels)
    method.encoder.load_state_dict(load_tiny("tiny-towers", IMAGE_SIZE).state_dict())
    return method.eval()


def batch_of(drawn: DrawnPeople, count: int) -> Batch:
    """The first captions of the view with their images."""
    captions = torch.arange(count)
    images = drawn.view.image_of_caption[captions]
    texts = [drawn.view.captions[row] for row in range(count)]
    return Batch(drawn.view.pixels(images), texts, images, captions)


def test_values_are_numbered_by_attribute() -> None:
    """In the order of names; what an image does not show is left out."""
    found = label([{"hat": "cap", "bag": "none"}, {"hat": "none"}, {"hat": "cap", "bag": "case"}])
    assert found.counts == (2, 2)  # bag: case, none; hat: cap, none
    assert found.of_image.tolist() == [[1, 0], [NOT_SHOWN, 1], [0, 0]]


def test_attributes_are_learned_from_what_an_image_shows(drawn: DrawnPeople) -> None:
    """The mean over attributes of the mean over the images that show them, value by value."""
    method, batch = shipped(drawn), batch_of(drawn, 8)
    loss = float(method.attributes(batch).detach())
    with torch.no_grad():
        logits = method.attribute_head(method.encoder.embed_images(batch.images)).double()
    names = sorted({name for facts in drawn.facts for name in facts})
    means, first = [], 0
    for name, count in zip(names, method.labels.counts, strict=True):
        values = sorted({facts[name] for facts in drawn.facts if name in facts})
        assert len(values) == count
        shown = [
            float(np.logaddexp.reduce(row[first : first + count].numpy())
                  - row[first + values.index(facts[name])])
            for row, facts in zip(logits, facts_of(drawn, batch), strict=True)
            if name in facts
        ]  # fmt: skip
        first += count
        if shown:
            means.append(np.mean(shown))
    assert loss == pytest.approx(np.mean(means), rel=1e-5)


def facts_of(drawn: DrawnPeople, batch: Batch) -> Sequence[dict[str, str]]:
    """What the images of a batch show."""
    return [dict(drawn.facts[image]) for image in batch.image_index.tolist()]


def test_words_are_learned_without_the_image(drawn: DrawnPeople) -> None:
    """The cross-entropy of the words behind masks, whatever the images are."""
    method, batch, run = shipped(drawn), batch_of(drawn, 8), Step()
    with torch.no_grad():
        losses = method.training_losses(batch, run)
        blind = replace(batch, images=torch.zeros_like(batch.images))
        assert float(method.training_losses(blind, run)["mlm"]) == float(losses["mlm"])
        ids = method.encoder.tokenize(batch.captions)
        masked = mask_words(ids, method.encoder.vocabulary, run.generator("mask"), 0.15)
        tokens = method.encoder.encode_tokens(masked.ids).tokens
        assert tokens is not None
        wanted = [
            F.cross_entropy(method.encoder.masked_word_head(tokens[row, place]), label)
            for row, place in masked.chosen.nonzero()
            for label in [masked.labels[row, place]]
        ]
    assert set(losses) == {"attributes", "mlm"}
    assert float(losses["mlm"]) == pytest.approx(float(torch.stack(wanted).mean()), rel=1e-4)


def test_the_towers_that_ship_share_no_space(drawn: DrawnPeople) -> None:
    """By cosine they find a person as chance does; tiny-clip finds most."""
    method = shipped(drawn)
    assert judge(method, drawn)["cosine"] < 3  # 1 of 300 is chance
    method.encoder.load_state_dict(load_tiny("tiny-clip", IMAGE_SIZE).state_dict())
    assert judge(method, drawn)["cosine"] > 20


def test_each_tower_that_ships_has_learned(drawn: DrawnPeople) -> None:
    """Images nearest to each other show the same; most masked words are found."""
    method, count = shipped(drawn), 300
    batch = batch_of(drawn, count)
    with torch.no_grad():
        images = F.normalize(method.encoder.embed_images(batch.images), dim=1)
        nearest = (images @ images.T).fill_diagonal_(-1).argmax(dim=1).tolist()
        ids = method.encoder.tokenize(batch.captions)
        masked = mask_words(ids, method.encoder.vocabulary, torch.Generator().manual_seed(0), 0.15)
        tokens = method.encoder.encode_tokens(masked.ids).tokens
        assert tokens is not None
        guessed = method.encoder.masked_word_head(tokens[masked.chosen]).argmax(dim=1)
    facts = facts_of(drawn, batch)
    alike = [facts[row].get("upper.colour") == facts[nearest[row]].get("upper.colour")
             for row in range(count)]  # fmt: skip
    rolled = [facts[row].get("upper.colour") == facts[row - 1].get("upper.colour")
              for row in range(count)]  # fmt: skip
    assert np.mean(alike) > np.mean(rolled) + 0.3
    assert float((guessed == masked.labels[masked.chosen]).double().mean()) > 0.4


def test_the_command_makes_what_ships(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One file of the shape of the one that ships, which says what made it."""
    monkeypatch.setattr(tiny_towers, "PEOPLE", 48)
    monkeypatch.setattr("methods.pretraining.drawn.HELD_OUT", 20)
    stages = tuple(replace(one, epochs=1, batch_size=16) for one in tiny_towers.RECIPE.stages)
    monkeypatch.setattr(tiny_towers, "RECIPE", replace(tiny_towers.RECIPE, stages=stages))
    (file,) = pretrain_tiny_towers(tmp_path, 0, lambda what, done, total: None)
    assert file.name == "tiny-towers.safetensors"
    made, ships = load_file(file), load_file(WEIGHTS / file.name)
    assert {name: t.shape for name, t in made.items()} == {n: t.shape for n, t in ships.items()}
    with safe_open(file, "pt") as opened:
        assert opened.metadata()["command"] == "harness pretrain tiny-towers"
