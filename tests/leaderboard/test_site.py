from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from harness.results import run_path
from leaderboard.build import build_site

HOSTILE = (
    "<script>alert(1)</script>",
    "\"><img src=x onerror='alert(1)'>",
    "../../etc/passwd",
    "a\x00b\x1b[31m\u202egnp.exe",
    "{{ 7919 * 7907 }}{% raw %}",
    "]]></style></title><!--",
    "\ud800 half a pair",
    "long " * 400,
    "javascript:alert(1)",
)
PRODUCT = str(7919 * 7907)  # what a template that is rendered twice would show


def test_every_link_leads_somewhere(
    small_results: Path, tmp_path: Path, read_page: Callable[[Path], Any]
) -> None:
    """Each link within the site has its file and its anchor, and every id is given once."""
    site = build_site(small_results, tmp_path / "site").parent
    pages = {path: read_page(path) for path in site.rglob("*.html")}
    assert {site / "index.html", site / "methods/gamma.html"} < pages.keys()
    for path, page in pages.items():
        assert len(set(page.attributes("id"))) == len(page.attributes("id"))
        for href in page.attributes("href"):
            if href.startswith("https://"):
                continue
            file, _, anchor = href.partition("#")
            target = (path.parent / unquote(file)).resolve() if file else path
            assert target.is_file(), href
            assert target.is_relative_to(site), href
            assert not anchor or unquote(anchor) in pages[target].attributes("id"), href


def test_nothing_is_loaded_from_elsewhere(
    small_results: Path, tmp_path: Path, read_page: Callable[[Path], Any]
) -> None:
    """A page loads files of its own site and has no other address than links."""
    site = build_site(small_results, tmp_path / "site").parent
    for path in site.rglob("*.html"):
        text, page = path.read_text(encoding="utf-8"), read_page(path)
        for source in _sources(page):
            assert (path.parent / unquote(source)).resolve().is_relative_to(site), source
            assert (path.parent / unquote(source)).is_file(), source
        assert not re.search(r"<(iframe|object|embed|base|style)\b|\sstyle=", text)
        assert page.attributes("content")[0].startswith("default-src 'none'; ")
        assert set(re.findall(r'(\S*)="https?://', text)) <= {"href"}
    for style in site.rglob("*.css"):
        assert not re.search(r"@import|url\(", style.read_text(encoding="utf-8"))


def _sources(page: Any) -> list[str]:
    """Return the addresses that a browser loads by itself."""
    linked = [values.get("href", "") for tag, values in page.elements if tag == "link"]
    return [*page.attributes("src"), *linked]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_shown_and_not_obeyed(
    text: str, results: Path, tmp_path: Path,
    add_run: Callable[..., Path], read_page: Callable[[Path], Any],
) -> None:  # fmt: skip
    """Whatever a record's texts hold, the page parses, runs nothing new and stays in its folder."""
    add_run("plain", 50.0)
    error = {"kind": text, "message": text, "traceback": text}
    spoken = {"title": text, "summary": text, "paper": text, "url": text, "supervision": text}
    nested = {text: {text: [text, {text: text}]}}
    add_run(
        "hostile", 40.0, **spoken, config=nested, recipe=nested, protocol=nested, data=nested,
        environment={"torch": text, "hardware": nested}, command=text, started=text, key=text,
        scale=text,
    )  # fmt: skip
    add_run("hostile", 40.0, variant="v", tables=((text, text, 0),), changes=nested)
    add_run("hostile", seed=1, status=text, error=error)
    site = build_site(results, tmp_path / "site").parent
    files = {path.relative_to(site).as_posix() for path in site.rglob("*") if path.is_file()}
    assert {file for file in files if file.startswith("methods/")} == {
        "methods/plain.html", "methods/hostile.html"
    }  # fmt: skip
    for file in files:
        written = (site / file).read_text(encoding="utf-8")
        assert not re.search("[\x00\x1b\u202e]", written), file
        assert PRODUCT not in written, file
        if file.endswith(".html"):
            _refuse_new_elements(read_page(site / file))


def _refuse_new_elements(page: Any) -> None:
    names = [name for _, values in page.elements for name in values]
    assert not [name for name in names if name.startswith("on")]
    assert "x" not in page.attributes("src")
    scripts = [values for tag, values in page.elements if tag == "script"]
    assert all(re.search("(^|/)(assets|data)/", values["src"]) for values in scripts)
    assert not [href for href in page.attributes("href") if href.startswith("javascript:")]


def test_names_that_look_alike_get_pages_of_their_own(
    results: Path, tmp_path: Path, add_run: Callable[..., Path], read_page: Callable[[Path], Any]
) -> None:
    """Methods whose names make one file name, also without regard to case, each have a page."""
    names = ["a/b", "a b", "A-b", "..", "."]
    for seed, name in enumerate(names):
        add_run(name, 30.0 + seed, seed=seed, title="Same title")
    site = build_site(results, tmp_path / "site").parent
    files = list((site / "methods").iterdir())
    assert len({path.name.casefold() for path in files}) == len(names)
    shown = {name for path in files for name in names if f"<code>{name}</code>" in path.read_text()}
    assert shown == set(names)
    index = read_page(site / "index.html")
    hrefs = [href.partition("#")[0] for href in index.attributes("href")]
    linked = {href for href in hrefs if href.startswith("methods/")}
    assert len(linked) == len(names)
    told_apart = [cell.removeprefix("Same title") for row in index.rows for cell in row]
    assert all(any(cell.startswith(name) for cell in told_apart) for name in names)


def test_a_record_of_wrong_types_is_left_out(
    small_results: Path, tmp_path: Path, read_page: Callable[[Path], Any]
) -> None:
    """One spoilt record, or spoilt tables beside one, do not take the site down."""
    broken = run_path(small_results, "demo", "paperdolls", "alpha", "full", 0)
    (broken / "history.parquet").write_bytes(b"no table")
    (broken / "evaluations/image-to-text/metrics.json").write_text("{")
    spoilt = run_path(small_results, "demo", "paperdolls", "alpha", "full", 1) / "run.json"
    spoilt.write_text(re.sub(r'"metrics": \{[^}]*\}', '"metrics": null', spoilt.read_text()))
    page = read_page(build_site(small_results, tmp_path / "site"))
    (alpha,) = [row for row in page.rows if any(cell.startswith("ALPHA") for cell in row)]
    assert any(cell.startswith("50.0") for cell in alpha)
    assert not any(cell.startswith("50.5") for cell in alpha)


def test_an_empty_results_folder_says_what_to_run(tmp_path: Path) -> None:
    """Without a run there is no site, and the message names the command that makes runs."""
    with pytest.raises(ValueError, match="harness run --all"):
        build_site(tmp_path / "results", tmp_path / "site")
    assert not (tmp_path / "site").exists()


def test_the_same_records_give_the_same_bytes(small_results: Path, tmp_path: Path) -> None:
    """A site depends on the records alone, so that it can be compared and versioned."""
    first = build_site(small_results, tmp_path / "first").parent
    second = build_site(small_results, tmp_path / "second").parent
    for path in first.rglob("*"):
        if path.is_file():
            assert path.read_bytes() == (second / path.relative_to(first)).read_bytes()


def test_building_needs_no_torch() -> None:
    """A site can be built where only records and templates are installed."""
    code = "import sys, leaderboard.build; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
