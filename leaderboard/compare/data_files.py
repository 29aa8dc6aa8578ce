"""What every method and variant answered, packed for the browser. All below data/<ground>/.

`contest.js` lists the entries, `queries.js` and `gallery.js` tell what was asked and of what,
`entries/<name>.js` holds the answers of one entry. Shapes: S seeds, Q queries, K first images.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import combinations
from typing import Any

import numpy as np

from harness.results import METRICS
from harness.results.answers import Answers
from harness.significance.comparison import FLIPS, LARGEST_SPREAD
from leaderboard.dataset_card import dataset_card
from leaderboard.records.contest import Contest, Entry, difference
from leaderboard.records.load import FULL
from leaderboard.site.scripts_data import data_file, data_script, pack, pack_flags
from leaderboard.site.site import File, Site
from leaderboard.strips.exhibits import Exhibits, Gallery, find_exhibits
from leaderboard.strips.names import entry_names, thumbnail_file
from leaderboard.strips.retrieved import NOTHING, Retrieved, read_first_hits
from leaderboard.strips.section import all_fail, explain_withheld, first_retrieved

LATEST = 255  # a rank of the first right image that is this or later is written as this
LEVELS = 65535  # steps from 0 to 100 percent: one is 0.0015 points
QUANTISED = ("map", "minp")  # the other figures follow from the ranks


def ground_files(site: Site, contest: Contest) -> Iterator[tuple[str, File]]:
    """Yield the data of a ground and the thumbnails that may be shown, by their path."""
    exhibits = find_exhibits(contest)
    if exhibits is None:
        return
    anchor = site.addresses.anchors[contest.ground.label]
    names = entry_names(contest)
    values: dict[str, Any] = {
        "contest": _contest(site, contest, names, exhibits),
        "queries": _queries(exhibits, contest),
        "gallery": _gallery(exhibits.gallery),
    }
    for name, value in values.items():
        yield _script(f"{anchor}/{name}", value)
    for entry, file in names.items():
        retrieved = first_retrieved(contest, entry, exhibits) if entry[1] == FULL else None
        yield _script(f"{anchor}/entries/{file}", entry_data(contest, entry, retrieved))
    if exhibits.gallery:
        for row, image in exhibits.gallery.thumbnails.items():
            yield thumbnail_file(anchor, row), image


def entry_data(contest: Contest, entry: Entry, retrieved: Retrieved | None) -> dict[str, Any]:
    """Pack the answers of an entry and, where given, what its first seed retrieved."""
    answers = contest.answers[entry]
    by_seed = {run.record.seed: run.stored for run in contest.ground.methods[entry[0]][entry[1]]}
    ranks = read_first_hits([by_seed[seed] for seed in answers.seeds])  # (S, Q)
    return {
        "ranks": [pack(np.minimum(of_seed, LATEST), "u1") for of_seed in ranks],
        **{metric: pack(_levels(answers, metric), "u2") for metric in QUANTISED},
        "top": None if retrieved is None else _top(retrieved),
    }


def _script(name: str, value: Any) -> tuple[str, str]:
    return data_file(name), data_script(name, value)


def _contest(
    site: Site, contest: Contest, names: Mapping[Entry, str], exhibits: Exhibits
) -> dict[str, Any]:
    card = dataset_card(contest.ground, "", contest.ground.runs)
    answers = contest.answers[next(iter(names))]
    titles, files = site.addresses.titles, site.addresses.files
    return {
        "title": card.title,
        "suite": card.suite,
        "seeds": answers.seeds,
        "withheld": explain_withheld(exhibits),
        "metrics": METRICS,
        "corrected": {metric: _corrected(contest, metric) for metric in METRICS},
        "flips": FLIPS,
        "spread": LARGEST_SPREAD,
        "levels": LEVELS,
        "latest": LATEST,
        "entries": [
            {
                "file": file,
                "method": titles[method],
                "alias": site.addresses.alias(method),
                "variant": "" if variant == FULL else variant,
                "page": files[method],
                "mean": float(contest.answers[method, variant].values["r1"].mean()),
            }
            for (method, variant), file in names.items()
        ],
    }


def _corrected(contest: Contest, metric: str) -> str:
    """Pack the p-values of all pairs of methods as published, in steps of 1 / (FLIPS + 1)."""
    family = contest.family(metric)
    if family is None:
        return ""
    found = [difference(family, *pair).adjusted for pair in combinations(contest.published, 2)]
    return pack(np.rint(np.asarray(found) * (FLIPS + 1)).astype(np.int64), "u2")


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


def _levels(answers: Answers, metric: str) -> Any:
    """Return means over seeds in steps of the quantum: (Q,)."""
    return np.rint(answers.values[metric].mean(0) * (LEVELS / 100)).astype(np.int64)


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
