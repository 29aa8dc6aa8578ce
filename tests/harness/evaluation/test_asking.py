"""`--queries` with groups and protocols, through the command line and what reads results."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness import registry, results
from harness.data.catalogue import find_declaration, locate
from harness.errors import HarnessError
from harness.results.protocols import every_protocol, protocol_of, write_protocol
from harness.verification import verify

Call = Callable[..., Any]
WITNESS = "witness:policy=gain,round=2,unknown=0.1,wrong=0.05"


def test_runs_are_asked_in_every_way_and_verified(
    harness: Call, small_dolls: Path, toy: Path, tmp_path: Path
) -> None:
    """Each is an evaluation like others, whose figures follow from its ranks, and is kept."""

    asked = ("words", "several:fusion=text", WITNESS, "witness:round=0")
    done = harness(
        "run", "toy", "--plugins", toy, "--dataset", small_dolls, "--seeds", "0",
        "--results", tmp_path / "results", "--no-report",
        *(text for name in asked for text in ("--queries", name)),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (run,) = results.load_runs(tmp_path / "results")
    found = {one.queries: one for one in run.further_evaluations().values()}
    start = "witness:policy=random,round=0,unknown=0,wrong=0"
    several = {f"several:people={count},fusion=text" for count in (2, 3)}
    words = {"german", "synonyms", "typos", "word-order", "wrong-attribute"}
    assert found.keys() == {*words, *several, WITNESS, start}
    assert {one.error for one in found.values()} == {None}
    assert {found[name].unchanged for name in (*words, *several, start)} == {0}
    assert 0 < found[WITNESS].unchanged < 64
    assert f"--queries {WITNESS}" in found[WITNESS].command
    names = {one.queries: name for name, one in run.further_evaluations().items()}
    for name in names.values():
        queries = run.queries(name)
        hits = np.array([query["hit_ranks"][0] for query in queries])
        assert run.evaluations()[name]["r1"] == pytest.approx(100 * (hits == 1).mean())
        assert len(queries) == len(run.queries())

    located = locate(find_declaration(str(small_dolls)))
    listings = registry.list_methods([toy])
    assert not verify(tmp_path / "results", listings, [located]).findings
    file = run.path / "evaluations" / names[WITNESS] / "evaluation.json"
    record = json.loads(file.read_text(encoding="utf-8"))
    file.write_text(json.dumps({**record, "unchanged": 65}), encoding="utf-8")
    told = [str(one) for one in verify(tmp_path / "results", listings, [located]).findings]
    assert any("says that 65 of 64 queries are unchanged" in one for one in told)


@pytest.mark.parametrize(
    "name",
    [
        "several:people=2,fusion=text", WITNESS, "witness:policy=greedy,round=5,unknown=1,wrong=0",
    ],
)  # fmt: skip
def test_a_whole_name_is_found_again(name: str) -> None:
    """Whoever reads a record knows what was asked."""
    found = protocol_of(name)
    assert found is not None
    assert write_protocol(found) == name
    assert every_protocol(name) == [found]


@pytest.mark.parametrize(
    "name",
    [
        "", "typos", "several", "witness", "witness:round=9", "witness:wrong=nan",
        "several:fusion=text,people=2", "witness:policy=gain,round=0,unknown=0,wrong=0",
        "<script>", "witness:" + "x" * 9999,
    ],
)  # fmt: skip
def test_any_other_text_is_no_protocol(name: str) -> None:
    """A record may say anything; it is never an error."""
    assert protocol_of(name) is None


def test_a_bare_witness_is_all_rounds_of_all_policies_once() -> None:
    """The first sentence is one for all of them, whatever the rates."""
    names = [write_protocol(one) for one in every_protocol("witness:wrong=0.3")]
    assert len(names) == len(set(names)) == 16
    assert "witness:policy=random,round=0,unknown=0,wrong=0" in names
    assert "witness:policy=greedy,round=5,unknown=0.1,wrong=0.3" in names
    with pytest.raises(HarnessError, match="wrong must be a number from 0 to 1; got '2'"):
        every_protocol("witness:wrong=2")
    with pytest.raises(HarnessError, match="no setting of witness 'rounds'"):
        every_protocol("witness:rounds=2")


def test_who_does_not_know_the_people_cannot_witness(
    harness: Call, small_dolls: Path, toy: Path, tmp_path: Path
) -> None:
    """The evaluation is recorded with its reason, and the run stays."""
    import shutil

    folder = tmp_path / "photos"
    shutil.copytree(small_dolls, folder)
    (folder / "people.json").unlink()
    done = harness(
        "run", "toy", "--plugins", toy, "--dataset", folder, "--seeds", "0",
        "--results", tmp_path / "results", "--no-report", "--queries", WITNESS,
    )  # fmt: skip
    assert done.returncode == 1
    assert "is no dataset of drawn people" in done.stdout + done.stderr
    (run,) = results.load_runs(tmp_path / "results")
    assert run.record.status == "ok"
