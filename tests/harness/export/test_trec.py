"""`harness export --format trec`: other tools give our figures; too much is refused."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ir_measures
import numpy as np
import pytest
import pytrec_eval
from ir_measures import AP, Success

from harness.results import load_runs

from ...command_line import CommandLine
from ...made_once import Make

Call = Callable[..., Any]

RUNS = ["blank.full.seed-0.txt", "glance.full.seed-1.txt", "glance-twice.full.seed-0.txt"]


@pytest.fixture(scope="session")
def trec(
    once: Make, harness_in: Callable[[Path], CommandLine], made_results: Path, glance: Path
) -> Path:
    """The folder of qrels and run files of all runs."""

    def fill(folder: Path) -> None:
        call = "export", "--format", "trec", "--results", made_results, "--plugins", glance
        done = harness_in(folder.parent)(*call, "--out", folder)
        assert done.returncode == 0, done.stderr
        assert "rank a right image elsewhere" not in done.stderr

    return once("trec", fill) / "small-dolls"


def ours(results: Path, file: str) -> dict[str, float]:
    """Return the figures of the run that a file is of."""
    method, variant, seed, _ = file.split(".")
    [run] = [
        run.record
        for run in load_runs(results)
        if (run.record.method, run.record.variant, f"seed-{run.record.seed}")
        == (method, variant, seed)
    ]
    return dict(run.metrics)


@pytest.mark.parametrize("file", RUNS)
def test_pytrec_eval_gives_our_figures(trec: Path, made_results: Path, file: str) -> None:
    """Rank-k is its success at k, mAP its map: of ties alone, of cosines, and of second looks."""
    with (trec / "qrels.txt").open() as told:
        qrels = pytrec_eval.parse_qrel(told)
    with (trec / file).open() as told:
        ranking = pytrec_eval.parse_run(told)
    measures = {"map", "success_1", "success_5", "success_10"}
    found = pytrec_eval.RelevanceEvaluator(qrels, measures).evaluate(ranking)
    figures = ours(made_results, file)
    for name, metric in (("success_1", "r1"), ("success_5", "r5"), ("success_10", "r10")):
        theirs = 100 * np.mean([query[name] for query in found.values()])
        assert theirs == pytest.approx(figures[metric], abs=1e-6)
    theirs = 100 * np.mean([query["map"] for query in found.values()])
    assert theirs == pytest.approx(figures["map"], abs=1e-6)


@pytest.mark.parametrize("file", RUNS)
def test_ir_measures_gives_our_figures(trec: Path, made_results: Path, file: str) -> None:
    """Whatever it is computed by there."""
    qrels = list(ir_measures.read_trec_qrels(str(trec / "qrels.txt")))
    ranking = list(ir_measures.read_trec_run(str(trec / file)))
    found = ir_measures.calc_aggregate([AP, Success @ 1, Success @ 5, Success @ 10], qrels, ranking)
    figures = ours(made_results, file)
    for measure, metric in ((AP, "map"), (Success @ 1, "r1"), (Success @ 5, "r5")):
        assert 100 * found[measure] == pytest.approx(figures[metric], abs=1e-6)


@pytest.mark.parametrize("file", RUNS)
def test_scores_keep_the_order_in_single_precision(
    trec: Path, made_results: Path, file: str
) -> None:
    """No tie is left to a tool; the first rows are those that the run has stored."""
    lines = [line.split(" ") for line in (trec / file).read_text(encoding="ascii").splitlines()]
    queries = 8 * 4 * 2  # people, images, captions
    assert len(lines) == queries * 32
    scores = np.float32([line[4] for line in lines]).reshape(queries, 32)
    assert (np.diff(scores, axis=1) < 0).all()
    assert [line[3] for line in lines[:32]] == [str(rank) for rank in range(1, 33)]
    assert {len(line) for line in lines} == {6}


def test_second_looks_change_the_ranking(trec: Path) -> None:
    """The method that re-scores is exported as it is ranked, not as its embeddings are."""
    first, twice = (
        [line.split()[2] for line in (trec / file).read_text().splitlines()]
        for file in ("glance.full.seed-0.txt", "glance-twice.full.seed-0.txt")
    )
    assert sorted(first) == sorted(twice)
    assert first != twice


def test_a_cut_ranking_is_told(harness: Call, made_results: Path, tmp_path: Path) -> None:
    """Each query has so many lines, and it is said that AP is lower."""
    call = "export", "blank", "--format", "trec", "--results", made_results, "--seeds", "0"
    done = harness(*call, "--out", tmp_path / "cut", "--depth", "3")
    assert done.returncode == 0, done.stderr
    assert "AP and INP over these files are lower" in done.stderr
    text = (tmp_path / "cut/small-dolls/blank.full.seed-0.txt").read_text(encoding="ascii")
    assert len(text.splitlines()) == 64 * 3


def test_icfg_in_full_is_refused_before_anything_is_read(
    harness: Call, own_results: Path, tmp_path: Path
) -> None:
    """By its counts alone: 19,848 queries of 19,848 images are 394 million lines."""
    shutil.rmtree(next(own_results.glob("demo/*/dataset-*")))
    for file in own_results.glob("demo/*/*/full/seed-*/run.json"):
        values = json.loads(file.read_text(encoding="utf-8"))
        values["data"]["counts"]["test"] |= {"images": 19_848, "captions": 19_848}
        file.write_text(json.dumps(values), encoding="utf-8")
        shutil.rmtree(file.parent / "embeddings")
    call = "export", "glance", "--seeds", "0", "--format", "trec", "--results", own_results
    done = harness(*call, "--out", tmp_path / "trec")
    assert done.returncode == 2
    told = " ".join(done.stderr.split())
    assert "393,943,104 lines" in told
    assert int(re.findall(r"about (\d+) GB", told)[0]) in range(15, 40)
    assert "--depth 1000 writes the first 1000 places" in told
    assert not (tmp_path / "trec").exists()


def test_lost_embeddings_and_methods_are_told(
    harness: Call, own_results: Path, tmp_path: Path
) -> None:
    """What it takes is said; half a file is not left."""
    for folder in own_results.glob("demo/*/blank/full/seed-0/embeddings"):
        shutil.rmtree(folder)
    call = "export", "--format", "trec", "--results", own_results, "--out", tmp_path / "trec"
    done = harness(*call, "--seeds", "0", "blank")
    assert done.returncode == 2
    assert "keeps no embeddings" in done.stderr
    done = harness(*call, "--seeds", "0", "glance-twice")
    assert done.returncode == 2
    assert "There is no method 'glance-twice'" in done.stderr
    assert {file.name for file in tmp_path.rglob("trec/**/*.txt")} == {"qrels.txt"}


def test_odd_ids_become_tokens() -> None:
    """Ids with spaces and letters of any script stay apart and have no spaces."""
    from harness.data.schema import Split
    from harness.export.trec import document_ids, qrels_lines

    ids = ("a b.jpg", "a%20b.jpg", "街/1.png", "", "tab\t1")
    split = Split(
        "test", lambda row: b"", ids, ("x", "y"), np.array([0, 4]), np.array([1, 1, 2, 2, 3])
    )
    tokens = document_ids(split)
    assert len(set(tokens)) == 5
    assert all(token.isascii() and token.split() == [token] for token in tokens)
    assert list(qrels_lines(split)) == [
        "q0 0 a%20b.jpg 1\nq0 0 a%2520b.jpg 1\n",
        "q1 0 tab%091 1\n",
    ]
