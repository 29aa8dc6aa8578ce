"""Hard negatives of captions: texts that describe someone else in almost the same words."""

from methods.blocks.text_negatives.mining import TIERS, mine, mine_once

__all__ = ["TIERS", "mine", "mine_once"]
