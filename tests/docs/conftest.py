"""What pages are run with: a cache whose drawn datasets are small, and a folder each."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from harness.data import catalogue
from harness.data.paperdolls.build import Sizes, write_paperdolls
from harness.data.paperdolls.looks import DATASETS

from ..made_once import Make, write_text
from .pages import ROOT, Desk, cheap_environment

SMALL = Sizes(train=12, val=6, test=8)  # people


@pytest.fixture(scope="session")
def cheap(once: Make) -> Mapping[str, str]:
    """An environment in which runs are cheap: the drawn datasets lie small in the cache.

    The harness takes a drawn dataset that is in the cache as it is. Nothing else is changed: every
    command runs as it is written.
    """
    cache = once("docs-cache", draw_small)
    programs = once("programs", write_program)
    return cheap_environment(cache, programs)


def draw_small(cache: Path) -> None:
    """Write small datasets where the harness looks for drawn ones."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HARNESS_CACHE", str(cache))
        for declaration in catalogue.read_catalogue().values():
            if declaration.drawn:
                place = catalogue._place_of_drawn(declaration)
                write_paperdolls(place, sizes=SMALL, look=DATASETS[declaration.drawn])


def write_program(programs: Path) -> None:
    """Write a `harness` that is this one."""
    program = programs / "harness"
    write_text(program, f'#!/bin/sh\nexec "{sys.executable}" -m harness "$@"\n')
    program.chmod(0o755)


@pytest.fixture
def desk(tmp_path: Path, cheap: Mapping[str, str]) -> Desk:
    """An empty folder, but for the docs, which pages name as in a checkout."""
    (tmp_path / "docs").symlink_to(ROOT / "docs")
    return Desk(tmp_path, cheap)
