"""Captions changed to see what methods do with them: `harness run --queries NAME`."""

from methods.queries import masked_nouns

__all__ = ["masked_nouns"]
