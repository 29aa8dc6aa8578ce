"""What papers print, as data: one YAML file a paper, checked when it is read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

from harness.data.catalogue import read_catalogue
from harness.results import METRICS
from leaderboard.reported.entries import (
    Entry,
    Place,
    check_entry,
    meant,
    name_entry,
    read_yaml,
    refuse_repeats,
)

FOLDER = Path(__file__).parent
COMPARED = ("methods", "variants")  # what the rows of a table may be
EPOCHS = ("selected", "last")  # what the figures of a table under noise may be of
MOST_DECIMALS = 4  # that anybody prints of a percentage
FIRST_YEAR, LAST_YEAR = 1900, 2100


@dataclass(frozen=True)
class Column:
    """What a column of a printed table measures, and on which dataset."""

    dataset: str  # as the catalogue names it
    metric: str  # a key of METRICS

    def __str__(self) -> str:
        return f"{self.dataset}/{self.metric}"


@dataclass(frozen=True)
class Figure:
    """A percentage with the decimals it is printed with."""

    value: Decimal
    suspect: str = ""  # why it should not be relied on


@dataclass(frozen=True)
class Row:
    """A row as printed; None stands for a dash."""

    label: str
    group: str
    method: str  # the registered name of the method it is, or empty
    figures: tuple[Figure | None, ...]
    stands_for: str = ""  # that of a baseline of ours which it is too, or empty
    scored: str = ""  # how the trained method was scored, where not as published

    @property
    def name(self) -> str:
        """Its label, with the heading that it stands under: no other row of a table has it."""
        return f"{self.label} (group {self.group})" if self.group else self.label

    def is_of(self, method: str) -> bool:
        """Whether its figures are of a method as published; scored otherwise, they are others."""
        return not self.scored and method in (self.method, self.stands_for)


@dataclass(frozen=True)
class Table:
    """A results table of a paper."""

    title: str
    caption: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    base: str = ""  # the label of the row to which the others add, or empty
    compares: str = COMPARED[0]
    source: str = ""  # where it was read, where not with the others
    noise: Decimal = Decimal(0)  # the share of training captions that were given to other images
    epoch: str = "selected"  # of its figures


@dataclass(frozen=True)
class Remark:
    """What a paper reports outside its tables."""

    about: str
    text: str


@dataclass(frozen=True)
class ReportedPaper:
    """Everything read from one file."""

    method: str
    title: str  # the short name of the method
    citation: str
    url: str
    source: str  # where the figures were read, where not in the paper
    year: int | None  # None where no source gives one
    scale: str
    tables: tuple[Table, ...]
    remarks: tuple[Remark, ...]
    noisy: tuple[Table, ...] = ()  # of methods that were trained with wrong pairs
    names: Mapping[str, str] = field(default_factory=dict)  # of methods, by labels
    years: Mapping[str, int] = field(default_factory=dict)  # that it gives for others, by labels
    variants: frozenset[str] = frozenset()  # labels of what is a form of its own method


@cache
def dataset_titles() -> Mapping[str, str]:
    """Return the title of each dataset of the catalogue, which is read once."""
    return {name: entry.title for name, entry in read_catalogue().items()}


def load_papers(folder: Path = FOLDER) -> dict[str, ReportedPaper]:
    """Read every YAML file of a folder, by the registered name of the method it belongs to.

    Raises ValueError, naming file, line, table and row, where one is not as the first comment of
    `reported/dgia.yaml` describes.
    """
    papers = [read_paper(path) for path in sorted(folder.glob("*.yaml"))]
    return {paper.method: paper for paper in papers}


def read_paper(path: Path) -> ReportedPaper:
    """Read one file; see `load_papers`."""
    place = Place(path.name)
    optional = ("title", "url", "source", "year", "remarks", "names", "years", "variants", "noisy")
    entry = check_entry(read_yaml(path), place, ("method", "paper", "scale", "tables"), optional)
    if entry.text("method") != path.stem:
        named = f"the file of method {entry.text('method')!r} has its name: {path.stem!r} is not it"
        raise entry.error("method", named)
    tables = tuple(
        _table(item, place.within(name_entry("table", item, "title", number), item))
        for number, item in enumerate(entry.items("tables"), start=1)
    )
    noisy = tuple(
        _noisy_table(item, place.within(name_entry("noisy table", item, "title", number), item))
        for number, item in enumerate(entry.items("noisy"), start=1)
    )
    refuse_repeats((table.title for table in (*tables, *noisy)), "table", place)
    labels = {row.label for table in tables for row in table.rows}
    return ReportedPaper(
        method=entry.text("method"),
        title=entry.text("title") or entry.text("method"),
        citation=entry.text("paper"),
        url=entry.text("url"),
        source=entry.text("source"),
        year=_year(entry, entry.values["year"], "year") if "year" in entry.values else None,
        scale=entry.text("scale"),
        tables=tables,
        noisy=noisy,
        remarks=tuple(_remark(item, place) for item in entry.items("remarks")),
        names=_names(entry, labels),
        years=_years(entry, labels),
        variants=frozenset(_label(entry, "variants", label, labels)
                           for label in entry.items("variants")),
    )  # fmt: skip


def _names(entry: Entry, labels: Iterable[str]) -> dict[str, str]:
    """Return the name of the method by each label that does not tell it."""
    names = {}
    for label, name in entry.mapping("names").items():
        if not isinstance(name, str) or not name.strip():
            raise entry.error("names", f"names: {label!r} is named {name!r}; give it a text")
        names[_label(entry, "names", label, labels)] = name
    return names


def _years(entry: Entry, labels: Iterable[str]) -> dict[str, int]:
    """Return the year by each label, from the labels by year."""
    years: dict[str, int] = {}
    for year, of_year in entry.mapping("years").items():
        _year(entry, year, "years")
        if not isinstance(of_year, list):
            wrong = f"years: {year} is to have a list of labels, not {of_year!r}"
            raise entry.error("years", wrong)
        for given in of_year:
            label = _label(entry, "years", given, labels)
            if label in years:
                raise entry.error("years", f"years: {label!r} has two, {years[label]} and {year}")
            years[label] = year
    return years


def _year(entry: Entry, year: Any, name: str) -> int:
    if type(year) is not int or not FIRST_YEAR <= year <= LAST_YEAR:
        allowed = f"a year is a whole number from {FIRST_YEAR} to {LAST_YEAR}"
        raise entry.error(name, f"{name}: {year!r} is no year; {allowed}")
    return year


def _label(entry: Entry, name: str, label: Any, labels: Iterable[str]) -> str:
    if not isinstance(label, str) or label not in labels:
        wrong = f"{name}: no row has the label {label!r}"
        raise entry.error(name, f"{wrong}{meant(str(label), labels)}")
    return label


def _noisy_table(content: Any, place: Place) -> Table:
    """Return a table of what was trained with wrong pairs."""
    table = _table(content, place, ("noise",), ("epoch",))
    entry = Entry(place, content)
    noise = entry.values["noise"]
    if not isinstance(noise, Decimal) or not 0 < noise < 1:
        raise entry.error("noise", f"noise is {noise!r}; it is a share between 0 and 1, as 0.2")
    return replace(table, noise=noise, epoch=entry.choice("epoch", EPOCHS))


def _table(
    content: Any, place: Place, required: tuple[str, ...] = (), optional: tuple[str, ...] = ()
) -> Table:
    optional = ("caption", "source", "base", "compares", *optional)
    entry = check_entry(content, place, ("title", "columns", "rows", *required), optional)
    columns = tuple(_column(name, entry) for name in entry.items("columns"))
    refuse_repeats((str(column) for column in columns), "column", place)
    rows = tuple(
        _row(item, columns, place.within(name_entry("row", item, "label", number), item))
        for number, item in enumerate(entry.items("rows"), start=1)
    )
    refuse_repeats((row.name for row in rows), "row", place)
    base = entry.text("base")
    if base and [row.label for row in rows].count(base) != 1:
        raise entry.error("base", f"base {base!r} is to be the label of one of its rows")
    return Table(
        title=entry.text("title"),
        caption=entry.text("caption"),
        columns=columns,
        rows=rows,
        base=base,
        compares=entry.choice("compares", COMPARED),
        source=entry.text("source"),
    )


def _column(name: Any, entry: Entry) -> Column:
    dataset, _, metric = str(name).rpartition("/")
    place = entry.place.within(f"column {name!r}", entry.values)
    if metric not in METRICS:
        raise place.error(f"the metrics are {', '.join(METRICS)}{meant(metric, METRICS)}")
    if dataset not in (known := dataset_titles()):
        raise place.error(f"the datasets are {', '.join(known)}{meant(dataset, known)}")
    return Column(dataset, metric)


def _row(content: Any, columns: tuple[Column, ...], place: Place) -> Row:
    optional = ("group", "method", "stands_for", "scored", "suspect")
    entry = check_entry(content, place, ("label", "values"), optional)
    values = [_value(value, entry) for value in entry.items("values")]
    if len(values) != len(columns):
        raise entry.error("values", f"{len(values)} values for {len(columns)} columns")
    printed = {
        str(column): value
        for column, value in zip(columns, values, strict=True)
        if value is not None
    }
    reasons = _reasons(entry, printed)
    figures = tuple(
        None if value is None else Figure(value, "; ".join(reasons[str(column)]))
        for column, value in zip(columns, values, strict=True)
    )
    return Row(
        entry.text("label"),
        entry.text("group"),
        entry.text("method"),
        figures,
        entry.text("stands_for"),
        entry.text("scored"),
    )


def _value(value: Any, entry: Entry) -> Decimal | None:
    if value is None:
        return None
    is_number = isinstance(value, Decimal | int) and not isinstance(value, bool)
    if not is_number or not 0 <= value <= 100:
        wrong = f"the value {value} is no percentage from 0 to 100, nor null, which is a dash"
        raise entry.error("values", wrong)
    figure = Decimal(value)
    if figure != round(figure, MOST_DECIMALS):
        raise entry.error("values", f"the value {value} has more than {MOST_DECIMALS} decimals")
    return figure


def _reasons(row: Entry, printed: Iterable[str]) -> dict[str, list[str]]:
    """Return by column why its figure is suspect; a reason without columns is for the whole row."""
    reasons: dict[str, list[str]] = {column: [] for column in printed}
    for item in row.items("suspect"):
        place = row.place.within("suspect", item)
        entry = check_entry(item, place, ("why",), optional=("columns",))
        for column in entry.items("columns") or list(reasons):
            if not isinstance(column, str) or column not in reasons:
                of = f"figures are in {', '.join(reasons) or 'none'}"
                raise place.error(f"column {column!r} holds no figure of this row; {of}")
            reasons[column].append(entry.text("why"))
    return reasons


def _remark(content: Any, place: Place) -> Remark:
    entry = check_entry(content, place.within("remarks", content), ("about", "text"))
    return Remark(entry.text("about"), entry.text("text"))
