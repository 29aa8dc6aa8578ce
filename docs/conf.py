"""How Sphinx builds the documentation: from these pages and the docstrings, without network."""

from __future__ import annotations

import inspect
import os
import re
from enum import Enum
from typing import Any

from sphinx.application import Sphinx

from harness.compatibility import mend_torchvision

mend_torchvision()  # as every process of the harness does before it imports a method

project = "tbpr-bench"
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build"]
templates_path = ["_templates"]
default_role = "code"  # single backticks in docstrings

myst_heading_anchors = 3
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
python_maximum_signature_line_length = 90
python_use_unqualified_type_names = True
napoleon_numpy_docstring = False

html_theme = "furo"
html_title = "tbpr-bench"
html_static_path = ["_static"]
html_css_files = ["docs.css"]
html_show_copyright = False
html_show_sourcelink = False
html_copy_source = False
html_sidebars = {
    "**": [
        "sidebar/brand.html",
        "sidebar/search.html",
        "sidebar/scroll-start.html",
        "sidebar/navigation.html",
        "sidebar/leaderboard.html",
        "sidebar/scroll-end.html",
    ]
}
# Where the pages of `harness report` are: an address, or a path from this site's first page.
LEADERBOARD = os.environ.get("DOCS_LEADERBOARD", "leaderboard/index.html")

PLACEHOLDER = "LEADERBOARD"  # the address of a link to it in the pages


def setup(app: Sphinx) -> None:
    """Connect what is done to docstrings and pages."""
    app.connect("autodoc-process-docstring", write_for_sphinx)
    app.connect("autodoc-process-signature", leave_out_fields)
    app.connect("html-page-context", add_leaderboard)


def write_for_sphinx(
    app: Sphinx, what: str, name: str, obj: Any, options: Any, lines: list[str]
) -> None:
    """Make a docstring's plain text reStructuredText, and show the fields of a data class."""
    lines[:] = [escape(line) for line in lines]
    if what == "class" and (fields := read_fields(obj)):
        lines += ["", ".. code-block:: python", "", *(f"   {line}" for line in fields), ""]


def leave_out_fields(
    app: Sphinx, what: str, name: str, obj: Any, options: Any, signature: str, returned: str
) -> tuple[str, str] | None:
    """Leave out a signature that would repeat the fields below it."""
    return ("", "") if what == "class" and read_fields(obj) else None


def escape(line: str) -> str:
    """Return a line in which only backticks mean something: |q - g| is no substitution."""
    parts = re.split(r"(`[^`]*`)", line)  # what is quoted has odd places
    parts[::2] = [re.sub(r"([|*]|_(?=\W|$))", r"\\\1", part) for part in parts[::2]]
    return "".join(parts)


def read_fields(kind: Any) -> list[str]:
    """Return the fields of a data class, named tuple, enumeration or protocol, from its source.

    With their comments, which tell shapes and units, and which autodoc does not read.
    """
    is_enumeration = isinstance(kind, type) and issubclass(kind, Enum)
    marks = ("__dataclass_fields__", "_fields", "_is_protocol")
    if not (is_enumeration or any(getattr(kind, mark, False) for mark in marks)):
        return []
    source = inspect.getsource(kind)
    body = re.split(r'"""(?:.|\n)*?"""\n', source, maxsplit=1)[-1]
    fields = re.split(r"\n *(?:@|def |async def )", body, maxsplit=1)[0]
    return inspect.cleandoc(fields).splitlines()


def add_leaderboard(
    app: Sphinx, pagename: str, templatename: str, context: dict[str, Any], doctree: Any
) -> None:
    """Tell a page where the leaderboard is from it."""
    depth = pagename.count("/")
    outside = "://" in LEADERBOARD or LEADERBOARD.startswith("/")
    address = LEADERBOARD if outside else "../" * depth + LEADERBOARD
    context["leaderboard"] = address
    if "body" in context:
        context["body"] = context["body"].replace(f'href="{PLACEHOLDER}"', f'href="{address}"')
