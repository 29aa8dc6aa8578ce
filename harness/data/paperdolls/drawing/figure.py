"""A person's body: proportions, pose, and the order in which its parts are drawn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..people.attributes import Person
from .canvas import Colour, Pen, Point

Joints = tuple[Point, Point, Point]


@dataclass(frozen=True)
class Build:
    """Proportions in body units: half widths, and what scales the whole."""

    shoulder: float
    waist: float
    hip: float
    height: float = 1.0  # of an adult
    head: float = 1.0  # of an adult's head, before the height scales it
    limb: float = 1.0  # thickness


BUILDS: Mapping[str, Build] = {
    "man": Build(9.4, 7.4, 7.2),
    "woman": Build(7.8, 5.7, 7.4, 0.97, limb=0.9),
    "boy": Build(8.6, 7.3, 7.3, 0.83, 1.3, 1.05),
    "girl": Build(7.8, 6.6, 7.4, 0.81, 1.34, 0.98),
    "older man": Build(9.0, 8.4, 8.0, 0.95, 1.03),
    "older woman": Build(8.2, 7.8, 8.4, 0.9, 1.05, 0.98),
}


@dataclass(frozen=True)
class Figure:
    """One person about to be drawn in one pose."""

    pen: Pen
    person: Person
    view: str  # "front", "back" or "side"; the side view faces to positive x
    stride: float  # -1 to 1
    cloth: Mapping[str, Colour]  # shade of each colour name in this image
    skin: Colour
    hair: Colour

    @property
    def build(self) -> Build:
        return BUILDS[self.person.kind]

    @property
    def is_side(self) -> bool:
        return self.view == "side"

    @property
    def shoulder(self) -> float:
        """Half the visible width of the shoulders."""
        return 5.2 if self.is_side else self.build.shoulder

    @property
    def waist(self) -> float:
        return self.build.waist * (0.72 if self.is_side else 1.0)

    @property
    def hip(self) -> float:
        return self.build.hip * (0.74 if self.is_side else 1.0)

    @property
    def raises_item(self) -> bool:
        """Whether something is held up before the chest."""
        item = self.person.item
        return item is not None and item.kind in ("phone", "book", "cup")

    def legs(self) -> tuple[Joints, Joints]:
        """Return hip, knee and ankle of the far leg, then of the near one."""
        if self.is_side:
            step = 0.55 + 0.45 * abs(self.stride)
            return self._leg_in_step(step), self._leg_in_step(-step)
        lift, apart = self.stride * 1.4, self.hip - 3.7
        left = (
            (-apart, 43.0),
            (-apart - 0.3, 61.0),
            (-apart - 0.3, 79.0 - max(lift, 0)),
        )
        right = ((apart, 43.0), (apart + 0.3, 61.0), (apart + 0.3, 79.0 + min(lift, 0)))
        return left, right

    def bag_arm(self) -> Joints:
        """Return shoulder, elbow and hand of the arm that carries a bag."""
        if self.is_side:
            swing = 2.6 + 1.6 * abs(self.stride)
            return (-0.4, 18.2), (-swing * 0.7, 29.5), (-swing, 40.0)
        wide = self.shoulder
        return (
            (wide - 1.9, 18.2),
            (wide + 1.0, 29.5),
            (wide + 2.1 + 0.6 * self.stride, 40.5),
        )

    def item_arm(self) -> Joints:
        """Return shoulder, elbow and hand of the arm that holds an item."""
        if self.is_side:
            hand = (7.8, 26.5) if self.raises_item else (5.4 + 1.6 * abs(self.stride), 38.6)
            return (0.4, 18.2), (2.4, 30.0), hand
        wide = self.shoulder
        hand = (-wide * 0.42, 26.5) if self.raises_item else (-wide - 2.1 + 0.6 * self.stride, 40.5)
        return (-wide + 1.9, 18.2), (-wide - 1.0, 29.5), hand

    def _leg_in_step(self, step: float) -> Joints:
        lift = 1.6 if step < 0 else 0.0
        return (
            (step * 0.8, 43.0),
            (step * 3.0 + 0.8, 61.0),
            (step * 6.4 - 0.6, 79.0 - lift),
        )


def between(start: Point, end: Point, share: float) -> Point:
    """Return the point that lies so far on the way from start to end."""
    return (
        start[0] + share * (end[0] - start[0]),
        start[1] + share * (end[1] - start[1]),
    )
