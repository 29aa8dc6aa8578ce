"""A ground's gallery as it grows: a table, curves, and who changes places."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from harness.indexes import KINDS
from harness.results.crowd import FIGURES
from leaderboard.crowds.charts import Curve, Point, gallery_chart
from leaderboard.crowds.curves import Crowd, Crowded, find_crowds
from leaderboard.crowds.indexes import Indexed, find_indexed
from leaderboard.crowds.views import CrowdCell, CrowdRow, CrowdSection, IndexRow, IndexView
from leaderboard.dataset_card import dataset_title
from leaderboard.drawing.figures import DASHES, legend
from leaderboard.records.load import Ground
from leaderboard.typography import ABSENT, fixed, plain

DRAWN = ("r1", "map", "dir10")  # as curves
DECIMALS = 1
FORETOLD = "R1 foretold"
TENFOLDS = tuple(10**power for power in range(3, 10))  # sizes of a crowd
# Of what was found through an index: name, title, unit, what one unit is, decimals.
THROUGH = (
    ("recall1", "Recall@1", "%", 1, 1),
    ("recall10", "Recall@10", "%", 1, 1),
    ("r1", "R1", "%", 1, 1),
    ("r1_exact", "R1 exact", "%", 1, 1),
    ("milliseconds", "A query", "ms", 1, 2),
    ("scan_milliseconds", "A query, exact", "ms", 1, 2),
    ("build_seconds", "Building", "s", 1, 1),
    ("bytes", "Size", "MB", 1e6, 1),
)

Titles = Mapping[str, str]  # of methods


def of_ground(
    ground: Ground, titles: Titles, where: Callable[[str], str], anchor: str
) -> tuple[CrowdSection, ...]:
    """Return a section for each crowd that methods of a ground were asked among.

    `where` gives the address of a method's page.
    """
    return tuple(
        _section(crowd, ground, titles, where, f"{anchor}-{number}")
        for number, crowd in enumerate(find_crowds(ground), start=1)
    )


def _section(
    crowd: Crowd, ground: Ground, titles: Titles, where: Callable[[str], str], anchor: str
) -> CrowdSection:
    drawn = list(crowd.methods)[:DASHES]  # as many as dashes tell apart
    return CrowdSection(
        anchor=anchor,
        ground=f"{dataset_title(ground)} ({ground.suite})",
        crowd=plain(crowd.title),
        notes=tuple(_notes(crowd, titles, len(drawn))),
        places=tuple(_places(crowd, titles)),
        columns=(*FIGURES.values(), FORETOLD, "Seeds"),
        rows=tuple(_rows(crowd, titles, where)),
        legend=legend([titles[method] for method in drawn], ""),
        charts=tuple(
            gallery_chart(
                f"{anchor}-{figure}",
                FIGURES[figure],
                [Curve(titles[name], _points(crowd, name, figure)) for name in drawn],
            )
            for figure in DRAWN
        ),
        through=_through(list(find_indexed(ground, crowd)), titles, where),
    )


def _through(
    found: Sequence[Indexed], titles: Titles, where: Callable[[str], str]
) -> IndexView | None:
    """Return the table of indexes, with the tenfold sizes and the largest of each method."""
    if not found:
        return None
    largest = max(one.distractors for one in found)
    shown = [one for one in found if one.distractors in {*TENFOLDS, largest}]
    rows = (
        IndexRow(
            titles[one.method],
            where(one.method),
            fixed(one.gallery, 0),
            _index_cell(one),
            tuple(fixed(one.values[name] / per, digits) for name, _, _, per, digits in THROUGH),
        )
        for one in shown
    )
    columns = tuple((title, unit) for _, title, unit, _, _ in THROUGH)
    libraries = dict.fromkeys(one.library for one in found)
    return IndexView(", ".join(libraries), columns, tuple(rows))


def _index_cell(one: Indexed) -> CrowdCell:
    """Return what an index is called, and its settings where they say more."""
    title = KINDS[one.index].title
    return CrowdCell(title, "" if one.settings.casefold() == title.casefold() else one.settings)


def _points(crowd: Crowd, method: str, figure: str) -> tuple[Point, ...]:
    one = crowd.methods[method]
    families = [(size, crowd.family(size, figure)) for size in one.sizes]
    return tuple(
        Point(one.gallery + size, family.means[method], *family.intervals[method])
        for size, family in families
    )


def _rows(crowd: Crowd, titles: Titles, where: Callable[[str], str]) -> Iterator[CrowdRow]:
    for method, one in crowd.methods.items():
        for size in one.sizes:
            yield CrowdRow(
                titles[method],
                where(method),
                fixed(one.gallery + size, 0),
                (
                    *(_cell(crowd, method, size, figure) for figure in FIGURES),
                    _foretold(one, size),
                    CrowdCell(str(len(one.seeds))),
                ),
            )


def _cell(crowd: Crowd, method: str, size: int, figure: str) -> CrowdCell:
    family = crowd.family(size, figure)
    low, high = (fixed(end, DECIMALS) for end in family.intervals[method])
    return CrowdCell(fixed(family.means[method], DECIMALS), f"{low} to {high}")


def _foretold(one: Crowded, size: int) -> CrowdCell:
    value = one.foretold(size)
    return CrowdCell(ABSENT if value is None else fixed(value, DECIMALS))


def _notes(crowd: Crowd, titles: Titles, drawn: int) -> Iterator[str]:
    aside = [titles[method] for method, one in crowd.methods.items() if one.leaves_aside]
    if aside:
        yield (
            f"By cosine alone: the second look of {_listed(aside)} at first candidates is left "
            "aside, at every size."
        )
    first = next(iter(crowd.methods.values()))
    left_out = first.record.crowd.get("left_out")
    if isinstance(left_out, Mapping) and left_out:
        told = ", ".join(f"{plain(count)} {plain(why)}" for why, count in left_out.items())
        yield f"Of the images that were offered were left out: {told}."
    if len(crowd.methods) > drawn:
        yield f"Drawn are the first {drawn} methods; the table has all {len(crowd.methods)}."


def _places(crowd: Crowd, titles: Titles) -> Iterator[str]:
    """Say in words who changes places by R1 as the gallery grows."""
    if len(crowd.methods) < 2:
        return
    changes = list(crowd.changes())
    if not changes:
        yield "No two methods change places by R1, at whatever size."
    for ahead, behind, before, after in changes:
        gallery = crowd.methods[ahead].gallery
        yield (
            f"{titles[ahead]} is ahead of {titles[behind]} by R1 up to "
            f"{fixed(gallery + before, 0)} images and behind from {fixed(gallery + after, 0)} on; "
            f"{_told_apart(crowd, ahead, behind, before, after)}."
        )


def _told_apart(crowd: Crowd, ahead: str, behind: str, before: int, after: int) -> str:
    real = [crowd.family(size, "r1").between(ahead, behind).is_real for size in (before, after)]
    if all(real):
        return "they are told apart at both"
    if not any(real):
        return "they are told apart at neither"
    return f"they are told apart at the {'first' if real[0] else 'second'} alone"


def _listed(names: Sequence[str]) -> str:
    *most, last = names
    return f"{', '.join(most)} and {last}" if most else last
