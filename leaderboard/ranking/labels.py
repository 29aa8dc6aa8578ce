"""Names beside the dots of a chart, placed so that they do not cover one another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from leaderboard.typography import shorten

LONGEST = 24  # characters of a name
CHARACTER, LINE, GAP = 5.7, 12.0, 2.0  # in drawing units; few characters are wider
DOT = 2.5  # radius
# Where a name may stand to its dot, the likeliest first: anchor, and how far right and down.
SPOTS = (
    ("end", -6.0, -5.0),
    ("start", 6.0, 11.0),
    ("start", 6.0, -5.0),
    ("end", -6.0, 11.0),
    ("middle", 0.0, -9.0),
    ("middle", 0.0, 17.0),
    ("start", 8.0, 3.5),
    ("end", -8.0, 3.5),
)

At = tuple[float, float]
Box = tuple[float, float, float, float]  # left, top, right, bottom


@dataclass(frozen=True)
class Label:
    """Where a text starts, or ends, and what is left of it."""

    x: str
    y: str
    anchor: str
    text: str


def place_labels(names: Mapping[int, str], dots: Sequence[At], frame: Box) -> dict[int, Label]:
    """Place the names of some dots inside a frame, where they cover fewest dots and no name.

    A name for which there is no room is left out.
    """
    taken: list[Box] = []
    placed: dict[int, Label] = {}
    for index, name in names.items():
        text = shorten(name, LONGEST)
        boxes = [(_box(text, dots[index], spot), spot) for spot in SPOTS]
        free = [
            (sum(_holds(box, dot) for dot in dots), place, box, spot)
            for place, (box, spot) in enumerate(boxes)
            if _inside(box, frame) and not any(_meet(box, other) for other in taken)
        ]
        if free:
            _, _, box, (anchor, right, down) = min(free)
            taken.append(box)
            x, y = dots[index]
            placed[index] = Label(f"{x + right:.1f}", f"{y + down:.1f}", anchor, text)
    return placed


def _box(text: str, dot: At, spot: tuple[str, float, float]) -> Box:
    anchor, right, down = spot
    width = CHARACTER * len(text)
    left = dot[0] + right - width * {"start": 0.0, "middle": 0.5, "end": 1.0}[anchor]
    bottom = dot[1] + down + 2
    return left - GAP, bottom - LINE, left + width + GAP, bottom


def _inside(box: Box, frame: Box) -> bool:
    return box[0] >= frame[0] and box[1] >= frame[1] and box[2] <= frame[2] and box[3] <= frame[3]


def _meet(one: Box, other: Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def _holds(box: Box, dot: At) -> bool:
    left, top, right, bottom = box
    return left - DOT <= dot[0] <= right + DOT and top - DOT <= dot[1] <= bottom + DOT
