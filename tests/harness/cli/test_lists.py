from __future__ import annotations

from pathlib import Path

import pytest

from harness.cli.display.lists import show_runs
from harness.files import write_json
from harness.results import RunRecord, StoredRun


@pytest.mark.parametrize(
    ("origin", "told"),
    [(None, ""), ({"by": "A lab"}, "A lab"), ({"by": ""}, "nobody named"), ({}, "nobody named")],
)
def test_who_submitted_a_run_is_told(
    origin: dict[str, str] | None, told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """By name, or that nobody is named; a run that was made here has neither."""
    if origin is not None:
        write_json(tmp_path / "origin.json", origin)
    record = RunRecord("ok", "key", "demo", "dolls", "one", "full", 0, "tiny", "One")
    show_runs([StoredRun(record, tmp_path)], {tmp_path: ""}, as_json=False)
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1].split("0", 1)[-1].rstrip().endswith(told or "0")
    assert ("submitted by" in " ".join(lines)) == (origin is not None)
