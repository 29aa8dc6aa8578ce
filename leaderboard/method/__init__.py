"""A method's page: what made it so, where it fails, and the runs behind every figure."""

from leaderboard.method.page import make_files

__all__ = ["make_files"]
