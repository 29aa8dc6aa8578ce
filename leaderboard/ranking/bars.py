"""Bars beside the ranks: one for each largest group of methods of which none is better.

As in a critical-difference diagram, groups overlap: not being told apart is no equivalence. Bars
stand in lanes, so that none is drawn over another; a row inside a bar that is not of its group is
left out of it. The page's script draws them in the same way where readers filter rows.
"""

from __future__ import annotations

from collections.abc import Sequence


def draw_bars(groups: Sequence[Sequence[int]]) -> list[tuple[str, ...]]:
    """Return for each row what stands in each lane: "first", "inner", "last", "beside" or nothing.

    Takes the numbers of the groups that each row is in. Groups of one row have no bar.
    """
    members: dict[int, list[int]] = {}
    for row, numbers in enumerate(groups):
        for number in numbers:
            members.setdefault(number, []).append(row)
    lanes: list[list[str]] = []
    for rows in sorted(members.values(), key=lambda found: (found[0], -found[-1])):
        if len(rows) > 1:
            _fill(_free_lane(lanes, rows, len(groups)), rows)
    return [tuple(lane[row] for lane in lanes) for row in range(len(groups))]


def _free_lane(lanes: list[list[str]], rows: Sequence[int], height: int) -> list[str]:
    """Return the first lane with nothing beside these rows; a new one where there is none.

    Nor beside the rows before and after: two bars that meet would look like one.
    """
    for lane in lanes:
        if not any(lane[max(0, rows[0] - 1) : rows[-1] + 2]):
            return lane
    lanes.append([""] * height)
    return lanes[-1]


def _fill(lane: list[str], rows: Sequence[int]) -> None:
    for row in range(rows[0], rows[-1] + 1):
        lane[row] = "inner" if row in rows else "beside"
    lane[rows[0]], lane[rows[-1]] = "first", "last"
