from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from leaderboard.build import build_site

# Headless Chromium keeps its window wider than a phone; a frame of that width does not.
WRAPPER = """<!DOCTYPE html><iframe src="{page}" style="width:{width}px;height:800px;border:0">
</iframe><pre id="answer"></pre><script>
onload = () => {{
  const page = document.querySelector("iframe").contentDocument;
  document.getElementById("answer").textContent = ({question})(page).join(" ");
}};
</script>"""
MEASURE = """(page) => {
  const frames = [...page.querySelectorAll(".frame")];
  frames.forEach((frame) => { frame.scrollLeft = 150; });
  const spilt = frames.filter((frame) => getComputedStyle(frame).overflowX === "visible")
    .map((frame) => frame.scrollWidth - frame.clientWidth);
  const pinned = page.querySelector("tbody .pinned").getBoundingClientRect().left;
  return [
    Math.max(page.documentElement.scrollWidth - page.documentElement.clientWidth, ...spilt),
    Math.round(frames[0].scrollLeft),
    Math.round(pinned - frames[0].getBoundingClientRect().left),
  ];
}"""
SORT = """(page) => {
  const order = () => [...page.querySelectorAll("tbody .pinned")].map((cell) => cell.textContent);
  const click = (column) => page.querySelectorAll("thead button")[column].click();
  const before = order();
  click(3); click(3);
  const ascending = order();
  click(1);
  return [...before, ...ascending, ...order()];
}"""
OPTIONS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--allow-file-access-from-files", "--virtual-time-budget=3000", "--dump-dom",
)  # fmt: skip


def ask(chromium: str, page: Path, question: str, folder: Path, width: int) -> list[str]:
    """Return what a function of the document answers, asked of a page in a frame of this width."""
    wrapper = folder / "wrapper.html"
    wrapper.write_text(WRAPPER.format(page=page.as_uri(), width=width, question=question))
    profile = f"--user-data-dir={folder / 'profile'}"
    done = subprocess.run(
        [chromium, *OPTIONS, profile, wrapper.as_uri()],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    found = re.search(r'<pre id="answer">(.+?)</pre>', done.stdout)
    assert found, done.stdout[-500:]
    return found[1].split()


@pytest.mark.parametrize("page", ["index.html", "methods/beta.html", "methods/dgia.html"])
@pytest.mark.parametrize("width", [390, 1280, 1440])
def test_only_tables_scroll_sideways(
    page: str, width: int, chromium: str, small_results: Path, tmp_path: Path,
    add_run: Callable[..., Path],
) -> None:  # fmt: skip
    """No page is wider than its window, whatever its texts; a table scrolls under pinned names."""
    endless = "x" * 3000
    add_run("endless", 5.0, title=endless, paper=endless, command=endless, supervision=endless)
    add_run("beta", 5.0, variant="endless", changes={endless: endless}, command=endless)
    add_run("dgia", 5.0, dataset="icfg-pedes", scale="paper")
    site = build_site(small_results, tmp_path / "site").parent
    answer = ask(chromium, site / page, MEASURE, tmp_path, width)
    beyond, scrolled, left = (int(number) for number in answer)
    assert beyond == 0
    if width == 390:
        assert scrolled == 150
        assert left == 0


def test_a_click_on_a_header_sorts_the_ranking(
    chromium: str, small_results: Path, tmp_path: Path
) -> None:
    """The page's script, which its content policy admits, sorts by a column and back."""
    index = build_site(small_results, tmp_path / "site")
    names = ask(chromium, index, SORT, tmp_path, 1280)
    assert names[:3] == ["ALPHA", "BETA", "GAMMA"]
    assert names[3:6] == ["GAMMA", "BETA", "ALPHA"]
    assert names[6:] == ["ALPHA", "BETA", "GAMMA"]
