"""Captions changed to see what methods do with them: `harness run --queries NAME`."""

from methods.queries import (
    german,
    masked_nouns,
    synonyms,
    typos,
    word_order,
    wrong_attribute,
)

__all__ = ["german", "masked_nouns", "synonyms", "typos", "word_order", "wrong_attribute"]
