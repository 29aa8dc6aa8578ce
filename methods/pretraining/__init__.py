"""How the tiny encoders that ship with the project are made: `harness pretrain NAME`."""

from methods.pretraining import tiny_albef, tiny_clip, tiny_towers

__all__ = ["tiny_albef", "tiny_clip", "tiny_towers"]
