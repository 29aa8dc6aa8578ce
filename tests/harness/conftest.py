"""Small finished results that tests of exports share."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.data.catalogue import find_declaration, locate
from harness.results.selection import select_runs
from harness.submission.shipping import make_shipped, write_shipped

from ..command_line import CommandLine
from ..made_once import Make, write_text
from .publishing.remotes import Remote, run_git

GLANCE = '''
"""Methods that look at mean colours and letters, for tests."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import nn
from torch.nn.functional import cosine_similarity

from harness.method import Config, Encoded, Method, Recipe, Stage, Supervision
from harness.registry import ExtraData, Paper, register

PAPER = Paper("A glance", ("Ada Author",), 2026, "PAPERS", "https://example.org/a")
STAGES = (Stage(epochs=1, learning_rate=0.01, batch_size=16),)


@dataclass(frozen=True)
class GlanceConfig(Config):
    losses: Mapping[str, float] = field(default_factory=lambda: {"small": 1.0})
    width: int = 8


@dataclass(frozen=True)
class BlankConfig(Config):
    supervision: Supervision = Supervision.NONE


@register("glance", title="Glance", paper=PAPER, extra_data=ExtraData(weights=("eyes",)))
class Glance(Method):
    """Mean colour against a bag of letters."""

    config_class = GlanceConfig
    recipes = {"tiny": Recipe("", (32, 16), STAGES, threads=1)}
    ablations = {"Table 1": {"narrow": {"width": 4}, "Glance": {}}}

    def __init__(self, config, train):
        super().__init__(config, train)
        self.images = nn.Linear(3, config.width)
        self.texts = nn.Linear(128, config.width)

    def encode_images(self, images):
        return self.images(images.float().mean((2, 3)) / 255)

    def encode_texts(self, captions):
        codes = [[ord(letter) % 128 for letter in caption] for caption in captions]
        counts = [torch.tensor(code, dtype=torch.long).bincount(minlength=128) for code in codes]
        letters = torch.stack(counts).float()
        return self.texts(letters)

    def training_losses(self, batch, run):
        return {"small": sum(p.square().sum() for p in self.parameters())}


@register("glance-twice", title="Glance twice")
class GlanceTwice(Glance):
    """The same, with the order of the first five turned around."""

    recipes = {"tiny": Recipe("", (32, 16), STAGES, threads=1, candidates=5)}
    ablations = {}

    def encode_images(self, images):
        embedding = super().encode_images(images)
        return Encoded(embedding, embedding[:, None])

    def encode_texts(self, captions):
        embedding = super().encode_texts(captions)
        return Encoded(embedding, embedding[:, None])

    def rescore(self, texts, images, image_of_text):
        return -cosine_similarity(texts.embedding, images.embedding[image_of_text])


@register("blank", title="Blank")
class Blank(Method):
    """All images alike, so that ties alone decide."""

    config_class = BlankConfig
    recipes = {"tiny": Recipe("", (32, 16), threads=1)}

    def encode_images(self, images):
        return torch.ones(len(images), 2)

    def encode_texts(self, captions):
        return torch.ones(len(captions), 2)
'''


@pytest.fixture(scope="session")
def glance(once: Make) -> Path:
    """A plugin file with the methods `glance`, `glance-twice` and `blank`."""
    return once("glance", lambda folder: write_text(folder / "glance.py", GLANCE)) / "glance.py"


@pytest.fixture(scope="session")
def made_results(
    glance: Path, small_dolls: Path, once: Make, harness_in: Callable[[Path], CommandLine]
) -> Path:
    """Results of the three methods with two seeds, re-ranked; copy them before changing them."""

    def fill(folder: Path) -> None:
        folder.mkdir()
        done = harness_in(folder)(
            "run", "glance", "glance-twice", "blank", "--plugins", glance,
            "--dataset", small_dolls, "--seeds", "0,1", "--no-report",
            "--rerank", "visual-neighbours", "--jobs", "1",
        )  # fmt: skip
        assert done.returncode == 0, done.stderr

    return once("made-results", fill) / "results"


@pytest.fixture(scope="session")
def packed(made_results: Path, small_dolls: Path, once: Make) -> Path:
    """The methods as published as they would ship; copy them before changing them."""

    def fill(folder: Path) -> None:
        datasets = [locate(find_declaration(str(small_dolls)))]
        shipped = make_shipped(made_results, select_runs(made_results, "demo"), datasets)
        write_shipped(shipped.files, folder / "shipped", datasets)

    return once("packed", fill) / "shipped"


@pytest.fixture
def ships(packed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of them, which ships in this test."""
    folder = Path(shutil.copytree(packed, tmp_path / "ships"))
    monkeypatch.setattr("harness.results.shipped.FOLDER", folder)
    return folder


@pytest.fixture
def own_results(made_results: Path, tmp_path: Path) -> Path:
    """A copy of the results that a test may change."""
    return Path(shutil.copytree(made_results, tmp_path / "own"))


@pytest.fixture
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the settings of this machine's user out of it."""
    (tmp_path / "home").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    for role in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{role}_NAME", "Somebody")
        monkeypatch.setenv(f"GIT_{role}_EMAIL", "somebody@example.org")


@pytest.fixture
def remote(tmp_path: Path) -> Remote:
    """A repository without any commit, that lets fetch a part of it, as GitHub does."""
    run_git(tmp_path, "init", "--quiet", "--bare", "remote.git")
    run_git(tmp_path / "remote.git", "config", "uploadpack.allowFilter", "true")
    return Remote(tmp_path / "remote.git")
