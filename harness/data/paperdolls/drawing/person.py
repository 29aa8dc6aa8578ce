"""Draws one image: a person, as one shot shows them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.random import Generator
from PIL import Image, ImageChops, ImageDraw, ImageFilter

from ..looks import Difficulty, Look
from ..people.attributes import Person
from .belongings import draw_bag, draw_bag_behind, draw_item
from .canvas import CANVAS_SIZE, HEIGHT, OVERSAMPLING, WIDTH, Colour, Frame, Pen
from .figure import BUILDS, Figure
from .heads import draw_hair_behind, draw_head, draw_scarf
from .legs import draw_legs
from .scenes import OCCLUDERS, SCENES
from .shots import Cut, Shot
from .uppers import draw_arm, draw_upper

_SHADOW = (40, 38, 48)
_FEET = 93.0  # height of the ground in the image, in final pixels


def draw(person: Person, shot: Shot, look: Look, rng: Generator) -> Image.Image:
    """Return the image, RGB, 96 pixels high and 32 wide."""
    frame = Frame(
        scale=shot.scale * BUILDS[person.kind].height,
        left=WIDTH / 2 + shot.shift[0],
        bottom=_FEET + shot.shift[1],
        lean=shot.lean,
        mirrored=shot.mirrored or shot.view == "back",
    )
    image = _background(shot, frame, rng)
    _stand(image, _cut_out(person, shot, look, frame, rng))
    if shot.occluder:
        layer = Image.new("RGBA", CANVAS_SIZE)
        OCCLUDERS[shot.occluder](ImageDraw.Draw(layer), rng)
        small = layer.reduce(OVERSAMPLING)
        image.paste(small, mask=small.getchannel("A"))
    return _seen_by(shot, look.difficulty, _boxed(image, shot.cut), rng)


def _boxed(image: Image.Image, cut: Cut) -> Image.Image:
    """Return what a detector's box holds, at the size of all images."""
    if cut == Cut():
        return image
    box = (cut.left * WIDTH, cut.top * HEIGHT, (1 - cut.right) * WIDTH, (1 - cut.bottom) * HEIGHT)
    return image.resize((WIDTH, HEIGHT), Image.Resampling.BILINEAR, box)


def _background(shot: Shot, frame: Frame, rng: Generator) -> Image.Image:
    """Return the scene, in final pixels, with the person's shadow on the ground."""
    canvas = Image.new("RGB", CANVAS_SIZE)
    SCENES[shot.camera.scene](ImageDraw.Draw(canvas), rng)
    ground = Pen(canvas, frame)
    ground.ellipse(1.0, 83.6, 11, 1.7, _blend(canvas, ground, _SHADOW))
    return canvas.reduce(OVERSAMPLING)


def _cut_out(person: Person, shot: Shot, look: Look, frame: Frame, rng: Generator) -> Image.Image:
    """Return the person alone, in final pixels, RGBA."""
    layer = Image.new("RGBA", CANVAS_SIZE)
    _draw_figure(
        Figure(
            pen=Pen(layer, frame),
            person=person,
            view=shot.view,
            stride=shot.stride,
            cloth=_shades(look, rng),
            skin=look.skins[person.skin],
            hair=look.hair.get(person.hair.colour, look.hair["black"]),
        )
    )
    return layer.reduce(OVERSAMPLING)


def _stand(image: Image.Image, person: Image.Image) -> None:
    """Put the person into the image, with one side in the shade."""
    outline = person.getchannel("A")
    image.paste(person, mask=outline)
    rim = ImageChops.subtract(outline, ImageChops.offset(outline, -2, 0))
    image.paste(_SHADOW, mask=rim.point([level // 6 for level in range(256)]))


def _draw_figure(figure: Figure) -> None:
    """Draw the parts from the farthest to the nearest."""
    draw_hair_behind(figure)
    draw_bag_behind(figure)
    behind = figure.is_side or (figure.view == "back" and figure.raises_item)
    if behind:
        draw_arm(figure, figure.item_arm(), 0.82)
    if figure.is_side:
        draw_item(figure)
    draw_legs(figure)
    draw_upper(figure)
    if not behind:
        draw_arm(figure, figure.item_arm())
    if not figure.is_side:
        draw_arm(figure, figure.bag_arm())
    if figure.view == "back":
        draw_bag(figure)
    draw_scarf(figure)
    draw_head(figure)
    if figure.is_side:
        draw_arm(figure, figure.bag_arm())
    if figure.view != "back":
        draw_bag(figure)
    if not figure.is_side:
        draw_item(figure)


def _shades(look: Look, rng: Generator) -> Mapping[str, Colour]:
    """Return the palette as it falls out in one image."""
    jitter = rng.normal(0, look.difficulty.shade_jitter, (len(look.palette), 3))
    levels = np.array(list(look.palette.values())) + jitter
    rows = levels.clip(0, 255).astype(int).tolist()
    return {name: (row[0], row[1], row[2]) for name, row in zip(look.palette, rows, strict=True)}


def _blend(canvas: Image.Image, pen: Pen, colour: Colour) -> Colour:
    """Return a colour halfway to that of the ground at the person's feet."""
    x, y = pen.place(0, 83)
    spot = (
        min(max(int(x), 0), CANVAS_SIZE[0] - 1),
        min(max(int(y), 0), CANVAS_SIZE[1] - 1),
    )
    ground = canvas.getpixel(spot)
    assert isinstance(ground, tuple)
    red, green, blue = ((a + b) // 2 for a, b in zip(ground, colour, strict=True))
    return (int(red), int(green), int(blue))


def _seen_by(shot: Shot, difficulty: Difficulty, image: Image.Image, rng: Generator) -> Image.Image:
    """Return the image with the camera's blur, haze, light and noise."""
    camera = shot.camera
    if camera.blur * difficulty.blur > 0:
        image = image.filter(ImageFilter.GaussianBlur(camera.blur * difficulty.blur))
    levels = np.asarray(image, dtype=np.float32)  # (H, W, 3)
    haze = camera.haze * difficulty.haze
    levels = levels * (1 - haze) + 190 * haze
    gain = 1 + difficulty.light * (camera.gain * np.array(camera.tint) - 1)
    gain = gain * (1 + difficulty.light_jitter * rng.standard_normal())
    noise = rng.standard_normal((HEIGHT, WIDTH, 3), dtype=np.float32)
    levels = levels * gain.astype(np.float32) + camera.noise * difficulty.noise * noise
    return Image.fromarray(levels.clip(0, 255).astype(np.uint8))
