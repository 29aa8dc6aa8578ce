"""What papers print, as data: one YAML file a paper, checked when it is read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

import yaml

from harness.data.catalogue import read_catalogue
from harness.results import METRICS

FOLDER = Path(__file__).parent


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


@dataclass(frozen=True)
class Remark:
    """What a paper reports outside its tables."""

    about: str
    text: str


@dataclass(frozen=True)
class ReportedPaper:
    """Everything read from one file."""

    method: str
    citation: str
    url: str
    scale: str
    tables: tuple[Table, ...]
    remarks: tuple[Remark, ...]


def load_papers(folder: Path = FOLDER) -> dict[str, ReportedPaper]:
    """Read every YAML file of a folder, by the registered name of the method it belongs to.

    Raises ValueError, naming file, table and row, where one is not as the first comment of
    `reported/dgia.yaml` describes.
    """
    papers = [read_paper(path) for path in sorted(folder.glob("*.yaml"))]
    return {paper.method: paper for paper in papers}


def read_paper(path: Path) -> ReportedPaper:
    """Read one file; see `load_papers`."""
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), Loader=_PrintedNumbers)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ValueError(f"{path.name} cannot be read as YAML: {error}") from error
    entry = _entry(
        content, path.name, ("method", "paper", "scale", "tables"), optional=("url", "remarks")
    )
    if entry.text("method") != path.stem:
        raise ValueError(f"{path.name}: the file of method {entry.text('method')!r} has its name")
    tables = tuple(
        _table(item, f"{path.name}, {_named('table', item, 'title', number)}")
        for number, item in enumerate(entry.items("tables"), start=1)
    )
    _refuse_repeats((table.title for table in tables), "table", path.name)
    return ReportedPaper(
        method=entry.text("method"),
        citation=entry.text("paper"),
        url=entry.text("url"),
        scale=entry.text("scale"),
        tables=tables,
        remarks=tuple(_remark(item, f"{path.name}, remarks") for item in entry.items("remarks")),
    )


class _PrintedNumbers(yaml.SafeLoader):
    """Reads 65.50 as the decimal that was printed, not as 65.5."""


def _decimal(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> Decimal | float:
    try:
        return Decimal(node.value)
    except InvalidOperation:  # .nan and .inf, which the check of the values refuses
        return loader.construct_yaml_float(node)


_PrintedNumbers.add_constructor("tag:yaml.org,2002:float", _decimal)


@dataclass(frozen=True)
class _Entry:
    """A mapping of the file, and where it stands."""

    place: str
    values: Mapping[str, Any]

    def text(self, name: str) -> str:
        """Return a text, which is empty where it is left out."""
        value = self.values.get(name)
        if value is not None and not isinstance(value, str):
            raise ValueError(f"{self.place}: {name} is {value!r}; put it in quotes to make it text")
        return value or ""

    def items(self, name: str) -> list[Any]:
        """Return a list, which is empty where it is left out."""
        value = self.values.get(name)
        if value is not None and not isinstance(value, list):
            raise ValueError(f"{self.place}: {name} is to be a list, not {value!r}")
        return value or []


def _entry(
    content: Any, place: str, required: tuple[str, ...], optional: tuple[str, ...] = ()
) -> _Entry:
    """Check that a mapping has the fields it needs and none that would be overlooked."""
    if not isinstance(content, Mapping):
        raise ValueError(f"{place}: expected the fields {', '.join(required)}, not {content!r}")
    if missing := [name for name in required if content.get(name) in (None, "", [])]:
        raise ValueError(f"{place}: {', '.join(missing)} is missing")
    if unknown := [str(name) for name in content if name not in required + optional]:
        fields = ", ".join(required + optional)
        raise ValueError(f"{place}: no field is called {', '.join(unknown)}; there are: {fields}")
    return _Entry(place, content)


def _named(kind: str, content: Any, field: str, number: int) -> str:
    """Name an entry in messages: by its own name if it has one, else by its number."""
    name = content.get(field) if isinstance(content, Mapping) else None
    return f"{kind} {number}" if name is None else f"{kind} {name!r}"


def _table(content: Any, place: str) -> Table:
    entry = _entry(content, place, ("title", "columns", "rows"), optional=("caption", "base"))
    columns = tuple(_column(name, place) for name in entry.items("columns"))
    _refuse_repeats((str(column) for column in columns), "column", place)
    rows = tuple(
        _row(item, columns, f"{place}, {_named('row', item, 'label', number)}")
        for number, item in enumerate(entry.items("rows"), start=1)
    )
    _refuse_repeats((_name(row) for row in rows), "row", place)
    base = entry.text("base")
    if base and [row.label for row in rows].count(base) != 1:
        raise ValueError(f"{place}: base {base!r} is to be the label of one of its rows")
    return Table(entry.text("title"), entry.text("caption"), columns, rows, base)


def _name(row: Row) -> str:
    return f"{row.label} (group {row.group})" if row.group else row.label


def _column(name: Any, place: str) -> Column:
    dataset, _, metric = str(name).rpartition("/")
    if metric not in METRICS:
        raise ValueError(f"{place}, column {name!r}: the metrics are {', '.join(METRICS)}")
    if dataset not in (known := read_catalogue()):
        raise ValueError(f"{place}, column {name!r}: the datasets are {', '.join(known)}")
    return Column(dataset, metric)


def _row(content: Any, columns: tuple[Column, ...], place: str) -> Row:
    optional = ("group", "method", "stands_for", "scored", "suspect")
    entry = _entry(content, place, ("label", "values"), optional)
    values = [_value(value, place) for value in entry.items("values")]
    if len(values) != len(columns):
        raise ValueError(f"{place}: {len(values)} values for {len(columns)} columns")
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


def _value(value: Any, place: str) -> Decimal | None:
    if value is None:
        return None
    is_number = isinstance(value, Decimal | int) and not isinstance(value, bool)
    if not is_number or not 0 <= value <= 100:
        raise ValueError(f"{place}: the value {value} is no percentage from 0 to 100")
    return Decimal(value)


def _reasons(row: _Entry, printed: Iterable[str]) -> dict[str, list[str]]:
    """Return by column why its figure is suspect; a reason without columns is for the whole row."""
    reasons: dict[str, list[str]] = {column: [] for column in printed}
    for item in row.items("suspect"):
        entry = _entry(item, f"{row.place}, suspect", ("why",), optional=("columns",))
        for column in entry.items("columns") or list(reasons):
            if column not in reasons:
                raise ValueError(f"{entry.place}: column {column!r} holds no figure of this row")
            reasons[column].append(entry.text("why"))
    return reasons


def _remark(content: Any, place: str) -> Remark:
    entry = _entry(content, place, ("about", "text"))
    return Remark(entry.text("about"), entry.text("text"))


def _refuse_repeats(names: Iterable[str], kind: str, place: str) -> None:
    if repeated := [name for name, count in Counter(names).items() if count > 1]:
        raise ValueError(f"{place}: more than one {kind} is called {', '.join(repeated)}")
