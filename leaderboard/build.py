"""Builds the static leaderboard: load the records, compute the views, render them, write them."""

from __future__ import annotations

from pathlib import Path

from leaderboard.addresses import find_addresses
from leaderboard.load import load_grounds
from leaderboard.method_page import method_page
from leaderboard.ranking import index_page
from leaderboard.render import render_index, render_method
from leaderboard.reported_tables import FOLDER, load_papers
from leaderboard.site_folder import write_site


def build_site(results: Path, out: Path, reported: Path = FOLDER) -> Path:
    """Write the pages of every run below `results` into the folder `out`; return the index.

    What papers print is read from the folder `reported`, one file a paper.
    A site that is already there is replaced at once or, where anything fails, not at all.

    Raises:
        ValueError: there is no run to show, or a file of reported figures is wrong.
        FileExistsError: `out` holds files and is not a site that this function wrote.
    """
    grounds = load_grounds(results)
    addresses = find_addresses(grounds)
    papers = load_papers(reported)
    pages = {"index.html": render_index(index_page(grounds, addresses, papers))}
    for method, file in addresses.files.items():
        pages[file] = render_method(method_page(method, grounds, addresses, papers))
    write_site(pages, out)
    return out / "index.html"
