"""The page that opens the site: who is better on each dataset, and whether it is real."""

from leaderboard.ranking.page import make_files

__all__ = ["make_files"]
