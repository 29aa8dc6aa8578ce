"""Runs with wrong pairs: a section on the method's page, curves on the protocol's, no rank."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from harness.files import write_json, write_table
from leaderboard import method, protocol, ranking
from leaderboard.records.load import load_grounds
from leaderboard.reported.tables import load_papers
from leaderboard.robustness import find_robustness
from leaderboard.typography import ABSENT

HOSTILE = "<script>alert(1)</script>.npy"


@pytest.fixture
def build(write_pages: Callable[..., dict[str, Any]]) -> Callable[[], dict[str, Any]]:
    """Return a function that writes the pages that tell of noise, and parses them."""
    return partial(write_pages, ranking, method, protocol)


def add_noisy(
    add_run: Callable[..., Path], name: str, r1: float, rate: float, seed: int = 0, **fields: Any
) -> Path:
    """Finish a run that was trained with noise, and of which the last epoch is a point lower."""
    noise = {"rate": rate, **fields.pop("noise", {})}
    label = fields.pop("label", f"noise {rate:g}")
    base = fields.pop("base", "full")
    path = add_run(name, r1, seed=seed, variant=f"{base} ({label})", noise=noise, **fields)
    write_json(path / "evaluations/last-epoch/metrics.json", {"r1": r1 - 1, "map": r1 - 2})
    return path


def found(path: Path, *figures: float) -> None:
    """Let a run's history tell what was found by epoch: clean pairs with a recall 10 % lower."""
    write_table(
        path / "history.parquet",
        {
            "epoch": list(range(1, len(figures) + 1)),
            "loss": [1.0] * len(figures),
            "val_r1": [20.0] * len(figures),
            "clean/count": [100] * len(figures),
            "clean/precision": list(figures),
            "clean/recall": [figure - 0.1 for figure in figures],
            "noisy/precision": [None, *figures[1:]],
            "noisy/recall": list(figures),
        },
    )


def rows_of(page: Any, name: str) -> list[list[str]]:
    """Return the cells of the rows of the noise table that begin with a name."""
    rows = [[cell.strip() for cell in row] for row in page.rows if row[:1] == [name]]
    return [row for row in rows if row[1] == "none" or " %" in row[1]]


def test_a_method_has_a_section_with_each_noise(
    add_run: Callable[..., Path], build: Callable[[], dict[str, Any]]
) -> None:
    """By val, of the last epoch, what is lost, and what was found: means over seeds with ranges."""
    for seed in (0, 1):
        add_run("one", 40.0 + seed, seed=seed)
        found(add_noisy(add_run, "one", 30.0 + seed, 0.2, seed), 0.5, 0.7 + seed / 10)
        found(add_noisy(add_run, "one", 20.0 + seed, 0.5, seed), 0.4, 0.6)
    page = build()["one"]
    assert "Under noise" in page.text
    without, little, much = rows_of(page, "full")[-3:]
    assert (without[1], little[1], much[1]) == ("none", "20 %", "50 %")
    assert without[2].startswith("40.50")
    assert "40.00 to 41.00" in without[2]
    assert little[3].startswith("29.50")
    assert little[5] == "\N{MINUS SIGN}10.00"
    assert little[6:] == ["75.0", "65.0", "75.0", "75.0", "2"]
    assert page.source.count("by noise</title>") == 2
    assert page.source.count("pairs: precision by epoch</title>") == 2


def test_noise_stands_in_no_other_table(
    add_run: Callable[..., Path], build: Callable[[], dict[str, Any]]
) -> None:
    """Neither in the ranking nor among ablations, where its row of a table stands for no noise."""
    tables = (("Table 2", "RDE", 0),)
    add_run("one", 40.0, tables=tables)
    add_run("one", 30.0, variant="TRL", tables=(("Table 2", "TRL", 1),), changes={"loss": "trl"})
    add_noisy(add_run, "one", 93.75, 0.2, tables=tables)
    add_noisy(add_run, "two", 96.25, 0.2)
    pages = build()
    assert "93.75" not in pages["index"].text
    assert "96.25" not in pages["index"].text
    in_ablation = [row for row in pages["one"].rows if row[0].strip() in ("RDE", "TRL")]
    assert in_ablation
    assert not any("93.75" in cell or "93.8" in cell for row in in_ablation for cell in row)
    assert "Other variants" not in pages["one"].text


def test_the_protocol_has_a_curve_for_each_method(
    add_run: Callable[..., Path], build: Callable[[], dict[str, Any]]
) -> None:
    """What is best on test stands there alone, and only where all seeds were audited."""
    add_run("one", 40.0)
    audited = add_noisy(add_run, "one", 30.0, 0.2)
    write_json(audited / "evaluations/test-selected/metrics.json", {"r1": 35.5, "map": 1.0})
    add_noisy(add_run, "two", 28.0, 0.2)
    write_json(
        add_noisy(add_run, "two", 26.0, 0.2, seed=1) / "evaluations/test-selected/metrics.json",
        {"r1": 36.5},
    )
    pages = build()
    page = pages["protocol"]
    [without, with_noise] = rows_of(page, "ONE")
    assert with_noise[1:5] == ["20 %", "30.00", "29.00", "35.50"]
    assert without[5] == ""
    [[*_, by_test, lost, seeds]] = rows_of(page, "TWO")
    assert (by_test, lost, seeds) == (ABSENT, ABSENT, "2")
    assert page.source.count("by noise</title>") == 2
    assert "35.50" not in pages["one"].text
    assert "#noise-demo-paperdolls" in " ".join(page.attributes("href"))
    assert 'id="noise-demo-paperdolls"' in pages["one"].source


def test_without_noise_the_protocol_says_so(
    add_run: Callable[..., Path], build: Callable[[], dict[str, Any]]
) -> None:
    """There is no section on a method's page either."""
    add_run("one", 40.0)
    pages = build()
    assert "No run in these results was trained with wrong pairs." in pages["protocol"].text
    assert "Under noise" not in pages["one"].text


def test_index_files_have_a_curve_of_their_own(
    add_run: Callable[..., Path], build: Callable[[], dict[str, Any]], results: Path
) -> None:
    """Their pairs are others than those that seeds draw; what a file is called is only text."""
    add_run("one", 40.0)
    add_noisy(add_run, "one", 30.0, 0.2)
    of_file = {"file": HOSTILE, "digest": "ab" * 16, "count": 100}
    add_noisy(add_run, "one", 31.0, 0.19998, noise=of_file, label="noise script abababab")
    [ground] = load_grounds(results)
    drawn, listed = find_robustness(ground, "one")
    assert [level.rate for level in drawn.levels] == [0, 0.2]
    assert [level.rate for level in listed.levels] == [0, 0.19998]
    page = build()["one"]
    _, row = rows_of(page, "full, index files")
    assert row[1] == f"20 %, {HOSTILE}"
    assert "<script>alert" not in page.source


@pytest.mark.parametrize("told", [{"rate": None}, {"rate": "x"}, {"rate": 1e300}, {"rate": -1}])
def test_records_that_tell_nonsense_break_no_page(
    add_run: Callable[..., Path], build: Callable[[], dict[str, Any]], told: dict[str, Any]
) -> None:
    """Bundles of others hold anything."""
    add_run("one", 40.0)
    add_run("one", 30.0, variant="full (noise 0.2)", noise=told)
    assert build()["one"]


def test_noise_of_no_share_is_not_none(add_run: Callable[..., Path], results: Path) -> None:
    """What was lost to noise is counted from the runs without any."""
    add_run("one", 40.0)
    add_noisy(add_run, "one", 10.0, 0.0, label="noise file")
    add_noisy(add_run, "one", 30.0, 0.2)
    (ground,) = load_grounds(results)
    (found,) = find_robustness(ground, "one")
    assert [level.rate for level in found.levels] == [0, 0.2]
    assert found.clean is not None
    assert found.clean.entry == ("one", "full")


def test_a_run_that_failed_under_noise_leaves_a_row(
    add_run: Callable[..., Path], build: Callable[[], dict[str, Any]]
) -> None:
    """Without figures, and without a point on a curve."""
    add_run("one", 40.0)
    error = {"kind": "NonFiniteLoss", "message": "nan", "traceback": ""}
    add_run(
        "one", variant="full (noise 0.8)", noise={"rate": 0.8}, status="error", error=error,
        history=False,
    )  # fmt: skip
    _, row = rows_of(build()["one"], "full")[-2:]
    assert row[1:4] == ["80 %", ABSENT, ABSENT]
    assert row[-1] == "0"


def test_printed_figures_stand_beside_the_same_noise_alone(
    add_run: Callable[..., Path], build: Callable[[], dict[str, Any]]
) -> None:
    """RDE's at 20 and 50 %: by what chose the epoch, and of the row of Table 2 at 50 %."""
    paper = {"dataset": "cuhk-pedes", "scale": "paper"}
    add_run("rde", 76.0, **paper)
    add_noisy(add_run, "rde", 74.0, 0.2, **paper)
    add_noisy(add_run, "rde", 71.0, 0.5, **paper)
    add_noisy(add_run, "rde", 60.0, 0.4, **paper)
    trl = (("Table 2", "TRL", 1),)
    add_noisy(add_run, "rde", 7.0, 0.5, base="TRL", tables=trl, changes={"loss": "trl"}, **paper)
    page = build()["rde"]
    none, little, some, much = rows_of(page, "full")[-4:]
    assert "RDE prints" not in "".join(none + some)
    assert "RDE prints 74.46" in little[2]
    assert "RDE prints 74.53" in little[3]
    assert "RDE prints 71.33" in much[2]
    assert "RDE prints 71.25" in much[3]
    [row] = rows_of(page, "TRL")[-1:]
    assert "RDE prints 6.40" in row[2]
    assert "prints" not in row[3]


def test_printed_figures_of_another_scale_or_dataset_stand_nowhere(
    add_run: Callable[..., Path], build: Callable[[], dict[str, Any]]
) -> None:
    """A drawing is no benchmark."""
    add_run("rde", 40.0)
    add_noisy(add_run, "rde", 30.0, 0.2)
    add_noisy(add_run, "rde", 30.0, 0.2, dataset="cuhk-pedes")
    assert "RDE prints" not in build()["rde"].text


def test_what_rde_prints_under_noise_is_no_claim_without_it() -> None:
    """Its tables under noise are apart from those that other pages read."""
    paper = load_papers()["rde"]
    assert not any(table.noise for table in paper.tables)
    assert {(str(table.noise), table.epoch) for table in paper.noisy} == {
        (rate, epoch) for rate in ("0.2", "0.5", "0.8") for epoch in ("selected", "last")
    }
