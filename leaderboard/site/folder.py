"""A site's files as bytes in a folder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from harness.publishing.folder import write_folder
from harness.publishing.page import MANIFEST
from leaderboard.site.site import File

MARKER = MANIFEST


def write_site(files: Mapping[str, File], out: Path) -> None:
    """Put files, by their path within the site, into `out`; files of others in it are kept.

    Raises FileExistsError where `out` is not a site of ours, or a page would replace a file
    that is not.
    """
    contents = {
        name: content.encode("utf-8") if isinstance(content, str) else content
        for name, content in files.items()
    }
    write_folder(contents, out)
