from __future__ import annotations

import itertools
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from harness.results import run_path
from harness.significance import compare, compare_pairs
from leaderboard.ablations.components import find_components
from leaderboard.ablations.corrected import correct
from leaderboard.ablations.parts import LEFT_OUT, find_contributions, part_table
from leaderboard.ablations.section import find_ablations
from leaderboard.ablations.views import PartTable, ResultTable
from leaderboard.method.ground_statistics import GroundStatistics, measure
from leaderboard.method.page import Subject, make_files
from leaderboard.method.result_tables import ablation_table
from leaderboard.records.load import load_grounds
from leaderboard.reported.figures import NOTHING
from leaderboard.reported.tables import FOLDER
from leaderboard.site.site import load_site

CONFIG = {"losses": {"itc": 1.0, "local": 1.0, "wide": 0.5}, "depth": 4, "masked": True}
HOSTILE = '</svg><script>alert("1")</script>\u202e'
ROWS: Mapping[str, tuple[float, dict[str, Any]]] = {  # variant -> skill and what it changes
    "B": (0.5, {"losses": {"itc": 1.0}}),
    "B+L": (1.6, {"losses": {"itc": 1.0, "local": 1.0}}),
    "B+W": (1.62, {"losses": {"itc": 1.0, "wide": 0.5}}),
    "full": (2.2, {}),
}


@pytest.fixture
def add_ablation(add_answers: Callable[..., Path]) -> Callable[..., None]:
    """Return a function that runs the rows above with three seeds, or as many as it is told."""

    def add(seeds: Mapping[str, int] | None = None, title: str = "Table 4") -> None:
        for position, (variant, (skill, changes)) in enumerate(ROWS.items()):
            for seed in range((seeds or {}).get(variant, 3)):
                add_answers(
                    "one", skill, seed=seed, variant=variant, changes=changes,
                    config={**CONFIG, **changes}, tables=((title, f"row {variant}", position),),
                )  # fmt: skip

    return add


@pytest.fixture
def statistics(results: Path) -> Callable[[], GroundStatistics]:
    """Return a function that measures the only ground of the results."""

    def read() -> GroundStatistics:
        site = load_site(results, FOLDER)
        return measure(next(iter(site.contests.values())), site.papers)

    return read


@pytest.fixture
def table(results: Path, statistics: Callable[[], GroundStatistics]) -> Callable[[], ResultTable]:
    """Return a function that writes the first ablation of method one."""

    def write() -> ResultTable:
        found = statistics()
        subject = Subject("one", load_site(results, FOLDER), found)
        return ablation_table(
            found.ablations["one"][0], found.ledger, NOTHING, subject.hrefs, "anchor"
        )

    return write


def test_components_are_columns_with_check_marks(
    add_ablation: Callable[..., None], table: Callable[[], ResultTable]
) -> None:
    """Each loss is a column, in the order that rows bring them in, checked where a row has it."""
    add_ablation()
    written = table()
    assert written.components == ("itc", "local", "wide")
    checked = {row.label: [mark.checked for mark in row.marks] for row in written.rows}
    assert checked == {
        "row B": [True, False, False],
        "row B+L": [True, True, False],
        "row B+W": [True, False, True],
        "row full": [True, True, True],
    }
    assert [mark.in_words for mark in written.rows[0].marks] == ["yes", "no", "no"]
    assert written.changes[0] == ("row B", ("losses: itc 1.0",))


def test_weights_that_differ_and_other_settings_are_written(
    add_run: Callable[..., Path], results: Path
) -> None:
    """A loss that rows weigh differently shows its weight, a switch a mark, a setting its value."""
    rows: list[dict[str, Any]] = [
        {"losses": {"itc": 1.0, "local": 0.5}},
        {"depth": 2, "masked": False},
    ]
    add_run("one", 40.0, config=CONFIG)
    for position, changes in enumerate(rows):
        add_run(
            "one", 40.0, variant=f"v{position}", changes=changes, config={**CONFIG, **changes},
            tables=(("T", f"row {position}", position),),
        )  # fmt: skip
    (ablation,) = find_ablations("one", load_grounds(results)[0])
    records = [row.record for row in ablation.rows]
    found = find_components(records, None)
    assert found.names == ("itc", "local", "wide", "depth", "masked")
    assert found.losses == 3
    first, second = ([(mark.checked, mark.text) for mark in marks] for marks in found.marks)
    assert first == [(True, ""), (True, "0.5"), (False, ""), (False, "4"), (True, "")]
    assert second == [(True, ""), (True, "1.0"), (True, ""), (False, "2"), (False, "")]


def test_losses_that_are_no_mapping_are_a_value(
    add_run: Callable[..., Path], results: Path
) -> None:
    """A record may hold anything: what does not name losses with weights is written as it is."""
    add_run("one", 40.0, variant="a", changes={"losses": "all"}, tables=(("T", "a", 0),))
    add_run("one", 40.0, variant="b", changes={"losses": {"itc": 1.0}}, tables=(("T", "b", 1),))
    (ablation,) = find_ablations("one", load_grounds(results)[0])
    found = find_components([row.record for row in ablation.rows], None)
    assert (found.names, found.losses) == (("losses",), 0)
    assert [marks[0].text for marks in found.marks] == ["all", "itc 1.0"]


def test_differences_are_to_the_row_above_and_to_the_full_method(
    add_ablation: Callable[..., None], statistics: Callable[[], GroundStatistics]
) -> None:
    """Each pair's difference, interval and p-value are those of the paired comparison."""
    add_ablation()
    found = statistics()
    (ablation,) = found.ablations["one"]
    above = ablation.comparisons["to the row above"]
    full = ablation.comparisons["to the full method"]
    assert above[0] is None
    assert above[1] == (("one", "B+L"), ("one", "B"))
    assert full[0] == (("one", "B"), ("one", "full"))
    assert full[3] is None
    answers = found.contest.answers
    for pair in ablation.pairs:
        for metric in ("r1", "map"):
            a, b = (answers[entry].values[metric] for entry in pair)
            spread = found.ledger.spreads[metric]
            expected = compare(a, b, answers[pair[0]].people, spread)
            got = found.ledger.compare([pair], metric)[pair]
            assert got.difference == pytest.approx(expected.difference)
            assert (got.low, got.high) == pytest.approx((expected.low, expected.high))
            assert got.p_value == pytest.approx(expected.p_value)


def test_the_comparisons_of_a_table_are_judged_at_once(
    add_ablation: Callable[..., None], statistics: Callable[[], GroundStatistics]
) -> None:
    """The family is the table's pairs, each once, though one pair stands in two columns."""
    add_ablation()
    found = statistics()
    (ablation,) = found.ablations["one"]
    corrected = correct(found.ledger, ablation.pairs)
    assert corrected is not None
    assert len(ablation.pairs) == 6
    assert corrected.count == 5
    answers = found.contest.answers
    for metric in ("r1", "map"):
        pairs = [pair for kind, pair in corrected.comparisons if kind == metric]
        values = {"/".join(entry): answers[entry].values[metric] for entry in answers}
        expected = compare_pairs(
            values,
            [("/".join(a), "/".join(b)) for a, b in pairs],
            answers["one", "full"].people,
            found.ledger.spreads[metric],
        )
        for pair in pairs:
            one = expected.between(*("/".join(entry) for entry in pair))
            got = corrected.find(pair, metric)
            assert got is not None
            assert got.adjusted == pytest.approx(one.adjusted, abs=0.02)  # other random draws
            assert got.adjusted >= got.p_value
            assert got.is_real == (not got.low <= 0 <= got.high)


def test_a_row_with_fewer_seeds_is_compared_on_those_that_both_have(
    add_ablation: Callable[..., None], results: Path, table: Callable[[], ResultTable],
    statistics: Callable[[], GroundStatistics],
) -> None:  # fmt: skip
    """Seeds 0 and 1 of 0, 1 and 2 are enough, the cell says so, and other rows keep all three."""
    add_ablation()
    shutil.rmtree(run_path(results, "demo", "paperdolls", "one", "B+L", 2))
    written = {row.label: row for row in table().rows}
    cells = [cell.difference for cell in written["row B+L"].differences]
    assert {cell.on for cell in cells if cell} == {"seeds 0 and 1"}
    assert {cell.difference.on for cell in written["row B"].differences if cell.difference} == {""}
    found = statistics()
    pair = ("one", "B+L"), ("one", "full")
    got = found.ledger.compare([pair], "r1")[pair]
    a, b = (found.contest.answers[entry].values["r1"][:2] for entry in pair)
    people = found.contest.answers[pair[0]].people
    expected = compare(a, b, people, found.ledger.spreads["r1"])
    assert (got.seeds, got.difference) == (2, pytest.approx(expected.difference))
    assert got.p_value == pytest.approx(expected.p_value)


def test_a_row_on_one_common_seed_claims_other_people_only(
    add_ablation: Callable[..., None], table: Callable[[], ResultTable]
) -> None:
    """Of one seed nothing is known of others, and the cell says so."""
    add_ablation(seeds={"B+L": 1})
    (row,) = [row for row in table().rows if row.label == "row B+L"]
    found = {cell.difference.on for cell in row.differences if cell.difference}
    assert found == {"seed 0: other people only"}


def test_what_is_real_is_told_from_what_is_not(
    add_ablation: Callable[..., None], table: Callable[[], ResultTable]
) -> None:
    """A difference counts as real by its corrected p-value, and its whisker holds its mean."""
    add_ablation()
    by_label = {row.label: row for row in table().rows}
    to_full = by_label["row B"].differences[2].difference
    assert to_full is not None
    assert to_full.is_real
    assert to_full.text.startswith("\N{MINUS SIGN}")
    for row in by_label.values():
        for cell in row.differences:
            if cell.difference:
                whisker = cell.difference.whisker
                assert float(whisker.low) <= float(whisker.mean) <= float(whisker.high)
                assert float(cell.difference.zero) == pytest.approx(26.0)
    near = by_label["row B+W"].differences[0].difference
    assert near is not None
    assert not near.is_real


def test_a_row_with_fewer_seeds_says_why_it_is_not_compared(
    add_ablation: Callable[..., None], add_answers: Callable[..., Path],
    table: Callable[[], ResultTable],
) -> None:  # fmt: skip
    """A row without a seed of the others has figures, no difference, and the reason in words."""
    add_ablation(seeds={"B+L": 0})
    changes = ROWS["B+L"][1]
    add_answers(
        "one", 1.6, seed=7, variant="B+L", changes=changes, config={**CONFIG, **changes},
        tables=(("Table 4", "row B+L", 1),),
    )  # fmt: skip
    written = table()
    row = next(row for row in written.rows if row.label == "row B+L")
    assert [cell.reason for cell in row.differences] == ["not compared"] * 4
    assert row.cells[0].estimate is not None
    assert written.remarks == (
        "Not compared: row B+L (finished with seed 7 where comparisons, which are paired, take"
        " seeds 0, 1 and 2).",
    )


def test_without_answers_nothing_is_compared(
    add_run: Callable[..., Path], table: Callable[[], ResultTable], results: Path
) -> None:
    """Runs without per-query tables have no difference columns; files are named from the folder."""
    add_run("one", 40.0)
    add_run("one", 35.0, variant="a", tables=(("T", "a", 0),), changes={"depth": 1})
    written = table()
    assert written.difference_columns == ()
    assert all(row.differences == () for row in written.rows)
    assert "No significance is claimed." in written.caption
    assert written.remarks
    assert str(results) not in " ".join(written.remarks)


def test_other_variants_have_no_row_above(
    add_answers: Callable[..., Path], table: Callable[[], ResultTable]
) -> None:
    """Variants of no table stand in no order, so they are compared with the full method only."""
    for seed, label in itertools.product((0, 1), ("full", "a", "b")):
        add_answers("one", 1.0, seed=seed, variant=label)
    written = table()
    assert written.title == "Other variants"
    assert [head.name for head in written.heads if head.name] == ["Difference to the full method"]
    assert len(written.difference_columns) == 2


def test_each_part_is_measured_by_pairs_that_differ_in_it_alone(
    add_ablation: Callable[..., None], statistics: Callable[[], GroundStatistics], results: Path
) -> None:
    """Leave-one-out and add-one pairs are found among the rows, none that differs in more."""
    add_ablation()
    found = statistics()
    contributions = found.contributions["one"]
    assert [
        (one.component, one.kind, one.with_it[1], one.without_it[1]) for one in contributions
    ] == [
        ("local", LEFT_OUT, "full", "B+W"),
        ("local", "added to itc", "B+L", "B"),
        ("wide", LEFT_OUT, "full", "B+L"),
        ("wide", "added to itc", "B+W", "B"),
    ]
    hrefs = Subject("one", load_site(results, FOLDER), found).hrefs
    written = part_table(contributions, found.ledger, hrefs, "parts")
    assert isinstance(written, PartTable)
    assert [group.component for group in written.groups] == ["local", "wide"]
    added = written.groups[0].rows[1].differences[0].difference
    pair = ("one", "B+L"), ("one", "B")
    direct = found.ledger.compare([pair], "r1")[pair]
    assert added is not None
    assert direct is not None
    assert added.text.startswith("+")
    assert float(added.text) == pytest.approx(direct.difference, abs=0.06)


@pytest.mark.parametrize(
    "changes",
    [
        {"losses": {"itc": 0.5, "wide": 0.5}},  # another weight of what both have
        {"losses": {"itc": 1.0, "wide": 0.5}, "depth": 2},
        {"losses": {"itc": 1.0}},  # two components fewer
        {"depth": 2},
    ],
)
def test_variants_that_differ_in_more_than_a_part_tell_nothing(
    changes: dict[str, Any], add_run: Callable[..., Path], results: Path
) -> None:
    """A difference that has two reasons is nobody's contribution."""
    add_run("one", 40.0, config=CONFIG)
    add_run("one", 35.0, variant="a", changes=changes, config={**CONFIG, **changes})
    assert find_contributions("one", load_grounds(results)[0]) == ()


@pytest.mark.parametrize(
    ("recipe", "is_pair"),
    [({"chunks": 8}, True), ({"precision": "bf16", "processes": 4}, True), ({"threads": 2}, False)],
)
def test_how_variants_were_executed_keeps_none_apart(
    recipe: dict[str, Any], is_pair: bool, add_run: Callable[..., Path], results: Path
) -> None:
    """Chunks, precision and processes, which older records lack; what else a recipe holds does."""
    own, changes = {"threads": 1, "candidates": 0}, {"losses": {"itc": 1.0, "wide": 0.5}}
    add_run("one", 40.0, config=CONFIG, recipe=own)
    config = {**CONFIG, **changes}
    add_run("one", 35.0, variant="a", changes=changes, config=config, recipe={**own, **recipe})
    assert bool(find_contributions("one", load_grounds(results)[0])) is is_pair


def test_a_switch_is_a_part_too(add_run: Callable[..., Path], results: Path) -> None:
    """A setting that is on in one variant and off in another is what the one has more."""
    add_run("one", 40.0, config=CONFIG)
    changes = {"masked": False}
    add_run("one", 35.0, variant="a", changes=changes, config={**CONFIG, **changes})
    (found,) = find_contributions("one", load_grounds(results)[0])
    assert (found.component, found.with_it[1], found.without_it[1]) == ("masked", "full", "a")


def test_hostile_names_are_text_in_every_table_and_chart(
    results: Path, add_answers: Callable[..., Path], add_digest: Callable[..., Path],
    read_page: Callable[[Path], Any], tmp_path: Path,
) -> None:  # fmt: skip
    """Names of tables, rows, losses, settings and methods never become markup."""
    add_digest(captions=[HOSTILE] * 20)
    variants: dict[str, dict[str, Any]] = {
        "full": {},
        "a": {"losses": {HOSTILE: 1.0}},
        "b": {HOSTILE: 1.0},
        "c": {HOSTILE: 2.0},
        "d": {HOSTILE: 3.0},
    }
    config = {"losses": {HOSTILE: 1.0, "itc": 1.0}, HOSTILE: 1.0}
    for (position, (variant, changes)), seed in itertools.product(
        enumerate(variants.items()), (0, 1)
    ):
        place = ("sweep" if HOSTILE in changes else HOSTILE, HOSTILE, position)
        add_answers(
            "one", 1.0, seed=seed, variant=variant, changes=changes, config={**config, **changes},
            tables=(place,), title=HOSTILE,
        )  # fmt: skip
        add_answers("two", 1.0, seed=seed, title=f"two {HOSTILE}")
    for file, written in make_files(load_site(results, FOLDER)).items():
        path = tmp_path / file
        path.parent.mkdir(exist_ok=True)
        path.write_text(str(written), encoding="utf-8")
        page = read_page(path)
        scripts = [values for tag, values in page.elements if tag == "script"]
        assert all("src" in values for values in scripts)
        assert "\u202e" not in page.source
        assert 'alert("1")' in page.text
        assert page.source.count("</svg>") == sum(tag == "svg" for tag, _ in page.elements)
