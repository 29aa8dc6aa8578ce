from __future__ import annotations

from collections import Counter

import pytest

from harness.data.paperdolls.captions import words as drawn
from methods.blocks.text_negatives.kinds import (
    ACTIONS,
    PLURALS,
    QUALITIES,
    SHADED,
    THINGS,
    UNCOUNTED,
)
from methods.blocks.text_negatives.meanings import (
    Meaning,
    action,
    alternatives,
    is_quality,
    number,
    quality,
    spelled,
    stem,
    thing,
)


def named(text: str) -> Meaning:
    """Return what is known of a name."""
    found = thing(text.split())
    assert found is not None, text
    return found


@pytest.mark.parametrize(
    "same",
    [
        "jeans pants trousers", "JEANS denims", "backpack rucksack knapsack", "bag backpack",
        "bag suitcase", "shoe shoes sneakers trainers", "shoes boots", "hat cap", "hat beanie",
        "glasses sunglasses", "coat jacket", "man guy gentleman", "hair ponytail", "top t-shirt",
        "phone cellphone smartphone", "umbrella brolly", "leggings tights pants", "scarf shawl",
    ],
)  # fmt: skip
def test_names_of_one_thing_agree(same: str) -> None:
    """Jeans are trousers, and a backpack is a bag, however they are written."""
    first, *others = map(named, same.split())
    assert all(first.agrees(other) and other.agrees(first) for other in others)


@pytest.mark.parametrize(
    "different",
    [
        "jeans shorts skirt", "pants skirt", "backpack handbag", "sneakers boots sandals",
        "cap beanie", "man woman", "boy girl", "ponytail bun", "jacket t-shirt", "dress shirt",
        "sweater shirt", "phone book umbrella cup bottle", "shirt skirt", "scarf tie",
    ],
)  # fmt: skip
def test_names_of_different_things_do_not(different: str) -> None:
    """Who has the one has not the other there."""
    found = list(map(named, different.split()))
    assert not any(a.agrees(b) for n, a in enumerate(found) for b in found[:n])


@pytest.mark.parametrize(
    ("group", "one", "other", "agree"),
    [
        ("worn", "gray", "grey", True),
        ("worn", "navy", "blue", True),
        ("worn", "maroon", "red", True),
        ("worn", "red", "blue", False),
        ("worn", "striped", "checked", False),
        ("worn", "striped", "banded", True),
        ("hair", "blond", "golden", True),
        ("hair", "blond", "black", False),
        ("hair", "long", "waist-length", True),
        ("hair", "long", "short", False),
        ("person", "old", "elderly", True),
        ("person", "old", "young", False),
        ("worn", "black", "striped", False),
        ("worn", "dark", "black", False),
    ],
)
def test_qualities_agree_within_their_kind(group: str, one: str, other: str, agree: bool) -> None:
    """Navy is a blue; a pattern says nothing of a colour."""
    first, second = quality(one, group), quality(other, group)
    assert first is not None
    assert second is not None
    assert first.agrees(second) is agree


def test_a_word_is_known_of_what_it_is_said_of_alone() -> None:
    """There is blond hair and no blond coat; a person is short by stature, a skirt by length."""
    assert quality("blond", "worn") is None
    assert quality("navy", "hair") is None
    assert {quality("short", group).kind for group in ("worn", "person")} == {"length", "stature"}  # type: ignore[union-attr]  # both are known
    assert quality("nice", "worn") is None
    assert is_quality("Striped")
    assert not is_quality("walking")


def test_an_action_is_known_by_what_it_is_done_to() -> None:
    """To carry clothes is not to wear them; to carry a suitcase may be to pull it."""
    wears, carries = action("wearing", "worn"), action("carrying", "worn")
    assert wears is not None
    assert carries is not None
    assert not wears.agrees(carries)
    pulls, holds = action("pulling", "carried"), action("holding", "carried")
    assert pulls is not None
    assert holds is not None
    assert pulls.agrees(holds)
    assert action("wearing", "carried") is None
    assert action("walking", "") is not None
    assert action("walking", "worn") is None


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("shoes", "many"), ("Men", "many"), ("dress", "one"), ("coat", "one"), ("hair", "much"),
        ("glasses", "many"), ("Footwear", "much"), ("shoe", "one"),
    ],
)  # fmt: skip
def test_nouns_are_counted(word: str, expected: str) -> None:
    """One, many, or what is not counted at all."""
    assert number(word) == expected


def test_every_name_has_one_place() -> None:
    """A name in two kinds would have the meaning of the later one alone."""
    places = {
        (stem(word), group, kind)
        for group, kinds in THINGS.items()
        for kind, meanings in kinds.items()
        for word in " ".join(meanings).split()
    }
    twice = [word for word, count in Counter(word for word, *_ in places).items() if count > 1]
    assert twice == []


def test_every_quality_has_one_kind_of_a_group() -> None:
    """So that what a word says of a thing is one thing; and so have the forms of verbs."""
    for table in (QUALITIES, ACTIONS):
        said = Counter(
            (spelled(word), group)
            for groups, meanings in table.values()
            for word in set(" ".join(meanings).split())
            for group in groups
        )
        assert [one for one, count in said.items() if count > 1] == []
    assert all(word == spelled(word) for word in SHADED | UNCOUNTED | PLURALS)
    assert {group for one in QUALITIES.values() for group in one.of} <= THINGS.keys()


def test_vague_names_agree_with_all_of_their_kind() -> None:
    """Shoes may be any, so nothing that is worn on the feet contradicts them."""
    for name in ("shoes", "footwear", "bag", "hair"):
        meaning = named(name)
        assert meaning.senses == alternatives(meaning.kind)
    assert named("boots").senses < alternatives("feet")
    assert alternatives("curl") == {0, 1}


@pytest.mark.parametrize(
    ("table", "group"),
    [
        (drawn.COLOURS, "worn"), (drawn.HAIR_COLOURS, "hair"), (drawn.PATTERNS, "worn"),
        (drawn.UPPERS, ""), (drawn.LOWERS, ""), (drawn.SHOES, ""), (drawn.BAGS, ""),
        (drawn.HATS, ""), (drawn.ITEMS, ""), (drawn.GLASSES, ""), (drawn.SCARVES, ""),
        (drawn.KINDS, ""),
    ],
)  # fmt: skip
def test_what_drawn_captions_say_of_one_thing_agrees(
    table: dict[str, drawn.Forms], group: str
) -> None:
    """Of the forms that PaperDolls has for one value, none contradicts another."""
    for forms in table.values():
        texts = [form.split() for form in (*forms.common, *forms.rare)]
        known = [quality(text[-1], group) if group else thing(text) for text in texts]
        found = [one for one in known if one is not None]
        assert all(one.agrees(other) for one in found for other in found)
