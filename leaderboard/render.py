"""Views to HTML. No number is computed here, and every text is escaped by the templates."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from leaderboard.estimates import WHISKER_WIDTH
from leaderboard.typography import printable, shorten
from leaderboard.views import IndexPage, MethodPage

HERE = Path(__file__).parent


def render_index(page: IndexPage) -> str:
    """Return the index as an HTML document."""
    return _environment().get_template("index.html.j2").render(page=page, home="index.html")


def render_method(page: MethodPage) -> str:
    """Return a method's page as an HTML document; it lives one folder below the index."""
    return _environment().get_template("method.html.j2").render(page=page, home="../index.html")


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
    style, script = _static("style.css"), _static("sort.js")
    environment.globals |= {
        "style": style,
        "script": script,
        "policy": _policy(style, script),
        "whisker_width": f"{WHISKER_WIDTH:g}",
    }
    environment.filters["shorten"] = shorten
    return environment


def _static(name: str) -> Markup:
    return Markup((HERE / "static" / name).read_text(encoding="utf-8"))


def _policy(style: str, script: str) -> str:
    """Return a content policy that runs our own style and script, and loads nothing at all."""
    return f"default-src 'none'; style-src '{_source(style)}'; script-src '{_source(script)}'"


def _source(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"sha256-{base64.b64encode(digest).decode()}"
