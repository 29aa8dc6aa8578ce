"""Results of small methods, and folders of coloured images, for tests of searching."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from PIL import Image

from ...command_line import CommandLine
from ...made_once import Make, write_text

TINT = '''
"""Methods that look at the mean colour of an image, for tests."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import nn

from harness.method import Config, Encoded, Method, Recipe, Stage, Supervision
from harness.registry import register

COLOURS = "red", "green", "blue"


@dataclass(frozen=True)
class TintConfig(Config):
    losses: Mapping[str, float] = field(default_factory=lambda: {"small": 1.0})


@dataclass(frozen=True)
class StillConfig(Config):
    supervision: Supervision = Supervision.NONE


@register("tint", title="Tint")
class Tint(Method):
    """Colour words against the mean colour, turned as the weights say."""

    config_class = TintConfig
    recipes = {"tiny": Recipe("", (32, 16), (Stage(epochs=1, learning_rate=0.01),), threads=1)}

    def __init__(self, config, train):
        super().__init__(config, train)
        self.turn = nn.Parameter(torch.randn(3, 3))
        self.heads = nn.Parameter(torch.zeros(train.image_count, len(train.captions)))

    def encode_images(self, images):
        return images.float().mean((2, 3)) / 255 @ self.turn

    def encode_texts(self, captions):
        return torch.tensor([[float(text.count(one)) for one in COLOURS] for text in captions])

    def training_losses(self, batch, run):
        return {"small": self.turn.square().sum() + self.heads.sum()}


@register("tint-twice", title="Tint twice")
class TintTwice(Tint):
    """The same, with the order of the first four turned around."""

    recipes = {
        "tiny": Recipe(
            "", (32, 16), (Stage(epochs=1, learning_rate=0.01),), threads=1, candidates=4
        )
    }

    def encode_images(self, images):
        embedding = super().encode_images(images)
        return Encoded(embedding, embedding[:, None])

    def encode_texts(self, captions):
        embedding = super().encode_texts(captions)
        return Encoded(embedding, embedding[:, None])

    def rescore(self, texts, images, image_of_text):
        pairs = texts.embedding, images.embedding[image_of_text]
        return -nn.functional.cosine_similarity(*pairs)


@register("still", title="Still")
class Still(Tint):
    """The first, untrained."""

    config_class = StillConfig
    recipes = {"tiny": Recipe("", (32, 16), threads=1)}


@register("still-twice", title="Still twice")
class StillTwice(TintTwice):
    """The second, untrained."""

    config_class = StillConfig
    recipes = {"tiny": Recipe("", (32, 16), threads=1, candidates=4)}
'''

COLOURS = {"red": (230, 20, 20), "green": (20, 220, 30), "blue": (10, 30, 240)}


@pytest.fixture(scope="session")
def tint(once: Make) -> Path:
    """A plugin file with the methods `tint`, `tint-twice`, `still` and `still-twice`."""
    return once("tint", lambda folder: write_text(folder / "tint.py", TINT)) / "tint.py"


@pytest.fixture(scope="session")
def finished(
    tint: Path, small_dolls: Path, once: Make, harness_in: Callable[[Path], CommandLine]
) -> Path:
    """Results of the four methods; copy them before changing them.

    The stored weights of `tint` leave colours as they are: who loads them finds red for "red".
    """

    def fill(folder: Path) -> None:
        folder.mkdir()
        done = harness_in(folder)(
            "run", "tint", "tint-twice", "still", "still-twice",
            "--plugins", tint, "--dataset", small_dolls, "--seeds", "0", "--no-report",
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        for weights in folder.glob("results/*/*/tint*/full/seed-0/weights/selected.pt"):
            state = torch.load(weights, weights_only=True)
            torch.save({**state, "turn": torch.eye(3)}, weights)

    return once("finished", fill) / "results"


@pytest.fixture(autouse=True)
def nothing_encoded(cache: Path) -> None:
    """Every test encodes its images anew."""
    shutil.rmtree(cache / "search", ignore_errors=True)


@pytest.fixture
def results(finished: Path, tmp_path: Path) -> Path:
    """A copy of the results that a test may change."""
    return Path(shutil.copytree(finished, tmp_path / "results"))


@pytest.fixture
def paint() -> Callable[..., Path]:
    """Return a function that writes an image of one colour."""

    def write(file: Path, colour: str | tuple[int, int, int]) -> Path:
        file.parent.mkdir(parents=True, exist_ok=True)
        shade = COLOURS[colour] if isinstance(colour, str) else colour
        Image.new("RGB", (24, 48), shade).save(file)
        return file

    return write


@pytest.fixture
def photos(tmp_path: Path, paint: Callable[..., Path]) -> Path:
    """A folder with an image of each colour, one of them further down."""
    folder = tmp_path / "photos"
    paint(folder / "a.png", "red")
    paint(folder / "deep" / "er" / "b.jpg", "green")
    paint(folder / "c.webp", "blue")
    paint(folder / "d.BMP", (120, 20, 110))
    return folder
