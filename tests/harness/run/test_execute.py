import json
from pathlib import Path
from typing import Any

import pytest
import torch

from harness import plan, registry, results
from harness.data.catalogue import find_declaration, locate
from harness.data.digest import Digest, digest_path, read_digest
from harness.results import RunRecord
from harness.run.determinism import repeats_bits
from harness.run.execute import execute
from harness.run.options import Options


def run(
    dolls: Path, plugin: Path, folder: Path, name: str = "toy", **options: Any
) -> tuple[RunRecord, Path]:
    """Plan and execute one run in this process."""
    suite = plan.Suite("demo", "Demo", "tiny", (0,), ())
    choices = plan.choose([name], registry.list_methods([plugin]), "tiny", False)
    (spec,) = plan.plan(suite, [locate(find_declaration(str(dolls)))], choices, (0,), {})
    record = execute(spec, Options(folder, "cpu", **options), lambda update: None)
    assert spec.is_complete(folder) is (record.status == "ok")
    return record, spec.path(folder)


def digest_beside(record: RunRecord, folder: Path) -> Digest | None:
    """Return what a results folder tells of the dataset of a run."""
    fingerprint = record.data["fingerprint"]
    return read_digest(digest_path(folder, record.suite, record.dataset, fingerprint))


def test_a_run_leaves_everything_that_was_promised(
    small_dolls: Path, toy: Path, tmp_path: Path
) -> None:
    """Record, history, evaluations and selected weights are there and agree."""
    record, path = run(small_dolls, toy, tmp_path / "results")
    assert record.status == "ok"
    assert record.parameters == 8 * 4 + 8 * 129
    assert record.data["counts"]["test"] == {"identities": 8, "images": 32, "captions": 64}
    (stored,) = results.load_runs(tmp_path / "results")
    assert len(stored.history()) == 2
    assert set(stored.evaluations()) == {"text-to-image", "image-to-text", "last-epoch"}
    assert stored.evaluations()["text-to-image"] == record.metrics
    assert [file.name for file in (path / "weights").iterdir()] == ["selected.pt"]


def test_queries_tell_every_figure(small_dolls: Path, toy: Path, tmp_path: Path) -> None:
    """From the stored ranks of the positives every metric can be computed again."""
    record, _ = run(small_dolls, toy, tmp_path / "results")
    (stored,) = results.load_runs(tmp_path / "results")
    queries = stored.queries()
    assert len(queries) == 64
    precision = []
    for query in queries:
        ranks = query["hit_ranks"]
        assert query["first_hit"] == ranks[0]
        assert query["inverse_negative_penalty"] == pytest.approx(len(ranks) / ranks[-1])
        precision.append(sum((n + 1) / rank for n, rank in enumerate(ranks)) / len(ranks))
        assert len(query["top_rows"]) == len(query["top_scores"]) == 10
    assert 100 * sum(precision) / len(precision) == pytest.approx(record.metrics["map"])
    first = [query["first_hit"] == 1 for query in queries]
    assert 100 * sum(first) / len(first) == pytest.approx(record.metrics["r1"])


def test_the_same_run_gives_the_same_bits(small_dolls: Path, toy: Path, tmp_path: Path) -> None:
    """Run twice, every query has the same ranks and scores; the pixel cache changes nothing."""
    run(small_dolls, toy, tmp_path / "one")
    run(small_dolls, toy, tmp_path / "two", pixel_cache=False)
    (one,), (two,) = results.load_runs(tmp_path / "one"), results.load_runs(tmp_path / "two")
    for evaluation in one.evaluations():
        assert one.queries(evaluation) == two.queries(evaluation)


LACKS = """
        if not torch.is_deterministic_algorithms_warn_only_enabled():
            with open({file!r}, "a") as tries:
                tries.write(str(run.step))
            raise RuntimeError(
                "max_backward_cuda does not have a deterministic implementation, but you set it."
            )
"""


def test_what_cannot_repeat_its_bits_runs_all_the_same(
    small_dolls: Path, toy: Path, toy_source: str, tmp_path: Path, caplog: Any
) -> None:
    """An operation without such an algorithm ends the first try; the second one goes without, and
    on CUDA the record would say so. Everything else is strict."""
    run(small_dolls, toy, tmp_path / "strict")
    assert repeats_bits(torch.device("cuda"))
    assert not torch.utils.deterministic.fill_uninitialized_memory
    assert not caplog.messages
    at = "        images = normalize("
    lacking = LACKS.format(file=str(tmp_path / "tries")).lstrip("\n")
    toy.write_text(toy_source.replace(at, lacking + at, 1), encoding="utf-8")
    record, _ = run(small_dolls, toy, tmp_path / "results")
    assert record.status == "ok"
    assert (tmp_path / "tries").read_text(encoding="utf-8") == "0"
    assert not repeats_bits(torch.device("cuda"))
    assert "max_backward_cuda" in caplog.messages[0]
    assert record.environment["deterministic"]  # on the CPU all of it is


@pytest.mark.parametrize(
    ("keep", "files"),
    [("none", []), ("selected", ["selected.pt"]), ("all", ["last.pt", "selected.pt"])],
)
def test_weights_are_kept_as_asked(
    small_dolls: Path, toy: Path, tmp_path: Path, keep: str, files: list[str]
) -> None:
    """--keep decides which weights stay; what stays loads without executing code."""
    _, path = run(small_dolls, toy, tmp_path / "results", keep=keep)
    found = sorted((path / "weights").glob("*"))
    assert [file.name for file in found] == files
    for file in found:
        assert "images.weight" in torch.load(file, weights_only=True)


@pytest.mark.parametrize(
    ("old", "new", "kind", "message"),
    [
        ('return {"itc"', 'raise RuntimeError("boom")\n        return {"itc"',
         "RuntimeError", "boom"),
        ("return self.texts(letters)", "return self.texts(letters) * float('nan')",
         "NonFiniteLoss", "loss 'itc' is nan at stage 1, epoch 1, step 1"),
        ("return self.texts(letters)",
         "return self.texts(letters) * (1 if self.training else float('nan'))",
         "ValueError", "query_features row 0 holds NaN"),
        ("return self.texts(letters)",
         "return self.texts(letters) if self.training else self.texts(letters)[0]",
         "ValueError", "Toy.encode_texts must return (48, D) for 48 items, got (8,)"),
        ('return {"itc"', 'return {}\n        return {"itc"', "ValueError", "returned no loss"),
    ],
)  # fmt: skip
def test_a_failing_method_is_a_record(
    small_dolls: Path,
    toy: Path,
    toy_source: str,
    tmp_path: Path,
    old: str,
    new: str,
    kind: str,
    message: str,
) -> None:
    """Whatever a method does wrong ends as an error with its kind, message and traceback."""
    assert old in toy_source
    toy.write_text(toy_source.replace(old, new), encoding="utf-8")
    record, path = run(small_dolls, toy, tmp_path / "results")
    assert record.status == "error"
    assert record.error is not None
    assert record.error["kind"] == kind
    assert message in record.error["message"]
    assert "toy.py" in record.error["traceback"] or kind in ("ValueError", "NonFiniteLoss")
    assert json.loads((path / "run.json").read_text(encoding="utf-8"))["status"] == "error"
    assert not (path / "weights").exists()
    assert digest_beside(record, tmp_path / "results")


def test_a_run_leaves_what_may_be_told_of_its_dataset(
    small_dolls: Path, toy: Path, tmp_path: Path
) -> None:
    """Counts as in the record, and a row for each query and image that the evaluation names."""
    record, _ = run(small_dolls, toy, tmp_path / "results")
    digest = digest_beside(record, tmp_path / "results")
    assert digest is not None
    assert digest.about["counts"] == record.data["counts"]
    (stored,) = results.load_runs(tmp_path / "results")
    queries = stored.queries()
    assert [query["person_id"] for query in queries] == digest.person_of_caption.tolist()
    for query in queries:
        hits = digest.person_of_image[query["top_rows"]] == query["person_id"]
        ranks = [rank for rank in query["hit_ranks"] if rank <= 10]
        assert (hits.nonzero()[0] + 1).tolist() == ranks


def test_a_method_is_not_trained_without_stages(
    small_dolls: Path, toy: Path, toy_source: str, tmp_path: Path
) -> None:
    """Zero-shot: one evaluation a direction, no history, no weights."""
    text = toy_source.replace("(Stage(epochs=2, learning_rate=0.01, batch_size=16),)", "()")
    toy.write_text(text, encoding="utf-8")
    record, path = run(small_dolls, toy, tmp_path / "results")
    assert record.status == "ok"
    assert record.selected_epoch is None
    assert not (path / "history.parquet").exists()
    assert {item.name for item in (path / "evaluations").iterdir()} == {
        "text-to-image", "image-to-text",
    }  # fmt: skip


def test_a_broken_image_fails_the_run_with_its_name(
    small_dolls: Path, toy: Path, tmp_path: Path
) -> None:
    """The record says which image of which split cannot be read."""
    import pyarrow.parquet

    folder = tmp_path / "dolls"
    folder.mkdir()
    for split in ("train", "val", "test"):
        rows = pyarrow.parquet.read_table(small_dolls / f"{split}.parquet").to_pylist()
        if split == "test":
            rows[3]["image"]["bytes"] = rows[3]["image"]["bytes"][:50]
        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), folder / f"{split}.parquet")
    record, _ = run(folder, toy, tmp_path / "results")
    assert record.error is not None
    assert record.error["kind"] == "HarnessError"
    assert "Split test, image 'test-0000-3' cannot be decoded" in record.error["message"]
    assert digest_beside(record, tmp_path / "results")
