"""Any two methods or variants, query by query: the page and the data that its script compares."""

from leaderboard.compare.page import make_files

__all__ = ["make_files"]
