"""A page as it is published: the files that the reports wrote, and what goes with them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

MANIFEST = ".leaderboard-files"  # lists what is ours, so that publishing replaces nothing else
NO_JEKYLL = ".nojekyll"  # GitHub Pages would leave files out and take braces for its own


@dataclass(frozen=True)
class Page:
    """A folder of files, and by their paths below it the names that git has for their contents."""

    folder: Path
    blobs: Mapping[str, str]

    def read(self, name: str) -> bytes:
        """Return the content of a file."""
        return (self.folder / name).read_bytes()

    def adding(self, name: str, content: bytes) -> Page:
        """Write one more file and return the page with it; the manifest stays as it is."""
        (self.folder / name).write_bytes(content)
        return replace(self, blobs={**self.blobs, name: blob_name(content)})


def prepare_page(folder: Path) -> Page:
    """Write a manifest, and what keeps Jekyll away, into a folder that reports have written."""
    (folder / NO_JEKYLL).touch()
    names = sorted(path.relative_to(folder).as_posix() for path in list_files(folder))
    (folder / MANIFEST).write_bytes(write_manifest(names))
    blobs = {name: blob_name((folder / name).read_bytes()) for name in {*names, MANIFEST}}
    return Page(folder, dict(sorted(blobs.items())))


def list_files(folder: Path) -> list[Path]:
    """Return the files and links below a folder."""
    return [path for path in folder.rglob("*") if path.is_symlink() or path.is_file()]


def write_manifest(names: Iterable[str]) -> bytes:
    """Return the content of the manifest of files that are ours."""
    return "".join(f"{name}\n" for name in sorted({*names} - {MANIFEST})).encode()


def read_manifest(content: bytes) -> set[str]:
    """Return the names that a manifest lists, and its own."""
    return {*content.decode(errors="replace").split("\n"), MANIFEST} - {""}


def blob_name(content: bytes) -> str:
    """Return the hash by which git, and so the Hugging Face hub, names a file's content."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
