"""Rounds of questions to witnesses of drawn people, against obvious loops."""

import math
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from harness.data.catalogue import find_declaration, locate
from harness.data.loading import load_split
from harness.data.schema import Split
from harness.data.sightings import Facts, read_sightings
from harness.evaluation import Features
from harness.evaluation.dialogues import (
    POLICIES,
    Interviews,
    Searcher,
    begin,
    expected_gains,
    take_queries,
)
from harness.evaluation.embeddings import Embeddings
from harness.evaluation.rescoring import Items
from harness.evaluation.witness import (
    NOTHING,
    QUESTIONS,
    Witnesses,
    answer,
    call_witnesses,
    first_sentence,
    is_said,
    sentence,
)
from harness.method import Encoded, Method
from harness.results.protocols import MOST_ROUNDS, Witness
from harness.seeding import derive

WIDTH = 48


class Words(Method):
    """Embeds a text, or what an image shows, by its words."""

    def __init__(self) -> None:
        torch.nn.Module.__init__(self)

    def encode_images(self, images: Tensor) -> Tensor:
        raise NotImplementedError

    def training_losses(self, batch: Any, run: Any) -> dict[str, Tensor]:
        raise NotImplementedError

    def encode_texts(self, captions: Any) -> Tensor:
        return torch.stack([embed(text.lower().replace(".", "").split()) for text in captions])


def embed(words: Sequence[str]) -> Tensor:
    """Return the sum of a random direction for each word."""
    drawn = [torch.randn(WIDTH, generator=torch.Generator().manual_seed(derive(0, w) >> 1))
             for w in words]  # fmt: skip
    return torch.stack(drawn).sum(0)


@pytest.fixture(scope="module")
def split(small_dolls: Path) -> Split:
    """The test split of a few drawn people."""
    return load_split(locate(find_declaration(str(small_dolls))), "test")


@pytest.fixture(scope="module")
def sightings(small_dolls: Path, split: Split) -> list[Facts]:
    """What its images show."""
    return read_sightings(locate(find_declaration(str(small_dolls))), split)


@pytest.fixture(scope="module")
def features(split: Split, sightings: list[Facts]) -> Features:
    """Images by the words for what they show."""
    images = torch.stack([embed(" ".join(seen.values()).split()) for seen in sightings])
    texts = Words().encode_texts(split.captions)
    nothing = Items(lambda rows: Encoded(images[rows]), 0)
    return Features(
        Embeddings(images, texts, 0.0, 0.0), Encoded(images), Encoded(texts), nothing, nothing
    )


def interviews(features: Features, split: Split, sightings: list[Facts]) -> Interviews:
    """Return the dialogues that a run is asked by."""
    return Interviews(Words(), features, split, sightings, 0, torch.device("cpu"))


def searcher(features: Features, split: Split) -> Searcher:
    """Return what policies see of the run."""
    images = features.images.embedding
    return Searcher(Words().encode_texts, images, split.person_of_image, split.fingerprint)


def test_a_witness_says_what_the_image_shows(sightings: list[Facts]) -> None:
    """Nothing that it hides, nothing that is not so, where nobody forgets or errs."""
    witnesses = call_witnesses(sightings, "f", 0.0, 0.0)
    for seen, answers in zip(sightings, witnesses.answers, strict=True):
        for question, given in zip(QUESTIONS, answers, strict=True):
            assert dict(given).items() <= seen.items()
            assert given == answer(question, seen)
            if question.thing not in seen:
                assert given == ()
    codes = witnesses.truths
    for column, question in enumerate(QUESTIONS):
        for one, other in zip(range(len(sightings)), range(1, len(sightings)), strict=False):
            same = witnesses.answers[one][column] == witnesses.answers[other][column]
            if NOTHING not in codes[[one, other], column]:
                assert same == (codes[one, column] == codes[other, column]), question


def test_rates_are_what_they_are_called(sightings: list[Facts]) -> None:
    """So many answers are missing and wrong; who errs at a low rate errs at a higher one."""
    right = call_witnesses(sightings, "f", 0.0, 0.0)
    total = sum(bool(one) for of_image in right.answers for one in of_image)
    wrong_before: set[tuple[int, int]] = set()
    for rate in (0.1, 0.3, 0.6):
        said = call_witnesses(sightings, "f", 0.0, rate)
        assert np.array_equal(said.truths, right.truths)
        wrong = {
            (image, question)
            for image, answers in enumerate(said.answers)
            for question, one in enumerate(answers)
            if one != right.answers[image][question]
        }
        assert abs(len(wrong) / total - rate) < 0.06
        assert wrong_before <= wrong
        wrong_before = wrong
        silent = call_witnesses(sightings, "f", rate, 0.0)
        forgotten = sum(one == () for of_image in silent.answers for one in of_image)
        hidden = sum(one == () for of_image in right.answers for one in of_image)
        assert abs((forgotten - hidden) / total - rate) < 0.06
    assert call_witnesses(sightings, "f", 1.0, 0.0).answers[0] == ((),) * len(QUESTIONS)


def test_sentences_are_short_and_know_what_was_told() -> None:
    """A first sentence, and answers in the words of captions."""
    start = {"kind": "older man", "upper": "yes", "upper.kind": "coat", "upper.colour": "orange"}
    assert first_sentence(start) == "An old man in an orange coat."
    told = {**start, "shoes.kind": "boots"}
    assert sentence((("shoes", "yes"), ("shoes.colour", "red")), told) == "Red boots."
    assert sentence((("shoes", "yes"), ("shoes.colour", "red")), start) == "Red shoes."
    checks = (("upper", "yes"), ("upper.pattern", "checked"), ("upper.second", "white"))
    assert "white" in sentence(checks, told)
    assert sentence((("bag", "no"),), told) == "No bag."
    assert not is_said((("hat", "no"),))
    assert not is_said(())


def test_gain_is_the_entropy_of_a_loop() -> None:
    """By hand, image by image: weights by rank, unknown answers count for nothing."""
    rng = np.random.default_rng(0)
    cosines = rng.random((5, 12)).astype(np.float32)
    truths = rng.integers(NOTHING, 3, (12, 4))
    truths[:, 3] = NOTHING
    found = expected_gains(cosines, truths)
    for row in range(5):
        ranks = {
            image: 1 + sum(c > cosines[row, image] for c in cosines[row]) for image in range(12)
        }
        total = sum(1 / rank for rank in ranks.values())
        for question in range(4):
            shares: Counter[int] = Counter()
            for image, rank in ranks.items():
                if truths[image, question] != NOTHING:
                    shares[int(truths[image, question])] += 1 / rank / total
            known = sum(shares.values())
            wanted = -sum(share * math.log(share / known) for share in shares.values())
            assert found[row, question] == pytest.approx(wanted, abs=1e-12)


@pytest.mark.parametrize("policy", POLICIES)
def test_no_question_is_asked_twice(
    policy: str, split: Split, sightings: list[Facts], features: Features
) -> None:
    """Until all are asked; a text only grows, and by what joins it alone."""
    dialogues = begin(call_witnesses(sightings, split.fingerprint, 0.1, 0.1))
    before = list(dialogues.texts)
    for number in range(1, len(QUESTIONS) + 1):
        chosen = POLICIES[policy](dialogues, searcher(features, split))
        dialogues.ask(chosen)
        assert (dialogues.asked.sum(axis=1) == number).all()
        for image, question in enumerate(chosen.tolist()):
            grown = dialogues.texts[image].removeprefix(before[image])
            assert bool(grown) == dialogues.witnesses.joins(image, question)
        before = list(dialogues.texts)


def test_greedy_is_what_trying_every_question_finds(
    split: Split, sightings: list[Facts], features: Features
) -> None:
    """By a full sort of the gallery for every question of every image."""
    asked = searcher(features, split)
    dialogues = begin(call_witnesses(sightings, split.fingerprint, 0.0, 0.1))
    dialogues.ask(POLICIES["random"](dialogues, asked))
    chosen = POLICIES["greedy"](dialogues, asked)
    gallery = torch.nn.functional.normalize(features.images.embedding, dim=1)
    people = split.person_of_image

    def judge(image: int, text: str) -> tuple[int, float]:
        query = torch.nn.functional.normalize(asked.encode([text])[0], dim=0)
        order = torch.argsort(-(gallery @ query), stable=True).numpy()
        ranks = 1 + np.flatnonzero(people[order] == people[image])
        return int(ranks[0]), -float(np.mean(np.arange(1, len(ranks) + 1) / ranks))

    for image in range(0, len(sightings), 3):
        open_ = np.flatnonzero(~dialogues.asked[image])
        tried = {int(q): judge(image, dialogues.text_after(image, int(q))) for q in open_}
        assert tried[int(chosen[image])] == pytest.approx(min(tried.values()), abs=1e-6)


def test_rounds_are_the_same_bits_twice(
    split: Split, sightings: list[Facts], features: Features
) -> None:
    """Asked in any order of rounds and policies, and a start that all share."""
    rounds = [Witness(p, r, 0.1, 0.05) for p in POLICIES for r in range(MOST_ROUNDS + 1)]
    one, other = (interviews(features, split, sightings) for _ in range(2))
    first = {witness: one.score(witness) for witness in rounds}
    for witness in reversed(rounds):
        scores, unchanged = other.score(witness)
        assert unchanged == first[witness][1]
        for name, values in vars(scores).items():
            assert np.array_equal(values, getattr(first[witness][0], name)), name
    starts = {tuple(one.texts(Witness(p, 0, 0.1, 0.05))) for p in POLICIES}
    assert len(starts) == 1


def test_asking_helps_and_greedy_knows_best(
    split: Split, sightings: list[Facts], features: Features
) -> None:
    """R1 after the last round: greedy before the others, all before the first sentence."""
    asked = interviews(features, split, sightings)

    def r1(policy: str, number: int) -> float:
        return float((asked.score(Witness(policy, number, 0.0, 0.0))[0].first_hit == 1).mean())

    last = {policy: r1(policy, MOST_ROUNDS) for policy in POLICIES}
    assert last["greedy"] >= last["gain"] > r1("random", 0)
    assert last["greedy"] > last["random"]


def test_each_caption_stands_for_the_dialogue_of_its_image(
    split: Split, sightings: list[Facts], features: Features
) -> None:
    """Scores are by caption, in the dataset's order."""
    scores, _ = interviews(features, split, sightings).score(Witness("random", 2, 0.0, 0.0))
    assert len(scores.first_hit) == len(split.captions)
    of_image: dict[int, set[int]] = {}
    for image, hit in zip(split.image_of_caption.tolist(), scores.first_hit, strict=True):
        of_image.setdefault(image, set()).add(int(hit))
    assert all(len(hits) == 1 for hits in of_image.values())
    again = take_queries(scores, np.array([3, 0, 3]))
    assert [ranks.tolist() for ranks in again.hit_ranks] == [
        scores.hit_ranks[row].tolist() for row in (3, 0, 3)
    ]


def test_witnesses_are_of_all_images(sightings: list[Facts]) -> None:
    """A row of answers for each, with a start."""
    witnesses: Witnesses = call_witnesses(sightings, "f", 0.1, 0.1)
    assert len(witnesses.starts) == len(witnesses.answers) == len(sightings)
    assert all({"kind", "upper.kind", "upper.colour"} <= start.keys() for start in witnesses.starts)
