"""The witness: somebody who saw one image, and answers questions about the person on it.

The witness knows what the image shows and nothing else: what it hides gets "I don't know", and so
does, at a rate, what it shows. At another rate an answer is wrong: one that fits another image of
the gallery. Both are drawn from the dataset, the image and the question alone, so that every method
and policy meets the same witness; who is wrong at a low rate is wrong at every higher one.

Answers join the text as they are said, "White sneakers.", with what is known of the same thing.
That there is no such thing is said of bags alone, as in the captions of drawn people: any other
such answer, and "I don't know", joins nothing.

Shapes: M images, Q questions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.data.paperdolls.captions.phrases import Phrases
from harness.data.sightings import Facts
from harness.metrics.counting import Integers
from harness.seeding import derive

Answer = tuple[tuple[str, str], ...]  # facts; empty: the witness does not know
UNKNOWN: Answer = ()
Flags = NDArray[np.bool_]
Floats = NDArray[np.float64]
NOTHING = -1  # the code of an answer that joins nothing


@dataclass(frozen=True)
class Question:
    """What is asked of a thing, and which facts an answer says of it."""

    words: str
    thing: str
    parts: tuple[str, ...] = ()


QUESTIONS = (
    Question("How is the hair worn?", "hair", ("hair.kind",)),
    Question("What colour is the hair?", "hair", ("hair.colour",)),
    Question("Is there a beard?", "beard"),
    Question("Are there glasses?", "glasses", ("glasses.kind",)),
    Question("Is there a hat?", "hat", ("hat.kind", "hat.colour")),
    Question("Is there a scarf?", "scarf", ("scarf.kind", "scarf.colour")),
    Question("Is there a pattern on the top?", "upper", ("upper.pattern", "upper.second")),
    Question("What colour is worn under the top?", "upper", ("upper.inner",)),
    Question("What is worn on the legs?", "lower", ("lower.kind", "lower.colour")),
    Question("Which shoes are they?", "shoes", ("shoes.kind",)),
    Question("What colour are the shoes?", "shoes", ("shoes.colour",)),
    Question("Is there a bag?", "bag", ("bag.kind", "bag.colour")),
    Question("Is anything in the hands?", "item", ("item.kind", "item.colour")),
)
STARTS_WITH = ("kind", "upper", "upper.kind", "upper.colour")  # what the first sentence tells
_ABSENCE = {"bag": "no bag"}  # the only absence that captions tell


@dataclass(frozen=True)
class Witnesses:
    """A witness of each image, and what they answer."""

    starts: tuple[Facts, ...]  # M, what each says first
    answers: tuple[tuple[Answer, ...], ...]  # M of Q, as they are said
    truths: Integers  # (M, Q) codes of the right answers; NOTHING where one joins nothing

    def joins(self, image: int, question: int) -> bool:
        """Tell whether an answer joins the text."""
        return is_said(self.answers[image][question])


def call_witnesses(
    sightings: Sequence[Facts], fingerprint: str, unknown: float, wrong: float
) -> Witnesses:
    """Return the witnesses of M images of a dataset, who do not know and err at these rates."""
    truths = [[answer(question, seen) for question in QUESTIONS] for seen in sightings]
    chances = [_chances(fingerprint, image) for image in range(len(truths))]
    codes = np.full((len(truths), len(QUESTIONS)), NOTHING, np.int64)
    said = []
    for number in range(len(QUESTIONS)):
        column = [of_image[number] for of_image in truths]
        numbers = {one: code for code, one in enumerate(sorted({*filter(is_said, column)}))}
        codes[:, number] = [numbers.get(one, NOTHING) for one in column]
        others = sorted(one for one in column if one)  # as often as they fit an image
        said.append(
            [
                _say(right, others, unknown, wrong, of_image[number])
                for right, of_image in zip(column, chances, strict=True)
            ]
        )
    starts = tuple({name: seen[name] for name in STARTS_WITH if name in seen} for seen in sightings)
    return Witnesses(starts, tuple(zip(*said, strict=True)), codes)


def answer(question: Question, seen: Facts) -> Answer:
    """Return the right answer to a question, of what an image shows."""
    thing = question.thing
    if thing not in seen:
        return UNKNOWN
    if seen[thing] == "no":
        return ((thing, "no"),)
    parts = [(part, seen[part]) for part in question.parts if seen.get(part, "none") != "none"]
    return ((thing, "yes"), *parts) if parts or not question.parts else UNKNOWN


def is_said(given: Answer) -> bool:
    """Tell whether an answer joins the text."""
    return bool(given) and (given[0][1] != "no" or given[0][0] in _ABSENCE)


def first_sentence(start: Facts) -> str:
    """Return what a witness says before anything is asked: "A woman in a red top."."""
    phrases = _phrases(start)
    person = phrases.person()
    article = "An" if person[0] in "aeiou" else "A"
    return f"{article} {person} in {phrases.upper()}."


def sentence(given: Answer, told: Mapping[str, str]) -> str:
    """Return an answer as it joins the text, with what was told of the same thing before."""
    thing = given[0][0]
    if dict(given)[thing] == "no":
        return _capital(_ABSENCE[thing])
    before = {name: value for name, value in told.items() if name.split(".")[0] == thing}
    phrases = _phrases({**before, **dict(given)})
    said = {"hair": phrases.hair, "upper": phrases.upper}
    return _capital(said[thing]() if thing in said else phrases.thing(thing))


def _say(
    right: Answer, known: Sequence[Answer], unknown: float, wrong: float, chances: Floats
) -> Answer:
    """Return what a witness says, by three numbers from 0 to 1: whether, whether wrongly, what."""
    forgets, errs, which = chances.tolist()
    if not right or forgets < unknown:
        return UNKNOWN
    others = [one for one in known if one != right] if errs < wrong else []
    return others[int(which * len(others))] if others else right


def _chances(fingerprint: str, image: int) -> Floats:
    """Return three numbers for each question about an image: (Q, 3)."""
    rng = np.random.default_rng(derive(0, "witness", fingerprint, image))
    return rng.random((len(QUESTIONS), 3))


def _phrases(named: Mapping[str, str]) -> Phrases:
    """Return what words facts: by the plainest forms, so that nothing is left to chance."""
    return Phrases(
        named, 0.0, np.random.default_rng(derive(0, "words", repr(sorted(named.items()))))
    )


def _capital(phrase: str) -> str:
    return f"{phrase[0].upper()}{phrase[1:]}."
