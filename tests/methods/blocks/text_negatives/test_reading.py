from __future__ import annotations

import pytest

from methods.blocks.phrases import Word, tag
from methods.blocks.text_negatives.reading import Reading, Said, characters, read


def reading_of(caption: str) -> Reading:
    """Read a caption as the lexicon tags it."""
    (words,) = tag([caption], "lexicon")
    return read(words)


def told(caption: str) -> dict[str, list[str]]:
    """Return the names of the things of a caption with what is said of each."""
    reading = reading_of(caption)

    def text(said: Said) -> str:
        return caption[slice(*characters(reading.words, said.span))]

    return {text(one.name): [text(said) for said in one.qualities] for one in reading.things}


@pytest.mark.parametrize(
    ("caption", "expected"),
    [
        (
            "A young man in a red jacket and black jeans.",
            {"man": ["young"], "jacket": ["red"], "jeans": ["black"]},
        ),
        ("A red and white striped shirt.", {"shirt": ["red", "white", "striped"]}),
        ("She has a navy blue tank top.", {"tank top": ["navy blue"]}),
        ("in sky blue track pants", {"track pants": ["sky blue"]}),
        ("in light blue high boots", {"high boots": ["light", "blue"]}),
        ("Her coat is very long and red.", {"coat": ["long", "red"]}),
        ("His shirt is a gift.", {"shirt": []}),
        ("long brown hair in a bun", {"hair": ["long", "brown"], "bun": []}),
        ("a shirt with white stripes", {"shirt": [], "stripes": ["white"]}),
        ("a nice new red hat", {"hat": ["red"]}),
        ("a gift on the table", {}),
        ("carrying no bag, without a hat", {}),
        ("", {}),
    ],
)
def test_things_and_what_is_said_of_them(caption: str, expected: dict[str, list[str]]) -> None:
    """Names are as long as they are known; joined adjectives and predicates belong to them."""
    assert told(caption) == expected


@pytest.mark.parametrize(
    ("caption", "expected"),
    [
        ("A man wears a red hat.", [("wears", "worn")]),
        ("A man wearing red shoes is walking.", [("wearing", "worn"), ("walking", "")]),
        ("He is carrying a bag and pushing a bicycle.", [("carrying", "carried"),
                                                         ("pushing", "wheeled")]),
        ("He is riding a horse.", []),
        ("He is wearing a pair of shoes.", []),
        ("He is seen.", []),
    ],
)  # fmt: skip
def test_actions_and_what_they_are_done_to(caption: str, expected: list[tuple[str, str]]) -> None:
    """A verb with an object that is not known tells nothing that could be changed."""
    reading = reading_of(caption)
    found = [(reading.words[one.span[0]].text, one.meaning.group) for one in reading.actions]
    assert found == expected


def test_a_thing_knows_its_number_and_determiner() -> None:
    """The determiner is the word before all that is said of a thing."""
    reading = reading_of("A man in a red and white hat, her black shoes and jeans.")
    assert [one.number for one in reading.things] == ["one", "one", "many", "many"]
    determiners = [
        None if one.determiner is None else reading.words[one.determiner].text
        for one in reading.things
    ]
    assert determiners == ["A", "a", "her", None]


def test_qualities_are_known_by_the_word_not_by_its_tag() -> None:
    """The perceptron takes "striped" for a participle and "navy" for a noun."""
    caption = "a red and navy striped polo shirt"
    tags, words, start = ["DT", "JJ", "CC", "NN", "VBN", "NN", "NN"], [], 0
    for text, part in zip(caption.split(), tags, strict=True):
        words.append(Word(text, part, start, start + len(text)))
        start += len(text) + 1
    (shirt,) = read(words).things
    assert [words[said.span[0]].text for said in shirt.qualities] == ["red", "navy", "striped"]
    assert characters(words, shirt.name.span) == (caption.index("polo"), len(caption))
    assert shirt.determiner == 0
