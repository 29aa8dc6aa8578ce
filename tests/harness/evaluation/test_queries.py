"""Query transforms: registered, cached, and asked of trained runs."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from harness import registry, results
from harness.data.catalogue import find_declaration, locate
from harness.data.loading import load_split
from harness.data.schema import Split
from harness.errors import HarnessError
from harness.evaluation.queries import transform_queries
from harness.registry import importing

Call = Callable[..., Any]


@pytest.fixture
def transforms(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """What is registered, to be added to."""
    registry.load_queries("masked-nouns")
    found = dict(importing.QUERIES)
    monkeypatch.setattr(importing, "QUERIES", found)
    return found


def test_a_transform_is_made_once_for_data_and_scale(
    small_dolls: Path, transforms: dict[str, Any]
) -> None:
    """Asked again it comes from the cache; for another split or scale it is made anew."""
    located = locate(find_declaration(str(small_dolls)))
    asked = []

    def loud(split: Split, scale: str) -> list[str]:
        asked.append((split.name, scale))
        return [caption.upper() for caption in split.captions]

    transforms["loud"] = loud
    test, val = load_split(located, "test"), load_split(located, "val")
    for _ in range(2):
        found = transform_queries("loud", test, located, "tiny")
        assert found.captions == tuple(caption.upper() for caption in test.captions)
        assert found.image_ids == test.image_ids
    transform_queries("loud", val, located, "tiny")
    transform_queries("loud", test, located, "paper")
    assert asked == [("test", "tiny"), ("val", "tiny"), ("test", "paper")]


def test_a_spoilt_cache_file_is_made_again(
    small_dolls: Path, transforms: dict[str, Any], cache: Path
) -> None:
    """A file that is no JSON is as good as none."""
    located = locate(find_declaration(str(small_dolls)))
    test = load_split(located, "test")
    transforms["quiet"] = lambda split, scale: [caption.lower() for caption in split.captions]
    before = set(cache.glob("queries/*.json"))
    transform_queries("quiet", test, located, "tiny")
    (file,) = set(cache.glob("queries/*.json")) - before
    file.write_text("[", encoding="utf-8")
    assert transform_queries("quiet", test, located, "tiny").captions[0].islower()


def test_another_number_of_captions_is_refused(
    small_dolls: Path, transforms: dict[str, Any]
) -> None:
    """The message says how many there have to be."""
    located = locate(find_declaration(str(small_dolls)))
    transforms["short"] = lambda split, scale: ["a man"]
    with pytest.raises(ValueError, match="short has to make 64 captions of as many, got 1"):
        transform_queries("short", load_split(located, "test"), located, "tiny")


def test_an_unknown_transform_is_refused() -> None:
    """With what was meant and what there is."""
    with pytest.raises(HarnessError, match=r"no query transform 'masked-noun'.* 'masked-nouns'"):
        registry.load_queries("masked-noun")


def test_trained_runs_are_asked_without_training(
    harness: Call, small_dolls: Path, toy: Path, tmp_path: Path
) -> None:
    """`--queries` adds an evaluation to a finished run, once; its record and ranking stay."""

    def call(*options: Any) -> Any:
        return harness(
            "run", "toy", "--plugins", toy, "--dataset", small_dolls, "--seeds", "0",
            "--results", tmp_path / "results", "--no-report", *options,
        )  # fmt: skip

    assert call().returncode == 0
    (run,) = results.load_runs(tmp_path / "results")
    names = ("run.json", "history.parquet", "evaluations/text-to-image/queries.parquet")
    before = {name: (run.path / name).read_bytes() for name in names}
    done = call("--queries", "masked-nouns")
    assert done.returncode == 0, done.stderr
    assert {name: (run.path / name).read_bytes() for name in names} == before
    (record,) = run.further_evaluations().values()
    assert (record.queries, record.rerank, record.error) == ("masked-nouns", "", None)
    assert record.command.endswith("--queries masked-nouns")
    assert len(run.queries("masked-nouns")) == len(run.queries())
    assert run.queries("masked-nouns") != run.queries()
    assert "masked-nouns" in done.stdout
    again = call("--queries", "masked-nouns")
    assert "1 complete" in again.stderr
    refused = call("--queries", "no-nouns")
    assert refused.returncode != 0
    assert "no query transform 'no-nouns'" in refused.stderr


def test_a_method_that_rescores_is_asked_as_it_is_ranked(
    harness: Call, small_dolls: Path, tmp_path: Path, toy_source: str, toy: Path
) -> None:
    """Its candidates are looked at again with the changed captions."""
    seen = tmp_path / "seen.json"
    rescoring = f"""
    def rescore(self, texts, images, image_of_text):
        import json, pathlib
        file = pathlib.Path({str(seen)!r})
        count = json.loads(file.read_text()) if file.is_file() else 0
        file.write_text(json.dumps(count + len(texts.embedding)))
        return (texts.tokens[:, 0] * images.tokens[image_of_text, 0]).sum(dim=1)
"""
    source = toy_source.replace("return self.images(", "return _both(self.images(", 1)
    source = source.replace("/ 255)", "/ 255))", 1).replace(
        "return self.texts(letters)", "return _both(self.texts(letters))"
    )
    source = source.replace("batch.images), dim", "batch.images).embedding, dim").replace(
        "batch.captions), dim", "batch.captions).embedding, dim"
    )
    source = source.replace("batch_size=16),), 1)", "batch_size=16),), 1, candidates=5)")
    head = (
        "from harness.method import Encoded\n\n\ndef _both(x):\n    return Encoded(x, x[:, None])\n"
    )
    toy.write_text(head + source + rescoring, encoding="utf-8")
    done = harness(
        "run", "toy", "--plugins", toy, "--dataset", small_dolls, "--seeds", "0",
        "--results", tmp_path / "results", "--no-report", "--queries", "masked-nouns",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert json.loads(seen.read_text()) % (64 * 5) == 0
    assert json.loads(seen.read_text()) >= 2 * 64 * 5
