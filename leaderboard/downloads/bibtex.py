"""The papers of the methods, and this benchmark, as BibTeX."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from urllib.parse import quote

from harness.results.paper import Paper
from leaderboard.downloads.latex import escape_tex
from leaderboard.typography import listed, shorten, web_address

LONGEST_CITATION = 600  # characters
PROJECT = "tbpr-bench"
PROJECT_TITLE = "tbpr-bench: benchmark and leaderboard for text-to-image person retrieval"
VENUES = {"inproceedings": "booktitle", "article": "journal", "misc": "howpublished"}


@dataclass(frozen=True)
class Source:
    """A paper, or its citation by older records, with the titles of the methods from it."""

    paper: Paper | str
    url: str
    methods: tuple[str, ...]


def bibtex(sources: Iterable[Source], latest: str) -> str:
    """Return an entry for each paper and one for the benchmark, whose latest run is of a date."""
    entries = [_benchmark(latest)]
    keys: dict[str, int] = {}
    for source in sources:
        paper = source.paper if isinstance(source.paper, Paper) else _cited(source)
        key = _key(source, paper)
        keys[key] = keys.get(key, 0) + 1
        name = key if keys[key] == 1 else f"{key}-{keys[key]}"
        entries.append(_entry(_kind(paper), name, _fields(source, paper)))
    return "\n".join(entries)


def _cited(source: Source) -> Paper:
    """Return a citation of an older record, which stands whole in the title."""
    return Paper(str(source.paper).strip() or listed(source.methods), kind="misc")


def _kind(paper: Paper) -> str:
    """Return the type of an entry; styles ask more of the others than is known of some."""
    return paper.kind if paper.authors and paper.venue and paper.year else "misc"


def _fields(source: Source, paper: Paper) -> dict[str, str]:
    authors = " and ".join(filter(None, map(_author, paper.authors)))
    parts = {
        "author": authors,
        "key": "" if authors else escape_tex(source.methods[0]),  # styles sort by one of the two
        "title": f"{{{_short(paper.title)}}}",  # its capitals are meant
        VENUES[_kind(paper)]: _short(paper.venue),
        "year": str(paper.year or ""),
        "url": _address(paper.url or source.url),
        "note": escape_tex(f"On the leaderboard as {listed(source.methods)}"),
    }
    return {name: value for name, value in parts.items() if value}


def _author(name: str) -> str:
    """Return a name; one that BibTeX would take apart is kept together."""
    plain = _short(name)
    return f"{{{plain}}}" if "," in plain or " and " in f" {plain.lower()} " else plain


def _short(text: str) -> str:
    return escape_tex(shorten(" ".join(text.split()), LONGEST_CITATION))


def _key(source: Source, paper: Paper) -> str:
    """Return a key of letters and digits: the first author, the year and a word of the title."""
    author = _letters((paper.authors[0].split() or [""])[-1]) if paper.authors else ""
    words = [_letters(word) for word in paper.title.split()]
    word = next((word for word in words if len(word) > 3), "")
    key = f"{author}{paper.year or ''}{word}" if author else _letters(source.methods[0])
    return key[:60] or "paper"


def _letters(text: str) -> str:
    plain = unicodedata.normalize("NFKD", re.sub(r"\\\w+|[{}]", "", text))
    return re.sub(r"[^a-z0-9]", "", plain.lower())


def _address(url: str) -> str:
    """Return an address of ASCII alone, without what would end its field or begin a command."""
    return quote(web_address(url), safe="/:?&=+,;@!$()*-._~%#", errors="replace")


def _benchmark(latest: str) -> str:
    fields = {"key": PROJECT, "title": f"{{{escape_tex(PROJECT_TITLE)}}}"}
    with suppress(PackageNotFoundError):  # run from a folder that is not installed
        fields["version"] = escape_tex(version(PROJECT))
    if re.match(r"\d{4}-", latest):
        fields |= {"year": latest[:4], "note": escape_tex(f"Runs up to {latest}")}
    return _entry("misc", PROJECT, fields)


def _entry(kind: str, key: str, fields: Mapping[str, str]) -> str:
    lines = [f"  {name} = {{{value}}}," for name, value in fields.items()]
    return "\n".join([f"@{kind}{{{key},", *lines, "}", ""])


def merge_sources(cited: Sequence[tuple[Paper | str, str, str]]) -> list[Source]:
    """Merge (paper, url, title of a method) into one source a paper, in their order."""
    methods: dict[tuple[Paper | str, str], list[str]] = {}
    for paper, url, title in cited:
        if str(paper).strip() or web_address(url):
            methods.setdefault((paper, url), []).append(title)
    return [Source(*paper, tuple(titles)) for paper, titles in methods.items()]
