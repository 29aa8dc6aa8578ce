from collections import Counter
from itertools import islice

import numpy as np
import pytest

from harness.data.auditing.attributes import QUALITIES, THINGS, count_attributes
from harness.data.paperdolls.captions.writing import Caption, describe
from harness.data.paperdolls.drawing.shots import take_shot, visible_facts
from harness.data.paperdolls.looks import PAPERDOLLS, PRETRAINING, Look
from harness.data.paperdolls.people.families import people
from harness.data.paperdolls.random_streams import stream


@pytest.mark.parametrize(
    ("caption", "count"),
    [
        ("A person is walking down the street.", 0),
        ("a man in a red jacket and red shoes", 5),  # man, jacket, red, shoes, red
        ("The man wears a shirt. The man's shirt is untucked.", 2),  # each once
        ("A DARK-BLUE T-shirt, pants.", 3),  # one shade, one shirt
        ("She has dark hair, and her shoes are black", 4),  # a quality may come last
        ("an elderly lady with two bags", 3),
        ("This male has short hair and is dressed in shorts", 4),  # short is no pair of shorts
        (
            "The woman has long dark hair and is wearing a pink sweater, black pants and white "
            "tennis shoes, carrying a brown purse on her left shoulder.",
            12,
        ),
        (
            "A young man wearing glasses, a black and white plaid shirt, a pair of light blue "
            "jeans, and grey sneakers. He is carrying a backpack over his shoulders.",
            12,
        ),
        (
            "The girl is wearing a sleeveless white dress with a floral print and sandals while "
            "she pushes a bicycle.",
            8,
        ),
    ],
)
def test_attributes_are_counted_as_a_reader_would(caption: str, count: int) -> None:
    """Things once each, and what is said of each of them."""
    assert count_attributes(caption) == count


def test_a_hundred_ways_to_space_and_spell_are_one() -> None:
    """Capitals, line breaks and synonyms change nothing; a plural is its singular."""
    assert count_attributes("Grey\n TROUSERS") == count_attributes("gray trouser") == 2
    assert count_attributes("a coat over a coat") == count_attributes("coats") == 1
    assert count_attributes("a gray coat, grey coat") == 2


def test_no_word_has_two_meanings() -> None:
    """A word stands once in the lexicon, or the later entry would win in silence."""
    groups = [*THINGS.values(), *QUALITIES.values()]
    times = Counter(word for text in groups for entry in text.split() for word in entry.split("/"))
    assert [word for word, count in times.items() if count > 1] == []


@pytest.mark.parametrize("look", [PAPERDOLLS, PRETRAINING], ids=["PaperDolls", "pretraining"])
def test_the_count_follows_what_drawn_people_are_said_to_be(look: Look) -> None:
    """Where the facts behind a caption are known, the count is nearly their number."""
    captions = drawn_captions(look, 300)
    told = np.array([len(caption.facts.keys() - bare(caption)) for caption in captions])
    counted = np.array([count_attributes(caption.text) for caption in captions])
    assert np.corrcoef(told, counted)[0, 1] > 0.9
    assert np.mean(np.abs(told - counted)) < 1.2


def bare(caption: Caption) -> set[str]:
    """Return the facts that another one implies: that there is a hat, where its kind is told."""
    implied = {name for name in caption.facts if f"{name}.kind" in caption.facts}
    return implied | ({"kind"} if caption.facts.get("kind") == "person" else set())


def drawn_captions(look: Look, count: int) -> list[Caption]:
    """Return captions of people who are not drawn, one each."""
    captions = []
    for number, person in enumerate(islice(people("test", 0, look.families), count)):
        random = stream("attributes", number)
        shot = take_shot(look.cameras[number % len(look.cameras)], look, random)
        captions.append(describe(person, visible_facts(person, shot), look.wording, random))
    return captions
