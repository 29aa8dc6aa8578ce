from __future__ import annotations

import csv
import io
import json
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from harness import registry
from harness.registry import settings
from harness.results import METRICS, load_runs
from harness.results.answers import read_answers
from harness.results.paper import Paper
from harness.significance import compare
from leaderboard import downloads
from leaderboard.agreement import find_agreements
from leaderboard.downloads.bibtex import Source, bibtex
from leaderboard.downloads.latex import PREAMBLE, TexTable, escape_tex, tex_table
from leaderboard.downloads.sheets import csv_text, json_text
from leaderboard.reported.tables import FOLDER, load_papers
from leaderboard.site import render
from leaderboard.site.folder import write_site
from leaderboard.site.site import load_site

FORMULA = "=cmd|' /C calc'!A0"
TABLES = "downloads/tables/demo-paperdolls"
HOSTILE = (
    "\\input{/etc/passwd}",
    "100% & $x_1^2$ #3 ~ {",
    "}\\end{table}",
    "<script>alert(1)</script>",
    "--- '' `` \"quoted\" |",
    "[4pt] first",
    "\u4e2d\u6587 \U0001f600 \u0127 \u017f",
    "\u00e9\u00fc\u0151\u00e5\u00e7\u0101 \u00df\u00f8\u0142 \u03b1\u03a3\u03bb \u2264\u00d7\u2212",
    "a\x00b\u202e\ud800",
    "new\n\nparagraph",
)
# Everything that escaped text may hold: plain signs, commands we know, escaped signs, mathematics.
HARMLESS = re.compile(
    r"(?:[A-Za-z0-9 .,:;!?()/*+=@\[\]-]"
    r"|\\[#$%&_]"
    r"|\\(?:text[a-z]+|dots|ss|ae|AE|o|O|l|L|oe|OE|i)\{\}"
    r"|\\[`'^~=u.\"rHvc]\{[A-Za-z]\}"
    r"|\{\}|\{\\char34\}"
    r"|\$(?:-|\\[A-Za-z]+|\^[23])\$)*"
)


@pytest.fixture
def build(results: Path, tmp_path: Path) -> Callable[[], Path]:
    """Return a function that writes the downloads and nothing else, and returns their site."""

    def write() -> Path:
        site = load_site(results, FOLDER)
        write_site({**render.make_assets(site), **downloads.make_files(site)}, tmp_path / "site")
        return tmp_path / "site"

    return write


@pytest.fixture
def answered(results: Path, add_answers: Callable[..., Path]) -> Path:
    """Return results of two methods with three seeds, and of an ablation of one."""
    places = {"full": ("Table 4", "Full", 1), "w/o SDM": ("Table 4", "without SDM", 0)}
    losses = {"full": {"itc": 1.0, "sdm": 1.0}, "w/o SDM": {"itc": 1.0}}
    for seed in range(3):
        add_answers("weak", 0.6, seed=seed)
        for variant, place in places.items():
            add_answers(
                "strong", 1.0 + 0.6 * (variant == "full"), seed=seed, variant=variant,
                tables=(place,), config={"losses": losses[variant]},
                changes={} if variant == "full" else {"losses": losses[variant]},
            )  # fmt: skip
    return results


def read_csv(path: Path) -> list[dict[str, str]]:
    """Return the lines of a CSV file by the names of its columns."""
    return list(csv.DictReader(io.StringIO(path.read_bytes().decode("utf-8"), newline="")))


def test_a_ranking_holds_the_figures_in_full(answered: Path, build: Callable[[], Path]) -> None:
    """Means, seeds and ranks of CSV and JSON are those of the runs, to the last digit."""
    folder = build() / TABLES
    (first, second) = json.loads((folder / "ranking.json").read_text())
    runs = [run for run in load_runs(answered) if run.record.method == "strong"]
    full = read_answers("strong", [run for run in runs if run.record.variant == "full"])
    assert (first["method"], second["method"]) == ("strong", "weak")
    assert first["seeds"] == [0, 1, 2]
    for metric in METRICS:
        assert first[metric] == pytest.approx(full.values[metric].mean(), abs=1e-12)
        assert first[f"{metric}_by_seed"] == pytest.approx(full.values[metric].mean(1).tolist())
    assert first["r1_low"] < first["r1"] < first["r1_high"]
    assert (first["r1_rank"], second["r1_rank"]) == (1, 2)
    (line, _) = read_csv(folder / "ranking.csv")
    assert float(line["r1"]) == first["r1"]
    assert [float(value) for value in line["r1_by_seed"].split()] == first["r1_by_seed"]


def test_differences_are_those_of_the_tests(answered: Path, build: Callable[[], Path]) -> None:
    """Every pair stands once by every metric, with the figures that `compare` gives."""
    pairs = json.loads((build() / TABLES / "differences.json").read_text())
    assert [pair["metric"] for pair in pairs] == list(METRICS)
    answers = {
        name: read_answers(name, [
            run for run in load_runs(answered)
            if run.record.method == name and run.record.variant == "full"
        ])
        for name in ("strong", "weak")
    }  # fmt: skip
    a, b = answers["strong"], answers["weak"]
    spread = load_site(answered, FOLDER).contests["demo/paperdolls"].ledger.spreads["map"]
    found = compare(a.values["map"], b.values["map"], a.people, spread)
    (by_map,) = [pair for pair in pairs if pair["metric"] == "map"]
    assert by_map["difference"] == pytest.approx(found.difference)
    assert (by_map["low"], by_map["high"]) == pytest.approx((found.low, found.high))
    assert by_map["p"] == pytest.approx(found.p_value)
    assert by_map["holds_for"] == "other people and seeds"
    assert (by_map["wins"], by_map["ties"], by_map["losses"]) == (
        found.wins, found.ties, found.losses,
    )  # fmt: skip


def test_an_ablation_holds_rows_and_differences(answered: Path, build: Callable[[], Path]) -> None:
    """Rows stand in the paper's order with their components, and differ from the row above."""
    folder = build() / TABLES / "ablations/strong"
    rows = json.loads((folder / "Table-4.json").read_text())
    assert [row["row"] for row in rows] == ["without SDM", "Full"]
    assert [row["component sdm"] for row in rows] == ["no", "yes"]
    assert rows[1]["r1_vs_row_above"] == pytest.approx(rows[1]["r1"] - rows[0]["r1"])
    assert rows[0]["r1_vs_full"] == pytest.approx(-rows[1]["r1_vs_row_above"])
    assert rows[0]["r1_vs_full_low"] == pytest.approx(-rows[1]["r1_vs_row_above_high"])
    assert rows[0]["r1_vs_full_wins"] == rows[1]["r1_vs_row_above_losses"]
    assert rows[0]["r1_vs_row_above"] is None
    assert len(read_csv(folder / "Table-4.csv")) == 2


def test_latex_marks_what_no_other_betters_and_tells_the_seeds_of_each_row(
    answered: Path, add_answers: Callable[..., Path], build: Callable[[], Path]
) -> None:
    """All that is not told apart from the best is bold; rows of other seeds say which."""
    for seed in range(3):
        add_answers("weaker", 0.2, seed=seed, title="R&D_1")
        add_answers("equal", 1.6, seed=seed)
    add_answers("late", 0.5, seed=4)
    text = (build() / TABLES / "ranking.tex").read_text()
    assert "Method & Supervision & Seeds & R1" in text
    rows = {
        name: (seeds, first)
        for name, seeds, first in re.findall(r"^(.*?) & pairs & (.*?) & (.*?) &", text, re.M)
    }
    assert {seeds for seeds, _ in rows.values()} == {"0--2", "4"}
    assert rows["LATE"][0] == "4"
    bold = {name for name, (_, first) in rows.items() if first.startswith(r"\textbf{")}
    assert bold == {"STRONG", "EQUAL"}
    assert r"R\&D\_1" in rows
    assert "(demo, scale tiny)" in text
    assert "means over the seeds of each row" in text
    assert "drawn by a program" in text
    assert "underline" not in text


def test_latex_says_the_seeds_once_where_all_rows_have_the_same(
    answered: Path, build: Callable[[], Path]
) -> None:
    """Then there is no column for them."""
    text = (build() / TABLES / "ranking.tex").read_text()
    assert "means over seeds 0, 1 and 2" in text
    assert "& Seeds &" not in text


def test_latex_of_an_ablation_has_check_marks(answered: Path, build: Callable[[], Path]) -> None:
    """Each component is a column, checked in the rows that have it."""
    text = (build() / TABLES / "ablations/strong/Table-4.tex").read_text()
    assert "Row & itc & sdm & R1" in text
    assert r"without SDM & \checkmark &  &" in text
    assert r"Full & \checkmark & \checkmark &" in text


@pytest.mark.parametrize("text", HOSTILE)
def test_text_is_escaped_for_latex(text: str) -> None:
    """What comes out is ASCII, balanced, in one line, and holds no sign that LaTeX obeys."""
    escaped = escape_tex(text)
    assert escaped.isascii()
    assert "\n" not in escaped
    assert "--" not in escaped
    assert HARMLESS.fullmatch(escaped), escaped
    assert escaped.count("{") == escaped.count("}")


def test_escaping_keeps_what_a_reader_reads() -> None:
    """Names survive: accents as commands, Greek as mathematics, other scripts as code points."""
    assert escape_tex("w/o L_k (50%)") == r"w/o L\_k (50\%)"
    assert escape_tex("Ångström") == r"\r{A}ngstr\"{o}m"
    assert escape_tex("λ=0.1") == r"$\lambda$=0.1"
    assert escape_tex("中") == "U+4E2D"


@pytest.mark.parametrize("text", HOSTILE)
def test_tables_of_hostile_texts_keep_their_cells(text: str) -> None:
    """Whatever the cells hold, every row has the cells of its header and ends once."""
    cell = escape_tex(text)
    table = TexTable("lll", (cell, "b", "c"), ((cell, cell, cell), ("x", cell, "")), cell, "tab:x")
    body = tex_table(table).partition(r"\toprule")[2].partition(r"\bottomrule")[0]
    rows = [line for line in body.splitlines() if line and not line.startswith(r"\midrule")]
    assert len(rows) == 3
    for row in rows:
        assert len(re.findall(r"(?<!\\)&", row)) == 2
        assert row.endswith(r"\\")
        assert not row.startswith(("[", "*"))


def test_bibtex_has_the_fields_of_a_paper() -> None:
    """Its type has the fields that it asks for; what is less known is a @misc."""
    authors, url = ("Yafei Zhang", "Yongle Shang"), "https://arxiv.org/abs/2507.06744"
    text = bibtex(
        [
            Source(
                Paper("Two Grains, One Person", authors, 2025, "ACM MM", url),
                url,
                ("DGIA",),
            ),
            Source(Paper("Slow", ("Ada Li",), 2024, "TPAMI", kind="article"), "", ("A",)),
            Source(Paper("Undated", ("Max Ott and Sons, Ltd",)), "", ("B",)),
            Source("Somebody et al. A paper. CVPR 2023.", "javascript:alert(1)", ("C", "D")),
        ],
        "2025-02-03",
    )
    benchmark, grains, slow, undated, cited = text.split("\n\n")
    assert "Runs up to 2025-02-03" in benchmark
    assert grains.startswith("@inproceedings{zhang2025grains,\n")
    assert "  author = {Yafei Zhang and Yongle Shang},\n" in grains
    assert "  title = {{Two Grains, One Person}},\n" in grains
    assert "  booktitle = {ACM MM},\n  year = {2025},\n" in grains
    assert f"  url = {{{url}}},\n" in grains
    assert slow.startswith("@article{li2024slow,\n")
    assert "  journal = {TPAMI},\n" in slow
    assert undated.startswith("@misc{ltdundated,\n")
    assert "  author = {{Max Ott and Sons, Ltd}},\n" in undated
    assert cited.startswith("@misc{c,\n")
    assert "  key = {C},\n  title = {{Somebody et al. A paper. CVPR 2023.}},\n" in cited
    assert "On the leaderboard as C and D" in cited
    assert "javascript" not in cited


@pytest.mark.parametrize("text", HOSTILE)
def test_bibtex_entries_stay_whole(text: str) -> None:
    """Keys are letters and digits, differ, and braces are balanced in every field."""
    sources = [
        Source(
            Paper(text, (text, text), 2024, text, text),
            f"https://example.org/{text}",
            (text,),
        ),
        Source(text, "", (text,)),
        Source(text, "", (text,)),
    ]
    entries = bibtex(sources, text).split("\n\n")
    keys = [re.match(r"@[a-z]+\{([a-z0-9-]+),\n", entry) for entry in entries]
    assert all(keys)
    assert len({key[1] for key in keys if key}) == 4
    for entry in entries:
        assert entry.isascii()
        for line in entry.splitlines()[1:-1]:
            field = re.fullmatch(r"  ([a-z]+) = \{(.*)\},", line)
            assert field
            assert line.count("{") == line.count("}")
            plain = field[2], field[2][1:-1]  # a title has braces of its own
            assert field[1] == "url" or any(HARMLESS.fullmatch(value) for value in plain), line


@pytest.mark.skipif(
    not (shutil.which("pdflatex") and shutil.which("bibtex")), reason="there is no TeX"
)
def test_tables_and_bibliography_compile(
    answered: Path, add_answers: Callable[..., Path], build: Callable[[], Path], tmp_path: Path
) -> None:
    """Every table and entry, hostile ones too, and BibTeX's plain style has nothing to warn of."""
    papers = {each.name: each.description for each in registry.list_methods() if each.description}
    for name, description in papers.items():
        paper = settings.build(Paper, description["paper"])
        add_answers(name, 0.5, paper=paper, title=description["title"])
    for number, text in enumerate(HOSTILE):
        add_answers(f"odd-{number}", 0.5, paper=Paper(text, (text,), 2024, text), title=text)
    files = build() / "downloads"
    tables = sorted(files.rglob("*.tex"))
    assert len(tables) == 2
    shutil.copy(files / "papers.bib", tmp_path)
    inputs = [rf"\input{{{table}}}\clearpage" for table in tables]
    (tmp_path / "paper.tex").write_text(
        "\n".join(
            (
                r"\documentclass{article}", PREAMBLE.removeprefix("% "), r"\begin{document}",
                *inputs, r"\nocite{*}", r"\bibliographystyle{plain}", r"\bibliography{papers}",
                r"\end{document}",
            )
        ),
        encoding="utf-8",
    )  # fmt: skip
    set_paper = ("pdflatex", "-interaction=nonstopmode", "-halt-on-error", "paper")
    told = [call(tmp_path, *words) for words in (set_paper, ("bibtex", "paper"), set_paper)]
    assert "Warning--" not in told[1], told[1]
    assert "error message" not in told[1], told[1]
    entries = (tmp_path / "paper.bbl").read_text(encoding="utf-8")
    assert "Ding Jiang and Mang Ye." in entries


def call(folder: Path, *words: str) -> str:
    """Run a program in a folder, and return what it printed."""
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, errors="replace")
    assert done.returncode == 0, done.stdout[-2000:]
    return done.stdout


@pytest.mark.parametrize("start", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\t1", " =1", "\uff1d1"])
def test_spreadsheets_run_no_text(start: str) -> None:
    """A text that begins like a formula has an apostrophe before it, in cells and headers."""
    header, line = csv.reader(io.StringIO(csv_text([{start: start}]), newline=""))
    assert header[0].startswith("'")
    assert line[0].startswith("'")


def test_numbers_stay_numbers() -> None:
    """Negative numbers are not taken for formulas, and every digit is kept."""
    (line,) = csv.DictReader(io.StringIO(csv_text([{"a": -0.1 - 0.2, "b": [1, 2.5], "c": None}])))
    assert float(line["a"]) == -0.1 - 0.2
    assert (line["b"], line["c"]) == ("1 2.5", "")


def test_json_holds_nothing_that_readers_refuse() -> None:
    """NaN and infinity are null, and lone surrogates are replaced, in keys too."""
    text = json_text([{"\ud800": [float("nan"), float("inf"), 1.5, "\ud800</script>"]}, {}])
    assert text.encode("utf-8")
    assert json.loads(text) == [{"\ufffd": [None, None, 1.5, "\ufffd</script>"]}, {}]


def test_every_run_is_a_line(small_results: Path, build: Callable[[], Path]) -> None:
    """Runs without a result are there too, with their error; JSON holds whole records."""
    site = build()
    lines = read_csv(site / "downloads/runs.csv")
    runs = list(load_runs(small_results))
    assert len(lines) == len(runs)
    (failed,) = [line for line in lines if line["status"] == "error"]
    assert (failed["error"], failed["r1"]) == ("FloatingPointError", "")
    objects = json.loads((site / "downloads/runs.json").read_text())
    assert objects[0]["config"]["losses"] == {"itc": 1.0, "sdm": 0.5}
    assert objects[0]["evaluations"]["image-to-text"]["r1"] == 77.7


def test_further_evaluations_have_their_figures_and_costs(
    add_answers: Callable[..., Path], add_reranking: Callable[..., Path],
    build: Callable[[], Path],
) -> None:  # fmt: skip
    """Each is a line, failed ones too, and stands in its run's record with its metrics."""
    run = add_answers("one", 1.5)
    add_reranking(run, "k-reciprocal", 2.5, reported_as=("One(RR)",))
    error = {"kind": "HarnessError", "message": FORMULA}
    add_reranking(run, "visual-neighbours", 2.5, error=error)
    site = build()
    made, failed = read_csv(site / "downloads/evaluations.csv")
    assert (made["rerank"], made["reported_as"], made["seed"]) == ("k-reciprocal", "One(RR)", "0")
    assert (made["query_milliseconds"], made["cosine_milliseconds"]) == ("0.6", "0.05")
    assert (failed["r1"], failed["error"]) == ("", "HarnessError")
    assert failed["message"].startswith("'")
    (record,) = json.loads((site / "downloads/runs.json").read_text())
    assert record["evaluations"]["k-reciprocal"]["r1"] == pytest.approx(float(made["r1"]))
    assert "visual-neighbours" not in record["evaluations"]
    assert record["further_evaluations"]["visual-neighbours"]["error"] == error
    assert record["further_evaluations"]["k-reciprocal"]["cosine_milliseconds"] == 0.05


def test_without_further_evaluations_none_are_offered(
    small_results: Path, build: Callable[[], Path]
) -> None:
    """There is no file of them where there are none."""
    assert not list(build().glob("downloads/evaluations.*"))


def test_the_page_lists_every_file(
    answered: Path, build: Callable[[], Path], read_page: Callable[[Path], Any]
) -> None:
    """Each file below downloads/ has one link, and each link a file."""
    site = build()
    links = [unquote(href) for href in read_page(site / "downloads.html").attributes("href")]
    listed = [link for link in links if link.startswith("downloads/")]
    files = [path.relative_to(site).as_posix() for path in site.glob("downloads/**/*.*")]
    assert sorted(listed) == sorted(files)
    assert len(files) > 8


def test_methods_of_hostile_names_keep_to_the_folder(
    add_run: Callable[..., Path], build: Callable[[], Path]
) -> None:
    """Names of methods, tables and suites make file names that neither leave nor collide."""
    names = ("../../up", "ranking.csv", "a/b", "a b", "..", "CON\u202e")
    tables = (("../../../up", "row", 0), ("..", "row", 0))
    for seed, name in enumerate(names):  # in folders of their own
        add_run(name, 30.0, seed=seed, title=FORMULA)
        add_run(name, 29.0, seed=seed, variant="v", tables=tables, title=FORMULA)
    site = build()
    files = list(site.glob("downloads/tables/*/ablations/*/*"))
    assert len(files) == len(names) * 2 * 3
    assert all(path.is_file() and path.resolve().is_relative_to(site) for path in files)
    lines = read_csv(site / TABLES / "ranking.csv")
    assert all(line["title"].startswith(f"'{FORMULA}") for line in lines)


def test_what_papers_claim_is_taken_away_beside_what_was_measured(
    results: Path, add_answers: Callable[..., Path], build: Callable[[], Path]
) -> None:
    """A line a claimed difference, of methods and of rows, with both figures in full."""
    for seed in range(2):
        add_answers("dgia", 1.6, seed=seed, tables=(("Table 4", "B+LRC+GSRC-FR+IASC-CL", 4),))
        add_answers("dgia", 0.4, seed=seed, variant="B", tables=(("Table 4", "B", 0),))
        add_answers("clip-itc", 2.6, seed=seed)
    folder = build() / TABLES
    (pair, row) = read_csv(folder / "agreement.csv")
    assert json.loads((folder / "agreement.json").read_text())[0]["outcome"] == "disagrees"
    (agreement,) = find_agreements(results)
    for line, tried in ((pair, agreement.pairs[0]), (row, agreement.rows[0])):
        found = [float(line[name]) for name in ("difference", "low", "high", "p")]
        expected = tried.found
        assert found == [expected.difference, expected.low, expected.high, expected.adjusted]
        assert float(line["difference_reported"]) == float(tried.claim.difference)
        assert line["told_apart"] == str(expected.is_real).lower()
    assert (pair["kind"], pair["a"], pair["b"]) == ("methods", "dgia", "clip-itc")
    assert (row["kind"], row["a"], row["b"]) == ("rows", "dgia", "dgia:B")
    assert (pair["outcome"], row["outcome"]) == ("disagrees", "agrees")
    assert pair["sources"].split("; ")[1:] == ["dgia, Table 4: B", "mefa, Table 1: CLIP(ViT-B/16)"]


def test_zero_has_no_sign_in_what_is_taken_away(
    add_answers: Callable[..., Path], build: Callable[[], Path]
) -> None:
    """Of methods that answer alike, whichever of the two was run first."""
    file = "evaluations/text-to-image/queries.parquet"
    runs = [add_answers(name, 1.0) for name in ("clip-itc", "irra")]
    (runs[1] / file).write_bytes((runs[0] / file).read_bytes())
    folder = build() / TABLES
    for name in ("agreement", "differences"):
        texts = [
            (folder / f"{name}.{kind}").read_text(encoding="utf-8") for kind in ("csv", "json")
        ]
        assert all("0.0" in text and "-0.0" not in text for text in texts)


def test_every_reported_figure_is_a_line(small_results: Path, build: Callable[[], Path]) -> None:
    """With its decimals, its place, and the address at which its page has it."""
    site = build()
    lines = read_csv(site / "downloads/reported.csv")
    figures = [figure for paper in load_papers(FOLDER).values() for table in paper.tables
               for row in table.rows for figure in row.figures if figure]  # fmt: skip
    assert len(lines) == len(figures)
    (found,) = [one for one in lines if "dgia/Table-1/IRRA/cuhk-pedes/r5" in one["address"]]
    assert (found["method"], found["printed"], found["year"]) == ("IRRA", "83.93", "2023")
    assert "own paper prints 89.93" in found["suspect"]
    assert {one["printed"] for one in lines} >= {"89.2", "88.40"}


def test_nothing_is_offered_where_papers_claim_nothing(
    answered: Path, build: Callable[[], Path]
) -> None:
    """Methods that no paper prints leave no empty file."""
    assert not (build() / TABLES / "agreement.csv").exists()
