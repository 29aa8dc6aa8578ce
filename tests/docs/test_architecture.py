from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

from harness.sources import HARNESS_FOLDER

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "architecture.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def script() -> ModuleType:
    """The script that draws the rooms."""
    spec = importlib.util.spec_from_file_location("docs_architecture", DOCS / "architecture.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_drawing_is_that_of_the_imports(script: ModuleType) -> None:
    """What is drawn are the imports as they are; `python docs/architecture.py` draws anew."""
    assert script.OUT.read_text(encoding="utf-8") == script.draw()


def test_every_room_is_in_the_drawing_and_on_the_page(script: ModuleType) -> None:
    """A new package or module of the harness has a layer, and words that say what it is for."""
    rooms = {name for layer in script.read_layers() for name in layer}
    modules = {file.stem for file in HARNESS_FOLDER.glob("[a-z]*.py")}
    packages = {file.parent.name for file in HARNESS_FOLDER.glob("[a-z]*/__init__.py")}
    there = modules | packages  # what ships in `harness/shipped` is no code
    assert rooms == there
    assert not [room for room in rooms if f"`{room}`" not in PAGE]


def test_every_place_that_the_page_names_is_there() -> None:
    """Files and folders are where the page says."""
    named = re.findall(r"`((?:harness|leaderboard|methods|docs)/[\w/.]*)`", PAGE)
    assert len(named) > 10
    assert not [place for place in named if not (DOCS.parent / place).exists()]
