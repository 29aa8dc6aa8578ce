"""What every method and variant answered, packed for the browser. All below data/<ground>/.

`contest.js` lists the entries, and how methods as published differ: those p-values and intervals
are for all pairs at once, which a browser cannot draw. Of other pairs the script finds them, from
the answers in `entries/<name>.js`. `queries.js` and `gallery.js` tell what was asked and of what.

Shapes: S seeds, Q queries, K first images, P pairs of methods as published, C categories of
mistakes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import combinations
from typing import Any

import numpy as np

from harness.data.auditing.contradictions import Trait, Traits, meanings, say_values
from harness.results import METRICS
from harness.results.answers import Answers
from harness.significance import LEVEL, Comparison, Spread
from harness.significance.spread import PRIOR
from leaderboard.dataset_card import dataset_card
from leaderboard.records.contest import Contest, difference
from leaderboard.records.described import Described
from leaderboard.records.ledger import Entry
from leaderboard.records.load import FULL
from leaderboard.site.scripts_data import data_file, data_script, pack, pack_flags
from leaderboard.site.site import File, Site
from leaderboard.strips.exhibits import Exhibits, Gallery, find_exhibits
from leaderboard.strips.mistakes import NAMES, Flags, MistakeFinder
from leaderboard.strips.names import entry_names, thumbnail_file
from leaderboard.strips.retrieved import NOTHING, Retrieved
from leaderboard.strips.section import all_fail, explain_withheld, first_retrieved

LATEST = 255  # a rank of the first right image that is this or later is written as this
LEVELS = 65535  # steps from 0 to 100 percent: one is 0.0015 points
QUANTISED = ("map", "minp")  # the other figures follow from the ranks
LARGEST_REACH = 1000.0  # points; an interval that reaches further says no less
STEPS = np.iinfo("u4").max  # of a p-value from 0 to 1, and of a reach from 0 to the largest


def ground_files(site: Site, contest: Contest) -> Iterator[tuple[str, File]]:
    """Yield the data of a ground and the thumbnails that may be shown, by their path."""
    exhibits = find_exhibits(contest)
    if exhibits is None:
        return
    anchor = site.addresses.anchors[contest.ground.label]
    names = entry_names(contest)
    mistakes = MistakeFinder(contest)
    values: dict[str, Any] = {
        "contest": _contest(site, contest, names, exhibits, mistakes),
        "queries": _queries(exhibits, contest),
        "gallery": _gallery(exhibits.gallery),
        "traits": pack_traits(contest.described),
    }
    for name, value in values.items():
        yield _script(f"{anchor}/{name}", value)
    for entry, file in names.items():
        retrieved = first_retrieved(contest, entry, exhibits) if entry[1] == FULL else None
        data = entry_data(contest, entry, retrieved, mistakes.find(entry))
        yield _script(f"{anchor}/entries/{file}", data)
    if exhibits.gallery:
        for row, image in exhibits.gallery.thumbnails.items():
            yield thumbnail_file(anchor, row), image


def entry_data(
    contest: Contest, entry: Entry, retrieved: Retrieved | None, mistakes: Flags | None
) -> dict[str, Any]:
    """Pack the answers of an entry and, where given, what its first seed retrieved.

    Takes its mistakes (C, S, Q), or None where they are not known.
    """
    answers = contest.answers[entry]
    return {
        "ranks": [pack(np.minimum(of_seed, LATEST), "u1") for of_seed in answers.first_hit],
        **{
            metric: [pack(of_seed, "u2") for of_seed in _levels(answers, metric)]
            for metric in QUANTISED
        },
        "mistakes": None if mistakes is None else _mistakes(mistakes),
        "top": None if retrieved is None else _top(retrieved),
    }


def _mistakes(found: Flags) -> list[str]:
    """Pack by seed which categories (C, S, Q) a wrong first image of a query contradicts.

    Each query has a number with a bit for each category, the first in the lowest one.
    """
    bits = np.packbits(found, axis=0, bitorder="little")  # (1, S, Q): there are at most eight
    return [pack(of_seed, "u1") for of_seed in bits[0]]


def _about_mistakes(mistakes: MistakeFinder) -> list[dict[str, Any]]:
    """Name the categories, in the order of their bits, with how far seeds spread in each."""
    return [
        {"name": NAMES.get(category, category), "spread": _spread(spread)}
        for category, spread in mistakes.spreads.items()
    ]


def _script(name: str, value: Any) -> tuple[str, str]:
    return data_file(name), data_script(name, value)


def _contest(
    site: Site,
    contest: Contest,
    names: Mapping[Entry, str],
    exhibits: Exhibits,
    mistakes: MistakeFinder,
) -> dict[str, Any]:
    card = dataset_card(contest.ground, "", contest.ground.runs)
    spreads = contest.ledger.spreads
    return {
        "title": card.title,
        "suite": card.suite,
        "withheld": explain_withheld(exhibits),
        "metrics": METRICS,
        "level": LEVEL,
        "prior": PRIOR,
        "spread": {metric: _spread(spreads[metric]) for metric in METRICS},
        "mistakes": _about_mistakes(mistakes),
        "steps": STEPS,
        "published": {metric: _published(contest, metric) for metric in METRICS},
        "levels": LEVELS,
        "latest": LATEST,
        "entries": [_about(site, contest, entry, file) for entry, file in names.items()],
    }


def _about(site: Site, contest: Contest, entry: Entry, file: str) -> dict[str, Any]:
    method, variant = entry
    answers = contest.answers[entry]
    return {
        "file": file,
        "method": site.addresses.titles[method],
        "alias": site.addresses.alias(method),
        "variant": "" if variant == FULL else variant,
        "page": site.addresses.files[method],
        "seeds": answers.seeds,
        "fixed": answers.is_fixed,
        "means": {metric: float(answers.values[metric].mean()) for metric in METRICS},
    }


def _spread(spread: Spread | None) -> dict[str, float] | None:
    """Return what the seeds of a difference are moderated by."""
    if spread is None:
        return None
    return {
        "own": spread.own,
        "ownDegrees": spread.own_degrees,
        "whole": spread.whole,
        "wholeDegrees": spread.whole_degrees,
    }


def _published(contest: Contest, metric: str) -> dict[str, Any] | None:
    """Pack what is said of all pairs of methods as published, in the order of `combinations`.

    Differences follow from the means. How far intervals reach from them is in steps of the
    largest, so finely that what is printed is the same as on the other pages.
    """
    family = contest.family(metric)
    if family is None:
        return None
    found = [difference(family, *pair) for pair in combinations(contest.published, 2)]
    reach = np.minimum([_reach(one) for one in found], LARGEST_REACH)  # (P,)
    largest = float(reach.max()) or 1.0
    return {
        "p": _steps([one.adjusted for one in found]),
        "reach": _steps(reach / largest),
        "largest": largest,
        "real": pack_flags([one.is_real for one in found]),
    }


def _reach(one: Comparison) -> float:
    """Return how far an interval reaches, as far as it is not cut at 100 points."""
    return max(one.high - one.difference, one.difference - one.low)


def _steps(shares: Any) -> str:
    """Pack numbers from 0 to 1."""
    return pack(np.rint(np.asarray(shares) * STEPS).astype(np.int64), "u4")


def _queries(exhibits: Exhibits, contest: Contest) -> dict[str, Any]:
    return {
        "people": exhibits.people.tolist(),
        "captions": exhibits.captions,
        "words": _listed(exhibits.words),
        "attributes": _listed(exhibits.attributes),
        "images": _listed(exhibits.images),
        "failed": pack_flags(all_fail(contest)),
    }


def _listed(numbers: Any) -> list[int] | None:
    return None if numbers is None else numbers.tolist()


def _gallery(gallery: Gallery | None) -> dict[str, Any] | None:
    if gallery is None:
        return None
    shown = np.isin(np.arange(len(gallery.ids)), list(gallery.thumbnails))
    known = any(camera is not None for camera in gallery.cameras)
    return {
        "ids": gallery.ids,
        "people": gallery.people.tolist(),
        "cameras": gallery.cameras if known else None,
        "thumbnails": pack_flags(shown),
    }


def pack_traits(described: Described | None) -> dict[str, Any] | None:
    """Number what captions say, so that a script finds contradictions as Python does.

    A value is its text with the bits of all that may be meant by it: two values of a trait
    contradict each other where they share no bit. What is said of a query or an image is a list
    of traits, each followed by its value.
    """
    if described is None:
        return None
    traits: dict[Trait, int] = {}
    meant: dict[str, int] = {}
    values: dict[tuple[str, int], int] = {}

    def number(said: Traits) -> list[int]:
        packed = []
        for trait, words in said.items():
            bits = sum(1 << meant.setdefault(word, len(meant)) for word in meanings(trait, words))
            value = say_values(words), bits
            packed += [traits.setdefault(trait, len(traits)), values.setdefault(value, len(values))]
        return packed

    return {
        "queries": [number(said) for said in described.queries],
        "images": [number(said) for said in described.images],
        "traits": ["" if trait.aspect == "kind" else trait.part for trait in traits],
        "values": [[text, bits] for text, bits in values],
    }


def _levels(answers: Answers, metric: str) -> Any:
    """Return shares in steps of the quantum: (S, Q)."""
    return np.rint(answers.values[metric] * (LEVELS / 100)).astype(np.int64)


def _top(retrieved: Retrieved) -> dict[str, Any]:
    """Pack the first images of every query; what is missing has the largest number."""
    largest = max(int(retrieved.rows.max()), int(retrieved.first.max()))
    kind = "u2" if largest < np.iinfo("u2").max else "u4"
    rows = np.where(retrieved.rows == NOTHING, np.iinfo(kind).max, retrieved.rows)
    return {
        "depth": retrieved.rows.shape[1],
        "kind": kind,
        "rows": pack(rows, kind),
        "right": pack_flags(retrieved.right.ravel()),
        "first": pack(retrieved.first, kind),
    }
