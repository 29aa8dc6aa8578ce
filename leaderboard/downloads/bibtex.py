"""The papers of the methods, and this benchmark, as BibTeX."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from urllib.parse import quote

from leaderboard.downloads.latex import escape_tex
from leaderboard.typography import listed, shorten, web_address

LONGEST_CITATION = 600  # characters
PROJECT = "tbpr-bench"
PROJECT_TITLE = "tbpr-bench: benchmark and leaderboard for text-to-image person retrieval"
# "Zhang, Shang and Li, Some Title, ACM MM 2025", also with full stops between the parts.
_CITATION = re.compile(
    r"(?P<authors>.+?\bet al\.?|.+?\band\s+[^,.]+)[,.]\s+(?P<title>.+)[,.]\s+"
    r"(?P<venue>[^,.]*?)\s*(?P<year>(?:19|20)\d\d)\.?"
)


@dataclass(frozen=True)
class Source:
    """A paper as records cite it, with the titles of the methods that are from it."""

    citation: str
    url: str
    methods: tuple[str, ...]


def bibtex(sources: Iterable[Source], latest: str) -> str:
    """Return an entry for each paper and one for the benchmark, whose latest run is of a date."""
    entries = [_benchmark(latest)]
    keys: dict[str, int] = {}
    for source in sources:
        fields = _fields(source)
        key = _key(source, fields)
        keys[key] = keys.get(key, 0) + 1
        entries.append(_entry(key if keys[key] == 1 else f"{key}-{keys[key]}", fields))
    return "\n".join(entries)


def _fields(source: Source) -> dict[str, str]:
    """Return what a citation tells; one of another form stands whole in the note."""
    citation = shorten(" ".join(source.citation.split()), LONGEST_CITATION)
    used = f"On the leaderboard as {listed(source.methods)}"
    found = _CITATION.fullmatch(citation)
    if found is None:
        parts = {"title": escape_tex(citation or listed(source.methods))}
    else:
        parts = {
            "author": _authors(found["authors"]),
            "title": f"{{{escape_tex(found['title'])}}}",  # its capitals are meant
            "howpublished": escape_tex(found["venue"]),
            "year": found["year"],
        }
    parts |= {"url": _address(source.url), "note": escape_tex(used)}
    return {name: value for name, value in parts.items() if value}


def _authors(names: str) -> str:
    """Return names as BibTeX separates them; "et al." are others."""
    people = re.split(r",\s*(?:and\s+)?|\s+and\s+", re.sub(r"\s*,?\s*\bet al\.?$", "", names))
    others = ["others"] if re.search(r"\bet al\.?$", names) else []
    return " and ".join([*(escape_tex(name) for name in people if name), *others])


def _key(source: Source, fields: Mapping[str, str]) -> str:
    """Return a key of letters and digits: the first author, the year and a word of the title."""
    author = _letters(fields.get("author", "").split(" and ")[0])
    words = [_letters(word) for word in fields["title"].split()]
    word = next((word for word in words if len(word) > 3), "")
    key = f"{author}{fields.get('year', '')}{word}" if author else _letters(source.methods[0])
    return key[:60] or "paper"


def _letters(text: str) -> str:
    plain = unicodedata.normalize("NFKD", re.sub(r"\\\w+|[{}]", "", text))
    return re.sub(r"[^a-z0-9]", "", plain.lower())


def _address(url: str) -> str:
    """Return an address of ASCII alone, without what would end its field or begin a command."""
    return quote(web_address(url), safe="/:?&=+,;@!$()*-._~%#", errors="replace")


def _benchmark(latest: str) -> str:
    fields = {"title": f"{{{escape_tex(PROJECT_TITLE)}}}"}
    with suppress(PackageNotFoundError):  # run from a folder that is not installed
        fields["version"] = escape_tex(version(PROJECT))
    if re.match(r"\d{4}-", latest):
        fields |= {"year": latest[:4], "note": escape_tex(f"Runs up to {latest}")}
    return _entry(PROJECT, fields)


def _entry(key: str, fields: Mapping[str, str]) -> str:
    lines = [f"  {name} = {{{value}}}," for name, value in fields.items()]
    return "\n".join([f"@misc{{{key},", *lines, "}", ""])


def merge_sources(cited: Sequence[tuple[str, str, str]]) -> list[Source]:
    """Merge (citation, url, title of a method) into one source a paper, in their order."""
    methods: dict[tuple[str, str], list[str]] = {}
    for citation, url, title in cited:
        if citation.strip() or web_address(url):
            methods.setdefault((citation.strip(), url), []).append(title)
    return [Source(*paper, tuple(titles)) for paper, titles in methods.items()]
