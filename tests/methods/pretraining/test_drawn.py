"""Drawn people to pre-train on, and how an encoder is judged on others."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from torch import Tensor

from harness.data.paperdolls.build import draw_pretraining
from harness.data.paperdolls.looks import VARIED
from harness.method import Config, Encoded, Method, Recipe, TrainSummary
from harness.seeding import derive
from methods.pretraining.drawn import CANDIDATES, DrawnPeople, draw_people, judge, note, pretrain


@pytest.fixture(scope="module")
def drawn() -> DrawnPeople:
    """Thirty people, and sixteen to judge on, all of whom are scored again."""
    return draw_people(30, 5, lambda what, done, total: None, VARIED, held_out=CANDIDATES)


def test_the_view_holds_the_drawn_people(drawn: DrawnPeople) -> None:
    """Each caption of the view goes with its own image and with what that image shows."""
    drawings = draw_pretraining(30 + CANDIDATES, derive(5, "people"), VARIED)
    expected = {one.caption: one for one in drawings}
    assert len(drawn.view.captions) == 30
    for row, caption in enumerate(drawn.view.captions):
        image = int(drawn.view.image_of_caption[row])
        pixels = drawn.view.pixels([image])[0]
        assert np.array_equal(pixels.permute(1, 2, 0).numpy(), np.asarray(expected[caption].image))
        assert drawn.facts[image] == expected[caption].visible
    assert not set(drawn.view.captions) & set(drawn.held_out.captions)


class Reader(Method):
    """Finds the right image by cosine for every other caption, by re-scoring for all."""

    def __init__(self, config: Config, train: TrainSummary, people: DrawnPeople) -> None:
        super().__init__(config, train)
        count = len(people.held_out.captions)
        pixels = people.pixels_of_held_out(np.arange(count))
        self.numbers = {image.numpy().tobytes(): row for row, image in enumerate(pixels)}
        self.captions = list(people.held_out.captions)

    def encode_images(self, images: Tensor) -> Encoded:
        rows = [self.numbers[image.numpy().tobytes()] for image in images]
        return self._encoded(rows)

    def encode_texts(self, captions: Sequence[str]) -> Encoded:
        rows = [self.captions.index(caption) for caption in captions]
        wrong = [row ^ 1 if row % 2 else row for row in rows]  # an odd caption takes its neighbour
        return Encoded(self._encoded(wrong).embedding, self._encoded(rows).tokens)

    def _encoded(self, rows: Sequence[int]) -> Encoded:
        places = torch.eye(len(self.captions))[torch.tensor(rows)]  # (B, D)
        return Encoded(places, places[:, None])

    def rescore(self, texts: Encoded, images: Encoded, image_of_text: Tensor) -> Tensor:
        assert texts.tokens is not None
        assert images.tokens is not None
        return (texts.tokens[:, 0] * images.tokens[image_of_text, 0]).sum(dim=1)


def test_an_encoder_is_judged_by_cosine_and_by_what_it_scores_again(drawn: DrawnPeople) -> None:
    """R1 in percent on the people held out, and the file of weights says it."""
    method = Reader(Config(), drawn.view.summary(), drawn)
    figures = judge(method, drawn)
    assert figures == {"cosine": 50.0, "rescored": 100.0}
    assert note("harness pretrain reader", 3, figures) == {
        "command": "harness pretrain reader",
        "seed": "3",
        "held-out R1, cosine": "50.0",
        "held-out R1, rescored": "100.0",
    }


def test_threads_have_to_be_said(drawn: DrawnPeople) -> None:
    """Their number decides the bits, so a recipe that leaves it to the machine is refused."""
    method = Reader(Config(), drawn.view.summary(), drawn)
    with pytest.raises(AssertionError):
        pretrain(method, drawn, Recipe("", (96, 32)), 0, "reader", lambda *told: None)
