from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import hypothesis.strategies as st
import pytest
import yaml
from hypothesis import given, settings

from harness.registry import list_methods
from leaderboard.reported.tables import Figure, ReportedPaper, Row, load_papers, read_paper
from methods.mefa import Mefa

SOUND = """
method: one
paper: Somebody, A paper, 2024
scale: paper
tables:
  - title: Table 1
    columns: [cuhk-pedes/r1, rstpreid/map]
    rows:
      - {label: A, values: [65.50, null]}
      - {label: B, values: [70, 41.0], suspect: [{why: drawn by hand}]}
"""

OURS = sorted(load_papers().keys() & {listing.name for listing in list_methods()})
ABLATED = [name for name in OURS if not load_papers()[name].source]  # IRRA's README ablates nothing


@pytest.fixture
def write_paper(tmp_path: Path) -> Callable[[str], Path]:
    """Return a function that writes the reported file of a method called one."""

    def write(text: str) -> Path:
        path = tmp_path / "one.yaml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


@pytest.fixture(scope="module")
def dgia() -> ReportedPaper:
    """Return the shipped figures of DGIA's paper."""
    return load_papers()["dgia"]


def row_of(paper: ReportedPaper, title: str, label: str) -> Row:
    """Return a row by its table and label."""
    (table,) = [table for table in paper.tables if table.title == title]
    (row,) = [row for row in table.rows if row.label == label]
    return row


def values(row: Row) -> list[str]:
    """Return the figures of a row as they are printed, without their flags."""
    return [str(figure.value) if figure else "-" for figure in row.figures]


def test_the_shipped_file_holds_every_row(dgia: ReportedPaper) -> None:
    """Six tables with all their rows, rivals included, and what the text says of two figures."""
    extent = {table.title: (len(table.rows), len(table.columns)) for table in dgia.tables}
    assert extent == {
        "Table 1": (19, 5), "Table 2": (18, 5), "Table 3": (15, 5),
        "Table 4": (5, 3), "Table 5": (4, 3), "Table 6": (4, 3),
    }  # fmt: skip
    masking, relations = dgia.remarks
    assert (masking.about, relations.about) == ("Figure 3", "Figure 4")
    assert "between 0.3 and 0.5 on CUHK-PEDES and between 0.4 and 0.5" in masking.text
    assert "92.0" in relations.text
    assert "75.0" in relations.text


@pytest.mark.parametrize(
    ("title", "label", "printed"),
    [
        ("Table 1", "Ours", "73.06 89.21 93.44 64.88 48.15"),
        ("Table 1", "LCR²S", "67.36 84.19 89.62 59.24 -"),
        ("Table 1", "CMMT", "57.10 78.14 85.23 - -"),
        ("Table 2", "GAAP", "27.12 44.91 53.56 11.43 -"),
        ("Table 3", "IRRA", "60.20 81.30 88.20 47.17 25.28"),
        ("Table 4", "B+LRC+GSRC-FR+IASC-CL", "73.06 63.71 61.30"),
        ("Table 5", "B+LRCT", "67.61 56.47 55.45"),
        ("Table 6", "BFE", "69.04 58.45 56.30"),
    ],
)
def test_figures_stand_as_the_paper_prints_them(
    title: str, label: str, printed: str, dgia: ReportedPaper
) -> None:
    """Each figure keeps its decimals, and a dash is no figure."""
    assert " ".join(values(row_of(dgia, title, label))) == printed


def test_rows_that_are_methods_of_ours_say_so(dgia: ReportedPaper) -> None:
    """The paper's own method is named in every table that has it, with its group."""
    own = [
        (table.title, row.label, row.group)
        for table in dgia.tables
        for row in table.rows
        if row.method == "dgia"
    ]
    assert own == [
        ("Table 1", "Ours", "Weakly Supervised"),
        ("Table 2", "Ours", "Weakly Supervised"),
        ("Table 3", "Ours", "Weakly Supervised"),
        ("Table 4", "B+LRC+GSRC-FR+IASC-CL", ""),
    ]
    assert row_of(dgia, "Table 1", "IRRA").method == "irra"


def test_misprints_are_flagged_where_they_stand(dgia: ReportedPaper) -> None:
    """Exactly the figures that contradict the paper or its sources carry a reason."""
    flagged = {
        f"{table.title} {row.label} {column}": str(figure.value)
        for table in dgia.tables
        for row in table.rows
        for column, figure in zip(table.columns, row.figures, strict=True)
        if figure and figure.suspect
    }
    assert flagged == {
        "Table 1 IRRA cuhk-pedes/r5": "83.93",
        "Table 1 TriMatch cuhk-pedes/r5": "89.90",
        "Table 1 TriMatch cuhk-pedes/r10": "94.17",
        "Table 1 TriMatch cuhk-pedes/map": "67.12",
        "Table 2 Ours icfg-pedes/minp": "6.20",
        "Table 4 B+GSRC-FR cuhk-pedes/r1": "67.56",
        "Table 5 B+LRCI cuhk-pedes/r1": "67.56",
        "Table 5 B+LRCI icfg-pedes/r1": "51.32",
        "Table 5 B+LRCI rstpreid/r1": "53.51",
    }


def test_the_backbones_of_mefa_are_rows_that_can_be_run() -> None:
    """On all three datasets, CLIP and EVA stand in print under the labels of the variants."""
    tables = {table.title: table for table in load_papers()["mefa"].tables}
    declared = Mefa.recipes["paper"].ablations
    for title, dataset in (
        ("Table 1", "cuhk-pedes"), ("Table 2", "icfg-pedes"), ("Table 3", "rstpreid")
    ):  # fmt: skip
        printed = [row.label for row in tables[title].rows if row.label in declared[title]]
        assert printed == list(declared[title])
        assert {column.dataset for column in tables[title].columns} == {dataset}


def test_a_reason_without_columns_is_for_the_whole_row(write_paper: Callable[[str], Path]) -> None:
    """Every figure of the row is flagged; whole numbers and decimals are read as printed."""
    first, second = read_paper(write_paper(SOUND)).tables[0].rows
    assert first.figures == (Figure(Decimal("65.50")), None)
    assert values(second) == ["70", "41.0"]
    assert [figure.suspect for figure in second.figures if figure] == ["drawn by hand"] * 2


@pytest.mark.parametrize(
    ("sound", "broken", "message"),
    [
        ("/r1", "/r2", "table 'Table 1', column 'cuhk-pedes/r2': the metrics are r1, r5"),
        ("rstpreid/", "reid/", "column 'reid/map': the datasets are paperdolls, streetdolls, "),
        ("rstpreid/map", "cuhk-pedes/r1", "more than one column is called cuhk-pedes/r1"),
        ("65.50, null", "65.50", "table 'Table 1', row 'A': 1 values for 2 columns"),
        ("65.50", "100.5", "row 'A': the value 100.5 is no percentage"),
        ("65.50", "-0.1", "row 'A': the value -0.1 is no percentage"),
        ("65.50", "1.0e-99999999", "line 9: '1.0e-99999999' is no number as papers print one"),
        ("65.50", "010", "line 9: '010' is no number as papers print one"),
        ("65.50", "1:05", "line 9: '1:05' is no number as papers print one"),
        ("65.50", "!!float nan", "line 9: 'nan' is no number as papers print one"),
        ("65.50", "!!timestamp x", " cannot be read as YAML"),
        ("65.50", "2024-13-45", " cannot be read as YAML"),
        ("label: B,", 'label: "B\\ud800",', "characters that show nothing"),
        ("label: B,", "<<: {label: B},", "line 10 takes fields from elsewhere"),
        ("65.50", ".nan", "row 'A': the value nan is no percentage"),
        ("65.50", "yes", "row 'A': the value True is no percentage"),
        ("65.50", "'65.50'", "row 'A': the value 65.50 is no percentage"),
        ("{why:", "{columns: [rstpreid/r5], why:", "row 'B', suspect: column 'rstpreid/r5'"),
        ("{why: drawn by hand}", "{why: }", "row 'B', suspect: why is missing"),
        ("[{why: drawn by hand}]", "by hand", "row 'B': suspect is to be a list, not 'by hand'"),
        ("suspect:", "suspects:", "row 'B': no field is called suspects; there are: label"),
        ("label: B", "label: A", "table 'Table 1': more than one row is called A"),
        ("label: B", "label: 0", "row 0: label is 0; put it in quotes"),
        ("label: B, ", "", "table 'Table 1', row 2: label is missing"),
        ("title: Table 1", "caption: x", "table 1: title is missing"),
        (
            "columns:",
            "base: C\n    columns:",
            "table 'Table 1': base 'C' is to be the label of one",
        ),
        ("{label: A,", "{label: A, stands_for: [two],", "row 'A': stands_for is ['two']"),
        ("method: one", "method: two", "line 2: the file of method 'two' has its name"),
        ("scale: paper", "", ": scale is missing"),
        ("tables:", "tables: [", " cannot be read as YAML"),
        (
            "label: B,",
            "label: B, label: C,",
            "YAML: 'label' stands twice in what begins at line 10",
        ),
        (
            "label: B,",
            "method: [x], label: B,",
            "line 10, table 'Table 1', row 'B': method is ['x']",
        ),
        ("tables:", "tables: &all\n  - *all", " cannot be read as YAML"),
        (
            "scale:",
            "year: 24\nscale:",
            "line 4: year: 24 is no year; a year is a whole number from",
        ),
        ("scale:", "years: {2020: [C]}\nscale:", "line 4: years: no row has the label 'C'"),
        ("scale:", "years: {x: [A]}\nscale:", "line 4: years: 'x' is no year"),
        ("scale:", "years: {2020: A}\nscale:", "years: 2020 is to have a list of labels, not 'A'"),
        ("scale:", "years: {2020: [A], 2021: [A]}\nscale:", "years: 'A' has two, 2020 and 2021"),
        ("scale:", "years: {2020: [[A]]}\nscale:", "line 4: years: no row has the label ['A']"),
        ("scale:", "names: [A]\nscale:", "line 4: names is to be a mapping, not ['A']"),
        ("scale:", "names: {A: 7}\nscale:", "line 4: names: 'A' is named 7; give it a text"),
        ("scale:", "variants: [a]\nscale:", "line 4: variants: no row has the label 'a'"),
        ("    rows:", "    compares: rows\n    rows:", "compares is 'rows'; it may be methods or"),
        ("paper:", "papr:", "one.yaml: paper is missing"),
        (
            "scale:",
            "sourc: x\nscale:",
            "there are: method, paper, scale, tables, title, url, source",
        ),
        ("scale:", "sourc: x\nscale:", "line 4: no field is called sourc; "),
        ("scale:", "sourc: x\nscale:", "Did you mean 'source'?"),
    ],
)
def test_an_error_names_file_table_and_row(
    sound: str, broken: str, message: str, write_paper: Callable[[str], Path]
) -> None:
    """Whoever edits a file learns where it is wrong and what would be right."""
    path = write_paper(SOUND.replace(sound, broken, 1))
    with pytest.raises(ValueError, match=rf"^(?=one\.yaml).*{re.escape(message)}"):
        read_paper(path)


def test_a_few_lines_do_not_stand_for_more_than_memory_holds(
    write_paper: Callable[[str], Path],
) -> None:
    """Aliases within what aliases stand for are refused, whatever field they are of."""
    lines = ["- &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"- &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)]
    bomb = "\n".join(["years:", *lines, "scale:"])
    with pytest.raises(ValueError, match="has an alias within what has a mark"):
        read_paper(write_paper(SOUND.replace("scale:", bomb, 1)))


def test_a_flag_on_a_dash_is_refused(write_paper: Callable[[str], Path]) -> None:
    """Only a figure can be suspect."""
    flag = "[65.50, null], suspect: [{columns: [rstpreid/map], why: odd}]"
    path = write_paper(SOUND.replace("[65.50, null]", flag))
    with pytest.raises(ValueError, match="row 'A', suspect: column 'rstpreid/map' holds no figure"):
        read_paper(path)


def test_groups_may_repeat_a_label(write_paper: Callable[[str], Path]) -> None:
    """One method may be printed under two headings, but twice under neither."""
    content = yaml.safe_load(SOUND)
    rows = content["tables"][0]["rows"]
    rows[0] |= {"label": "A", "group": "x"}
    rows[1] |= {"label": "A", "group": "y"}
    assert len(read_paper(write_paper(yaml.safe_dump(content))).tables[0].rows) == 2
    rows[1]["group"] = "x"
    with pytest.raises(ValueError, match=r"more than one row is called A \(group x\)"):
        read_paper(write_paper(yaml.safe_dump(content)))


def test_a_base_and_what_a_row_stands_for_are_read(write_paper: Callable[[str], Path]) -> None:
    """A table names the row that others add to, and a row the baseline of ours that it is."""
    text = SOUND.replace("columns:", "base: A\n    columns:")
    (table,) = read_paper(
        write_paper(text.replace("{label: A,", "{label: A, stands_for: two,"))
    ).tables
    assert table.base == "A"
    assert [row.stands_for for row in table.rows] == ["two", ""]
    (plain,) = read_paper(write_paper(SOUND)).tables
    assert (plain.base, plain.rows[0].stands_for) == ("", "")


@pytest.mark.parametrize("name", sorted(load_papers()))
def test_what_a_row_is_or_stands_for_is_a_method(name: str) -> None:
    """A name that nothing has would silently be compared with nothing."""
    known = {listing.name for listing in list_methods()} | load_papers().keys()
    rows = [row for table in load_papers()[name].tables for row in table.rows]
    assert {said for row in rows for said in (row.method, row.stands_for)} - {""} <= known


@pytest.mark.parametrize("name", OURS)
def test_what_is_scored_otherwise_is_an_evaluation_of_the_method(name: str) -> None:
    """Otherwise the figure of an evaluation would stand for the method, or beside nothing."""
    listing = next(item for item in list_methods() if item.name == name)
    assert listing.description is not None
    declared = {one for labels in listing.description["evaluations"].values() for one in labels}
    rows = [row for table in load_papers()[name].tables for row in table.rows]
    assert {row.label for row in rows if row.scored} == declared
    assert all(row.scored for row in rows if row.label in declared)
    assert all(row.method == name for row in rows if row.scored)


@pytest.mark.parametrize("name", ABLATED)
def test_a_table_that_a_method_ablates_has_the_labels_of_its_rows(name: str) -> None:
    """Otherwise a printed figure would silently stand beside nothing."""
    listing = next(item for item in list_methods() if item.name == name)
    assert listing.description is not None
    declared: dict[str, set[str]] = {}
    for variant in listing.description["variants"]:
        for table, row, _ in variant["tables"]:
            declared.setdefault(table, set()).add(row)
    printed = {
        table.title: {row.label for row in table.rows} for table in load_papers()[name].tables
    }
    shared = declared.keys() & printed.keys()
    assert shared
    everywhere = set.intersection(
        *(set(scale["tables"]) for scale in listing.description["scales"].values())
    )
    for title in shared & everywhere:
        assert printed[title] == declared[title]
    for title in shared - everywhere:  # rows of other backbones, among the rivals
        assert printed[title] > declared[title]


SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8),
    st.sampled_from(["A", "B", "one", "cuhk-pedes/r1", "methods", 2020, 65.5]),
)  # fmt: skip
JUNK = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(SCALARS, inner, max_size=3),
    max_leaves=5,
)
FIELDS = (
    "method", "title", "paper", "url", "source", "year", "scale", "names", "years", "variants",
    "tables", "remarks", "caption", "columns", "rows", "base", "compares", "label", "group",
    "values", "stands_for", "scored", "suspect", "why",
)  # fmt: skip


@given(
    place=st.sampled_from(("", "table", "row", "suspect")), name=st.sampled_from(FIELDS), to=JUNK
)
@settings(max_examples=60, deadline=None)
def test_whatever_a_file_holds_it_is_read_or_told_in_one_line(
    place: str, name: str, to: object, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """No content of a field, at whatever place, ends in anything but a paper or one clear line."""
    content = yaml.safe_load(SOUND)
    table = content["tables"][0]
    row = table["rows"][1]
    {"": content, "table": table, "row": row, "suspect": row["suspect"][0]}[place][name] = to
    path = tmp_path_factory.getbasetemp() / "one.yaml"
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    told = reading_error(path)
    assert not told or told.startswith("one.yaml")
    assert "\n" not in told


def reading_error(path: Path) -> str:
    """Return what is said of a file that is wrong; nothing of one that is sound."""
    try:
        read_paper(path)
    except ValueError as error:
        return str(error)
    return ""


# Figures and their sum by table, as a program read them from the sources and not from the files:
# the text of the four papers, READMEs, and the places of words in the PDF of RDE. What no program
# could read there, a picture or a table that is damaged, was read by eye and is not here.
READ = {
    ("dgia", "Table 1"): (74, "5681.10"),
    ("dgia", "Table 2"): (70, "4392.41"),
    ("dgia", "Table 3"): (58, "3903.90"),
    ("dgia", "Table 4"): (15, "925.11"),
    ("dgia", "Table 5"): (12, "709.24"),
    ("dgia", "Table 6"): (12, "737.43"),
    ("ogen", "Table I"): (170, "12228.86"),
    ("ogen", "Table II"): (54, "4200.78"),
    ("ogen", "Table III"): (6, "513.28"),
    ("ogen", "Table IV"): (12, "1018.66"),
    ("ogen", "Table V"): (9, "767.18"),
    ("mefa", "Table 1"): (51, "4069.72"),
    ("mefa", "Table 2"): (51, "3482.11"),
    ("mefa", "Table 4"): (36, "2878.15"),
    ("laip", "Table I"): (35, "2616.05"),
    ("laip", "Table II"): (29, "1851.95"),
    ("laip", "Table IV"): (32, "2529.82"),
    ("rde", "Table 4"): (94, "7211.53"),
    ("rde", "Table 5"): (62, "4089.90"),
    ("rde", "Table 6"): (54, "3619.50"),
    ("rde", "Table 1"): (57, "3871.32"),
    ("irra", "CUHK-PEDES dataset"): (31, "2326.35"),
    ("irra", "ICFG-PEDES dataset"): (22, "1346.34"),
    ("irra", "RSTPReid dataset"): (22, "1354.82"),
    ("rasa", "CUHK-PEDES dataset"): (30, "2272.54"),
    ("rasa", "ICFG-PEDES dataset"): (24, "1497.03"),
    ("rasa", "RSTPReid dataset"): (24, "1508.40"),
    ("vitaa", "CUHK-PEDES"): (21, "1249.96"),
    ("mra", "CUHK-PEDES dataset"): (92, "6682.67"),
    ("mra", "ICFG-PEDES dataset"): (51, "3429.57"),
    ("mra", "RSTPReid dataset"): (39, "2655.56"),
    ("mra", "MRA loss"): (10, "839.89"),
    ("aptm", "The three benchmarks"): (12, "905.12"),
    ("aptm", "Pre-training"): (4, "327.88"),
}


@pytest.mark.parametrize(("name", "title"), READ)
def test_the_figures_of_a_table_are_those_of_its_source(name: str, title: str) -> None:
    """So many figures stand in the source, and that is their sum; a slip in one would change it."""
    (table,) = [one for one in load_papers()[name].tables if one.title == title]
    figures = [figure.value for row in table.rows for figure in row.figures if figure]
    assert (len(figures), str(sum(figures))) == READ[name, title]
