"""The page that says what the datasets hold: counts, audit, distributions and a sample."""

from leaderboard.datasets.page import make_files

__all__ = ["make_files"]
