"""What noise does on a ground, as a table with curves: of one method, or of all."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from harness.results import variant_name
from leaderboard.drawing.figures import DASHES, Line, legend, line_chart
from leaderboard.records.estimates import Summary
from leaderboard.records.ledger import Entry
from leaderboard.records.load import Ground
from leaderboard.reported.noisy import printed_under_noise
from leaderboard.reported.tables import ReportedPaper
from leaderboard.robustness.charts import Curve, rate_chart
from leaderboard.robustness.levels import FOUND, PERCENT, Level, Robustness, find_robustness
from leaderboard.robustness.views import Charts, NoiseCell, NoiseRow, NoiseSection, NoiseTable
from leaderboard.typography import ABSENT, fixed, signed

Papers = Mapping[str, ReportedPaper]
Where = Callable[[Entry], str]  # the address of the runs of an entry
Named = Sequence[tuple[str, Robustness]]  # each with its name on the page
Write = Callable[[Robustness, Level], NoiseCell]  # what a column says of a level

DECIMALS = 2
SHARE_DECIMALS = 1
# Titles of figures of a history, as papers on noisy labels call them.
TITLES = {column: column.replace("/", " pairs: ") for column in FOUND}


def of_method(
    ground: Ground, method: str, papers: Papers, where: Where, anchor: str
) -> NoiseSection | None:
    """Return what noise does to the variants of a method; None where none was trained with any."""
    found = [(_name(one.variant, one), one) for one in find_robustness(ground, method)]
    if not found:
        return None

    def printed(level: Level, metric: str, epoch: str = "selected") -> tuple[str, ...]:
        return _printed(papers, ground, level, metric, epoch)

    columns: dict[str, Write] = {
        "R1": lambda _, level: _figure(level.selected(), printed(level, "r1")),
        "R1, last epoch": lambda _, level: _figure(level.last(), printed(level, "r1", "last")),
        "mAP": lambda _, level: _figure(level.selected("map"), printed(level, "map")),
        "R1 lost": _lost,
        **{title: _found_last(column) for column, title in TITLES.items()},
        "Seeds": _seeds,
    }
    table = NoiseTable("Variant", tuple(columns), _rows(found, columns, where))
    by_noise, by_epoch = _by_noise(found, anchor), _by_epoch(found, f"{anchor}-found")
    return NoiseSection(anchor, ground.label, table, tuple(by_noise), tuple(by_epoch))


def of_ground(
    ground: Ground, titles: Mapping[str, str], where: Where, anchor: str
) -> NoiseSection | None:
    """Return what noise does to all methods of a ground; None where none was trained with any.

    Beside the figures of the epochs that val chose, and of the last ones, stand those of the epochs
    that are best on test, as far as they were audited.
    """
    found = [
        (_name(variant_name(titles[method], one.variant), one), one)
        for method in sorted(ground.methods)
        for one in find_robustness(ground, method)
    ]
    if not found:
        return None
    columns: dict[str, Write] = {
        "By val": lambda _, level: _figure(level.selected()),
        "Last epoch": lambda _, level: _figure(level.last()),
        "By test": lambda _, level: _mean(level.best_on_test()),
        "Lost": _lost,
        "Seeds": _seeds,
    }
    table = NoiseTable("Method", tuple(columns), _rows(found, columns, where))
    return NoiseSection(anchor, ground.label, table, tuple(_by_noise(found, anchor)))


def _name(name: str, one: Robustness) -> str:
    return f"{name}, index files" if one.from_files else name


def _rows(found: Named, columns: Mapping[str, Write], where: Where) -> tuple[NoiseRow, ...]:
    return tuple(
        NoiseRow(
            name,
            where(level.entry),
            level.in_words,
            tuple(write(one, level) for write in columns.values()),
        )
        for name, one in found
        for level in one.levels
    )


def _figure(found: Summary | None, printed: Sequence[str] = ()) -> NoiseCell:
    if found is None:
        return NoiseCell(ABSENT, tuple(printed))
    low, high = (fixed(end, DECIMALS) for end in (found.low, found.high))
    span = (f"{low} to {high}",) if low != high else ()
    return NoiseCell(fixed(found.mean, DECIMALS), (*span, *printed))


def _mean(value: float | None) -> NoiseCell:
    return NoiseCell(ABSENT if value is None else fixed(value, DECIMALS))


def _lost(one: Robustness, level: Level) -> NoiseCell:
    """Write the points of R1 that noise costs; nothing stands in the row without noise."""
    clean = one.clean and one.clean.selected()
    found = level.selected()
    if not level.rate or not clean or not found:
        return NoiseCell(ABSENT if level.rate else "")
    return NoiseCell(signed(found.mean - clean.mean, DECIMALS))


def _found_last(column: str) -> Write:
    """Write a figure of what was called clean in the last epoch."""

    def write(one: Robustness, level: Level) -> NoiseCell:
        by_epoch = level.found(column)
        return NoiseCell(fixed(by_epoch[-1][1], SHARE_DECIMALS) if by_epoch else ABSENT)

    return write


def _seeds(one: Robustness, level: Level) -> NoiseCell:
    return NoiseCell(str(sum(run.finished for run in level.runs)))


def _printed(
    papers: Papers, ground: Ground, level: Level, metric: str, epoch: str
) -> tuple[str, ...]:
    """Return what papers print of a level, in words."""
    if not level.rate:
        return ()
    printed = printed_under_noise(papers, ground.dataset, level.runs[-1].record, epoch)
    return tuple(f"{title} prints {figure.text}" for title, figure in printed.get(metric, ()))


def _by_noise(found: Named, anchor: str) -> Iterator[Charts]:
    """Draw R1 by noise: of the epochs that val chose, and of the last ones."""
    kinds = {"R1": Level.selected, "R1, last epoch": Level.last}
    for start in range(0, len(found), DASHES):
        some = found[start : start + DASHES]
        charts = (
            rate_chart(
                f"{anchor}-{start}-{number}",
                title,
                [Curve(name, _points(one, read)) for name, one in some],
            )
            for number, (title, read) in enumerate(kinds.items())
        )
        if drawn := tuple(chart for chart in charts if chart):
            yield Charts(legend([name for name, _ in some], ""), drawn)


def _points(
    one: Robustness, read: Callable[[Level], Summary | None]
) -> tuple[tuple[float, Summary], ...]:
    summaries = ((PERCENT * level.rate, read(level)) for level in one.levels)
    return tuple((rate, summary) for rate, summary in summaries if summary)


def _by_epoch(found: Named, anchor: str) -> Iterator[Charts]:
    """Draw precision and recall by epoch, a line for each noise: means over seeds."""
    levels = [
        (f"{name}, {level.in_words}", level)
        for name, one in found
        for level in one.levels
        if any(level.found(column) for column in FOUND)
    ]
    for start in range(0, len(levels), DASHES):
        some = levels[start : start + DASHES]
        charts = (
            line_chart(
                f"{anchor}-{start}-{number}",
                title,
                "%",
                [Line(name, tuple(level.found(column))) for name, level in some],
            )
            for number, (column, title) in enumerate(TITLES.items())
        )
        names = [name for name, _ in some]
        yield Charts(legend(names, ""), tuple(chart for chart in charts if chart))
