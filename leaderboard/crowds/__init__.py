"""How far down methods rank a person when the gallery grows by people whom nobody asks for."""

from leaderboard.crowds.curves import crowd_points, find_crowds
from leaderboard.crowds.indexes import indexed_points
from leaderboard.crowds.section import of_ground

__all__ = ["crowd_points", "find_crowds", "indexed_points", "of_ground"]
