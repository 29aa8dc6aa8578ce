"""Weights over the patches of an image, drawn as a veil that is thin where they are large."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

from markupsafe import Markup

LEVELS = 8  # of darkness
DARKEST = 0.85  # opacity where nothing weighs

Weights = Sequence[Sequence[float]]  # rows of columns, 0 to 1


def draw_veil(weights: Weights, about: str) -> Markup:
    """Return an SVG to be laid over the image; `about` says the same to who cannot see it."""
    levels = [[round((1 - value) * LEVELS) for value in row] for row in weights]
    paths = Markup("").join(
        Markup('<path fill-opacity="{:.3g}" d="{}"/>').format(DARKEST * level / LEVELS, path)
        for level in range(1, LEVELS + 1)
        if (path := "".join(_runs(levels, level)))
    )
    return Markup(
        '<svg class="veil" viewBox="0 0 {} {}" preserveAspectRatio="none" '
        'role="img" aria-label="{}">{}</svg>'
    ).format(len(weights[0]), len(weights), about, paths)


def where_strongest(weights: Weights) -> str:
    """Name the part of the image that holds the largest weight."""
    cells = [(value, y, x) for y, row in enumerate(weights) for x, value in enumerate(row)]
    value, y, x = max(cells, key=lambda cell: cell[0])
    if not value:
        return "nowhere"
    vertical = ("upper", "middle", "lower")[3 * y // len(weights)]
    horizontal = ("left", "centre", "right")[3 * x // len(weights[0])]
    return f"strongest {vertical} {horizontal}"


def _runs(levels: Sequence[Sequence[int]], wanted: int) -> Iterator[str]:
    """Yield a rectangle for each run of cells of a level in a row."""
    for y, row in enumerate(levels):
        x = 0
        for level, cells in groupby(row):
            width = len(list(cells))
            if level == wanted:
                yield f"M{x} {y}h{width}v1h-{width}z"
            x += width
