"""german: captions of drawn people in German.

What a caption says is read by the grammar and told again by a dictionary of all that it can say, so
that nothing is added and nothing lost but the order. What people wrote stays: no dictionary of a
grammar suffices for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from harness.data.paperdolls.captions.reading import OPEN, read
from harness.data.schema import Split
from harness.registry import register_queries
from methods.queries.rewriting import WORDS

NAME = "german"
# Endings of an adjective in the accusative: behind "einen", "eine" and "ein", and in the plural.
_ENDINGS = {"m": "en", "f": "e", "n": "es", "p": "e"}
_ARTICLES = {"m": "einen ", "f": "eine ", "n": "ein ", "p": ""}
_ANY = "any"


@dataclass(frozen=True)
class Noun:
    """A noun with its gender: m, f, n, or p of what is said in the plural."""

    gender: str
    text: str


def _nouns(text: str) -> dict[str, Noun]:
    """Parse "jeans: f Jeans; shoes: p Schuhe"."""
    parts = (entry.strip().split(": ") for entry in text.split(";"))
    return {value: Noun(*noun.split(" ", 1)) for value, noun in parts}


PEOPLE: Mapping[str, str] = {
    "man": "ein Mann", "woman": "eine Frau", "boy": "ein Junge", "girl": "ein Mädchen",
    "older man": "ein alter Mann", "older woman": "eine alte Frau",
}  # fmt: skip
SOMEBODY = "eine Person"
NOUNS: Mapping[str, Mapping[str, Noun]] = {
    "upper": _nouns("T-shirt: n T-Shirt; shirt: n Hemd; jacket: f Jacke; hoodie: m Kapuzenpulli; "
                    "sweater: m Pullover; coat: m Mantel; vest: f Weste; tank top: n Trägerhemd; "
                    "dress: n Kleid; any: n Oberteil"),
    "lower": _nouns("trousers: f Hose; jeans: f Jeans; shorts: p Shorts; "
                    "track pants: f Trainingshose; skirt: m Rock; long skirt: m Maxirock; "
                    "leggings: p Leggings; any: f Hose"),
    "shoes": _nouns("sneakers: p Turnschuhe; boots: p Stiefel; sandals: p Sandalen; "
                    "heels: p Absatzschuhe; leather shoes: p Lederschuhe; any: p Schuhe"),
    "hat": _nouns("cap: f Kappe; beanie: f Wollmütze; wide hat: m Sonnenhut; any: m Hut"),
    "scarf": _nouns("scarf: m Schal; any: m Schal"),
    "bag": _nouns("backpack: m Rucksack; handbag: f Handtasche; shoulder bag: f Umhängetasche; "
                  "suitcase: m Koffer; shopping bag: f Einkaufstasche; any: f Tasche"),
    "item": _nouns("umbrella: m Regenschirm; phone: n Handy; bottle: f Flasche; book: n Buch; "
                   "cup: m Becher; any: m Gegenstand"),
}  # fmt: skip
COLOURS: Mapping[str, str] = {
    "black": "schwarz", "white": "weiß", "gray": "grau", "red": "rot", "maroon": "weinrot",
    "pink": "rosafarben", "orange": "orangefarben", "yellow": "gelb", "green": "grün",
    "olive": "olivgrün", "turquoise": "türkisfarben", "light blue": "hellblau", "blue": "blau",
    "navy": "dunkelblau", "purple": "violett", "brown": "braun", "beige": "beigefarben",
}  # fmt: skip
SHADES: Mapping[str, str] = {
    "black": "schwarz", "brown": "braun", "blond": "blond", "red": "rot", "gray": "grau",
    "white": "weiß",
}  # fmt: skip
CUTS: Mapping[str, str] = {
    "short": "kurz", "medium": "mittellang", "long": "lang", "curly": "lockig",
}  # fmt: skip
TIED: Mapping[str, str] = {"ponytail": "Pferdeschwanz", "bun": "Dutt"}
PATTERNS: Mapping[str, str] = {
    "striped": "gestreift", "checked": "kariert", "dotted": "gepunktet", "two-tone": "zweifarbig",
    "plain": "einfarbig",
}  # fmt: skip
GLASSES: Mapping[str, str] = {"glasses": "Brille", "sunglasses": "Sonnenbrille", "any": "Brille"}

Facts = Mapping[str, str]


@register_queries(NAME, group=WORDS)
def say_in_german(split: Split, scale: str) -> list[str]:
    """Return the captions of a split in German, as far as the grammar reads them."""
    return [translate(caption) for caption in split.captions]


def translate(caption: str) -> str:
    """Return what a caption of a drawn person says in German; any other caption as it is."""
    reading = read(caption)
    return write(reading.facts) if reading and reading.facts.keys() - {"kind"} else caption


def write(facts: Facts) -> str:
    """Write facts, as `Person.facts` names them, as one German sentence."""
    person = PEOPLE.get(facts.get("kind", OPEN), SOMEBODY)
    looks = _listed([*_hair(facts), *_face(facts)])
    clothes = _listed([_thing(n, facts) for n in ("upper", "lower", "shoes", "hat", "scarf")
                       if facts.get(n) == "yes"])  # fmt: skip
    carried = _listed([_thing(n, facts) for n in ("bag", "item") if facts.get(n) == "yes"])
    parts = [
        person,
        looks and f"mit {looks}",
        clothes and f"trägt {clothes}",
        carried and ("und " if clothes else "") + f"hat {carried} dabei",
        "ohne Tasche" if facts.get("bag") == "no" else "",
    ]
    text = " ".join(part for part in parts if part)
    return f"{text[0].upper()}{text[1:]}."


def _hair(facts: Facts) -> list[str]:
    if facts.get("hair") != "yes":
        return []
    kind, shade = facts.get("hair.kind", OPEN), SHADES.get(facts.get("hair.colour", OPEN), "")
    if kind == "bald":
        return ["Glatze"]
    if kind in TIED:
        return [" ".join(part for part in (shade and f"{shade}em", TIED[kind]) if part)]
    adjectives = [f"{word}en" for word in (CUTS.get(kind, ""), shade) if word]
    return [" ".join([*adjectives, "Haaren"])]


def _face(facts: Facts) -> list[str]:
    glasses = [GLASSES[facts.get("glasses.kind", _ANY)]] if facts.get("glasses") == "yes" else []
    return [*(["Bart"] if facts.get("beard") == "yes" else []), *glasses]


def _thing(thing: str, facts: Facts) -> str:
    """Return what is worn or carried in the accusative: "einen rot-weiß gestreiften Pullover"."""
    noun = NOUNS[thing][facts.get(f"{thing}.kind", _ANY)]
    ending = _ENDINGS[noun.gender]
    colours = [COLOURS[facts[name]] for name in (f"{thing}.colour", f"{thing}.second")
               if name in facts]  # fmt: skip
    pattern = facts.get("upper.pattern", OPEN) if thing == "upper" else OPEN
    has_logo = pattern == "logo"
    own = colours[:1] if has_logo or pattern not in PATTERNS else colours
    adjectives = []
    if pattern in PATTERNS:
        adjectives = [*(["-".join(own)] if own else []), f"{PATTERNS[pattern]}{ending}"]
    elif own:
        adjectives = [f"{own[0]}{ending}"]
    words = [*adjectives, noun.text]
    return (
        f"{_ARTICLES[noun.gender]}{' '.join(words)}{_logo(has_logo, facts)}{_below(thing, facts)}"
    )


def _logo(has_logo: bool, facts: Facts) -> str:
    if not has_logo:
        return ""
    second = COLOURS.get(facts.get("upper.second", OPEN), "")
    return " mit " + " ".join(part for part in (second and f"{second}em", "Logo") if part)


def _below(thing: str, facts: Facts) -> str:
    """Return what shows below an open jacket, in the dative."""
    inner = facts.get("upper.inner") if thing == "upper" else None
    return f" über einem {COLOURS[inner]}en Oberteil" if inner else ""


def _listed(phrases: list[str]) -> str:
    if len(phrases) < 2:
        return "".join(phrases)
    return f"{', '.join(phrases[:-1])} und {phrases[-1]}"
