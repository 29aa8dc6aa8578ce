"""Tells of a text whether it is untrue of a drawn person, a sentence, and about what can be seen.

It knows who was drawn and how PaperDolls puts things into words, and nothing of how negatives are
made. What is doubtful counts as true: a T-shirt is a shirt, maroon a red, curly hair may be long.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cache
from typing import NamedTuple

from harness.data.paperdolls.captions import words as drawn
from harness.data.paperdolls.people.attributes import Person

NOUNS = {
    "kind": drawn.KINDS, "upper": drawn.UPPERS, "lower": drawn.LOWERS, "shoes": drawn.SHOES,
    "hat": drawn.HATS, "scarf": drawn.SCARVES, "glasses": drawn.GLASSES, "beard": drawn.BEARDS,
    "bag": drawn.BAGS, "item": drawn.ITEMS, "gathered": drawn.HAIR,
}  # fmt: skip
ADJECTIVES = {
    "colour": drawn.COLOURS, "hair colour": drawn.HAIR_COLOURS, "pattern": drawn.PATTERNS,
    "cut": drawn.HAIR,
}  # fmt: skip
MARKS = {"stripes": "striped", "checks": "checked", "dots": "dotted", "spots": "dotted"}
# What a word is true of beside what PaperDolls says with it.
ALSO = {
    "man": "older man, boy", "guy": "older man, boy", "gentleman": "older man",
    "woman": "older woman, girl", "lady": "older woman, girl", "young boy": "boy",
    "T-shirt": "shirt", "shirt": "T-shirt", "coat": "jacket", "jacket": "coat, hoodie",
    "sweater": "hoodie", "jumper": "hoodie", "pullover": "hoodie", "hoodie": "sweater",
    "vest": "tank top", "trousers": "jeans, track pants", "slacks": "jeans, track pants",
    "pants": "jeans, track pants, leggings", "jeans": "trousers", "denims": "trousers",
    "sweatpants": "trousers", "joggers": "trousers", "track pants": "trousers",
    "skirt": "long skirt", "tights": "leggings", "glasses": "sunglasses",
    "spectacles": "sunglasses", "handbag": "shoulder bag", "purse": "shoulder bag",
    "tote": "handbag",
    "shoulder bag": "handbag", "blue": "light blue, navy, turquoise", "red": "maroon",
    "green": "olive, turquoise", "brown": "maroon", "purple": "maroon", "tan": "brown",
    "cream": "white", "golden": "yellow", "yellow": "blond", "silver": "white", "orange": "red",
    "ginger": "brown", "long": "curly, ponytail, bun", "medium-length": "curly, ponytail, bun",
    "short": "curly", "curly": "long, short, medium",
}  # fmt: skip
OTHER = {  # words that PaperDolls does not choose for what they say, and what fillers say
    "determiner": "a an the no her his their",
    "shade": "dark light bright pale",
    "age": "young old elderly senior little middle-aged",
    "length": "sleeveless long-sleeved knee-length",
    "transitive": """wearing wears carrying carries holding holds clutching clasping sporting
        pulling wheeling dragging pushing checking has have""",
    "intransitive": """walking walks strolling passing passes dressed seen looking standing stands
        running sitting riding""",
    "copula": "is are",
    "preposition": "in with over at by down past along on out about",
    "place": "street move",
    "other": "there mid-stride and , .",
    "pronoun": "he she they someone",
}
WORN = ("upper", "lower", "shoes", "hat", "scarf", "glasses")
HANDLES = {"pulling", "wheeling", "dragging", "pushing"}
HOLDS = {"carrying", "carries", "holding", "holds", "clutching", "clasping"}
WEARS = {"wearing", "wears", "sporting"}
FALSE_POSTURES = {"standing", "stands", "running", "sitting", "riding"}
UNCOUNTED = {"hair", "eyewear", "footwear"}


class Token(NamedTuple):
    """A word of a text, or a few that PaperDolls uses as one, with all that it can be."""

    text: str
    can_be: Mapping[str, frozenset[str]]  # class or attribute -> of which values it is true

    @property
    def is_noun(self) -> bool:
        return bool({*NOUNS, "hair", "head", "mark"} & self.can_be.keys())

    @property
    def is_adjective(self) -> bool:
        return bool({*ADJECTIVES, "shade", "age", "length"} & self.can_be.keys())

    @property
    def number(self) -> str:
        if self.text in UNCOUNTED:
            return "much"
        return "many" if self.text.endswith("s") and not self.text.endswith("ss") else "one"


class Phrase(NamedTuple):
    """A noun with what stands before it."""

    noun: Token
    adjectives: tuple[Token, ...]
    before: tuple[str, ...]  # the words before its determiner and adjectives, with the former


def is_untrue(text: str, person: Person) -> bool:
    """Whether a text says something that is not so of a person."""
    tokens = tokenized(text)
    facts = person.facts()
    last = ""
    for phrase in phrases(tokens):
        if not _is_true(phrase, facts, last):
            return True
        last = _attribute(phrase) or last
    return any(token.text in FALSE_POSTURES for token in tokens)


def is_sentence(text: str) -> bool:
    """Whether articles, numbers and the order of parts of speech are those of English."""
    tokens = tokenized(text)
    pairs = list(zip(tokens, [*tokens[1:], tokenized(".")[0]], strict=True))
    return (
        all(token.can_be for token in tokens)
        and all(_is_counted(phrase) for phrase in phrases(tokens))
        and all(_may_follow(one, other) for one, other in pairs)
        and not re.search(r"\ba [aeio]|\ba u(?!ni|se)|\ban [^aeiou]", text.lower())
    )


def is_visual(change: str) -> bool:
    """Whether what a change puts in the place of words can be seen: "a -> b" or "a <-> b"."""
    arrow = " <-> " if " <-> " in change else " -> "
    said = change.split(arrow)[arrow == " -> " :]
    tokens = [token for words in said for token in tokenized(words)]
    return all(_is_seen(token) for token in tokens)


def tokenized(text: str) -> list[Token]:
    """Split a text into words, the longest that PaperDolls uses as one."""
    words = re.findall(r"[a-z]+(?:-[a-z]+)*|[.,]", text.lower())
    tokens, place = [], 0
    while place < len(words):
        sizes = [n for n in (4, 3, 2, 1) if tuple(words[place : place + n]) in _lexicon()]
        size = sizes[0] if sizes else 1
        found = tuple(words[place : place + size])
        tokens.append(Token(" ".join(found), _lexicon().get(found, {})))
        place += size
    return tokens


def phrases(tokens: Sequence[Token]) -> list[Phrase]:
    """Return every noun with the adjectives that stand, perhaps joined, before it."""
    found = []
    for place, token in enumerate(tokens):
        if not token.is_noun:
            continue
        first = place
        while first and _goes_on(tokens, first - 1):
            first -= 1
        adjectives = tuple(one for one in tokens[first:place] if one.is_adjective)
        before = tuple(one.text for one in tokens[max(0, first - 2) : first])
        found.append(Phrase(token, adjectives, before))
    return found


def _goes_on(tokens: Sequence[Token], place: int) -> bool:
    """Whether a word is part of what stands before a noun; "and" is, between two adjectives."""
    if tokens[place].is_adjective:
        return not tokens[place].is_noun or place + 1 < len(tokens)
    return tokens[place].text == "and" and place > 0 and tokens[place - 1].is_adjective


def _attribute(phrase: Phrase) -> str:
    return next((name for name in NOUNS if name in phrase.noun.can_be), "")


def _is_true(phrase: Phrase, facts: Mapping[str, str], last: str) -> bool:
    can_be = phrase.noun.can_be
    if "mark" in can_be:
        return last == "upper" and _is_marked(phrase, facts)
    if {"hair", "head", "gathered"} & can_be.keys():
        return _is_hair(phrase, facts)
    attribute = _attribute(phrase)
    if attribute == "kind":
        return _is_person(phrase, facts)
    if "no" in phrase.before[-1:]:
        return facts[attribute] == "no"
    if facts[attribute] == "no" or not _is_used(phrase, attribute, facts):
        return False
    if attribute == "upper" and phrase.before[:1] == ("over",) and "upper.inner" in facts:
        inner = not can_be[attribute] or {"T-shirt", "shirt", "sweater"} & can_be[attribute]
        return bool(inner) and _is_coloured(phrase, {facts["upper.inner"]})
    kinds = can_be[attribute]
    if not kinds and facts.get("upper.kind") == "dress" and attribute == "upper":
        return False
    if kinds and facts.get(f"{attribute}.kind", "any") not in kinds:
        return False
    colours = {facts.get(f"{attribute}.colour", ""), facts.get(f"{attribute}.second", "")}
    return (
        _is_coloured(phrase, colours - {""})
        and _is_patterned(phrase, facts.get(f"{attribute}.pattern", "plain"))
        and _is_long(phrase, facts.get(f"{attribute}.kind", ""))
    )


def _of(phrase: Phrase, name: str) -> list[Token]:
    return [one for one in phrase.adjectives if name in one.can_be]


def _is_coloured(phrase: Phrase, colours: set[str], name: str = "colour") -> bool:
    """Whether all colours that are said are among these; black is not light, nor white dark."""
    for one in _of(phrase, name):
        place = phrase.adjectives.index(one)
        shade = phrase.adjectives[place - 1].text if place else ""
        contrary = {"dark": {"light blue", "beige", "pink"}, "light": {"navy", "maroon"}}
        if not (one.can_be[name] & colours) - contrary.get(shade, set()):
            return False
    shades = [one.text for one in _of(phrase, "shade")]
    pale, deep = {"white", "beige", "light blue", "blond"}, {"black", "navy", "maroon"}
    is_contrary = {"dark": colours <= pale, "light": colours <= deep}
    return not any(is_contrary.get(shade, False) for shade in shades)


def _is_patterned(phrase: Phrase, pattern: str) -> bool:
    return all(pattern in one.can_be["pattern"] for one in _of(phrase, "pattern"))


def _is_long(phrase: Phrase, kind: str) -> bool:
    said = {one.text for one in phrase.adjectives}
    long = {"long skirt", "coat", "jeans", "trousers", "track pants", "leggings"}
    is_contrary = {"short": kind in long, "long": kind in {"shorts", "skirt"}}
    return not any(is_contrary.get(word, False) for word in said)


def _is_marked(phrase: Phrase, facts: Mapping[str, str]) -> bool:
    second = facts.get("upper.second", "")
    return facts["upper.pattern"] in phrase.noun.can_be["mark"] and _is_coloured(phrase, {second})


def _is_hair(phrase: Phrase, facts: Mapping[str, str]) -> bool:
    kind, colour = facts["hair.kind"], facts["hair.colour"]
    said = [one.can_be["cut"] for one in _of(phrase, "cut")]
    said += [phrase.noun.can_be["gathered"]] if "gathered" in phrase.noun.can_be else []
    if (kind == "bald") != ("head" in phrase.noun.can_be):
        return False
    return all(kind in values for values in said) and (
        _is_coloured(phrase, {colour}, "hair colour")
        and all("hair colour" in one.can_be for one in _of(phrase, "colour"))
    )


def _is_person(phrase: Phrase, facts: Mapping[str, str]) -> bool:
    kinds = phrase.noun.can_be["kind"]
    ages = {one.text for one in _of(phrase, "age")}
    is_old = "older" in facts["kind"]
    wrong = {"young", "little"} if is_old else {"old", "elderly", "senior", "middle-aged"}
    return (not kinds or facts["kind"] in kinds) and not ages & wrong and not _of(phrase, "colour")


def _is_used(phrase: Phrase, attribute: str, facts: Mapping[str, str]) -> bool:
    """Whether the verb before a thing can be true of it."""
    verb = next((w for w in reversed(phrase.before) if w not in ("a", "an", "the")), "")
    if attribute in WORN:
        return verb not in HOLDS | HANDLES
    is_wheeled = facts.get("bag.kind") == "suitcase" and attribute == "bag"
    if verb in HANDLES:
        return is_wheeled and verb != "pushing"
    return verb not in WEARS or (attribute == "bag" and not is_wheeled)


def _is_counted(phrase: Phrase) -> bool:
    """Whether one thing has a determiner, and several or none that are counted no article."""
    determiner = phrase.before[-1] if phrase.before else ""
    if phrase.noun.text == "someone":
        return True
    if phrase.noun.number == "one":
        return determiner in OTHER["determiner"].split() or "gathered" in phrase.noun.can_be
    return determiner not in ("a", "an")


def _may_follow(one: Token, other: Token) -> bool:
    begins = other.is_noun or other.is_adjective or "determiner" in other.can_be
    if one.is_noun:
        return not begins
    if one.is_adjective:
        return other.is_noun or other.is_adjective or other.text in ("and", ",")
    if "determiner" in one.can_be:
        return other.is_noun or other.is_adjective or "place" in other.can_be
    if "transitive" in one.can_be:
        return begins
    return not ("intransitive" in one.can_be and begins)


def _is_seen(token: Token) -> bool:
    is_verb = bool({"transitive", "intransitive"} & token.can_be.keys())
    return token.is_noun or token.is_adjective or is_verb


@cache
def _lexicon() -> Mapping[tuple[str, ...], Mapping[str, frozenset[str]]]:
    """Return all that words can be; an empty set of values is true of any."""
    found: dict[tuple[str, ...], dict[str, frozenset[str]]] = {}

    def add(text: str, name: str, values: frozenset[str]) -> None:
        entry = found.setdefault(tuple(text.lower().split()), {})
        is_any = name in entry and not entry[name]
        entry[name] = frozenset() if is_any else entry.get(name, frozenset()) | values

    for name, table in {**NOUNS, **ADJECTIVES}.items():
        for value, forms in table.items():
            for form in (*forms.common, *forms.rare):
                if (name == "gathered") != (value in ("ponytail", "bun")) and table is drawn.HAIR:
                    continue
                also = ALSO.get(form, "")
                values = {value, *filter(None, also.split(", "))}
                is_any = value in ("any", "person")
                add(form.removesuffix(" head"), name, frozenset() if is_any else frozenset(values))
    for mark, pattern in MARKS.items():
        add(mark, "mark", frozenset({pattern}))
    for word in ("logo", "print", "emblem"):
        found[(word,)] = {"mark": frozenset({"logo"})}
    for word in ("hair", "head"):
        add(word, word, frozenset())
    for name, text in OTHER.items():
        for word in text.split():
            add(word, name, frozenset({word}))
    return found
