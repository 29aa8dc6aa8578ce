"""The page that says how everything was measured."""

from leaderboard.protocol.page import make_files

__all__ = ["make_files"]
