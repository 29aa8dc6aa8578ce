"""What pages are run with: a cache whose drawn datasets are small, and a folder each."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from harness.data import catalogue
from harness.data.paperdolls.build import Sizes, write_paperdolls
from harness.data.paperdolls.looks import DATASETS

from .pages import ROOT, Desk, cheap_environment

SMALL = Sizes(train=12, val=6, test=8)  # people


@pytest.fixture(scope="session")
def cheap(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, str]:
    """An environment in which runs are cheap: the drawn datasets lie small in the cache.

    The harness takes a drawn dataset that is in the cache as it is. Nothing else is changed: every
    command runs as it is written.
    """
    cache = tmp_path_factory.mktemp("docs-cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HARNESS_CACHE", str(cache))
        for declaration in catalogue.read_catalogue().values():
            if declaration.drawn:
                place = catalogue._place_of_drawn(declaration)
                write_paperdolls(place, sizes=SMALL, look=DATASETS[declaration.drawn])
    programs = tmp_path_factory.mktemp("programs")
    program = programs / "harness"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m harness "$@"\n', encoding="utf-8")
    program.chmod(0o755)
    return cheap_environment(cache, programs)


@pytest.fixture
def desk(tmp_path: Path, cheap: Mapping[str, str]) -> Desk:
    """An empty folder, but for the docs, which pages name as in a checkout."""
    (tmp_path / "docs").symlink_to(ROOT / "docs")
    return Desk(tmp_path, cheap)
