"""Under which names the downloads stand within the site."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from urllib.parse import quote

from leaderboard.downloads.views import Download
from leaderboard.site.site import File
from leaderboard.typography import fixed

FOLDER = "downloads"
KINDS = {".csv": "CSV", ".json": "JSON", ".tex": "LaTeX", ".bib": "BibTeX"}


def ground_file(anchor: str, name: str) -> str:
    """Return the file of a table of a ground."""
    return f"{FOLDER}/tables/{anchor}/{name}"


def ablation_file(anchor: str, page: str, table: str, suffix: str) -> str:
    """Return the file of an ablation; `page` is that of its method, `table` a file name."""
    return ground_file(anchor, f"ablations/{PurePosixPath(page).stem}/{table}{suffix}")


def list_downloads(files: Mapping[str, File], names: Sequence[str]) -> tuple[Download, ...]:
    """Return what a page shows of some files."""
    return tuple(
        Download(KINDS[PurePosixPath(name).suffix], quote(name), _size(files[name]))
        for name in names
    )


def _size(content: File) -> str:
    size = len(content.encode() if isinstance(content, str) else content)
    return f"{fixed(size / 1000, 0 if size >= 10_000 else 1)} kB"
