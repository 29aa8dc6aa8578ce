"""Small data, a toy method, a cache of their own and a browser for every test."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import playwright.sync_api as playwright
import pytest

from harness.compatibility import mend_torchvision

mend_torchvision()  # as every process of the harness does before it imports a method

TOY = '''
"""A linear method for tests."""

from dataclasses import dataclass, field
from collections.abc import Mapping

import torch
from torch import nn
from torch.nn.functional import cross_entropy, normalize

from harness.method import Config, Method, Recipe, Stage
from harness.registry import register


@dataclass(frozen=True)
class ToyConfig(Config):
    losses: Mapping[str, float] = field(default_factory=lambda: {"itc": 1.0})
    width: int = 8


@register("toy", title="Toy")
class Toy(Method):
    """Mean colour against a bag of letters."""

    config_class = ToyConfig
    recipes = {
        "tiny": Recipe("", (32, 16), (Stage(epochs=2, learning_rate=0.01, batch_size=16),), 1)
    }
    ablations = {"Table 1": {"narrow": {"width": 4}, "Toy": {}}}

    def __init__(self, config, train):
        super().__init__(config, train)
        self.images = nn.Linear(3, config.width)
        self.texts = nn.Linear(128, config.width)

    def encode_images(self, images):
        return self.images(images.float().mean((2, 3)) / 255)

    def encode_texts(self, captions):
        letters = torch.zeros(len(captions), 128)
        for row, caption in enumerate(captions):
            for letter in caption:
                letters[row, ord(letter) % 128] += 1
        return self.texts(letters)

    def training_losses(self, batch, run):
        images = normalize(self.encode_images(batch.images), dim=-1)
        texts = normalize(self.encode_texts(batch.captions), dim=-1)
        loss = cross_entropy(images @ texts.T * 10, torch.arange(len(images)))
        return {"itc": run.losses["itc"] * loss}
'''


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Keep what tests cache out of the user's caches."""
    folder = tmp_path_factory.mktemp("cache")
    kept = {name: os.environ.get(name) for name in ("HARNESS_CACHE", "HF_DATASETS_CACHE")}
    os.environ["HARNESS_CACHE"] = str(folder)
    os.environ["HF_DATASETS_CACHE"] = str(folder / "huggingface")
    yield folder
    for name, value in kept.items():
        os.environ.pop(name, None) if value is None else os.environ.__setitem__(name, value)


@pytest.fixture(scope="session")
def small_dolls(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of PaperDolls with 12 / 6 / 8 people: train, val and test as Parquet."""
    from harness.data.paperdolls.build import Sizes, write_paperdolls

    folder = tmp_path_factory.mktemp("data") / "small-dolls"
    write_paperdolls(folder, sizes=Sizes(train=12, val=6, test=8))
    return folder


@pytest.fixture
def toy_source() -> str:
    """The source of the toy plugin, for tests that change it."""
    return TOY


@pytest.fixture
def toy(tmp_path: Path) -> Path:
    """A plugin file that registers the method `toy`."""
    file = tmp_path / "plugins" / "toy.py"
    file.parent.mkdir()
    file.write_text(TOY, encoding="utf-8")
    return file


@pytest.fixture
def harness(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run the command line in a process of its own, in an empty folder."""

    def call(*arguments: object) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "harness", *map(str, arguments)],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )

    return call


@pytest.fixture(scope="session")
def chromium() -> str:
    """Return the path of a Chromium, or skip."""
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    if found is None:
        pytest.skip("no Chromium on this machine to lay the pages out")
    return found


@pytest.fixture(scope="session")
def browser(chromium: str) -> Iterator[playwright.Browser]:
    """Return a headless Chromium that all tests of a process share."""
    with playwright.sync_playwright() as started:
        found = started.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield found
        found.close()
