from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from leaderboard.build import build_site

from ..made_once import Make
from .recorder import Recorder, pages_once

MEASURE = """() => {
  const root = document.documentElement;
  const frames = [...document.querySelectorAll(".frame")];
  frames.forEach((frame) => { frame.scrollLeft = 150; });
  const spilt = frames.filter((frame) => getComputedStyle(frame).overflowX === "visible")
    .map((frame) => frame.scrollWidth - frame.clientWidth);
  const pinned = frames[0].querySelector("tbody .pinned").getBoundingClientRect().left;
  return {
    beyond: Math.max(root.scrollWidth - root.clientWidth, ...spilt),
    scrolled: Math.round(frames[0].scrollLeft),
    left: Math.round(pinned - frames[0].getBoundingClientRect().left),
  };
}"""


@pytest.fixture(scope="session")
def site(once: Make) -> Path:
    """Return a site with texts that have no end."""
    return pages_once(once, "endless", answer, build_site)[1]


def answer(recorder: Recorder) -> None:
    """Finish its runs."""
    recorder.add_small()
    endless = "x" * 3000
    texts = {"title": endless, "paper": endless, "command": endless, "supervision": endless}
    recorder.add_run("endless", 5.0, **texts)
    changes = {endless: endless}
    recorder.add_run("beta", 5.0, variant="endless", changes=changes, command=endless)
    recorder.add_run("dgia", 5.0, dataset="icfg-pedes", scale="paper")


@pytest.mark.parametrize("page", ["index.html", "methods/beta.html", "methods/dgia.html"])
@pytest.mark.parametrize("width", [390, 1280, 1440])
def test_only_tables_scroll_sideways(
    page: str, width: int, open_page: Callable[..., Any], site: Path
) -> None:
    """No page is wider than its window, whatever its texts; a table scrolls under pinned names."""
    measured = open_page(site / page, width=width).evaluate(MEASURE)
    assert measured["beyond"] == 0
    if width == 390:
        assert measured["scrolled"] == 150
        assert measured["left"] == 0
