"""The folder that images of an annotation lie in, and what is wrong with paths to them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from harness.data.importing.tables import Fault
from harness.errors import HarnessError


class NoImage(Fault):
    """An image is not where it is said to be."""

    def __init__(self, told: str, source: str, advice: str = "") -> None:
        super().__init__(told, advice)
        self.source = source


class ImageFolder:
    """The folder that images lie in; behind links that lead out of it, where these are followed."""

    def __init__(self, folder: Path, follow_links: bool) -> None:
        self._root = folder.resolve()
        self._follow_links = follow_links

    def find(self, source: str, place: str) -> Path:
        """Return the file of an image.

        Raises:
            NoImage: there is none, or it lies elsewhere.
        """
        root = self._root
        advice = f"Images lie in {root}."
        told = f"{place}: {source!r:.200} leads out of the images' folder"
        if not Path(os.path.normpath(root / source)).is_relative_to(root):
            raise NoImage(f"{told}.", source, advice)
        try:
            file = (root / source).resolve(strict=True)
        except (OSError, RuntimeError) as error:
            fault = f"{place}: there is no image {source!r:.200}."
            raise NoImage(fault, source, advice) from error
        if not self._follow_links and not file.is_relative_to(root):
            advice = f"{advice[:-1]}; --follow-links takes those behind links, too."
            raise NoImage(f"{told} through a link.", source, advice)
        if not file.is_file():
            raise NoImage(f"{place}: {source!r:.200} is not a file.", source, advice)
        return file

    def spell(self, source: str) -> str:
        """Return the path below the folder by which a file is known: a/0.jpg of ./b/../a/0.jpg.

        Where ".." follows a link, it does not lead back: it stays. What leads out of the folder
        stays as it is.
        """
        written = self._root / source
        path = Path(os.path.normpath(written))
        if path != written and os.path.realpath(path) != os.path.realpath(written):
            path = written
        within = path.is_relative_to(self._root)
        return path.relative_to(self._root).as_posix() if within else source


def once_an_image(faults: Sequence[HarnessError]) -> list[HarnessError]:
    """Return the faults, of each image the first: several rows may tell of one."""
    first: dict[str | int, HarnessError] = {}
    for number, fault in enumerate(faults):
        first.setdefault(fault.source if isinstance(fault, NoImage) else number, fault)
    return list(first.values())
