from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from scipy import stats

from harness.errors import HarnessError
from harness.results import load_runs
from harness.results.agreement import Agreement, Outcome, count_outcomes
from leaderboard.agreement import find_agreement, find_agreements
from leaderboard.agreement.printed import Papers, find_printed, printed_datasets
from leaderboard.agreement.rows import find_row_claims
from leaderboard.records.contest import Contest
from leaderboard.records.load import Ground, load_grounds
from leaderboard.reported.tables import FOLDER, load_papers

# Of the methods gamma and base no paper is at hand; delta's is, though nobody runs it.
ALPHA = """
method: alpha
paper: Alpha, 2024
scale: paper
tables:
  - title: Table 1
    columns: [cuhk-pedes/r1, rstpreid/r1, cuhk-pedes/map]
    rows:
      - {label: G, method: gamma, values: [60.00, 50.00, 1.00]}
      - {label: CLIP, stands_for: base, values: [50.00, 40.00, 1.00]}
      - label: Alpha
        method: alpha
        values: [70.00, null, 1.00]
        suspect: [{columns: [cuhk-pedes/r1], why: the text prints 71}]
      - {label: Alpha again, method: alpha, values: [71.00, 62.00, 1.00]}
  - title: Table 4
    columns: [cuhk-pedes/r1]
    base: B
    rows:
      - {label: B, values: [60.00]}
      - {label: B+x, values: [65.00]}
      - {label: B+y, values: [66.00], suspect: [{why: a misprint}]}
      - {label: B+z, values: [60.50]}
      - {label: Alpha, method: alpha, values: [71.00]}
      - {label: B+unrun, values: [63.00]}
  - title: Table 5
    columns: [cuhk-pedes/r1, rstpreid/r1]
    base: B
    rows:
      - {label: B, values: [60.00, 50.00]}
      - {label: B+x, values: [65.00, 51.00]}
      - {label: B+y, values: [66.00, null]}
"""
BETA = """
method: beta
paper: Beta, 2024
scale: paper
tables:
  - title: Table I
    columns: [cuhk-pedes/r1]
    rows:
      - {label: G, method: gamma, values: [62.00]}
      - {label: CLIP, stands_for: base, values: [53.00]}
      - label: Beta
        method: beta
        values: [70.50]
        suspect: [{why: the text prints 70.4}]
"""
DELTA = """
method: delta
paper: Delta, 2024
scale: paper
tables:
  - title: Table 1
    columns: [cuhk-pedes/r1]
    rows:
      - {label: G, method: gamma, values: [61.50]}
      - {label: Delta, method: delta, values: [68.00]}
"""
PRINTED = {"alpha": 71.0, "beta": 70.5, "gamma": 61.5, "base": 51.5}
SKILLS = {"alpha": 0.8, "beta": 1.2, "gamma": 2.2, "base": 1.0, "plugin": 1.1}
ROWS = {
    "B": (("Table 4", "B", 0), ("Table 5", "B", 0)),
    "B+x": (("Table 4", "B+x", 1), ("Table 5", "B+x", 1)),
    "B+y": (("Table 4", "B+y", 2), ("Table 5", "B+y", 2)),
    "B+z": (("Table 4", "B+z", 3),),
    "full": (("Table 4", "Alpha", 4),),
}
ROW_SKILLS = {"B": 1.0, "B+x": 1.6, "B+y": 0.2, "B+z": 1.1}


@pytest.fixture
def papers(tmp_path: Path) -> Papers:
    """Return three small papers."""
    folder = tmp_path / "reported"
    folder.mkdir()
    for name, text in (("alpha", ALPHA), ("beta", BETA), ("delta", DELTA)):
        (folder / f"{name}.yaml").write_text(text, encoding="utf-8")
    return load_papers(folder)


@pytest.fixture
def ground(results: Path, add_answers: Callable[..., Path]) -> Ground:
    """Return what five methods and four rows of one answered, with two seeds."""
    for seed in range(2):
        for method, skill in SKILLS.items():
            tables = ROWS["full"] if method == "alpha" else ()
            add_answers(method, skill, seed=seed, tables=tables)
        for variant, skill in ROW_SKILLS.items():
            add_answers("alpha", skill, seed=seed, variant=variant, tables=ROWS[variant])
    (found,) = load_grounds(results)
    return found


@pytest.fixture
def agreement(results: Path, ground: Ground, papers: Papers) -> Agreement:
    """Return what became of the claims of the three papers."""
    return find_agreement(ground, Contest(ground, results), papers)


def mean_r1(results: Path, method: str, variant: str = "full") -> float:
    """Return the mean over seeds that the records tell."""
    values = [
        run.record.metrics["r1"]
        for run in load_runs(results)
        if (run.record.method, run.record.variant) == (method, variant)
    ]
    return sum(values) / len(values)


def test_the_own_paper_is_asked_first_and_what_is_suspect_last(papers: Papers) -> None:
    """One figure a method: of its own paper, else the median over papers, with its sources."""
    for method, expected in PRINTED.items():
        found = find_printed(papers, method, "cuhk-pedes")
        assert found is not None
        assert float(found.value) == expected, method
    alpha, beta = (find_printed(papers, name, "cuhk-pedes") for name in ("alpha", "beta"))
    assert alpha is not None
    assert list(map(str, alpha.sources)) == ["alpha, Table 1: Alpha again"]
    assert alpha.suspect == ""
    assert beta is not None
    assert beta.suspect == "the text prints 70.4"
    base = find_printed(papers, "base", "cuhk-pedes")
    assert base is not None
    assert list(map(str, base.sources)) == ["alpha, Table 1: CLIP", "beta, Table I: CLIP"]
    assert find_printed(papers, "plugin", "cuhk-pedes") is None
    assert find_printed(papers, "beta", "rstpreid") is None


def test_the_datasets_of_papers_are_those_with_a_figure_of_r1(papers: Papers) -> None:
    """The dataset that most columns are of comes first."""
    assert printed_datasets(papers) == ("cuhk-pedes", "rstpreid")


def test_rows_are_claimed_against_their_base_and_the_full_method(
    ground: Ground, papers: Papers
) -> None:
    """Pairs of two tables count once; a misprint claims nothing, unless it is sound elsewhere."""
    found = find_row_claims(papers["alpha"], ground, "cuhk-pedes")
    told = [
        [(claim.a, claim.b, str(claim.difference)) for claim in table.values()]
        for table in found.tables
    ]
    assert told == [
        [
            ("alpha:B+x", "alpha:B", "5.00"),
            ("alpha:B+z", "alpha:B", "0.50"),
            ("alpha", "alpha:B", "11.00"),
            ("alpha", "alpha:B+x", "6.00"),
            ("alpha", "alpha:B+z", "10.50"),
        ],
        [("alpha:B+y", "alpha:B", "6.00")],
    ]
    assert found.misprints == 1  # the full method less B+y


def test_rows_trained_with_wrong_pairs_are_no_rows(ground: Ground, papers: Papers) -> None:
    """Papers print theirs without: a run with noise, though made later, stands for none."""
    noisy = {
        f"{label} (noise 0.2)": [
            replace(run, record=replace(run.record, noise={"rate": 0.2})) for run in runs
        ]
        for label, runs in ground.methods["alpha"].items()
    }
    both = {**ground.methods, "alpha": {**ground.methods["alpha"], **noisy}}
    with_noise = replace(ground, methods=both)
    assert find_row_claims(papers["alpha"], with_noise, "cuhk-pedes") == find_row_claims(
        papers["alpha"], ground, "cuhk-pedes"
    )


def test_a_dash_claims_nothing(ground: Ground, papers: Papers) -> None:
    """On a dataset that some rows are not printed for, the others are claimed."""
    found = find_row_claims(papers["alpha"], ground, "rstpreid")
    (claims,) = found.tables
    assert [(one.a, one.b, one.difference) for one in claims.values()] == [
        ("alpha:B+x", "alpha:B", Decimal("1.00"))
    ]
    assert found.misprints == 0


def test_pairs_are_counted_as_by_a_plain_loop(results: Path, agreement: Agreement) -> None:
    """Signs are those of the recorded means, and told apart is what the ranking tells apart."""
    agree = disagree = tied = 0
    for a, b in combinations(PRINTED, 2):
        printed = PRINTED[a] - PRINTED[b]
        measured = mean_r1(results, a) - mean_r1(results, b)
        if abs(printed) < 1:
            tied += 1
        elif printed * measured > 0:
            agree += 1
        else:
            disagree += 1
    counts = count_outcomes(agreement.pairs)
    assert (counts.agree, counts.disagree, counts.tied) == (agree, disagree, tied)
    assert tied == 1
    assert min(agree, disagree) > 0


def test_told_apart_is_what_the_ranking_tells_apart(
    results: Path, ground: Ground, agreement: Agreement
) -> None:
    """The p-value of a pair is that of the ranking, of a row that of the claims of its table."""
    contest = Contest(ground, results)
    family = contest.family("r1")
    assert family is not None
    wrong = 0
    for one in agreement.pairs:
        found = family.between(f"{one.claim.a}/full", f"{one.claim.b}/full")
        assert one.found == found
        wrong += found.adjusted < 0.05 and one.outcome is Outcome.DISAGREES
    assert count_outcomes(agreement.pairs).wrong_and_told_apart == wrong > 0
    entries = [("B+x", "B"), ("B+z", "B"), ("full", "B"), ("full", "B+x"), ("full", "B+z")]
    pairs = [(("alpha", a), ("alpha", b)) for a, b in entries]
    expected = contest.ledger.compare(pairs, "r1")
    assert [one.found for one in agreement.rows[:5]] == [expected[pair] for pair in pairs]


def test_rows_are_counted_as_by_a_plain_loop(results: Path, agreement: Agreement) -> None:
    """Each claimed difference has the sign of the recorded means or not."""
    for one in agreement.rows:
        a, b = (name.partition(":")[2] or "full" for name in (one.claim.a, one.claim.b))
        measured = mean_r1(results, "alpha", a) - mean_r1(results, "alpha", b)
        assert one.found.difference == pytest.approx(measured)
        if one.claim.is_tie:
            assert one.outcome is Outcome.TIED
        else:
            stands = measured * float(one.claim.difference) > 0
            assert (one.outcome is Outcome.AGREES) == stands
    counts = count_outcomes(agreement.rows)
    assert counts.agree + counts.disagree + counts.tied == 6
    assert counts.tied == 1
    assert agreement.misprints == 1


def test_tau_is_of_the_pairs_that_claim_an_order(results: Path, agreement: Agreement) -> None:
    """Alpha and beta tie in print: as scipy has it where they hold one rank."""
    ranks = {"alpha": 2, "beta": 2, "gamma": 1, "base": 0}
    means = [mean_r1(results, method) for method in ranks]
    found = agreement.concordance
    assert found.tau == pytest.approx(stats.somersd(list(ranks.values()), means).statistic)
    assert found.interval is not None
    assert found.interval[0] <= found.tau <= found.interval[1]


def test_who_is_left_out_is_said(agreement: Agreement) -> None:
    """What no paper prints is in no pair, and neither is it passed over in silence."""
    assert agreement.left_out == (
        ("plugin", "no paper that is held here prints it for CUHK-PEDES"),
    )
    assert [one.method for one in agreement.figures] == ["alpha", "beta", "gamma", "base"]


def test_a_method_that_cannot_be_compared_is_left_out(
    results: Path, papers: Papers, add_answers: Callable[..., Path], add_run: Callable[..., Path]
) -> None:
    """A run that failed has no figure to hold against print."""
    for seed in range(2):
        add_answers("alpha", 1.0, seed=seed)
        add_answers("beta", 1.2, seed=seed)
    add_run("gamma", status="error", error={"kind": "Bad", "message": "x", "traceback": ""})
    (ground,) = load_grounds(results)
    found = find_agreement(ground, Contest(ground, results), papers)
    ((method, why),) = found.left_out
    assert (method, why) == ("gamma", "its runs failed")
    assert [(one.claim.a, one.claim.b) for one in found.pairs] == [("alpha", "beta")]
    assert found.concordance.tau is None  # a tie in print
    assert found.rows == ()


def test_what_began_and_never_finished_is_named(
    results: Path, papers: Papers, add_answers: Callable[..., Path], add_run: Callable[..., Path]
) -> None:
    """A row that failed, a killed process's folder, and a record that nobody can read."""
    for name in ("alpha", "beta"):
        add_answers(name, 1.0, tables=ROWS["full"] if name == "alpha" else ())
    add_answers("alpha", 1.0, variant="B", tables=ROWS["B"])
    for row, status in (("B+x", "timeout"), ("B+z", "killed")):
        add_run("alpha", variant=row, tables=ROWS[row], status=status)
    (results / "demo/paperdolls/gamma/full/seed-0.unfinished").mkdir(parents=True)
    (add_run("base") / "run.json").write_text("{", encoding="utf-8")
    (ground,) = load_grounds(results)
    found = find_agreement(ground, Contest(ground, results), papers)
    unread = "it began a run, of which there is no record that can be read"
    assert found.left_out == (
        ("base", unread), ("gamma", unread),
        ("alpha:B+x", "its runs failed"), ("alpha:B+z", "its runs failed"),
    )  # fmt: skip
    assert [(one.claim.a, one.claim.b) for one in found.rows] == [("alpha", "alpha:B")]


def test_what_a_plugin_that_does_not_import_left_is_a_failure(
    results: Path, papers: Papers, add_answers: Callable[..., Path], add_run: Callable[..., Path]
) -> None:
    """Its record is of no row, and tells that nothing of the method finished."""
    add_answers("alpha", 1.0)
    add_run("beta", status="error", variant="does not import")
    add_answers("gamma", 1.0, variant="a row")
    (ground,) = load_grounds(results)
    found = find_agreement(ground, Contest(ground, results), papers)
    assert found.left_out == (
        ("beta", "its runs failed"), ("gamma", "it was not run as published"),
    )  # fmt: skip


def test_a_dataset_that_papers_measured_is_held_against_its_own_figures(
    results: Path, papers: Papers, add_answers: Callable[..., Path]
) -> None:
    """Whatever stands in for others; the dataset of drawn people has the one that is asked for."""
    for dataset in ("paperdolls", "rstpreid"):
        for method in ("alpha", "gamma"):
            add_answers(method, 1.0, dataset=dataset)
    drawn, real = load_grounds(results)
    for_drawn = find_agreement(drawn, Contest(drawn, results), papers, "cuhk-pedes")
    for_real = find_agreement(real, Contest(real, results), papers, "cuhk-pedes")
    assert (for_drawn.printed_on, for_drawn.is_same) == ("CUHK-PEDES", False)
    assert (for_real.printed_on, for_real.is_same) == ("RSTPReid", True)
    assert for_drawn.pairs[0].claim.difference == Decimal("9.50")
    assert for_real.pairs[0].claim.difference == Decimal("12.00")
    other = find_agreement(drawn, Contest(drawn, results), papers, "rstpreid")
    assert other.pairs[0].claim.difference == Decimal("12.00")


def test_a_folder_of_results_is_held_against_the_shipped_papers(
    results: Path, add_answers: Callable[..., Path]
) -> None:
    """Every suite and dataset, or those that are asked for; a name that is not there is refused."""
    for dataset in ("paperdolls", "streetdolls"):
        for method, skill in (("irra", 1.0), ("clip-itc", 1.5), ("clip", 1.0)):
            add_answers(method, skill, dataset=dataset)
    both = find_agreements(results)
    assert [one.dataset for one in both] == ["paperdolls", "streetdolls"]
    (one,) = find_agreements(results, "icfg-pedes", "demo", ["streetdolls"])
    assert one.dataset == "streetdolls"
    (pair,) = one.pairs
    assert (pair.claim.a, pair.claim.b) == ("irra", "clip-itc")
    assert pair.claim.difference == Decimal("63.46") - (Decimal("54.24") + Decimal("56.23")) / 2
    assert [method for method, _ in one.left_out] == ["clip"]
    for wrong in (("cuhk",), ("cuhk-pedes", "dem"), ("cuhk-pedes", "demo", ["streetdoll"])):
        with pytest.raises(HarnessError, match="Did you mean"):
            find_agreements(results, *wrong)


def test_a_method_is_never_judged_by_another_evaluation_of_it(tmp_path: Path) -> None:
    """A sound re-ranked figure gives no way to a suspect one of the method, in whatever table."""
    text = """
method: alpha
paper: Alpha, 2024
scale: paper
tables:
  - title: Table 1
    columns: [cuhk-pedes/r1, rstpreid/r1]
    rows:
      - label: Alpha
        method: alpha
        values: [64.00, null]
        suspect: [{why: below a rival}]
      - {label: Alpha(RR), method: alpha, scored: re-ranked, values: [66.00, 60.00]}
  - title: Table 2
    columns: [cuhk-pedes/r1]
    rows:
      - {label: Alpha, method: alpha, values: [64.00]}
"""
    (tmp_path / "alpha.yaml").write_text(text, encoding="utf-8")
    papers = load_papers(tmp_path)
    found = find_printed(papers, "alpha", "cuhk-pedes")
    assert found is not None
    assert (found.value, found.suspect) == (Decimal("64.00"), "below a rival")
    assert list(map(str, found.sources)) == ["alpha, Table 1: Alpha"]
    assert find_printed(papers, "alpha", "rstpreid") is None


def test_ogen_is_judged_as_published() -> None:
    """On ICFG-PEDES its figure is doubtful, that of OGEN(RR) is not."""
    found = find_printed(load_papers(FOLDER), "ogen", "icfg-pedes")
    assert found is not None
    assert found.value == Decimal("64.10")
    assert [source.row for source in found.sources] == ["OGEN"]
    assert "TBPS-CLIP" in found.suspect


@pytest.mark.parametrize("dataset", ["cuhk-pedes", "icfg-pedes", "rstpreid"])
def test_the_shipped_papers_print_every_method_but_zero_shot_clip(dataset: str) -> None:
    """The baselines are mapped to printed rows; zero-shot figures are printed nowhere."""
    papers = load_papers(FOLDER)
    names = ("clip-itc", "irra", "dgia", "ogen", "mefa", "laip", "clip")
    found: dict[str, Any] = {name: find_printed(papers, name, dataset) for name in names}
    assert [name for name, printed in found.items() if printed is None] == ["clip"]
    assert {source.paper for source in found["clip-itc"].sources} == {"dgia", "mefa"}
    own = {"dgia", "ogen", "mefa", "laip"}
    assert all({s.paper for s in found[name].sources} == {name} for name in own)
