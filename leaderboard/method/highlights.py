"""Where a method looks for the words of a caption: what its first seed left in its run folder.

What is read may come from anyone: an example that is not as `harness.run.highlights` writes it is
left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, TypeGuard

from leaderboard.method.patch_maps import Weights, draw_veil, where_strongest
from leaderboard.method.views import (
    HighlightedCaption,
    HighlightSection,
    HighlightView,
    WordView,
)
from leaderboard.records.contest import Contest
from leaderboard.records.load import Run
from leaderboard.strips.exhibits import Exhibits, find_exhibits
from leaderboard.strips.names import thumbnail_file
from leaderboard.typography import fixed, listed

MOST = 12  # examples, highlights of one, maps of one
MOST_WORDS = 100
LARGEST_MAP = 64  # patches a side


def highlight_section(contest: Contest, method: str, anchor: str) -> HighlightSection | None:
    """Show what a method as published highlights; None where its runs hold nothing of it."""
    exhibits = find_exhibits(contest)
    run = next((run for run in contest.ground.full(method) if run.finished), None)
    if run is None or exhibits is None:
        return None
    found = run.stored.highlights()
    if not isinstance(found, Mapping):
        return None
    examples = tuple(_captions(found.get("examples"), exhibits, anchor))
    if not examples and not _in_words(found.get("error")):
        return None
    return HighlightSection(
        anchor=f"highlights-{anchor}",
        about=_about(run, examples),
        error="" if examples else _in_words(found.get("error")),
        captions=examples,
    )


def _in_words(error: Any) -> str:
    return f"{error.get('kind')}: {error.get('message')}" if isinstance(error, Mapping) else ""


def _about(run: Run, examples: tuple[HighlightedCaption, ...]) -> str:
    titles = dict.fromkeys(title for one in examples for part in one.parts for title in part.titles)
    sentences = []
    if titles:
        order = listed(list(titles))
        sentences.append(
            "The brighter a patch of the image, the more it weighs for the words below it: "
            f"{f'from left to right {order}' if len(titles) > 1 else order}, each scaled to its own"
            " maximum. What is bright all over is weighed evenly."
        )
    if any(one.words for one in examples):
        sentences.append("The taller its bar, the more a word is like the image, by cosine.")
    sentences.append(
        f"By the run with seed {run.record.seed}. The captions are spread over the test set, each"
        " with the image that it was written for."
    )
    return " ".join(sentences)


def _captions(found: Any, exhibits: Exhibits, anchor: str) -> Iterator[HighlightedCaption]:
    """Yield the examples that are whole and about this gallery."""
    gallery = exhibits.gallery
    if not isinstance(found, list) or gallery is None:
        return
    for one in found[:MOST]:
        if not isinstance(one, Mapping):
            continue
        caption, image = one.get("caption"), one.get("image")
        if not _is_row(caption, len(exhibits.people)) or not _is_row(image, len(gallery.ids)):
            continue
        text = exhibits.captions[caption] if exhibits.captions else ""
        parts = tuple(_parts(one.get("highlights"), text))
        words = tuple(_words(one.get("highlights"), text))
        if parts or words:
            yield HighlightedCaption(
                title=text or f"Query {caption}",
                image=gallery.ids[image],
                file=thumbnail_file(anchor, image) if image in gallery.thumbnails else "",
                parts=parts,
                words=words,
            )


def _parts(found: Any, text: str) -> Iterator[HighlightView]:
    """Yield words with the maps that are drawn for them."""
    for words, one in _highlights(found, text, MOST):
        maps = one.get("maps")
        known = maps.items() if isinstance(maps, Mapping) else ()
        drawn = [(str(title), weights) for title, weights in known if _is_map(weights)][:MOST]
        if drawn:
            yield HighlightView(
                words=words,
                titles=tuple(title for title, _ in drawn),
                veils=tuple(_veil(title, weights) for title, weights in drawn),
            )


def _words(found: Any, text: str) -> Iterator[WordView]:
    """Yield words with their similarity to the image."""
    known = [
        (words, similarity)
        for words, one in _highlights(found, text, MOST_WORDS)
        if _is_cosine(similarity := one.get("similarity"))
    ]
    largest = max((similarity for _, similarity in known), default=0.0)
    for words, similarity in known:
        share = max(0.0, similarity / largest) if largest > 0 else 0.0
        yield WordView(words, fixed(similarity, 2), f"{share:.2f}", f"{1 - share:.2f}")


def _highlights(found: Any, text: str, most: int) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield the words of each highlight that lies in its caption."""
    for one in found[:most] if isinstance(found, list) else ():
        if isinstance(one, Mapping) and _is_row(one.get("start"), one.get("stop")):
            start, stop = one["start"], one["stop"]
            words = text[start:stop] if text else f"characters {start} to {stop}"
            if words:
                yield words, one


def _veil(title: str, weights: Weights) -> Any:
    return draw_veil(weights, f"{title}: {where_strongest(weights)}")


def _is_row(value: Any, count: Any) -> TypeGuard[int]:
    is_whole = all(isinstance(one, int) and not isinstance(one, bool) for one in (value, count))
    return is_whole and 0 <= value < count


def _is_cosine(value: Any) -> TypeGuard[float]:
    return isinstance(value, float | int) and not isinstance(value, bool) and -1 <= value <= 1


def _is_map(weights: Any) -> bool:
    """Say whether these are rows of equal length of numbers from 0 to 1."""
    if not isinstance(weights, list) or not 0 < len(weights) <= LARGEST_MAP:
        return False
    if not all(isinstance(row, list) and 0 < len(row) <= LARGEST_MAP for row in weights):
        return False
    values = [value for row in weights for value in row]
    return len({len(row) for row in weights}) == 1 and all(
        isinstance(value, int | float) and 0 <= value <= 1 for value in values
    )
