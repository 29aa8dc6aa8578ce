"""Builds the static leaderboard: read the records once, make every page, write them at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from leaderboard import compare, datasets, downloads, literature, method, protocol, ranking
from leaderboard.reported.tables import FOLDER
from leaderboard.site import render
from leaderboard.site.folder import write_site
from leaderboard.site.site import File, Site, load_site

# Each makes some of the site's files, by their path within it.
MAKERS: tuple[Callable[[Site], Mapping[str, File]], ...] = (
    render.make_assets,
    ranking.make_files,
    method.make_files,
    compare.make_files,
    datasets.make_files,
    protocol.make_files,
    literature.make_files,
    downloads.make_files,
)


def build_site(results: Path, out: Path, reported: Path = FOLDER, shipped: bool = False) -> Path:
    """Write the pages of every run below `results` into the folder `out`; return the index.

    Beside them stand the runs that ship: of the suites that ran here or, where nothing did or
    `shipped` asks for them, of all. What papers print is read from the folder `reported`, one file
    a paper. A site that is already there is replaced at once or, where anything fails, not at all.

    Raises:
        ValueError: there is no run to show, or a file of reported figures is wrong.
        FileExistsError: `out` holds files and is not a site that this function wrote.
    """
    site = load_site(results, reported, shipped)
    files: dict[str, File] = {}
    for make in MAKERS:
        files |= make(site)
    write_site(files, out)
    return out / "index.html"
