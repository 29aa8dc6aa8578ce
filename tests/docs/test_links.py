"""Links between the pages of the documentation."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from .pages import PAGES, title

FENCE = re.compile(r"^(`{3,})[^\n]*\n.*?^\1", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(\s*([^)\s]+)")
HEADING = re.compile(r"^#+ +(.+)$", re.MULTILINE)


def prose(page: Path) -> str:
    """Return a page without its blocks of code."""
    return FENCE.sub("", page.read_text(encoding="utf-8"))


def anchors(page: Path) -> set[str]:
    """Return the names of a page's headings, as GitHub and MyST make them."""
    headings = (heading.lower().replace(" ", "-") for heading in HEADING.findall(prose(page)))
    return {re.sub(r"[^\w-]", "", heading) for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=title)
def test_every_link_leads_somewhere(page: Path) -> None:
    """To a file that is there, and to a heading that it has."""
    for address in LINK.findall(prose(page)):
        parts = urlsplit(address)
        if parts.scheme:
            continue
        target = (page.parent / unquote(parts.path)).resolve() if parts.path else page
        assert target.exists(), address
        if parts.fragment and target.suffix == ".md":
            assert unquote(parts.fragment) in anchors(target), address


def test_links_are_found() -> None:
    """The pages hold many, to headings too."""
    found = [address for page in PAGES for address in LINK.findall(prose(page))]
    assert len(found) > 100
    assert any("#" in address for address in found)
