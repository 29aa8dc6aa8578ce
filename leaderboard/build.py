"""Builds the static leaderboard: load the records, compute the views, render them, write them."""

from __future__ import annotations

from pathlib import Path

from leaderboard.addresses import find_addresses
from leaderboard.load import load_grounds
from leaderboard.method_page import method_page
from leaderboard.ranking import index_page
from leaderboard.render import render_index, render_method
from leaderboard.site_folder import write_site


def build_site(results: Path, out: Path) -> Path:
    """Write the pages of every run below `results` into the folder `out`; return the index.

    A site that is already there is replaced at once or, where anything fails, not at all.

    Raises:
        ValueError: there is no run to show.
        FileExistsError: `out` holds files and is not a site that this function wrote.
    """
    grounds = load_grounds(results)
    addresses = find_addresses(grounds)
    pages = {"index.html": render_index(index_page(grounds, addresses))}
    for method, file in addresses.files.items():
        pages[file] = render_method(method_page(method, grounds, addresses))
    write_site(pages, out)
    return out / "index.html"
