"""Draw architecture.svg: the rooms of `harness`, layer by layer, and who imports whom.

The layers are those that import-linter holds (pyproject.toml); the lines are the imports as they
are. Run again after a room was added; a test compares what it draws with the file.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path

from harness.sources import HARNESS_FOLDER, Module, imported_names

HERE = Path(__file__).parent
OUT = HERE / "architecture.svg"
CONTRACT = "the arrows between the rooms of the harness point one way: down"
WIDTH, ROW, BOX, MARGIN = 940, 84, (170, 34), 20  # pixels
Place = tuple[float, float]  # the middle of a box

HEAD = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img">
<title>The rooms of harness: each imports only from rooms below it</title>
<style>
text {{ font: 14px system-ui, sans-serif; fill: #1a1a1a; text-anchor: middle }}
rect {{ fill: #f4f1ea; stroke: #6b6459 }}
path {{ fill: none; stroke: #8a8275; stroke-opacity: .45 }}
</style>
<rect width="100%" height="100%" style="fill: #ffffff; stroke: none"/>
"""


def main() -> None:
    """Write the drawing."""
    OUT.write_text(draw(), encoding="utf-8")


def draw() -> str:
    """Return the drawing as SVG."""
    layers = read_layers()
    *rooms, ground = layers
    places = {
        name: place for number, row in enumerate(rooms) for name, place in spread(row, number)
    }
    height = ROW * len(layers) + 2 * MARGIN
    lines = [line(places[one], places[other]) for one, other in arrows(places)]
    boxes = [box(name, place, BOX[0]) for name, place in places.items()]
    foundation = box(", ".join(ground), middle(len(rooms), 0, 1), WIDTH - 2 * MARGIN)
    head = HEAD.format(width=WIDTH, height=height).rstrip()
    return "\n".join([head, *lines, *boxes, foundation, "</svg>\n"])


def read_layers() -> list[list[str]]:
    """Return the names of rooms by layer, the topmost first."""
    project = tomllib.loads((HERE.parent / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = project["tool"]["importlinter"]["contracts"]
    (layers,) = (one["layers"] for one in contracts if one["name"] == CONTRACT)
    names = [layer.replace("|", ":").split(":") for layer in layers]
    return [[name.strip().removeprefix("harness.") for name in row] for row in names]


def arrows(rooms: dict[str, Place]) -> list[tuple[str, str]]:
    """Return which rooms import from which."""
    found = {(one, other) for one in rooms for other in imports_of(one) if other in rooms}
    return sorted((one, other) for one, other in found if one != other)


def imports_of(room: str) -> Iterator[str]:
    """Yield the rooms that the modules of one name in their imports."""
    path = HARNESS_FOLDER / room
    for file in sorted(path.rglob("*.py")) if path.is_dir() else [path.with_suffix(".py")]:
        parts = file.relative_to(HARNESS_FOLDER.parent).with_suffix("").parts
        for name in imported_names(Module(".".join(parts).removesuffix(".__init__"), file)):
            top, _, rest = name.partition(".")
            if top == "harness" and rest:
                yield rest.partition(".")[0]


def spread(row: list[str], number: int) -> Iterator[tuple[str, Place]]:
    """Yield the rooms of a layer with their places, side by side."""
    for position, name in enumerate(row):
        yield name, middle(number, position, len(row))


def middle(number: int, position: int, count: int) -> Place:
    """Return the middle of a box: of `count` in the layer of that number."""
    return (position + 0.5) * WIDTH / count, MARGIN + ROW * (number + 0.5)


def line(start: Place, end: Place) -> str:
    """Return a line from the lower edge of a box to the upper edge of another."""
    (x, y), (to_x, to_y) = start, end
    y, to_y = (y + BOX[1] / 2, to_y - BOX[1] / 2) if y != to_y else (y, to_y)
    bend = (y + to_y) / 2
    return f'<path d="M{x:g},{y:g} C{x:g},{bend:g} {to_x:g},{bend:g} {to_x:g},{to_y:g}"/>'


def box(name: str, place: Place, width: float) -> str:
    """Return a box with a name."""
    x, y = place
    left, top = x - width / 2, y - BOX[1] / 2
    frame = f'<rect x="{left:g}" y="{top:g}" width="{width:g}" height="{BOX[1]}" rx="4"/>'
    return f'{frame}<text x="{x:g}" y="{y + 5:g}">{name}</text>'


if __name__ == "__main__":
    main()
