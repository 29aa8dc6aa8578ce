"""A `Look` is all that a set of drawings has in common: shades, cameras, difficulty, wording.

The looks are kept apart on purpose. Encoders pre-trained on PRETRAINING meet other shades, other
places, worse cameras and richer language in PAPERDOLLS, so that fine-tuning has something to gain.
What was trained on PAPERDOLLS meets faded colours, cameras of an evening and terser captions in
STREETDOLLS, so that a loss can be seen where a method is tested on what it was not trained on.
CROWDDOLLS are nearer to a benchmark: more people, fewer words for each, some of them vague or
wrong, boxes that cut people off, and bags that come and go.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from .drawing.canvas import Colour
from .people.families import Families


@dataclass(frozen=True)
class Camera:
    """Where a camera stands and how it sees. What it adds is scaled by the look's `Difficulty`."""

    name: str
    scene: str  # a name in scenes.SCENES
    views: Mapping[str, float]  # "front", "back" or "side" -> weight
    gain: float = 1.0  # light
    tint: tuple[float, float, float] = (1.0, 1.0, 1.0)  # of red, green and blue
    blur: float = 0.0  # radius in pixels of the final image
    noise: float = 4.0  # standard deviation in levels of 255
    haze: float = 0.0  # share of contrast lost


@dataclass(frozen=True)
class Difficulty:
    """How hard the images are. The first four multiply what a camera does."""

    light: float = 1.0  # of the gain's and the tint's distance from neutral
    blur: float = 1.0
    noise: float = 1.0
    haze: float = 1.0
    light_jitter: float = 0.08  # standard deviation of the gain between images of one camera
    shade_jitter: float = 6.0  # standard deviation of a colour, in levels of 255
    occlusion: float = 0.3  # probability that something stands before the person
    pose: float = 1.0  # how far scale, place and lean change between images
    cut: float = 0.0  # the most that is cut off at the bottom, as a share; half of it at the sides
    changes: float = 0.0  # probability that a bag, or an item, is put down or taken up in an image


@dataclass(frozen=True)
class Wording:
    """How captions are written. Probabilities not given here are 1."""

    named: Mapping[str, float]  # "attribute": named at all; "attribute.part": if so, with this part
    sentences: str  # a name in grammar.GRAMMARS
    words: tuple[int, int]  # fewest and most words of a caption
    rare: float = 0.0  # probability of a rarer synonym, where there is one
    absence: float = 0.0  # probability of saying that there is no bag
    hidden: float = 0.0  # probability of naming, all the same, what cannot be seen in the image
    scenery: float = 0.0  # probability of telling what the person does or where
    shuffled: float = 0.0  # probability of an unusual order of the clothes
    vague: float = 0.0  # probability of a word that fits other things too, where there is one
    mistaken: float = 0.0  # probability that one thing is told as it is not


@dataclass(frozen=True)
class Sizes:
    """How much is drawn: people of each split, images of a person, captions of an image."""

    train: int = 400
    val: int = 100
    test: int = 200
    images: tuple[int, int] = (4, 4)  # fewest and most
    captions: int = 2

    def people(self, split: str) -> int:
        return {"train": self.train, "val": self.val, "test": self.test}[split]


@dataclass(frozen=True)
class Look:
    """Everything about how people are drawn and described, apart from who they are."""

    name: str
    palette: Mapping[str, Colour]
    skins: Mapping[str, Colour]
    hair: Mapping[str, Colour]
    cameras: tuple[Camera, ...]
    occluders: tuple[str, ...]  # names in scenes.OCCLUDERS
    wording: Wording
    difficulty: Difficulty = field(default_factory=Difficulty)
    families: Families = field(default_factory=Families)
    sizes: Sizes = field(default_factory=Sizes)
    seed: int = 0  # other people than those of another seed


PAPERDOLLS = Look(
    name="paperdolls",
    palette={
        "black": (34, 34, 38), "white": (242, 241, 236), "gray": (136, 138, 142),
        "red": (206, 40, 44), "maroon": (112, 26, 44), "pink": (240, 150, 182),
        "orange": (240, 130, 36), "yellow": (246, 208, 60), "green": (50, 146, 72),
        "olive": (104, 108, 52), "turquoise": (56, 186, 184), "light blue": (146, 196, 236),
        "blue": (44, 96, 204), "navy": (30, 42, 92), "purple": (122, 66, 160),
        "brown": (122, 78, 46), "beige": (218, 194, 152),
    },
    skins={
        "pale": (250, 218, 196), "light": (238, 194, 162), "tan": (214, 160, 118),
        "brown": (160, 106, 72), "dark": (104, 68, 50),
    },
    hair={
        "black": (30, 26, 28), "brown": (98, 60, 34), "blond": (226, 186, 96),
        "red": (176, 76, 34), "gray": (150, 150, 154), "white": (232, 232, 228),
    },
    cameras=(
        Camera("entrance", "mall", {"front": 5, "side": 1}, 1.04, (1.05, 1.0, 0.93), 0.0, 4),
        Camera("crossing", "crossing", {"side": 4, "front": 1}, 1.08, (1.0, 1.0, 1.02), 0.3, 4),
        Camera("park", "park", {"back": 4, "side": 1}, 0.94, (0.96, 1.05, 0.92), 0.35, 4),
        Camera("platform", "station", {"front": 3, "side": 2}, 0.84, (0.92, 1.0, 1.1), 0.45, 6),
        Camera("alley", "night", {"back": 2, "front": 2}, 0.74, (0.95, 0.97, 1.12), 0.4, 8),
        Camera("street", "street", {"side": 2, "back": 3}, 1.0, (1.02, 1.0, 0.98), 0.6, 6, 0.2),
    ),
    occluders=("post", "hedge", "car", "passer-by", "railing"),
    wording=Wording(
        named={
            "kind": 0.93, "hair": 0.8, "hair.kind": 0.88, "hair.colour": 0.9, "beard": 0.6,
            "glasses": 0.8, "glasses.kind": 0.9, "hat": 0.9, "hat.kind": 0.9, "hat.colour": 0.9,
            "scarf": 0.85, "scarf.colour": 0.9, "upper.kind": 0.92, "upper.colour": 0.96,
            "upper.pattern": 0.94, "upper.plain": 0.12, "upper.second": 0.9, "upper.inner": 0.82,
            "lower": 0.97, "lower.colour": 0.94, "shoes": 0.9, "shoes.kind": 0.85,
            "shoes.colour": 0.95, "bag": 0.96, "bag.kind": 0.92, "bag.colour": 0.94, "item": 0.9,
            "item.colour": 0.85,
        },
        sentences="varied",
        words=(12, 30),
        rare=0.12,
        absence=0.12,
        hidden=0.02,
        scenery=0.25,
        shuffled=0.3,
    ),
)  # fmt: skip

STREETDOLLS = Look(
    name="streetdolls",
    palette={
        "black": (48, 46, 44), "white": (222, 220, 208), "gray": (118, 122, 124),
        "red": (172, 62, 52), "maroon": (96, 40, 44), "pink": (214, 156, 168),
        "orange": (208, 126, 62), "yellow": (218, 192, 96), "green": (76, 122, 78),
        "olive": (98, 98, 66), "turquoise": (84, 158, 158), "light blue": (150, 180, 204),
        "blue": (66, 92, 162), "navy": (42, 50, 82), "purple": (108, 76, 132),
        "brown": (108, 80, 56), "beige": (198, 180, 148),
    },
    skins={
        "pale": (236, 208, 190), "light": (222, 184, 154), "tan": (198, 150, 114),
        "brown": (148, 102, 74), "dark": (98, 70, 56),
    },
    hair={
        "black": (40, 36, 36), "brown": (92, 64, 44), "blond": (204, 176, 112),
        "red": (158, 82, 48), "gray": (142, 142, 144), "white": (214, 214, 208),
    },
    cameras=(
        Camera("arcade", "brick", {"front": 3, "side": 2}, 0.9, (1.08, 1.0, 0.88), 0.3, 6),
        Camera("underpass", "corridor", {"back": 3, "front": 2}, 0.8, (0.95, 1.04, 0.95), 0.4, 7),
        Camera("kerb", "street", {"side": 3, "front": 1}, 0.86, (1.06, 0.98, 0.92), 0.5, 6, 0.15),
        Camera("promenade", "beach", {"back": 3, "side": 1}, 1.06, (1.06, 1.0, 0.9), 0.3, 5, 0.1),
        Camera("evening", "night", {"front": 2, "back": 2}, 0.78, (1.1, 0.96, 0.9), 0.4, 8),
    ),
    occluders=("post", "passer-by", "car"),
    wording=Wording(
        named={
            "kind": 0.95, "hair": 0.5, "hair.kind": 0.8, "hair.colour": 0.85, "beard": 0.4,
            "glasses": 0.55, "hat": 0.8, "hat.colour": 0.8, "scarf": 0.65, "upper.plain": 0.05,
            "upper.inner": 0.5, "upper.second": 0.75, "lower": 0.92, "shoes": 0.6,
            "shoes.kind": 0.75, "bag": 0.85, "item": 0.7, "item.colour": 0.7,
        },
        sentences="terse",
        words=(6, 18),
        rare=0.05,
        hidden=0.01,
    ),
    difficulty=Difficulty(light_jitter=0.1, shade_jitter=7.0, occlusion=0.2),
    seed=1,
)  # fmt: skip

CROWDDOLLS = Look(
    name="crowddolls",
    palette={
        "black": (28, 28, 30), "white": (234, 232, 226), "gray": (126, 128, 132),
        "red": (186, 44, 46), "maroon": (100, 28, 42), "pink": (226, 140, 170),
        "orange": (222, 122, 44), "yellow": (230, 196, 72), "green": (58, 130, 76),
        "olive": (96, 100, 54), "turquoise": (64, 168, 170), "light blue": (142, 186, 222),
        "blue": (50, 92, 182), "navy": (32, 42, 84), "purple": (112, 66, 146),
        "brown": (112, 74, 46), "beige": (208, 186, 148),
    },
    skins={
        "pale": (244, 212, 192), "light": (230, 188, 158), "tan": (206, 154, 114),
        "brown": (152, 102, 70), "dark": (98, 66, 50),
    },
    hair={
        "black": (32, 28, 30), "brown": (92, 58, 36), "blond": (214, 178, 100),
        "red": (164, 74, 38), "gray": (146, 146, 150), "white": (222, 222, 218),
    },
    cameras=(
        Camera("gate", "mall", {"front": 4, "side": 2}, 1.02, (1.06, 1.0, 0.92), 0.2, 5),
        Camera("hall", "mall", {"back": 3, "side": 2}, 0.86, (1.1, 1.0, 0.86), 0.4, 6),
        Camera("junction", "crossing", {"side": 3, "front": 2}, 1.1, (1.0, 1.0, 1.03), 0.3, 5),
        Camera("refuge", "crossing", {"back": 3, "front": 1}, 0.92, (0.96, 1.0, 1.06), 0.5, 6, 0.1),
        Camera("lawn", "park", {"back": 2, "side": 2, "front": 1}, 1, (0.95, 1.06, 0.9), 0.35, 5),
        Camera("track", "station", {"front": 3, "side": 2}, 0.78, (0.9, 1.0, 1.12), 0.45, 7),
        Camera("late", "night", {"back": 2, "front": 2}, 0.7, (0.96, 0.96, 1.14), 0.4, 9),
        Camera("kiosk", "street", {"side": 2, "back": 2, "front": 1}, blur=0.6, noise=6, haze=0.2),
    ),
    occluders=("post", "hedge", "car", "passer-by", "railing"),
    wording=Wording(
        named={
            "kind": 0.9, "hair": 0.6, "hair.kind": 0.8, "hair.colour": 0.85, "beard": 0.45,
            "glasses": 0.6, "glasses.kind": 0.85, "hat": 0.8, "hat.kind": 0.85, "hat.colour": 0.8,
            "scarf": 0.7, "scarf.colour": 0.8, "upper.kind": 0.85, "upper.colour": 0.94,
            "upper.pattern": 0.85, "upper.plain": 0.06, "upper.second": 0.75, "upper.inner": 0.6,
            "lower": 0.92, "lower.colour": 0.9, "shoes": 0.7, "shoes.kind": 0.75,
            "shoes.colour": 0.9, "bag": 0.85, "bag.kind": 0.85, "bag.colour": 0.85, "item": 0.7,
            "item.colour": 0.75,
        },
        sentences="loose",
        words=(8, 32),
        rare=0.2,
        absence=0.06,
        hidden=0.02,
        scenery=0.3,
        shuffled=0.4,
        vague=0.06,
        mistaken=0.08,
    ),
    difficulty=Difficulty(
        light_jitter=0.1, shade_jitter=7.0, occlusion=0.3, pose=1.4, cut=0.16, changes=0.12
    ),
    families=Families(size=3, share=0.25),
    sizes=Sizes(train=5000, val=300, test=1000, images=(3, 6), captions=1),
    seed=2,
)  # fmt: skip

PRETRAINING = Look(
    name="pretraining",
    palette={
        "black": (16, 16, 16), "white": (252, 252, 252), "gray": (160, 160, 160),
        "red": (232, 24, 24), "maroon": (136, 16, 32), "pink": (255, 128, 192),
        "orange": (255, 148, 0), "yellow": (255, 232, 16), "green": (16, 176, 40),
        "olive": (128, 128, 24), "turquoise": (24, 208, 208), "light blue": (128, 208, 255),
        "blue": (16, 72, 240), "navy": (12, 20, 120), "purple": (152, 40, 200),
        "brown": (140, 84, 24), "beige": (240, 220, 172),
    },
    skins={
        "pale": (255, 228, 210), "light": (248, 206, 170), "tan": (226, 172, 124),
        "brown": (172, 112, 70), "dark": (116, 72, 48),
    },
    hair={
        "black": (12, 12, 12), "brown": (116, 68, 24), "blond": (248, 208, 88),
        "red": (208, 84, 16), "gray": (168, 168, 168), "white": (248, 248, 248),
    },
    cameras=(
        Camera("studio", "studio", {"front": 3, "side": 1, "back": 1}, noise=2),
        Camera("wall", "brick", {"front": 2, "side": 1, "back": 1}, noise=2),
        Camera("beach", "beach", {"front": 1, "side": 1, "back": 2}, 1.04, noise=2),
        Camera("corridor", "corridor", {"front": 1, "side": 2, "back": 1}, 0.94, noise=3),
    ),
    occluders=("post",),
    wording=Wording(
        named={
            "kind": 0.97, "hair": 0.45, "hair.kind": 0.8, "hair.colour": 0.8, "beard": 0.3,
            "glasses": 0.5, "hat": 0.7, "scarf": 0.6, "upper.plain": 0.0, "upper.inner": 0.5,
            "upper.second": 0.7, "lower": 0.88, "shoes": 0.6, "shoes.kind": 0.7, "bag": 0.75,
            "item": 0.6, "item.colour": 0.6,
        },
        sentences="terse",
        words=(6, 20),
    ),
    difficulty=Difficulty(light_jitter=0.03, shade_jitter=4.0, occlusion=0.05, pose=0.8),
    families=Families(size=3, share=0.3),
)  # fmt: skip

# The same, more varied: for encoders that have seen more.
VARIED = replace(
    PRETRAINING,
    name="varied",
    cameras=(
        *PRETRAINING.cameras,
        Camera("loft", "studio", {"front": 2, "side": 2, "back": 2}, 0.86, (1.08, 1, 0.9), 0.3, 5),
        Camera("yard", "brick", {"front": 2, "side": 2, "back": 2}, 1.08, (0.96, 1, 1.06), 0.2, 4),
        Camera("pier", "beach", {"front": 2, "side": 2, "back": 2}, 0.8, (0.94, 1, 1.1), 0.4, 7),
        Camera("ward", "corridor", {"front": 2, "side": 2, "back": 2}, 1, (1, 1.05, 0.95), 0.5, 5),
    ),
    wording=replace(PRETRAINING.wording, sentences="varied", words=(8, 28), rare=0.12),
    difficulty=Difficulty(light_jitter=0.1, shade_jitter=12.0, occlusion=0.15, cut=0.1),
)

DATASETS = {
    look.name: look for look in (PAPERDOLLS, STREETDOLLS, CROWDDOLLS)
}  # those that are benchmarks
