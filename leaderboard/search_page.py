"""The page of a search: texts and what a method found for them, in one file.

It holds its style sheet and its thumbnails and loads nothing. Images are linked by their place
beside the page, so that it tells nothing of the folders above.
"""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from markupsafe import Markup

from harness.files import process_tag
from harness.indexes import KINDS
from harness.search.hits import Answer, Asked, Hit
from leaderboard.site.render import HERE, render_page
from leaderboard.typography import counted, fixed

MARK = '<meta name="generator" content="harness search">'  # on every page of ours
MARK_WITHIN = 4096  # characters from the start

Thumbnail = Callable[[int], bytes | None]


@dataclass(frozen=True)
class FoundView:
    """An image that was found."""

    rank: int
    name: str
    cosine: str
    note: str
    source: str  # of its thumbnail, empty where there is none to show
    href: str  # of the image itself, empty where it is no file


@dataclass(frozen=True)
class AnswerView:
    """A text and what was found for it."""

    anchor: str
    text: str
    found: tuple[FoundView, ...]


@dataclass(frozen=True)
class SearchView:
    """What the page shows."""

    title: str
    lead: str
    warning: str
    facts: tuple[tuple[str, str], ...]
    answers: tuple[AnswerView, ...]
    withheld: bool  # whether an image has no thumbnail
    style: Markup
    policy: str
    mark: Markup


def write_search_page(
    asked: Asked, answers: Sequence[Answer], thumbnail: Thumbnail, out: Path
) -> Path:
    """Write the page of a search; one that is there is replaced at once.

    Raises:
        FileExistsError: `out` is there and no page of a search.
    """
    _refuse_others(out)
    page = render_page("search", _view(asked, answers, thumbnail, out), out.name)
    out.parent.mkdir(parents=True, exist_ok=True)
    unfinished = out.with_name(f".{out.name}.{process_tag()}.tmp")
    try:
        unfinished.write_text(page, encoding="utf-8")
        unfinished.replace(out)
    finally:
        unfinished.unlink(missing_ok=True)
    return out


def _refuse_others(out: Path) -> None:
    if not out.exists():
        return
    if out.is_file():
        with out.open(encoding="utf-8", errors="replace") as file:
            if MARK in file.read(MARK_WITHIN):
                return
    raise FileExistsError(f"{out} is there and no page of a search; name another file with --out")


def _view(asked: Asked, answers: Sequence[Answer], thumbnail: Thumbnail, out: Path) -> SearchView:
    style = "\n".join(
        (HERE / name).read_text(encoding="utf-8")
        for name in ("static/base.css", "templates/search.css", "static/modes.css")
    )
    shown = tuple(
        _answer(number, answer, asked, thumbnail, out) for number, answer in enumerate(answers, 1)
    )
    return SearchView(
        title=answers[0].text if len(answers) == 1 else counted(len(answers), "description"),
        lead=f"What {asked.title} finds in {counted(asked.images, 'image')} of {asked.gallery}.",
        warning=_warning(asked),
        facts=_facts(asked),
        answers=shown,
        withheld=any(not one.source for answer in shown for one in answer.found),
        style=Markup(style),
        policy=_policy(style),
        mark=Markup(MARK),
    )


def _policy(style: str) -> str:
    """Allow the page its own style and the pictures that it holds, and nothing else."""
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:"


def _warning(asked: Asked) -> str:
    if not asked.drawn or asked.folder is None:
        return ""
    return (
        f"The method was trained on {asked.trained_on}, people drawn by a program. What it finds "
        "among photographs says little."
    )


def _facts(asked: Asked) -> tuple[tuple[str, str], ...]:
    drawn = " (drawn people)" if asked.drawn else ""
    figure = f"mAP {fixed(asked.mean_average_precision, 2)} % on its test split"
    index = ("Through", KINDS[asked.index].settings(asked.images)) if asked.index else None
    return (
        ("Run", asked.run),
        ("Dataset", f"{asked.trained_on}{drawn}, {figure}"),
        ("Searched", asked.gallery),
        *([index] if index else []),
    )


def _answer(
    number: int, answer: Answer, asked: Asked, thumbnail: Thumbnail, out: Path
) -> AnswerView:
    found = tuple(_found(hit, asked, thumbnail(hit.row), out) for hit in answer.hits)
    return AnswerView(f"text-{number}", answer.text, found)


def _found(hit: Hit, asked: Asked, thumbnail: bytes | None, out: Path) -> FoundView:
    encoded = base64.b64encode(thumbnail).decode() if thumbnail else ""
    return FoundView(
        rank=hit.rank,
        name=hit.image,
        cosine=fixed(hit.cosine, 3),
        note="second look" if hit.rescored else "",
        source=f"data:image/jpeg;base64,{encoded}" if encoded else "",
        href=_address(asked.folder / hit.image, out) if asked.folder else "",
    )


def _address(image: Path, out: Path) -> str:
    """Return the address of an image relative to the page, whatever its name holds."""
    path = os.path.relpath(image.absolute(), out.absolute().parent)
    return quote(os.fsencode(f"./{path}"))
