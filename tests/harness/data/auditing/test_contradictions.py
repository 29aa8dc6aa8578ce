from __future__ import annotations

from itertools import islice, pairwise

import pytest

from harness.data.auditing.contradictions import (
    CATEGORIES,
    COLOUR,
    LENGTHS,
    MEANT,
    PARTS,
    Trait,
    find_contradictions,
    merge_traits,
    read_traits,
)
from harness.data.paperdolls.captions.writing import describe
from harness.data.paperdolls.drawing.shots import take_shot, visible_facts
from harness.data.paperdolls.looks import CROWDDOLLS, PAPERDOLLS, Look
from harness.data.paperdolls.people.families import people
from harness.data.paperdolls.random_streams import stream

# Part of a trait -> the fact of a drawn person that it is about.
FACTS = {"sex": "kind", "top": "upper", "jacket": "upper", "trousers": "lower"}


def contradictions(wanted: str, *found: str) -> list[str]:
    """Return in what descriptions contradict the first, in words."""
    given = merge_traits(map(read_traits, found))
    return sorted(map(str, find_contradictions(read_traits(wanted), given)))


@pytest.mark.parametrize(
    ("wanted", "found", "words"),
    [
        ("a purple bag", "a blue backpack", ["bag blue, not purple"]),
        ("a man in black trousers", "a woman in black shorts",
         ["shorts, not trousers", "woman, not man"]),
        ("She has long brown hair", "her blond hair is short", ["hair blond, not brown"]),
        ("long hair", "a bald head and a bald hair", ["hair bald, not long"]),
        ("white sneakers", "red boots", ["boots, not sneakers", "shoes red, not white"]),
        ("short pants", "a pair of jeans", ["trousers, not shorts"]),
        ("a white T-shirt", "a plain pink tee", ["top pink, not white"]),
    ],
)  # fmt: skip
def test_what_contradicts_is_said_in_words(wanted: str, found: str, words: list[str]) -> None:
    """The image's value first, then what was asked for; kinds need no name of the part."""
    assert contradictions(wanted, found) == words


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ("a man with a red bag", "a man"),  # left out
        ("a man", "a man with a red bag"),
        ("a navy jacket", "a dark blue jacket"),  # people take one for the other
        ("a gray shoe", "silver sneakers"),
        ("a blue top", "a blue T-shirt"),  # open is no other kind
        ("a black and white shirt", "a red shirt"),  # which of the two is the main colour?
        ("a pink and royal blue striped T-shirt", "a pink shirt"),
        ("a pink coat over a black top", "a pink top"),  # what a coat covers is not seen by all
        ("a red shirt", "a red jacket"),  # one may be worn over the other
        ("shoes are white and her shirt blue", "white shoes"),
        ("a man in red, with a black bag", "a black bag"),
        ("", "a red bag"),
    ],
)
def test_what_is_left_open_contradicts_nothing(wanted: str, found: str) -> None:
    """Nor what may be said of the same thing, in either direction."""
    assert contradictions(wanted, found) == []
    assert contradictions(found, wanted) == []


def test_one_caption_that_agrees_is_enough() -> None:
    """What two people describe in two ways contradicts nothing that one of them said."""
    assert contradictions("a red bag", "a pink bag", "a red bag") == []
    assert contradictions("a red bag", "a pink bag", "a blue bag") == ["bag blue or pink, not red"]


@pytest.mark.parametrize("look", [PAPERDOLLS, CROWDDOLLS], ids=["PaperDolls", "CrowdDolls"])
def test_of_drawn_people_what_is_named_is_true(look: Look) -> None:
    """Of all that is named between two, 95 % or more are facts in which they differ."""
    drawn = []
    for number, person in enumerate(islice(people("test", 0, look.families), 600)):
        random = stream("contradictions", number)
        shot = take_shot(look.cameras[number % len(look.cameras)], look, random)
        caption = describe(person, visible_facts(person, shot), look.wording, random)
        drawn.append((read_traits(caption.text), person.facts()))
    told = []
    for (wanted, asked), (found, shown) in pairwise(drawn):
        told += [
            asked.get(fact_of(one.trait)) != shown.get(fact_of(one.trait))
            for one in find_contradictions(wanted, found)
        ]
    assert len(told) > 500
    assert sum(told) / len(told) >= 0.95


def fact_of(trait: Trait) -> str:
    """Return the name of the fact that a trait is about."""
    part = FACTS.get(trait.part, trait.part)
    if trait.part == "sex":
        return part
    return f"{part}.colour" if trait.aspect == "colour" else f"{part}.kind"


def test_every_word_has_one_place_and_every_part_a_category() -> None:
    """No word names two parts; each trait that can be read is summed up under one category."""
    words = [
        word
        for text in PARTS.values()
        for entry in text.replace("|", " ").split()
        for word in entry.rpartition("=")[2].split(",")
    ]
    assert len(set(words)) == len(words)
    assert set(PARTS) | {"hair"} == set(CATEGORIES)
    assert Trait("top", "colour").category == COLOUR
    assert Trait("bag", "colour").category == "bag"
    assert Trait("hair", "length").category == "hair"
    assert set(LENGTHS) == {"long", "short", "bald"}
    assert all(meant for meant in MEANT.values())
