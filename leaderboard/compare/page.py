"""Makes the compare page and the data of its script."""

from __future__ import annotations

from harness.results import METRICS
from leaderboard.compare.data_files import ground_files
from leaderboard.compare.pairs import pair_table
from leaderboard.compare.views import ComparePage
from leaderboard.site.render import render_page
from leaderboard.site.site import File, Site

FILE = "compare.html"


def make_files(site: Site) -> dict[str, File]:
    """Return the page, and the answers of every ground packed for the browser."""
    contests = [site.contests[ground.label] for ground in site.grounds]
    tables = tuple(pair_table(contest, site.addresses) for contest in contests)
    page = ComparePage(tables, METRICS)
    files: dict[str, File] = {FILE: render_page("compare", page, FILE, site.stamp)}
    for contest in contests:
        files |= dict(ground_files(site, contest))
    return files
