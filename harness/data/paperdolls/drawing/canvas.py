"""Drawing in the coordinates of a body, on an image larger than the final one.

Body coordinates: x = 0 is the middle of the person, positive to the image's right unless mirrored;
y = 0 is the top of an adult's head and y = 84 the ground. One unit is about one final pixel.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from PIL import Image, ImageDraw

HEIGHT, WIDTH = 96, 32  # of the final image, in pixels
OVERSAMPLING = 4
CANVAS_SIZE = (WIDTH * OVERSAMPLING, HEIGHT * OVERSAMPLING)
GROUND = 84.0

Colour = tuple[int, int, int]
Point = tuple[float, float]


@dataclass(frozen=True)
class Frame:
    """Where body coordinates lie in the image."""

    scale: float
    left: float  # of the feet's middle, in final pixels
    bottom: float  # of the ground
    lean: float
    mirrored: bool


class Pen:
    """Draws shapes given in body coordinates; an edge in a darker shade sets them off."""

    def __init__(self, image: Image.Image, frame: Frame) -> None:
        self.draw = ImageDraw.Draw(image)
        self.image = image
        self.frame = frame
        self.unit = frame.scale * OVERSAMPLING
        self._across = -self.unit if frame.mirrored else self.unit

    def place(self, x: float, y: float) -> Point:
        """Return the pixel of the canvas that shows a point of the body."""
        up = GROUND - y
        return (
            OVERSAMPLING * self.frame.left + self._across * x + self.unit * self.frame.lean * up,
            OVERSAMPLING * self.frame.bottom - self.unit * up,
        )

    def polygon(self, points: Sequence[Point], colour: Colour, edge: bool = True) -> None:
        """Fill a polygon."""
        outline = edge_of(colour) if edge else None
        self.draw.polygon([self.place(*p) for p in points], colour, outline, 2)

    def ellipse(
        self,
        x: float,
        y: float,
        across: float,
        down: float,
        colour: Colour,
        edge: bool = False,
    ) -> None:
        """Fill an ellipse with the half-axes `across` and `down`."""
        left, top = self.place(x, y)
        across, down = across * self.unit, down * self.unit
        box = (left - across, top - down, left + across, top + down)
        self.draw.ellipse(box, colour, edge_of(colour) if edge else None, 2 if edge else 0)

    def box(self, x: float, y: float, across: float, down: float, colour: Colour) -> None:
        """Fill an upright rectangle, given as its middle and half its sides, with an edge."""
        corners = ((x - across, y - down), (x + across, y - down))
        self.polygon((*corners, (x + across, y + down), (x - across, y + down)), colour)

    def line(self, points: Sequence[Point], width: float, colour: Colour) -> None:
        """Draw a line of even width."""
        pixels = [self.place(*p) for p in points]
        self.draw.line(pixels, colour, max(1, round(width * self.unit)), "curve")

    def limb(self, joints: Sequence[Point], widths: Sequence[float], colour: Colour) -> None:
        """Draw a tapering limb through its joints, with a width at each and a straight end."""
        self.band(joints, [width + 0.7 for width in widths], edge_of(colour))
        self.band(joints, [width - 0.3 for width in widths], colour)

    def band(self, joints: Sequence[Point], widths: Sequence[float], colour: Colour | int) -> None:
        """Fill a limb without an edge; on a mask, the colour is a level."""
        ends = list(zip(joints, widths, strict=True))
        for joint, width in ends[:-1]:
            (x, y), half = self.place(*joint), width / 2 * self.unit
            self.draw.ellipse((x - half, y - half, x + half, y + half), colour)
        for (start, wide), (end, narrow) in pairwise(ends):
            corners = _corners(start, wide, end, narrow)
            self.draw.polygon([self.place(*corner) for corner in corners], colour)


def _corners(start: Point, wide: float, end: Point, narrow: float) -> tuple[Point, ...]:
    """Return the corners of the strip between two joints."""
    dx, dy = end[0] - start[0], end[1] - start[1]
    length = max((dx * dx + dy * dy) ** 0.5, 1e-6)
    nx, ny = -dy / length / 2, dx / length / 2
    return (
        (start[0] + nx * wide, start[1] + ny * wide),
        (end[0] + nx * narrow, end[1] + ny * narrow),
        (end[0] - nx * narrow, end[1] - ny * narrow),
        (start[0] - nx * wide, start[1] - ny * wide),
    )


def darker(colour: Colour, share: float = 0.72) -> Colour:
    """Return a darker shade."""
    return (int(colour[0] * share), int(colour[1] * share), int(colour[2] * share))


def edge_of(colour: Colour) -> Colour:
    """Return what sets a shape off from its neighbours: darker, but lighter where all is dark."""
    return lighter(colour, 0.16) if sum(colour) < 150 else darker(colour)


def lighter(colour: Colour, share: float = 0.3) -> Colour:
    """Return a lighter shade."""
    red, green, blue = (int(part + (255 - part) * share) for part in colour)
    return (red, green, blue)
