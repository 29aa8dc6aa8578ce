"""Small data, a toy method, a cache of their own and a browser for every test."""

from __future__ import annotations

import gc
import os
import shutil
import signal
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import playwright.sync_api as playwright
import pytest
from hypothesis import HealthCheck, settings

from harness.compatibility import mend_torchvision
from harness.execution.local import preload
from harness.registry import find_plugins
from harness.results import shipped

from .command_line import UNASKED, CommandLine
from .cores import share_cores
from .made_once import Make, make_once

# No test depends on the clock: neither may what draws examples.
settings.register_profile("unhurried", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unhurried")
share_cores()  # before torch is imported, which this does:
mend_torchvision()  # as every process of the harness does before it imports a method

MEMORY = Path("/dev/shm")  # a folder in memory, on Linux
COMPILED = "tbpr-bench-compiled"  # a folder that test runs share: compiling takes seconds
ROOM = 8 * 2**30  # bytes that have to be free there: tests write a third of it at most

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
        codes = [[ord(letter) % 128 for letter in caption] for caption in captions]
        counts = [torch.tensor(code, dtype=torch.long).bincount(minlength=128) for code in codes]
        letters = torch.stack(counts).float()
        return self.texts(letters)

    def training_losses(self, batch, run):
        images = normalize(self.encode_images(batch.images), dim=-1)
        texts = normalize(self.encode_texts(batch.captions), dim=-1)
        loss = cross_entropy(images @ texts.T * 10, torch.arange(len(images)))
        return {"itc": run.losses["itc"] * loss}
'''


def pytest_configure() -> None:
    """Let tests write to memory where there is room, and start what they interrupt as it is usual.

    The background of a script ignores SIGINT, and so would all that is started there.
    """
    os.environ.setdefault("NUMBA_CACHE_DIR", str(Path(tempfile.gettempdir()) / COMPILED))
    if MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > ROOM:
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(MEMORY))
    ignored = signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    if ignored and threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, lambda number, frame: None)  # not handed on, unlike SIG_IGN


def pytest_collection_finish() -> None:
    """Leave what is imported by now out of every search for cycles: each training asks for one."""
    gc.freeze()


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


@pytest.fixture(scope="session", autouse=True)
def environment(cache: Path) -> Mapping[str, str]:
    """The variables that all tests start with."""
    os.environ["WANDB_MODE"] = "offline"
    return dict(os.environ)


@pytest.fixture(autouse=True)
def variables_stay(environment: Mapping[str, str]) -> Iterator[None]:
    """A test leaves no variable behind: runs of later ones would go past what those change."""
    before = dict(os.environ)
    yield
    names = (before.keys() | os.environ.keys()) - UNASKED
    left = sorted(name for name in names if before.get(name) != os.environ.get(name))
    for name in left:
        os.environ.pop(name, None)
    os.environ.update({name: before[name] for name in left if name in before})
    assert not left, f"it leaves {', '.join(left)} behind: use monkeypatch, or a process"


@pytest.fixture(scope="session", autouse=True)
def nothing_ships(cache: Path) -> Iterator[None]:
    """No test depends on the results that came with the project; those about them have their own.

    A command in a process of its own sees them all the same.
    """
    kept, shipped.FOLDER = shipped.FOLDER, cache / "nothing-ships"
    yield
    shipped.FOLDER = kept


@pytest.fixture(scope="session")
def temporary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of all that the processes of this test run write."""
    own = tmp_path_factory.getbasetemp()
    return own.parent if "PYTEST_XDIST_WORKER" in os.environ else own


@pytest.fixture(scope="session")
def once(temporary: Path) -> Make:
    """Return a function that makes a folder once for all processes of a test run."""
    return make_once(temporary)


@pytest.fixture(scope="session")
def small_dolls(once: Make) -> Path:
    """A folder of PaperDolls with 12 / 6 / 8 people: train, val and test as Parquet."""
    from harness.data.paperdolls.build import write_paperdolls
    from harness.data.paperdolls.looks import Sizes

    sizes = Sizes(train=12, val=6, test=8)
    return once("small-dolls", lambda folder: write_paperdolls(folder, sizes=sizes))


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


@pytest.fixture(scope="session")
def fork_server(environment: Mapping[str, str]) -> None:
    """Start the one fork server of this process, with what any run imports in its memory.

    Whoever starts it first decides what it imports; what it lacks, each run imports for itself.
    """
    preload(find_plugins())


@pytest.fixture(scope="session")
def harness_in(
    temporary: Path, environment: Mapping[str, str], fork_server: None
) -> Callable[[Path], CommandLine]:
    """Return what runs the command line in a folder."""
    return lambda folder: CommandLine(folder, temporary, environment)


@pytest.fixture
def harness(harness_in: Callable[[Path], CommandLine], tmp_path: Path) -> CommandLine:
    """Run the command line in an empty folder; `harness.apart` does so in a process of its own."""
    return harness_in(tmp_path)


@pytest.fixture(scope="session")
def chromium() -> str:
    """Return the path of a Chromium, or skip."""
    # The first is the same without windows: it loads a page in two thirds of the time.
    names = ("chromium-headless-shell", "chromium", "chromium-browser")
    found = next(filter(None, map(shutil.which, names)), None)
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
