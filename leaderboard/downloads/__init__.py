"""Every table to take away: as CSV, JSON and LaTeX, with the papers as BibTeX."""

from leaderboard.downloads.page import make_files

__all__ = ["make_files"]
