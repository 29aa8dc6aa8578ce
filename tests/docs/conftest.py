"""What pages are run with: a cache whose drawn datasets are small, and a folder each."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from harness.data import catalogue
from harness.data.paperdolls.build import write_paperdolls
from harness.data.paperdolls.looks import DATASETS, Sizes

from ..made_once import Make
from .pages import ROOT, Desk
from .served import open_door, write_program

SMALL = Sizes(train=12, val=6, test=8)  # people


@pytest.fixture(scope="session")
def cheap(once: Make, environment: Mapping[str, str]) -> Mapping[str, str]:
    """An environment in which runs are cheap: the drawn datasets lie small in the cache.

    The harness takes a drawn dataset that is in the cache as it is. Nothing else is changed: every
    command runs as it is written.
    """
    cache = once("docs-cache", draw_small)
    own = {"HARNESS_CACHE": str(cache), "HF_DATASETS_CACHE": str(cache / "huggingface")}
    path = os.pathsep.join([str(once("programs", write_program)), os.environ["PATH"]])
    return {**environment, **own, "PATH": path, "HF_HUB_OFFLINE": "1"}


def draw_small(cache: Path) -> None:
    """Write small datasets where the harness looks for drawn ones."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HARNESS_CACHE", str(cache))
        for declaration in catalogue.read_catalogue().values():
            if declaration.drawn:
                place = catalogue.place_of_drawn(declaration)
                write_paperdolls(place, sizes=SMALL, look=DATASETS[declaration.drawn])


@pytest.fixture
def desk(tmp_path: Path, cheap: Mapping[str, str], temporary: Path) -> Iterator[Desk]:
    """An empty folder, but for the docs, which pages name as in a checkout."""
    (tmp_path / "docs").symlink_to(ROOT / "docs")
    with open_door(cheap, temporary) as door:
        yield Desk(tmp_path, door)
