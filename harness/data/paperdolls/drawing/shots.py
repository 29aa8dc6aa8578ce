"""A `Shot`: how one image of a person was taken, and what of the person can be seen in it."""

from __future__ import annotations

from dataclasses import dataclass, field

from numpy.random import Generator

from ..looks import Camera, Look
from ..people.attributes import Person
from ..random_streams import pick, pick_weighted

# Occluders that hide what is close to the ground.
LOW_OCCLUDERS = frozenset({"hedge", "car"})

_HIDDEN_FROM_BEHIND = frozenset({"beard", "glasses", "glasses.kind", "upper.inner"})
# The share of the image's height below which shoes are gone where it is cut off at the bottom.
_SHOES = 0.09
_HELD_BEFORE_THE_BODY = frozenset({"phone", "book", "cup"})


@dataclass(frozen=True)
class Cut:
    """What a detector's box left out of the image, as shares of its width and height."""

    left: float = 0.0
    top: float = 0.0
    right: float = 0.0
    bottom: float = 0.0


@dataclass(frozen=True)
class Shot:
    """Lengths are in pixels of the final image, at 96 x 32."""

    camera: Camera
    view: str  # "front", "back" or "side"
    mirrored: bool  # in the side view: walks to the left
    occluder: str | None
    stride: float  # -1 to 1: which leg leads, and how far
    scale: float  # of the person
    shift: tuple[float, float]  # of the feet, to the right and down
    lean: float  # pixels to the right for each pixel of height
    cut: Cut = field(default_factory=lambda: Cut())


def take_shot(camera: Camera, look: Look, rng: Generator) -> Shot:
    """Return a random shot of the camera."""
    pose = look.difficulty.pose
    view = pick_weighted(rng, camera.views)
    hidden = rng.random() < look.difficulty.occlusion
    return Shot(
        camera=camera,
        view=view,
        mirrored=view == "side" and rng.random() < 0.5,
        occluder=pick(rng, look.occluders) if hidden else None,
        stride=rng.uniform(-1, 1),
        scale=0.99 + pose * rng.uniform(-0.05, 0.05),
        shift=(pose * rng.uniform(-1.6, 1.6), pose * rng.uniform(-1.5, 1.5)),
        lean=pose * rng.uniform(-0.03, 0.03),
        cut=_cut(look.difficulty.cut, rng) if look.difficulty.cut else Cut(),
    )


def _cut(most: float, rng: Generator) -> Cut:
    """Half of the images keep their feet; heads are never lost."""
    left, right = most / 2 * rng.uniform(0, 1, 2)
    bottom = most * max(0.0, rng.uniform(-1, 1))
    return Cut(left, most / 3 * rng.uniform(), right, bottom)


def visible_facts(person: Person, shot: Shot) -> set[str]:
    """Return the names of the person's facts that the image shows."""
    facts = set(person.facts())
    if shot.view == "back":
        facts -= _HIDDEN_FROM_BEHIND - ({"upper.inner"} if person.upper.kind == "vest" else set())
    if shot.view != "front" and person.upper.pattern == "logo":
        facts -= {"upper.pattern", "upper.second"}
    if shot.view == "back" and person.item and person.item.kind in _HELD_BEFORE_THE_BODY:
        facts -= {"item", "item.kind", "item.colour"}
    if shot.occluder in LOW_OCCLUDERS or shot.cut.bottom > _SHOES:
        facts -= {"shoes", "shoes.kind", "shoes.colour"}
    return facts
