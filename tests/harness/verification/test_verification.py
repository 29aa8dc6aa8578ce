"""`harness verify` on real runs, in each of which one thing is changed on disk."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest

from harness import files, plan, registry, results
from harness.data.catalogue import find_declaration, locate
from harness.data.noise import parse_noise
from harness.data.paperdolls.build import write_paperdolls
from harness.data.paperdolls.looks import Sizes
from harness.results import EvaluationRecord
from harness.results.checksums import CHECKSUMS, hash_folder
from harness.results.query_table import FIRST_IMAGES, FOLLOWING
from harness.verification import Kind, Report, verify
from harness.verification.runs import VerifiedRun
from harness.verification.staleness import find_stale

from ...command_line import CommandLine
from ...conftest import TOY
from ...made_once import Make, write_text

Call = Callable[..., Any]
Change = Callable[[Path], Any]

PRIMARY = "evaluations/text-to-image"
QUERIES = f"{PRIMARY}/queries.parquet"
METRICS = f"{PRIMARY}/metrics.json"
RERANKED = "evaluations/visual-neighbours"


@pytest.fixture(scope="session")
def made(once: Make, harness_in: Callable[[Path], CommandLine], small_dolls: Path) -> Path:
    """Real results: three seeds, each re-ranked, one tested on a second dataset beside them."""

    def fill(folder: Path) -> None:
        harness = harness_in(folder)
        write_paperdolls(folder / "others", sizes=Sizes(train=4, val=3, test=6))
        write_text(folder / "toy.py", TOY)
        where = "--dataset", small_dolls, "--no-report", "--plugins", "toy.py"
        done = harness("run", "toy", *where, "--seeds", "0-2", "--rerank", "visual-neighbours")
        assert done.returncode == 0, done.stdout + done.stderr
        on = harness("evaluate", "toy", *where, "--on", "others", "--seeds", "0")
        assert on.returncode == 0, on.stderr

    return once("verified", fill)


@pytest.fixture
def stored(made: Path, tmp_path: Path) -> Path:
    """A copy of them."""
    return Path(shutil.copytree(made / "results", tmp_path / "results"))


@pytest.fixture
def check(stored: Path, toy: Path, small_dolls: Path, made: Path) -> Callable[..., Report]:
    """Verify the copy with both datasets at hand, and the method where its code is asked for."""

    def call(code: bool = True) -> Report:
        datasets = [locate(find_declaration(str(at))) for at in (small_dolls, made / "others")]
        return verify(stored, registry.list_methods([toy]) if code else [], datasets)

    return call


def run_of(stored: Path) -> Path:
    """Return the folder of the first run of the method as published."""
    return next(stored.glob("demo/*/toy/full/seed-0"))


def told(report: Report, problems_only: bool = True) -> set[tuple[Kind, str]]:
    """Return kinds and files of what was found."""
    found = report.problems if problems_only else report.findings
    return {(finding.kind, finding.file) for finding in found}


def seal(folder: Path) -> None:
    """Write checksums anew, as someone does who knows of them."""
    (folder / CHECKSUMS).write_text(json.dumps(hash_folder(folder)), encoding="utf-8")


def in_json(**changes: Any) -> Callable[[Path], None]:
    """Return what changes values of a JSON file."""

    def change(file: Path) -> None:
        values = json.loads(file.read_text(encoding="utf-8"))
        file.write_text(json.dumps({**values, **changes}), encoding="utf-8")

    return change


def in_table(change_rows: Callable[[list[dict[str, Any]]], Any]) -> Change:
    """Return what changes the rows of a table, and its types not."""

    def change(file: Path) -> None:
        table = pyarrow.parquet.read_table(file)
        rows = table.to_pylist()
        change_rows(rows)
        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows, table.schema), file)

    return change


def in_row(column: str, change_value: Callable[[Any], Any], row: int = 1) -> Change:
    """Return what changes one value of a table."""

    def change(rows: list[dict[str, Any]]) -> None:
        rows[row][column] = change_value(rows[row][column])

    return in_table(change)


def truncate(file: Path) -> None:
    """Cut a file in half."""
    os.truncate(file, file.stat().st_size // 2)


def text(content: str) -> Change:
    """Return what replaces the text of a file."""
    return lambda file: file.write_text(content, encoding="utf-8")


def swap(values: list[Any]) -> list[Any]:
    """Exchange the first two of a list."""
    return [values[1], values[0], *values[2:]]


def flip(file: Path) -> None:
    """Change one bit in the middle of a file."""
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


def forge_rank(rows: list[dict[str, Any]]) -> None:
    """Move a query's first hit to rank 1, with all of its figures."""
    row = next(row for row in rows if row["first_hit"] > 1)
    ranks = np.array([1, *row["hit_ranks"][1:]])
    row["hit_ranks"], row["first_hit"] = ranks.tolist(), 1
    row["average_precision"] = float(np.mean(np.arange(1, len(ranks) + 1) / ranks))
    row["inverse_negative_penalty"] = len(ranks) / row["hit_ranks"][-1]


def test_what_was_not_touched_is_in_order(check: Call) -> None:
    """Nothing is found, nothing is left unchecked, and every figure of every query is counted."""
    report = check()
    assert report.findings == []
    assert report.runs == 3
    queries = 8 * 4 * 2  # people, images, captions
    of_run = 3 * (2 * queries + queries // 2) + 3 * 6 + 6  # last, primary, image-to-text
    further = 3 * (3 * queries + 6) + (3 * 6 * 4 * 2 + 6)  # re-ranked, on other data
    assert report.figures == 3 * of_run + further


def without(*columns: str) -> Change:
    """Return what writes a table without some of its columns."""

    def change(file: Path) -> None:
        table = pyarrow.parquet.read_table(file)
        pyarrow.parquet.write_table(table.drop_columns(list(columns)), file)

    return change


SEMANTIC = [
    (METRICS, in_json(r1=99.0), Kind.FIGURES),
    (METRICS, in_json(map=float("nan")), Kind.FIGURES),
    (METRICS, in_json(map=10**400), Kind.FIGURES),
    (METRICS, in_json(map="12"), Kind.FIGURES),
    (METRICS, text("[1]"), Kind.FIGURES),
    (METRICS, text("[" * 100_000), Kind.FIGURES),
    (METRICS, truncate, Kind.FIGURES),
    (METRICS, Path.unlink, Kind.FIGURES),
    (QUERIES, in_row("first_hit", lambda rank: rank + 1), Kind.FIGURES),
    (QUERIES, in_row("average_precision", lambda value: value + 1e-6), Kind.FIGURES),
    (QUERIES, in_row("average_precision", lambda value: float("nan")), Kind.FIGURES),
    (QUERIES, in_row("inverse_negative_penalty", lambda value: value / 2), Kind.FIGURES),
    (QUERIES, in_row("hit_ranks", swap), Kind.FIGURES),
    (QUERIES, in_row("hit_ranks", lambda ranks: [0, *ranks[1:]]), Kind.FIGURES),
    (QUERIES, in_row("hit_ranks", lambda ranks: []), Kind.FIGURES),
    (QUERIES, in_row("hit_ranks", lambda ranks: None), Kind.FIGURES),
    (QUERIES, in_row("hit_ranks", lambda ranks: ranks[:-1]), Kind.RELEVANCE),
    (QUERIES, in_row("hit_ranks", lambda ranks: [*ranks[:-1], 2**62]), Kind.RELEVANCE),
    (QUERIES, in_table(forge_rank), Kind.RELEVANCE),
    (QUERIES, in_table(lambda rows: rows.pop(3)), Kind.FIGURES),
    (QUERIES, in_table(list.clear), Kind.FIGURES),
    (QUERIES, in_row("person_id", lambda person: person + 1), Kind.RELEVANCE),
    (QUERIES, in_row("query_id", lambda query: query + 1), Kind.RELEVANCE),
    (QUERIES, in_row("top_rows", swap), Kind.RELEVANCE),
    (QUERIES, in_row("top_rows", lambda rows: [rows[1], *rows[1:]]), Kind.RELEVANCE),
    (QUERIES, in_row("top_rows", lambda rows: [10**6, *rows[1:]]), Kind.RELEVANCE),
    (QUERIES, in_row("top_rows", lambda rows: rows[:-1]), Kind.FIGURES),
    (QUERIES, in_row("top_scores", swap), Kind.RELEVANCE),
    (QUERIES, in_row("top_scores", lambda scores: [float("inf"), *scores[1:]]), Kind.RELEVANCE),
    (QUERIES, without("first_hit"), Kind.FIGURES),
    (QUERIES, without("top_scores"), Kind.FIGURES),
    (QUERIES, without("hit_ranks"), Kind.FIGURES),
    (QUERIES, truncate, Kind.FIGURES),
    (QUERIES, text("PAR1"), Kind.FIGURES),
    (QUERIES, Path.unlink, Kind.FIGURES),
    ("run.json", in_json(metrics={"r1": 99.0}), Kind.FIGURES),
    ("run.json", in_json(status="fine"), Kind.RECORD),
    ("run.json", in_json(seed=7), Kind.RECORD),
    ("run.json", in_json(seed=True), Kind.RECORD),
    ("run.json", in_json(total_seconds=float("inf")), Kind.RECORD),
    ("run.json", in_json(tables=[["a", "b"]]), Kind.RECORD),
    ("run.json", in_json(method="../../../../etc"), Kind.RECORD),
    ("run.json", in_json(schema_version=99), Kind.RECORD),
    ("run.json", text("{}"), Kind.RECORD),
    ("run.json", text("null"), Kind.RECORD),
    ("run.json", truncate, Kind.RECORD),
    ("run.json", Path.unlink, Kind.RECORD),
    (f"{RERANKED}/evaluation.json", text("{}"), Kind.RECORD),
    (f"{RERANKED}/queries.parquet", in_row("hit_ranks", swap), Kind.FIGURES),
]


@pytest.mark.parametrize(("file", "change", "kind"), SEMANTIC)
def test_what_cannot_be_is_told_whether_or_not_it_is_sealed_again(
    check: Call, stored: Path, file: str, change: Change, kind: Kind
) -> None:
    """The checksum tells that the file changed; the figures tell it where checksums are forged."""
    run = run_of(stored)
    change(run / file)
    report = check(code=False)
    assert {(Kind.FILES, file), (kind, file)} <= told(report)
    assert {finding.path for finding in report.problems} == {str(run.relative_to(stored))}
    seal(run / RERANKED)
    seal(run)
    report = check(code=False)
    assert (kind, file) in told(report)
    assert report.count(Kind.FILES) == 0


def test_a_query_that_is_called_tied_is_told(check: Call, stored: Path) -> None:
    """Below the stored top of a list nobody can see a tie, but their share is a figure too."""
    run = run_of(stored)
    in_row("tied", lambda value: not value)(run / QUERIES)
    seal(run)
    assert (Kind.FIGURES, METRICS) in told(check(code=False))


@pytest.mark.parametrize(
    "place", ["text-to-image", "last-epoch", "visual-neighbours", "on-elsewhere"]
)
def test_no_evaluation_names_another_dataset_than_its_place_says(
    check: Call, stored: Path, place: str
) -> None:
    """Else the rankings that count could be checked against people of the writer's choice."""
    run = run_of(stored)
    (elsewhere,) = (run / "evaluations").glob("on-*")
    folder = run / "evaluations" / place
    folder.mkdir(exist_ok=True)
    for file in elsewhere.iterdir():
        shutil.copyfile(file, folder / file.name)
    seal(folder)
    seal(run)
    assert (Kind.RECORD, f"evaluations/{place}/evaluation.json") in told(check(code=False))


@pytest.mark.parametrize("lists", [(), FIRST_IMAGES])
def test_a_compact_table_is_in_order(check: Call, stored: Path, lists: tuple[str, ...]) -> None:
    """Of what follows from the ranks, and of lists that are absent, nothing is checked or wrong."""
    run = run_of(stored)
    before = check().figures
    without(*FOLLOWING, *lists)(run / QUERIES)
    seal(run)
    report = check()
    assert report.findings == []
    assert before - report.figures == 3 * 8 * 4 * 2
    in_row("hit_ranks", lambda ranks: [ranks[0], *range(300, 299 + len(ranks))])(run / QUERIES)
    seal(run)
    assert {(Kind.FIGURES, METRICS), (Kind.RELEVANCE, QUERIES)} <= told(check())


@pytest.mark.parametrize("part", ["config", "recipe"])
def test_settings_that_a_key_does_not_stand_for_are_told(
    check: Call, stored: Path, part: str
) -> None:
    """Whoever edits the settings of a run would have to find a key for them."""
    run = run_of(stored)
    in_json(**{part: {"width": 4096}})(run / "run.json")
    seal(run)
    assert told(check()) == {(Kind.RECORD, "run.json")}


@pytest.mark.parametrize("file", ["weights/selected.pt", "history.parquet", METRICS])
def test_one_bit_is_told(check: Call, stored: Path, file: str) -> None:
    """A file in which one bit changed is named, whatever it holds."""
    flip(run_of(stored) / file)
    [found] = [one for one in check().problems if one.kind is Kind.FILES]
    assert (found.file, found.message) == (file, "was changed")


def test_missing_additional_and_linked_files_are_told(
    check: Call, stored: Path, tmp_path: Path
) -> None:
    """A file that went, one that came, and a link to the very same content, each by its name."""
    run = run_of(stored)
    (run / "history.parquet").unlink()
    (run / "weights" / "more.pt").write_bytes(b"x")
    shutil.copytree(run / PRIMARY, run / "evaluations/by-hand")
    weights = run / "weights/selected.pt"
    shutil.move(weights, tmp_path / "selected.pt")
    weights.symlink_to(tmp_path / "selected.pt")
    messages = {one.file: one.message for one in check().problems}
    assert messages == {
        "history.parquet": "is missing",
        "weights/more.pt": "was not there when the folder was written",
        "weights/selected.pt": "is not a plain file",
        **dict.fromkeys(
            ("evaluations/by-hand/metrics.json", "evaluations/by-hand/queries.parquet"),
            "was not there when the folder was written",
        ),
    }


def test_a_pipe_is_not_waited_for(check: Call, stored: Path) -> None:
    """What is no file is told, where reading it would never end."""
    file = run_of(stored) / METRICS
    file.unlink()
    os.mkfifo(file)
    assert {(Kind.FILES, METRICS), (Kind.FIGURES, METRICS)} <= told(check())


@pytest.mark.parametrize(
    "content", ["{", "[]", '{"sha256": {"run.json": 1}}', '{"sha256": []}', '{"md5": {}}']
)
def test_damaged_checksums_are_told(check: Call, stored: Path, content: str) -> None:
    """Checksums that cannot be read are a problem of their own."""
    (run_of(stored) / CHECKSUMS).write_text(content, encoding="utf-8")
    assert (Kind.FILES, CHECKSUMS) in told(check())


def test_names_in_checksums_lead_nowhere(check: Call, stored: Path, tmp_path: Path) -> None:
    """A name that points out of the folder is one that is missing there, even if it exists."""
    (tmp_path / "secret").write_text("x", encoding="utf-8")
    run = run_of(stored)
    listing = hash_folder(run)
    outside = os.path.relpath(tmp_path / "secret", run)
    listing["sha256"][outside] = "0"
    (run / CHECKSUMS).write_text(json.dumps(listing), encoding="utf-8")
    [found] = check().problems
    assert (found.file, found.message) == (outside, "is missing")


def test_results_without_checksums_are_not_an_error(check: Call, stored: Path) -> None:
    """What an earlier version wrote is told as not sealed; its figures are verified as ever."""
    for file in stored.rglob(CHECKSUMS):
        file.unlink()
    report = check()
    assert report.problems == []
    assert report.count(Kind.NOT_SEALED) == 3
    in_json(r1=99.0)(run_of(stored) / METRICS)
    assert (Kind.FIGURES, METRICS) in told(check())


def test_a_log_that_grows_changes_nothing(check: Call, stored: Path) -> None:
    """Evaluations that are added later write to the same log."""
    with (run_of(stored) / "log.txt").open("a", encoding="utf-8") as log:
        log.write("more\n")
    assert check().findings == []


@pytest.mark.parametrize(
    "part", [{"protocol": {"version": 0}}, {"data": {"fingerprint": "0" * 64}}]
)
def test_runs_that_were_not_made_alike_are_told(
    check: Call, stored: Path, part: dict[str, Any]
) -> None:
    """The run that differs from the others beside it is named."""
    run = run_of(stored)
    in_json(**part)(run / "run.json")
    [found] = [one for one in check().problems if one.kind is Kind.MIXED]
    assert (found.path, found.file) == (str(run.relative_to(stored)), "run.json")


def test_other_code_makes_runs_stale(check: Call, stored: Path, toy: Path, toy_source: str) -> None:
    """Changed code and changed defaults are told of every run; a comment is not. No problem."""
    toy.write_text(f"# a comment\n{toy_source}", encoding="utf-8")
    assert check().findings == []
    toy.write_text(toy_source.replace("* 10", "* 11"), encoding="utf-8")
    report = check()
    assert told(report, problems_only=False) == {(Kind.STALE, "run.json")}
    assert report.count(Kind.STALE) == 3
    assert report.problems == []
    toy.write_text(toy_source.replace("width: int = 8", "width: int = 9"), encoding="utf-8")
    assert check().count(Kind.STALE) == 3


def test_runs_with_settings_are_compared_with_the_same_settings(
    toy: Path, small_dolls: Path
) -> None:
    """Of --set and --noise: stale when the code changes, not because they are a run's own."""
    listings = registry.list_methods([toy])
    located = locate(find_declaration(str(small_dolls)))
    suite = plan.read_suite("demo")
    settings = {"epochs": 1, "losses.itc": 2.0}
    choices = plan.choose(["toy:narrow", "toy"], listings, suite.scale, ablations=False)
    noises = [None, parse_noise("0.2")]
    specs = plan.plan(suite, [located], choices, (0, 1), settings, noises=noises)
    runs = [VerifiedRun(str(spec), from_json(spec.record())) for spec in specs]
    assert len(runs) == 8
    assert list(find_stale(runs, listings, [located])) == []
    toy.write_text(toy.read_text(encoding="utf-8").replace("* 10", "* 11"), encoding="utf-8")
    stale = list(find_stale(runs, registry.list_methods([toy]), [located]))
    assert [one.kind for one in stale] == [Kind.STALE] * 8


def from_json(record: results.RunRecord) -> results.RunRecord:
    """Return a record as it is read from disk."""
    return results.RunRecord(**json.loads(json.dumps(asdict(record))))


def test_a_stale_evaluation_is_told_apart(check: Call, stored: Path) -> None:
    """An evaluation of other code is stale where its run is not."""
    for name in ("visual-neighbours", "on-others"):
        folder = run_of(stored) / "evaluations" / name
        in_json(key="of other code")(folder / "evaluation.json")
        seal(folder)
    assert told(check(), problems_only=False) == {
        (Kind.STALE, "evaluations/visual-neighbours/evaluation.json"),
        (Kind.STALE, "evaluations/on-others/evaluation.json"),
    }


def test_what_is_not_here_is_not_compared(stored: Path) -> None:
    """Without method and dataset, figures are verified against the digest, and it is said."""
    report = verify(stored, [], [])
    assert {one.kind for one in report.findings} == {Kind.NOT_CHECKED}
    in_row("person_id", lambda person: person + 1)(run_of(stored) / QUERIES)
    assert (Kind.RELEVANCE, QUERIES) in told(verify(stored, [], []))


def test_a_digest_has_to_agree_with_the_dataset(check: Call, stored: Path) -> None:
    """Where the dataset is here it is believed, and a digest that differs or is damaged is told."""
    [digest] = stored.glob("demo/*/dataset-*")
    in_row("person_id", lambda person: person + 1)(digest / "queries.parquet")
    path = str(digest.relative_to(stored))
    assert [(one.kind, one.path) for one in check().problems] == [(Kind.RELEVANCE, path)]
    assert any(one.file == QUERIES for one in verify(stored, [], []).problems)
    truncate(digest / "gallery.parquet")
    assert [(one.kind, one.path) for one in check().problems] == [(Kind.RELEVANCE, path)]
    shutil.rmtree(digest)
    assert check().findings == []


def test_left_overs_are_told_and_no_problem(check: Call, stored: Path) -> None:
    """What a killed process leaves is named, within a run too."""
    run = run_of(stored)
    shutil.copytree(run, run.with_name("seed-5.unfinished"))
    shutil.copytree(run, run.with_name("seed-0.retired"))
    (run / "metrics.json.host-1.tmp").write_text("{", encoding="utf-8")
    report = check()
    assert report.problems == []
    assert report.count(Kind.LEFT_OVER) == 3


def test_a_kill_while_an_evaluation_is_added_damages_nothing(
    check: Call, stored: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between stepping aside and taking its place, there is no evaluation, and no half of one."""
    run, work = run_of(stored), run_of(stored) / "visual-neighbours.1.unfinished"

    def die(*_: Any) -> None:
        raise KeyboardInterrupt

    shutil.copytree(run / RERANKED, work)
    record = results.read_evaluation(work)
    assert record is not None
    with monkeypatch.context() as patched:
        patched.setattr(files, "put_in_place", die)
        with pytest.raises(KeyboardInterrupt):
            results.finish_evaluation(record, work, run, "visual-neighbours")
    report = check()
    assert report.problems == []
    assert report.count(Kind.LEFT_OVER) == 2
    results.finish_evaluation(record, work, run, "visual-neighbours")
    assert check().problems == []


def test_a_failed_evaluation_and_a_failed_run_are_in_order(check: Call, stored: Path) -> None:
    """What failed has no figures to verify; figures that it has all the same are told."""
    run = run_of(stored)
    error = {"kind": "ValueError", "message": "broken", "traceback": ""}
    work = run / "visual-neighbours.1.unfinished"
    results.finish_evaluation(
        EvaluationRecord("k", rerank="visual-neighbours", error=error),
        work,
        run,
        "visual-neighbours",
    )
    record = results.read_record(run)
    assert record is not None
    failed = run.with_name("seed-9")
    values = {**vars(record), "status": "error", "error": error, "seed": 9, "metrics": {}}
    results.finish_run(results.RunRecord(**values), failed)
    assert check().problems == []
    in_json(metrics=dict(record.metrics))(failed / "run.json")
    seal(failed)
    assert (Kind.RECORD, "run.json") in told(check())


def test_the_command_names_the_file_and_ends_with_one(
    harness: Call, stored: Path, toy: Path, small_dolls: Path, made: Path
) -> None:
    """In order it ends with 0; else a line names run and file, and --json tells the same."""
    call = "verify", stored, "--plugins", toy
    call = *call, "--dataset", small_dolls, "--dataset", made / "others"
    done = harness(*call)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.startswith("3 runs verified, ")
    assert "no problem." in done.stdout
    run = run_of(stored)
    in_json(r1=99.0)(run / METRICS)
    (run / "\x1b[31mred\n").write_text("x", encoding="utf-8")
    done = harness(*call)
    assert done.returncode == 1
    path = run.relative_to(stored)
    assert f"{path}: {METRICS}: r1 is 99.0, the ranks give " in done.stdout
    assert "\\x1b[31mred\\n: was not there" in done.stdout
    assert "\x1b" not in done.stdout
    assert "3 problems in 1 places" in done.stdout
    read = json.loads(harness(*call, "--json").stdout)
    assert (read["runs"], read["problems"]) == (3, 3)
    assert {one["path"] for one in read["findings"]} == {str(path)}


@pytest.mark.parametrize("state", ["whole", "changed", "damaged", "unreadable", "gone"])
def test_the_folder_of_a_run_is_found_by_its_path(
    harness: Call, stored: Path, toy: Path, small_dolls: Path, state: str
) -> None:
    """Without --dataset, as `harness list runs` finds it; what cannot be read is not here."""
    dolls = stored.parent / small_dolls.name
    shutil.copytree(small_dolls, dolls)
    for run in stored.glob("demo/*/toy/full/seed-*"):
        in_json(dataset_argument=str(dolls))(run / "run.json")
        seal(run)
    test = next(dolls.glob("test*.parquet"))
    if state == "changed":
        shutil.copy(next(dolls.glob("val*.parquet")), test)
    elif state == "damaged":
        truncate(test)
    elif state == "unreadable":
        test.unlink()
        test.symlink_to("nowhere")
    elif state == "gone":
        shutil.rmtree(dolls)
    done = harness("verify", stored, "--plugins", toy, "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    messages = [one["message"] for one in json.loads(done.stdout)["findings"]]
    absent = 3 * (state in ("unreadable", "gone"))
    assert messages.count("its dataset is not here to be compared") == absent
    other = 3 * (state in ("changed", "damaged"))
    assert messages.count("its dataset has another content here") == other
    listed = json.loads(
        harness("list", "runs", "--plugins", toy, "--json", "--results", stored).stdout
    )
    assert [one["compared"] for one in listed] == [not absent] * 3
    assert [bool(one["outdated"]) for one in listed] == [bool(other)] * 3


def test_a_folder_without_runs_is_refused(harness: Call, tmp_path: Path) -> None:
    """A wrong path must not look like results that are in order."""
    done = harness("verify", tmp_path / "nowhere")
    assert done.returncode == 2
    assert "nowhere" in done.stderr
    assert harness("verify", tmp_path).returncode == 2


def test_figures_are_those_of_the_metrics(tmp_path: Path) -> None:
    """What verifying recomputes from ranks is, to the bit, what scoring gives, ties included."""
    from harness import evaluation, metrics
    from harness.verification import figures, relevance

    random = np.random.default_rng(0)
    people, queries = random.integers(0, 20, 300), np.arange(20)
    people[:20] = queries
    scores = random.integers(0, 9, (20, 300)).astype(np.float32)
    scored = metrics.score_rows(scores, queries, people, top=10)
    found = figures.recompute(
        figures.Queries(
            query_id=queries,
            person_id=queries,
            by_query={},
            hit_ranks=scored.hit_values,
            hit_counts=np.diff(scored.hit_offsets),
            top=figures.Top(scored.top_rows, scored.top_scores),
            tied=scored.tied,
        )
    )
    for name, values in found.items():
        assert np.array_equal(values, getattr(scored, name))
    told = {**metrics.summarize(scored), "tied": 100 * scored.tied.mean()}
    assert figures.average(found, scored.tied) == told
    assert figures.average(found, None) == metrics.summarize(scored)
    assert relevance.TOP == evaluation.TOP


def test_verifying_needs_no_torch() -> None:
    """Results can be verified where no torch is installed."""
    script = "import sys, harness.verification, harness.cli.verify; print('torch' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "False"
