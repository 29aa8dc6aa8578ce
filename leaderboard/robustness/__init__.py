"""What wrong pairs in the training set cost each method, and which of them it found."""

from leaderboard.robustness.levels import find_robustness
from leaderboard.robustness.section import of_ground, of_method

__all__ = ["find_robustness", "of_ground", "of_method"]
