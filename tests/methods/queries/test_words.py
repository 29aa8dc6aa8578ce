"""Words that lie: what each transform does to captions of drawn people, and to people's own."""

import json
from collections.abc import Callable, Sequence

import numpy as np
import pytest

from harness.data.auditing.contradictions import find_contradictions, read_traits
from harness.data.paperdolls.build import photographs
from harness.data.paperdolls.captions.reading import OPEN, read
from harness.data.paperdolls.looks import PAPERDOLLS, STREETDOLLS, Sizes
from harness.data.schema import Split
from methods.queries.german import say_in_german
from methods.queries.rewriting import Change, rewrite
from methods.queries.synonyms import say_otherwise
from methods.queries.typos import RATE, SHORTEST, mistype
from methods.queries.word_order import shuffle
from methods.queries.wrong_attribute import say_wrongly

Transform = Callable[[Split, str], list[str]]
ALL: dict[str, Transform] = {
    "wrong-attribute": say_wrongly,
    "synonyms": say_otherwise,
    "typos": mistype,
    "word-order": shuffle,
    "german": say_in_german,
}
BY_PEOPLE = (
    "The man is clad in a navy blue jacket with dark grey trousers and white sneakers.",
    "A lady with long hair wears a bright red coat, light blue jeans and a pair of brown boots.",
    "She has a purse and an umbrella; khaki trousers.",
)
NOTHING = ("He is it.", "", "Wow!")


def split_of(captions: Sequence[str], fingerprint: str = "f") -> Split:
    """Return a split of one image with these captions."""
    rows = np.zeros(len(captions), np.int64)
    one = np.zeros(1, np.int64)
    return Split("test", lambda row: b"", ("i",), tuple(captions), rows, one, None, fingerprint)


@pytest.fixture(scope="module")
def drawn() -> Split:
    """Captions of drawn people in two looks."""
    sizes = Sizes(train=1, val=1, test=12, images=(4, 4), captions=2)
    return split_of(
        [
            caption.text
            for look in (PAPERDOLLS, STREETDOLLS)
            for photo in photographs("test", look.seed, sizes, look)
            for caption in photo.captions
        ]
    )


@pytest.mark.parametrize("name", ALL)
def test_everybody_is_asked_the_same(name: str, drawn: Split) -> None:
    """The data decide alone: twice the same, by another fingerprint something else."""
    captions = ALL[name](drawn, "tiny")
    assert captions == ALL[name](drawn, "paper")
    assert len(captions) == len(drawn.captions)
    other = ALL[name](split_of(drawn.captions, "g"), "tiny")
    assert (captions == other) == (name == "german")  # draws nothing


@pytest.mark.parametrize("name", ALL)
def test_what_has_nothing_to_change_stays(name: str) -> None:
    """A caption may be empty, or name nothing; it is left as it is and never refused."""
    kept = NOTHING if name != "word-order" else NOTHING[1:]
    assert ALL[name](split_of(kept), "tiny") == list(kept)


def test_exactly_one_attribute_of_a_drawn_person_is_wrong(drawn: Split) -> None:
    """Read again, a caption says another value of one fact, and all others as before."""
    for caption, changed in zip(drawn.captions, say_wrongly(drawn, "tiny"), strict=True):
        before, after = read(caption), read(changed)
        assert before is not None
        assert after is not None, changed
        wrong = {
            fact
            for fact, value in before.facts.items()
            if fact in after.facts and after.facts[fact] != value
        }
        assert len(wrong) == 1, (caption, changed)
        assert before.facts.keys() ^ after.facts.keys() == set()
        assert json.dumps(changed) == json.dumps(" ".join(changed.split()))


def test_one_attribute_of_what_people_wrote_is_wrong() -> None:
    """The lexicon finds one contradiction between the caption and what became of it."""
    changed = say_wrongly(split_of(BY_PEOPLE * 8), "tiny")
    for caption, other in zip(BY_PEOPLE * 8, changed, strict=True):
        found = find_contradictions(read_traits(caption), read_traits(other))
        assert caption != other
        assert len(found) <= 1
        assert found or "boots" in caption or "trousers" in caption, (caption, other)


def test_synonyms_say_the_same_of_a_drawn_person(drawn: Split) -> None:
    """Read again, every fact has the value that it had, in another word."""
    for caption, changed in zip(drawn.captions, say_otherwise(drawn, "tiny"), strict=True):
        before, after = read(caption), read(changed)
        assert before is not None
        assert after is not None, changed
        assert caption != changed
        left_open = {one.fact for one in after.mentions if one.value == OPEN}  # pants may be jeans
        assert {fact for fact, _ in before.facts.items() - after.facts.items()} <= left_open


def test_synonyms_of_what_people_wrote_contradict_nothing() -> None:
    """Plurals stay plurals, and what has no other word stays."""
    changed = say_otherwise(split_of(BY_PEOPLE), "tiny")
    for caption, other in zip(BY_PEOPLE, changed, strict=True):
        assert not find_contradictions(read_traits(caption), read_traits(other))
    assert changed[0] == (
        "The man is clad in a navy blue jacket with dark grey pants and white trainers."
    )
    assert changed[2] == "She has a handbag and a brolly; khaki pants."


def test_typos_are_as_many_as_said(drawn: Split) -> None:
    """Words stay as many; of the long ones about as many differ as the rate says, short ones none.

    First and last letters stay.
    """
    long = wrong = 0
    for caption, changed in zip(drawn.captions, mistype(drawn, "tiny"), strict=True):
        words, others = caption.split(), changed.split()
        assert caption != changed
        for word, other in zip(words, others, strict=True):
            letters = max(map(len, word.strip(".,").split("-")))
            assert word == other or letters >= SHORTEST
            assert (word[0], word[-1]) == (other[0], other[-1])
            long += letters >= SHORTEST
            wrong += word != other
    assert abs(wrong / long - RATE) < 0.04


def test_shuffled_sentences_have_the_words_that_they_had(drawn: Split) -> None:
    """Each sentence for itself."""
    for caption, changed in zip(drawn.captions, shuffle(drawn, "tiny"), strict=True):
        pairs = zip(caption.split("."), changed.split("."), strict=True)
        for before, after in pairs:
            kept = before.replace(",", "").lower().split()
            assert sorted(kept) == sorted(after.lower().split())


def test_german_says_what_the_caption_says() -> None:
    """With genders, endings and the order of German; what people wrote stays."""
    captions = (
        "A woman with long blond hair is wearing a red and white striped T-shirt, blue trousers "
        "and white sneakers, carrying a black backpack.",
        "Someone wears a gray jacket over a yellow top. They are carrying no bag.",
        "An old man with a bald head, a beard and sunglasses wears a black hoodie with a red logo.",
        BY_PEOPLE[0],
    )
    assert say_in_german(split_of(captions), "tiny") == [
        "Eine Frau mit langen blonden Haaren trägt ein rot-weiß gestreiftes T-Shirt, eine blaue "
        "Hose und weiße Turnschuhe und hat einen schwarzen Rucksack dabei.",
        "Eine Person trägt eine graue Jacke über einem gelben Oberteil ohne Tasche.",
        "Ein alter Mann mit Glatze, Bart und Sonnenbrille trägt einen schwarzen Kapuzenpulli mit "
        "rotem Logo.",
        BY_PEOPLE[0],
    ]


def test_other_words_take_their_article_and_capital() -> None:
    """From the last change to the first, so that places hold."""
    caption = "A red top and an orange cap. Black shoes."
    changes = [Change(2, 5, "orange"), Change(17, 23, "white"), Change(29, 34, "white")]
    assert rewrite(caption, changes) == "An orange top and a white cap. White shoes."
