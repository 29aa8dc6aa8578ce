"""Writes captions: which of the visible attributes are named, and in which sentence."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from functools import cache
from string import Formatter

from numpy.random import Generator

from ..looks import Wording
from ..people.attributes import Person
from ..random_streams import pick
from .grammar import GRAMMARS, OPTIONAL_SLOTS
from .phrases import Phrases, listed

# In the order of telling.
_LOOKS = ("hair", "beard", "glasses")
_CLOTHES = ("upper", "lower", "shoes", "hat", "scarf")
_BELONGINGS = ("bag", "item")
_ATTRIBUTES = ("kind", *_LOOKS, *_CLOTHES, *_BELONGINGS)

# Parts without which nothing can be said of an attribute, and what a long caption may leave out.
_INDISPENSABLE = frozenset({"lower.kind", "item.kind", "scarf.kind"})
_DISPENSABLE = frozenset({*_LOOKS, *_BELONGINGS, "shoes", "hat", "scarf", "upper.inner"})
_ATTEMPTS = 40

_PRONOUNS = {"man": "he", "boy": "he", "older man": "he"} | {
    "woman": "she", "girl": "she", "older woman": "she",
}  # fmt: skip


@dataclass(frozen=True)
class Caption:
    """A text, and what it says of the person: names of facts -> their values."""

    text: str
    facts: Mapping[str, str]


def describe(
    person: Person, visible: AbstractSet[str], wording: Wording, rng: Generator
) -> Caption:
    """Return a caption of an image that shows the facts `visible` of the person."""
    facts = person.facts()
    named = _choose(facts, visible, wording, rng)
    fewest, most = wording.words
    scenery = wording.scenery
    for _ in range(_ATTEMPTS):
        told = {name: facts[name] for name in sorted(named)}
        text = _write(told, wording, scenery, rng)
        if fewest <= len(text.split()) <= most:
            break
        if len(text.split()) > most:
            named = _shortened(named, rng)
        else:
            scenery = 1.0
            named = named | _choose(facts, visible, wording, rng)
    return Caption(text, told)


def describe_differently(
    count: int, person: Person, visible: AbstractSet[str], wording: Wording, rng: Generator
) -> list[Caption]:
    """Return that many captions of one image, no two with the same text."""
    captions: dict[str, Caption] = {}
    while len(captions) < count:
        caption = describe(person, visible, wording, rng)
        captions.setdefault(caption.text, caption)
    return list(captions.values())


def _choose(
    facts: Mapping[str, str], visible: AbstractSet[str], wording: Wording, rng: Generator
) -> frozenset[str]:
    """Return the names of the facts to tell."""

    def is_told(name: str) -> bool:
        seen = name in visible or rng.random() < wording.hidden
        plain = name == "upper.pattern" and facts[name] == "plain"
        return seen and rng.random() < wording.named.get("upper.plain" if plain else name, 1.0)

    named: set[str] = set()
    for attribute in _ATTRIBUTES:
        if facts.get(attribute) == "no":
            absent = attribute == "bag" and rng.random() < wording.absence
            named |= {"bag"} if absent else set()
        elif is_told(attribute) or attribute == "upper":
            parts = {part for part in _parts(attribute, facts) if is_told(part)}
            named |= {attribute} | _sensible(attribute, parts, facts)
    return frozenset(named)


def _parts(attribute: str, facts: Mapping[str, str]) -> list[str]:
    return [name for name in facts if name.startswith(f"{attribute}.") and facts[name] != "none"]


def _sensible(attribute: str, parts: set[str], facts: Mapping[str, str]) -> set[str]:
    """Return the parts with those that must be added, without those that cannot stand alone."""
    if facts.get("upper.pattern") == "plain" and "upper.colour" not in parts:
        parts = parts - {"upper.pattern"}
    if "upper.pattern" not in parts:
        parts = parts - {"upper.second"}
    required = {f"{attribute}.kind"} & _INDISPENSABLE
    if attribute == "upper" and facts["upper.kind"] == "dress":
        required = {"upper.kind"}
    if attribute == "hair" and not parts:
        required = {"hair.kind"}
    return parts | required


def _shortened(named: frozenset[str], rng: Generator) -> frozenset[str]:
    """Return what is named less one thing."""
    options = sorted(named & _DISPENSABLE)
    if not options:
        return named - {"upper.pattern", "upper.second"}
    dropped = pick(rng, options)
    return frozenset(name for name in named if name.split(".")[0] != dropped and name != dropped)


def _write(told: Mapping[str, str], wording: Wording, scenery: float, rng: Generator) -> str:
    """Return a text of one or more sentences that tells the facts."""
    slots = _slots(told, wording, scenery, rng)
    templates = GRAMMARS[wording.sentences].templates
    usable = [
        template
        for template in templates
        if all(slots[slot] or slot in OPTIONAL_SLOTS for slot in _slots_of(template))
        and all(slot in _content_of(template) for slot in ("looks", "belongings") if slots[slot])
    ]
    text = pick(rng, usable).format_map(slots)
    sentences = text.removesuffix(".").split(". ")
    return ". ".join(sentence[0].upper() + sentence[1:] for sentence in sentences) + "."


def _slots(
    told: Mapping[str, str], wording: Wording, scenery: float, rng: Generator
) -> dict[str, str]:
    phrases = Phrases(told, wording.rare, rng, wording.vague)
    person = phrases.person()
    pronoun = _PRONOUNS.get(told.get("kind", ""), "they")
    looks = listed([_look(phrases, attribute) for attribute in _LOOKS if attribute in told])
    belongings = _belongings(phrases, wording)
    doing = GRAMMARS[wording.sentences].doing
    pronoun_is = "they are" if pronoun == "they" else f"{pronoun} is"
    pronoun_has = "they have" if pronoun == "they" else f"{pronoun} has"
    article = "an" if person[0] in "aeiou" else "a"
    return {
        "a_person": person if person == "someone" else f"{article} {person}",
        "the_person": person if person == "someone" else f"the {person}",
        "pronoun_is": pronoun_is,
        "clothes": _clothes(phrases, wording),
        "looks": looks,
        "belongings": belongings,
        "with_looks": looks and f" with {looks}",
        "with_belongings": belongings and f", {belongings}",
        "has_looks": looks and f" {pronoun_has} {looks}.",
        "has_belongings": belongings and f" {pronoun_is} {belongings}.",
        "doing": pick(rng, doing) if doing and rng.random() < scenery else "",
    }


def _look(phrases: Phrases, attribute: str) -> str:
    return phrases.hair() if attribute == "hair" else phrases.thing(attribute)


def _clothes(phrases: Phrases, wording: Wording) -> str:
    worn = [attribute for attribute in _CLOTHES if attribute in phrases.named]
    if phrases.rng.random() < wording.shuffled:
        worn = [worn[place] for place in phrases.rng.permutation(len(worn))]
    return listed([phrases.upper() if name == "upper" else phrases.thing(name) for name in worn])


def _belongings(phrases: Phrases, wording: Wording) -> str:
    grammar = GRAMMARS[wording.sentences]
    told = []
    for attribute in _BELONGINGS:
        if phrases.named.get(attribute) == "no":
            told.append("carrying no bag")
        elif attribute in phrases.named:
            kind = phrases.named.get(f"{attribute}.kind", "")
            verb = pick(phrases.rng, grammar.verbs.get(kind, grammar.carrying))
            told.append(f"{verb} {phrases.thing(attribute)}")
    return listed(told)


@cache
def _slots_of(template: str) -> frozenset[str]:
    return frozenset(slot for _, slot, _, _ in Formatter().parse(template) if slot)


@cache
def _content_of(template: str) -> frozenset[str]:
    """Return what a template tells, whichever form of a slot it has."""
    return frozenset(slot.split("_")[-1] for slot in _slots_of(template))
