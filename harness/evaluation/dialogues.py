"""Rounds of questions: which are asked next, and what the run finds after each.

A query starts with one sentence of its witness. In every round a policy asks one question that was
not asked before, and the answer joins the text. Policies see no more than is said here:

- `random` asks in an order that the dataset draws for the image.
- `gain` asks where it expects most of an answer that joins the text: the entropy of the answers
  that images of the gallery would give, each weighted by one over its rank in the run's own ranking
  by embeddings, so that no method's scale of scores counts. It takes the gallery for annotated, as
  a search engine with an index of attributes has it; it knows neither which image is sought nor
  what the witness will say, and reckons with no errors.
- `greedy` knows each answer beforehand, errors too, and which images are right: it asks what leads
  to the best rank of the first right image by embeddings, then to the best average precision. No
  real policy knows as much: it stands as the upper bound of asking one question at a time.

Images are asked about, not captions: each caption of an image stands for the same dialogue.

Shapes: M images, N captions, Q questions, V distinct answers, D the width of an embedding.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from harness import metrics
from harness.data.schema import Split
from harness.data.sightings import Facts
from harness.evaluation.encode import Features, encode_texts, with_captions
from harness.evaluation.score import score_text_to_image
from harness.evaluation.witness import (
    NOTHING,
    QUESTIONS,
    Answer,
    Flags,
    Witnesses,
    call_witnesses,
    first_sentence,
    sentence,
)
from harness.method import Encoded, Method
from harness.metrics.counting import Integers
from harness.metrics.neighbours import cosine_chunks, unit_features
from harness.results.protocols import GAIN, GREEDY, RANDOM, Witness
from harness.seeding import derive

Doubles = NDArray[np.float64]
Encode = Callable[[Sequence[str]], Tensor]


@dataclass
class Dialogues:
    """Where the dialogues about M images stand."""

    witnesses: Witnesses
    told: list[dict[str, str]]  # M
    texts: list[str]  # M
    asked: Flags  # (M, Q)

    def text_after(self, image: int, question: int) -> str:
        """Return the text of an image once a question is answered."""
        given = self.witnesses.answers[image][question]
        if not self.witnesses.joins(image, question):
            return self.texts[image]
        return f"{self.texts[image]} {sentence(given, self.told[image])}"

    def ask(self, questions: Integers) -> None:
        """Ask a question about each image: (M,)."""
        for image, question in enumerate(questions.tolist()):
            given: Answer = self.witnesses.answers[image][question]
            self.texts[image] = self.text_after(image, question)
            self.told[image].update(given)
            self.asked[image, question] = True


def begin(witnesses: Witnesses) -> Dialogues:
    """Return dialogues of which the first sentence was said."""
    return Dialogues(
        witnesses,
        [dict(start) for start in witnesses.starts],
        [first_sentence(start) for start in witnesses.starts],
        np.zeros((len(witnesses.starts), len(QUESTIONS)), np.bool_),
    )


@dataclass(frozen=True)
class Searcher:
    """What policies may see of a run: it ranks a gallery by embeddings."""

    encode: Encode
    gallery: Tensor  # (M, D)
    people: Integers  # (M,)
    fingerprint: str


Policy = Callable[[Dialogues, Searcher], Integers]  # -> (M,) the questions that are asked next


def ask_at_random(dialogues: Dialogues, searcher: Searcher) -> Integers:
    """Return the first question of each image's order that was not asked."""
    chosen = np.empty(len(dialogues.texts), np.int64)
    for image, asked in enumerate(dialogues.asked):
        rng = np.random.default_rng(derive(0, "witness", "order", searcher.fingerprint, image))
        chosen[image] = next(number for number in rng.permutation(len(asked)) if not asked[number])
    return chosen


def ask_for_gain(dialogues: Dialogues, searcher: Searcher) -> Integers:
    """Return the question of which most is expected; of equal ones the first."""
    embeddings = searcher.encode(dialogues.texts)
    units = unit_features(embeddings, searcher.gallery)
    chunks = cosine_chunks(units.queries, units.gallery, lambda start, block: None)
    gains = np.concatenate([expected_gains(chunk, dialogues.witnesses.truths) for chunk in chunks])
    gains[dialogues.asked] = -1.0
    chosen: Integers = np.argmax(gains, axis=1)
    return chosen


def expected_gains(cosines: NDArray[np.float32], truths: Integers) -> Doubles:
    """Return what questions are expected to tell, in nats: (c, M), (M, Q) -> (c, Q).

    With p(v) the weight of the images whose answer is v, and p that of all whose answer joins the
    text, it is -sum p(v) log(p(v) / p): the chance that an answer is had, times its entropy.
    """
    order = np.argsort(-cosines, axis=1, kind="stable")
    weights = np.empty(cosines.shape)
    np.put_along_axis(weights, order, 1.0 / np.arange(1, 1 + cosines.shape[1])[None], axis=1)
    weights /= weights.sum(axis=1, keepdims=True)
    gains = np.zeros((len(cosines), truths.shape[1]))
    for question, codes in enumerate(truths.T):
        values = np.arange(1 + codes.max(initial=NOTHING))
        answers = weights @ (codes[:, None] == values).astype(np.float64)  # (c, V)
        known = answers.sum(axis=1, keepdims=True)
        shares = np.divide(answers, known, out=np.ones_like(answers), where=answers > 0)
        gains[:, question] = -(answers * np.log(shares)).sum(axis=1)
    return gains


def ask_knowing_answers(dialogues: Dialogues, searcher: Searcher) -> Integers:
    """Return the question after whose answer the first right image ranks best."""
    images = range(len(dialogues.texts))
    best = np.full((2, len(images)), np.inf)  # rank of the first match, less average precision
    chosen: Integers = np.argmin(dialogues.asked, axis=1)  # the first that was not asked
    stays = _judge(searcher, dialogues.texts, np.arange(len(images)))
    for question in range(len(QUESTIONS)):
        open_ = np.flatnonzero(~dialogues.asked[:, question])
        found = stays[:, open_]
        answers = [dialogues.witnesses.joins(image, question) for image in open_.tolist()]
        joins = np.array(answers, np.bool_)
        if joins.any():
            texts = [dialogues.text_after(image, question) for image in open_[joins].tolist()]
            found[:, joins] = _judge(searcher, texts, open_[joins])
        held = best[:, open_]
        better = (found[0] < held[0]) | ((found[0] == held[0]) & (found[1] < held[1]))
        best[:, open_[better]] = found[:, better]
        chosen[open_[better]] = question
    return chosen


def _judge(searcher: Searcher, texts: Sequence[str], images: Integers) -> Doubles:
    """Return what texts about images find: (2, of them), less is better."""
    people = searcher.people
    asked = searcher.encode(texts), searcher.gallery, people[images], people
    scores = metrics.score_queries(*asked)
    return np.stack([scores.first_hit.astype(np.float64), -scores.average_precision])


POLICIES: Mapping[str, Policy] = {
    RANDOM: ask_at_random,
    GAIN: ask_for_gain,
    GREEDY: ask_knowing_answers,
}


@dataclass
class Interviews:
    """All dialogues with the witnesses of a split that a run is asked by; each is led once."""

    method: Method
    features: Features
    split: Split
    sightings: Sequence[Facts]
    candidates: int
    device: torch.device
    _texts: dict[Witness, list[str]] = field(default_factory=dict)  # M, after a round
    _led: dict[Witness, Dialogues] = field(default_factory=dict)  # by their witness in round 0

    def texts(self, witness: Witness) -> list[str]:
        """Return what was said about each image up to the end of a round: M texts."""
        if witness.plain not in self._texts:
            self._lead(witness.plain)
        return self._texts[witness.plain]

    def score(self, witness: Witness) -> tuple[metrics.QueryScores, int]:
        """Score captions (N) as the texts of their images after a round, re-scored as ranked.

        Returns the number of queries that nothing joined in the round, too.
        """
        texts, rows = self.texts(witness), self.split.image_of_caption
        by_image = replace(
            self.split, captions=tuple(texts), image_of_caption=np.arange(len(texts))
        )
        features = with_captions(self.features, self.method, texts, self.device)
        scores = score_text_to_image(self.method, features, by_image, self.candidates)
        kept = np.zeros(len(texts), np.bool_)
        if witness.round:
            before = self.texts(replace(witness, round=witness.round - 1))
            kept = np.array([one == other for one, other in zip(texts, before, strict=True)])
        return take_queries(scores, rows), int(kept[rows].sum())

    def _lead(self, witness: Witness) -> None:
        """Lead the dialogues of a policy with witnesses of some rates up to a round."""
        start = replace(witness, round=0)
        dialogues = self._led.get(start)
        if dialogues is None:
            fingerprint = self.split.fingerprint
            rates = witness.unknown, witness.wrong
            dialogues = begin(call_witnesses(self.sightings, fingerprint, *rates))
            self._led[start] = dialogues
            self._texts[start.plain] = list(dialogues.texts)
        for number in range(1, witness.round + 1):
            after = replace(witness, round=number)
            if after not in self._texts:
                dialogues.ask(POLICIES[witness.policy](dialogues, self._searcher))
                self._texts[after] = list(dialogues.texts)

    @property
    def _searcher(self) -> Searcher:
        def encode(texts: Sequence[str]) -> Tensor:
            with torch.no_grad():
                return encode_texts(self.method, texts, self.device).embedding

        images: Encoded = self.features.images
        people = self.split.person_of_image
        return Searcher(encode, images.embedding, people, self.split.fingerprint)


def take_queries(scores: metrics.QueryScores, rows: Integers) -> metrics.QueryScores:
    """Return what some queries scored, in their order; one may be taken again."""
    ranks = scores.hit_ranks
    values = [ranks[row] for row in rows.tolist()]
    return metrics.QueryScores(
        first_hit=scores.first_hit[rows],
        average_precision=scores.average_precision[rows],
        inverse_negative_penalty=scores.inverse_negative_penalty[rows],
        hit_values=np.concatenate(values),
        hit_offsets=np.concatenate([[0], np.cumsum([len(one) for one in values])]),
        tied=scores.tied[rows],
        top_rows=scores.top_rows[rows],
        top_scores=scores.top_scores[rows],
    )
