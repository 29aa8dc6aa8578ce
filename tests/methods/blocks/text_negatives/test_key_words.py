from __future__ import annotations

import pytest

from methods.blocks.phrases import tag
from methods.blocks.text_negatives.changes import changed
from methods.blocks.text_negatives.key_words import KeyWord, KeyWords, key_words
from methods.blocks.text_negatives.reading import read


def keys_of(caption: str) -> KeyWords:
    """Return the key words of a caption."""
    (words,) = tag([caption], "lexicon")
    return key_words(caption, read(words))


def key(caption: str, text: str) -> KeyWord:
    """Return the key word with a text."""
    keys = keys_of(caption)
    (found,) = [one for one in keys.nouns + keys.adjectives + keys.verbs if one.text == text]
    return found


@pytest.mark.parametrize(
    ("caption", "text", "accepted", "refused"),
    [
        ("in black jeans", "jeans", "shorts", "pants trousers denims skirt shoes hat red wears x"),
        ("in a black skirt", "skirt", "", "jeans shorts dress miniskirt"),
        ("a blue backpack", "backpack", "handbag suitcase", "rucksack bag bags bottle hat"),
        ("a red coat over a shirt", "coat", "vest dress hoodie", "jacket shirt sweaters"),
        ("a tank top", "tank top", "jacket hoodie", "top singlet shirts shoes"),
        ("long hair", "hair", "", "ponytail bun beard"),
        ("a man", "man", "woman", "guy boy men women"),
        ("a red hat", "red", "blue", "maroon crimson striped long blond hat wears"),
        ("a red and white hat", "red", "blue", "white ivory"),
        ("a light blue hat", "blue", "green gray", "navy black beige teal"),
        ("a light blue hat", "light", "dark", "pale long"),
        ("a navy blue hat", "navy blue", "red black", "blue indigo"),
        ("blond hair", "blond", "black red", "golden navy"),
        ("long hair", "long", "short", "flowing tall tight"),
        ("a tall man", "tall", "short", "long"),
        ("a man walking down", "walking", "running sitting", "strolling passing wearing"),
        ("wearing a red hat", "wearing", "carrying holding", "sporting pulling walking"),
        ("pushing a bicycle", "pushing", "pulling carrying", "wearing walking"),
    ],
)
def test_a_substitute_is_of_the_kind_and_contradicts(
    caption: str, text: str, accepted: str, refused: str
) -> None:
    """It is of the same kind, as many, and neither the same nor what is said beside it."""
    found = key(caption, text)
    assert [word for word in accepted.split() if not found.accepts(word)] == []
    assert [word for word in refused.split() if found.accepts(word)] == []


def test_a_shade_of_what_has_none_is_no_key_word() -> None:
    """There is bright white and no dark white; dark hair may well be light."""
    assert [one.text for one in keys_of("bright white shoes").adjectives] == ["white"]
    assert [one.text for one in keys_of("dark shoes").adjectives] == ["dark"]
    assert [one.text for one in keys_of("dark blue shoes").adjectives] == ["dark", "blue"]


def test_vague_words_are_told() -> None:
    """Nothing on the feet contradicts shoes, but what is said beside a word may be what is left."""
    assert key("black shoes", "shoes").is_vague
    assert not key("black boots", "boots").is_vague
    assert key("a man and a woman", "man").is_vague


def test_substitutes_share_kind_and_form() -> None:
    """Colours of hair are no colours of clothes, and "wears" does not become "carrying"."""
    pools = {
        text: key("A man wears a red hat. He has red hair, carrying black shoes.", text).pool
        for text in ("wears", "carrying", "black")
    }
    assert pools == {
        "wears": ("wearing", "worn", "VBZ"),
        "carrying": ("wearing", "worn", "VBG"),
        "black": ("colour", "worn", ""),
    }


def test_a_replacement_is_told() -> None:
    """The words and what takes their place, wherever they stand."""
    caption = "She has a navy blue tank top."
    change = key(caption, "tank top").replaced_by("jacket")
    assert change.told == "tank top -> jacket"
    assert changed(caption, change.edits) == "She has a navy blue jacket."
