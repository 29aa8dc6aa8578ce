"""The sentences of captions: templates whose slots are phrases.

A template is used only if all of its slots are filled, save for the optional ones, which are empty
where there is nothing to say and therefore carry their own leading space or comma.

  a_person, the_person, pronoun_is   "a woman", "the woman", "she is"
  clothes                            "a red T-shirt, black jeans and white sneakers"
  looks                              "long brown hair and glasses"
  belongings                         "carrying a blue backpack and holding a cup"

and the optional slots:

  with_looks, with_belongings        " with long brown hair", ", carrying a blue backpack"
  has_looks, has_belongings          " She has long brown hair.", " She is carrying a backpack."
  doing                              " walking down the street"
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

OPTIONAL_SLOTS = frozenset(
    {"with_looks", "with_belongings", "has_looks", "has_belongings", "doing"}
)


@dataclass(frozen=True)
class Grammar:
    """How sentences are built."""

    templates: tuple[str, ...]
    doing: tuple[str, ...] = ()
    verbs: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # thing -> participles
    carrying: tuple[str, ...] = ("carrying",)  # what is done with all other things


GRAMMARS: Mapping[str, Grammar] = {
    "varied": Grammar(
        templates=(
            "{a_person}{with_looks}{doing} is wearing {clothes}{with_belongings}.",
            "{the_person}{with_looks} wears {clothes}.{has_belongings}",
            "{a_person}{doing} in {clothes}{with_belongings}.{has_looks}",
            "wearing {clothes}, {the_person}{with_looks} is {belongings}.",
            "wearing {clothes}, {a_person}{with_looks} is seen{doing}.{has_belongings}",
            "{the_person} has {looks} and is dressed in {clothes}.{has_belongings}",
            "{the_person} has {looks}. {pronoun_is} wearing {clothes}{with_belongings}.",
            "there is {a_person}{with_looks}{doing}, dressed in {clothes}{with_belongings}.",
            "{belongings}, {the_person} walks in {clothes}.{has_looks}",
            "{a_person} passes by{with_belongings}. {pronoun_is} dressed in {clothes}.{has_looks}",
        ),
        doing=(
            " walking down the street", " strolling along", " on the move", " walking past",
            " in mid-stride", " passing by", " out and about",
        ),
        verbs={
            "backpack": ("carrying", "wearing", "sporting"),
            "suitcase": ("pulling", "wheeling", "dragging"),
            "phone": ("holding", "looking at", "checking"),
            "book": ("holding", "clutching"),
            "cup": ("holding", "clutching"),
        },
        carrying=("carrying", "holding", "clasping"),
    ),
    "loose": Grammar(
        templates=(
            "{a_person}{with_looks}{doing} is wearing {clothes}{with_belongings}.",
            "{a_person} in {clothes}{with_belongings}.{has_looks}",
            "{the_person} wears {clothes}.{has_looks}{has_belongings}",
            "this is {a_person}{with_looks}. {pronoun_is} wearing {clothes}{with_belongings}.",
            "{the_person} is dressed in {clothes}.{has_belongings}{has_looks}",
            "you can see {a_person}{doing} in {clothes}{with_belongings}.{has_looks}",
            "{clothes} on {a_person}{with_looks}{doing}.{has_belongings}",
            "{a_person}{doing}{with_belongings}.{has_looks} {pronoun_is} dressed in {clothes}.",
            "{belongings}, {a_person}{with_looks} wears {clothes}.",
            "the picture shows {a_person}{doing}. {pronoun_is} wearing {clothes}.{has_belongings}"
            "{has_looks}",
            "{the_person} has {looks} and {clothes}.{has_belongings}",
            "{a_person}{with_looks} has {clothes} on.{has_belongings}",
            "dressed in {clothes}, {the_person}{with_looks} goes by.{has_belongings}",
        ),
        doing=(
            " walking", " walking away", " going somewhere", " taking a step", " on the way",
            " walking by", " moving along", " who walks",
        ),
        verbs={
            "backpack": ("wearing", "carrying"),
            "suitcase": ("pulling", "rolling"),
            "phone": ("holding", "looking at", "using"),
            "book": ("holding", "reading"),
        },
        carrying=("carrying", "holding"),
    ),
    "terse": Grammar(
        templates=(
            "{a_person}{with_looks} wearing {clothes}{with_belongings}.",
            "{a_person} in {clothes}{with_belongings}.",
            "{a_person}{with_looks} in {clothes}{with_belongings}.",
            "{a_person}{with_looks} is wearing {clothes}{with_belongings}.",
            "{the_person} wears {clothes}.{has_belongings}",
            "{the_person} has {looks}. {pronoun_is} wearing {clothes}{with_belongings}.",
        ),
        verbs={"phone": ("holding",), "book": ("holding",), "cup": ("holding",)},
    ),
}  # fmt: skip
