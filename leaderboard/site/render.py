"""Views to HTML. No number is computed here, and every text is escaped by the templates."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from leaderboard.records.estimates import WHISKER_WIDTH
from leaderboard.site.site import File, Site
from leaderboard.typography import command_parts, printable, shorten

HERE = Path(__file__).parents[1]
ASSETS = "assets"
# Only our own files are loaded. "file:" is for browsers to which a page that is opened from a
# folder has no origin of its own; a page from the web can load no such file.
POLICY = "; ".join(
    ("default-src 'none'", *(f"{kind}-src 'self' file:" for kind in ("script", "style", "img")))
)
# The pages that every page leads to.
NAVIGATION = {
    "index.html": "Ranking",
    "compare.html": "Compare",
    "datasets.html": "Datasets",
    "protocol.html": "Protocol",
    "reported.html": "Reported",
    "downloads.html": "Downloads",
}


def render_page(template: str, page: Any, file: str, stamp: str = "") -> str:
    """Return a page as an HTML document; `file` is its path within the site.

    The stamp says at its foot what the page was made of.
    """
    root = "../" * file.count("/")
    return (
        _environment()
        .get_template(f"{template}.html.j2")
        .render(page=page, file=file, root=root, home=f"{root}index.html", stamp=stamp)
    )


def make_assets(site: Site) -> dict[str, File]:
    """Return the style sheet, base.css, the parts of each page and then modes.css, and scripts."""
    order = {"base.css": -1, "modes.css": 1}
    static = sorted((HERE / "static").iterdir(), key=lambda path: (order.get(path.name, 0), path))
    style = "\n".join(path.read_text(encoding="utf-8") for path in static if path.suffix == ".css")
    scripts = {
        f"{ASSETS}/{path.name}": path.read_text(encoding="utf-8")
        for path in static
        if path.suffix == ".js"
    }
    return {f"{ASSETS}/style.css": style, **scripts}


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=printable,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals |= {
        "policy": POLICY,
        "navigation": NAVIGATION,
        "whisker_width": f"{WHISKER_WIDTH:g}",
    }
    environment.filters |= {"shorten": shorten, "command_parts": command_parts}
    return environment
