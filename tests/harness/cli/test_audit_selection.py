"""`harness run --audit-selection` as a user meets it."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from harness import registry
from harness.cli.planning import plan_runs

Call = Callable[..., subprocess.CompletedProcess[str]]


def test_what_is_finished_is_told_and_what_is_forced_is_shown(
    harness: Call, small_dolls: Path, toy: Path
) -> None:
    """Asked for too late it is said what to do; trained again, the inflation is in a table."""
    run = ("run", "toy", "--plugins", toy, "--dataset", small_dolls, "--seeds", "0", "--no-report")
    assert "never ranked" not in harness(*run).stdout
    late = harness(*run, "--audit-selection")
    assert late.returncode == 0
    said = " ".join(late.stderr.split())
    assert "0 to do" in said
    assert "Made without --audit-selection, and not trained again for it: 1 of these runs" in said
    assert "(toy)" in said
    assert "--force trains them again" in said
    assert "never ranked" not in late.stdout
    assert "complete, not audited" in harness(*run, "--audit-selection", "--dry-run").stdout
    forced = harness(*run, "--audit-selection", "--force")
    assert "Made without" not in forced.stderr
    assert "an audit, never ranked" in forced.stdout
    [row] = [line for line in forced.stdout.splitlines() if line.startswith("small-dolls toy")]
    assert row.split()[-3] in ("1", "2")  # the epoch that val chose
    assert "complete, not audited" not in harness(*run, "--audit-selection", "--dry-run").stdout


def test_a_plan_tells_of_audits(harness: Call, small_dolls: Path, glance: Path) -> None:
    """What is to be trained costs an encoding an epoch, what does not train is not asked."""
    run = ("run", "--plugins", glance, "--dataset", small_dolls, "--seeds", "0,1", "--no-report")
    plan = (*run, "--audit-selection", "--dry-run")
    costs = "To audit: 2 of these runs, each with test encoded once an epoch."
    without = "Not audited, since nothing of it is trained: blank."

    def told(*names: str) -> str:
        done = harness(*plan, *names)
        assert done.stdout.count("to do, audited") == 2 * ("glance" in names)
        return " ".join(done.stderr.split())

    both = told("blank", "glance")
    assert f"{costs} {without}" in both
    assert costs in (alone := told("glance"))
    assert "Not audited" not in alone
    assert without in (alone := told("blank"))
    assert "To audit" not in alone
    unasked = harness(*run, "--dry-run", "blank", "glance")
    assert "audit" not in unasked.stdout + unasked.stderr


def test_the_help_says_what_it_is_for(harness: Call) -> None:
    """What it costs, that nothing is ranked by it, and what it cannot do."""
    told = " ".join(harness("run", "--help").stdout.replace("│", " ").split())
    assert "--audit-selection" in told
    for words in ("never ranked", "Costs an encoding of test an epoch", "--force", "suite"):
        assert words in told


@pytest.mark.parametrize(
    ("written", "asked", "is_audited"),
    [
        ("", None, False),
        ("", True, True),
        ("audit_selection: true", None, True),
        ("audit_selection: true", False, False),
        ("audit_selection: false", None, False),
    ],
)
def test_a_suite_may_ask_and_an_option_decides(
    toy: Path, small_dolls: Path, tmp_path: Path, written: str, asked: bool | None, is_audited: bool
) -> None:
    """Keys and labels do not depend on it; the command of the record repeats it."""
    file = tmp_path / "mine.yaml"
    file.write_text(
        f"scale: tiny\nseeds: [0]\ndatasets: [{{name: d, folder: {small_dolls}}}]\n{written}\n",
        encoding="utf-8",
    )
    found = [
        plan_runs(
            ["toy"], registry.list_methods([toy]), str(file), plugins=[toy], is_audited=choice
        )[0]
        for choice in (asked, not is_audited)
    ]
    assert [spec.is_audited for spec in found] == [is_audited, not is_audited]
    assert found[0].key == found[1].key
    assert found[0].variant == found[1].variant == "full"
    commands = [spec.record().command.endswith(" --audit-selection") for spec in found]
    assert commands == [is_audited, not is_audited]
