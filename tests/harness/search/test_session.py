"""A trained method asked for images of a folder, and of its own test split."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from harness.data.catalogue import find_declaration, locate
from harness.data.loading import load_split
from harness.errors import HarnessError
from harness.results import StoredRun, load_runs
from harness.search.folder import FolderReader
from harness.search.session import Session, open_session
from harness.trained.method import Trained, summary_of
from harness.trained.split import locate_again


def silent(what: str, done: int, total: int) -> None:
    """Show nothing."""


@pytest.fixture
def ask(results: Path, tint: Path) -> Callable[..., Session]:
    """Return a function that opens a session with a method and perhaps a folder."""

    def opened(named: str | None = "tint", folder: Path | None = None) -> Session:
        return open_session(results, named, folder, [tint], silent)

    return opened


@pytest.fixture
def encoded(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return a list that grows by the images of every batch that is encoded."""
    counts: list[int] = []
    encode = FolderReader.encode

    def counting(reader: FolderReader, function: Any, show: Any) -> Any:
        def noted(images: Any) -> Any:
            counts.append(len(images))
            return function(images)

        return encode(reader, noted, show)

    monkeypatch.setattr(FolderReader, "encode", counting)
    return counts


def run_of(results: Path, method: str) -> StoredRun:
    """Return the only run of a method."""
    (run,) = [run for run in load_runs(results) if run.record.method == method]
    return run


def found(session: Session, text: str, top: int = 10) -> list[str]:
    """Return what is found, best first."""
    return [hit.image for hit in session.ask(text, top).hits]


def test_the_stored_weights_answer(ask: Callable[..., Session], photos: Path) -> None:
    """What fits a text best comes first, with its cosine, as far as is asked for."""
    session = ask("tint", photos)
    assert found(session, "a red coat", 1) == ["a.png"]
    assert found(session, "green, all green", 2)[0] == "deep/er/b.jpg"
    hits = session.ask("blue", 10).hits
    assert [hit.rank for hit in hits] == [1, 2, 3, 4]
    assert [hit.image for hit in hits][:2] == ["c.webp", "d.BMP"]
    shade = np.array([10, 30, 240]) / np.linalg.norm([10, 30, 240])
    assert hits[0].cosine == pytest.approx(shade[2], abs=0.01)
    assert sorted((hit.cosine for hit in hits), reverse=True) == [hit.cosine for hit in hits]


@pytest.mark.parametrize("method", ["still", "still-twice"])
def test_the_test_split_is_searched_as_it_was_scored(
    method: str, ask: Callable[..., Session], results: Path, small_dolls: Path
) -> None:
    """Without a folder, a caption finds what the run's evaluation found for it."""
    split = load_split(locate(find_declaration(str(small_dolls))), "test")
    session = ask(method)
    queries = run_of(results, method).queries()
    for query in queries[::5]:
        hits = session.ask(split.captions[query["query_id"]], 10).hits
        assert [hit.row for hit in hits] == query["top_rows"]
        assert [hit.image for hit in hits] == [split.image_ids[row] for row in query["top_rows"]]
    assert session.asked.images == len(split.image_ids)
    assert session.asked.folder is None
    assert session.stale == ""


def test_a_second_look_orders_the_first_candidates(
    ask: Callable[..., Session], photos: Path, paint: Callable[..., Path]
) -> None:
    """The four nearest are in the order of the method's own scores, the others behind them."""
    paint(photos / "z.png", (200, 10, 220))
    once, twice = ask("tint", photos), ask("tint-twice", photos)
    plain, second = found(once, "red"), twice.ask("red", 10).hits
    assert [hit.image for hit in second] == [*plain[:4][::-1], *plain[4:]]
    assert [hit.rescored for hit in second] == [True] * 4 + [False]


def test_only_what_is_new_is_encoded(
    ask: Callable[..., Session], photos: Path, paint: Callable[..., Path], encoded: list[int],
    tmp_path: Path,
) -> None:  # fmt: skip
    """A changed and an added image are encoded alone; moved, copied and removed ones not again."""
    ask("tint", photos)
    assert encoded.pop() == 4
    ask("tint", photos)
    assert encoded == []
    paint(photos / "a.png", (250, 0, 0))
    paint(photos / "new.png", (9, 9, 9))
    ask("tint", photos)
    assert encoded.pop() == 2
    (photos / "c.webp").unlink()
    shutil.copy(photos / "a.png", photos / "copy.png")
    moved = photos.rename(tmp_path / "elsewhere")
    session = ask("tint", moved)
    assert encoded == []
    assert found(session, "red", 2) == ["a.png", "copy.png"]
    assert "c.webp" not in session.gallery.names


def test_other_weights_encode_anew(
    ask: Callable[..., Session], results: Path, photos: Path, encoded: list[int]
) -> None:
    """Embeddings belong to weights: others turn red into green, and find so at once."""
    assert found(ask("tint", photos), "red", 1) == ["a.png"]
    file = run_of(results, "tint").path / "weights" / "selected.pt"
    state = torch.load(file, weights_only=True)
    torch.save({**state, "turn": torch.eye(3)[[1, 0, 2]]}, file)
    assert found(ask("tint", photos), "red", 1) == ["deep/er/b.jpg"]
    assert encoded == [4, 4]


def test_an_interrupted_search_keeps_what_it_encoded(
    ask: Callable[..., Session], photos: Path, paint: Callable[..., Path], encoded: list[int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """Ctrl-C in the second batch: the next search encodes the rest alone."""
    for number in range(100):
        paint(photos / f"n{number}.png", (number, 2 * number, 77))
    encode = Trained.encode_images

    def interrupted(trained: Trained, images: Any) -> Any:
        if len(encoded) == 2:
            raise KeyboardInterrupt
        return encode(trained, images)

    with monkeypatch.context() as patch:
        patch.setattr(Trained, "encode_images", interrupted)
        with pytest.raises(KeyboardInterrupt):
            ask("tint", photos)
    first, lost = encoded
    assert ask("tint", photos).asked.images == first + lost == 104
    assert encoded[2:] == [lost]


def test_broken_images_are_passed_over(ask: Callable[..., Session], photos: Path) -> None:
    """The others are found; what was passed over is told with its reason."""
    (photos / "broken.jpg").write_bytes(b"\xff\xd8\xff nothing more")
    odd = Image.new("RGB", (20, 40))
    odd.save(photos / "odd.jpg", exif=b"Exif\0\0MM\0*\xff\xff\xff\xff")  # Pillow warns of it
    session = ask("tint", photos)
    assert session.asked.images == 5
    ((name, problem),) = session.gallery.passed_over
    assert name == "broken.jpg"
    assert problem


@pytest.mark.parametrize("content", [{}, {"a.txt": b"text"}, {"a.jpg": b"no image"}])
def test_a_folder_without_images_is_refused(
    content: dict[str, bytes], ask: Callable[..., Session], tmp_path: Path
) -> None:
    """Whether it is empty or holds only what is no image."""
    folder = tmp_path / "folder"
    folder.mkdir()
    for name, written in content.items():
        (folder / name).write_bytes(written)
    with pytest.raises(HarnessError, match="no image in it"):
        ask("tint", folder)
    with pytest.raises(HarnessError, match="no such folder"):
        ask("tint", tmp_path / "nowhere")


def test_weights_execute_nothing(
    ask: Callable[..., Session], results: Path, photos: Path, tmp_path: Path
) -> None:
    """A file of weights that would run code is refused, as is one that is damaged."""
    file = run_of(results, "tint").path / "weights" / "selected.pt"

    class Harmful:
        def __reduce__(self) -> Any:
            return Path.touch, (tmp_path / "harmed",)

    torch.save({"turn": Harmful()}, file)
    with pytest.raises(HarnessError, match="cannot be read"):
        ask("tint", photos)
    assert not (tmp_path / "harmed").exists()
    file.write_bytes(file.read_bytes()[:100])
    with pytest.raises(HarnessError, match=r"harness verify.*harness run tint"):
        ask("tint", photos)


def test_weights_of_other_code_are_told(
    ask: Callable[..., Session], results: Path, photos: Path
) -> None:
    """Weights and settings that do not fit the code that is here say so, and what to do."""
    run = run_of(results, "tint")
    file = run.path / "weights" / "selected.pt"
    state = torch.load(file, weights_only=True)
    torch.save({"turned": state["turn"]}, file)
    with pytest.raises(HarnessError, match=r"weights do not fit the code of tint.*harness run"):
        ask("tint", photos)
    record = json.loads((run.path / "run.json").read_text())
    record["config"]["gone"] = 1
    (run.path / "run.json").write_text(json.dumps(record))
    with pytest.raises(HarnessError, match="settings do not fit"):
        ask("tint", photos)


def test_a_stale_run_is_asked_all_the_same(
    results: Path, tint: Path, photos: Path, encoded: list[int]
) -> None:
    """Code that has changed since answers, which is said, and encodes the images anew."""
    source = tint.read_text(encoding="utf-8")
    assert open_session(results, "tint", photos, [tint], silent).stale == ""
    other = photos.parent / "other" / "tint.py"
    other.parent.mkdir()
    other.write_text(source.replace("/ 255 @", "/ 256 @"), encoding="utf-8")
    session = open_session(results, "tint", photos, [other], silent)
    assert "code" in session.stale
    assert found(session, "red", 1) == ["a.png"]
    assert encoded == [4, 4]


def test_a_method_that_is_not_here_is_told(results: Path, photos: Path, tint: Path) -> None:
    """The message says what was searched for and what trained it; a broken plugin is named."""
    with pytest.raises(HarnessError, match=r"'tint', which is not installed.*--plugins"):
        open_session(results, "tint", photos, [], silent)
    broken = photos.parent / "broken" / "tint.py"
    broken.parent.mkdir()
    broken.write_text("import harness.nowhere\nregister(", encoding="utf-8")
    with pytest.raises(HarnessError, match="SyntaxError"):
        open_session(results, "tint", photos, [broken], silent)


def test_counts_need_no_dataset(
    ask: Callable[..., Session], results: Path, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Heads are built from what the record tells: the dataset may be gone."""
    monkeypatch.setattr("harness.trained.split.load_split", None)
    assert found(ask("tint", photos), "red", 1) == ["a.png"]


def test_a_method_that_reads_captions_gets_those_it_was_trained_with(
    results: Path,
) -> None:
    """They stand in the order of training; where the dataset has changed, it is said."""
    record = run_of(results, "tint").record
    captions = summary_of(record, silent).captions
    assert len(captions) == 12 * 4 * 2  # people, images, captions
    assert len({*captions}) > 12
    assert captions[0] == captions[:3][0]
    assert list(captions) != sorted(captions)
    changed = replace(record, data={**record.data, "fingerprint": "another"})
    with pytest.raises(HarnessError, match="another content"):
        locate_again(changed, silent)


def test_a_lost_digest_and_lost_embeddings_are_made_up_for(
    ask: Callable[..., Session], results: Path
) -> None:
    """A run's folder alone is enough where its dataset is here."""
    before = found(ask("still"), "red and green")
    for folder in (*results.glob("*/*/dataset-*"), run_of(results, "still").path / "embeddings"):
        shutil.rmtree(folder)
    assert found(ask("still"), "red and green") == before


def test_an_embedding_that_is_no_number_is_told(
    ask: Callable[..., Session], results: Path, photos: Path
) -> None:
    """NaN would rank at random."""
    file = run_of(results, "tint").path / "weights" / "selected.pt"
    state = torch.load(file, weights_only=True)
    torch.save({**state, "turn": torch.full((3, 3), torch.nan)}, file)
    with pytest.raises(HarnessError, match="NaN"):
        ask("tint", photos)


def test_reading_ends_with_an_error(
    results: Path, tint: Path, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the method cannot be loaded, no thread goes on reading."""

    def fail(*_: Any) -> None:
        raise HarnessError("no method")

    monkeypatch.setattr("harness.trained.method.load_trained", fail)
    with pytest.raises(HarnessError, match="no method"):
        open_session(results, "tint", photos, [tint], silent)
    assert not [one for one in threading.enumerate() if one.name.startswith("gallery")]


def test_a_run_without_an_image_size_is_one_message(
    ask: Callable[..., Session], results: Path, photos: Path
) -> None:
    """A record may hold anything; the run is named, with what makes it again."""
    file = run_of(results, "still").path / "run.json"
    values = json.loads(file.read_text(encoding="utf-8"))
    file.write_text(json.dumps({**values, "config": {}}), encoding="utf-8")
    with pytest.raises(HarnessError, match="tells no image size"):
        ask("still", photos)


def test_seeds_of_what_is_not_trained_share_no_embeddings(
    ask: Callable[..., Session], results: Path, photos: Path, encoded: list[int]
) -> None:
    """Without trained weights, the seed alone tells two encoders apart."""
    first = run_of(results, "still").path
    second = first.with_name("seed-1")
    shutil.copytree(first, second)
    values = json.loads((second / "run.json").read_text(encoding="utf-8"))
    (second / "run.json").write_text(json.dumps({**values, "seed": 1}), encoding="utf-8")
    ask(str(first), photos)
    images = sum(encoded)
    ask(str(second), photos)
    assert sum(encoded) == 2 * images > 0


def test_an_index_answers_as_a_scan(
    results: Path, tint: Path, photos: Path, paint: Callable[..., Path], cache: Path
) -> None:
    """With a second look, whose candidates come from it; what was built is kept."""
    for number, colour in enumerate(("red", "green", "red", "blue", (90, 90, 90))):
        paint(photos / f"more-{number}.png", colour)
    scan, *through = [
        open_session(results, "tint-twice", photos, [tint], silent, index=index)
        for index in ("", "flat", "hnsw")
    ]
    for text in ("red", "a green coat", "blue and red", "nothing"):
        for top in (1, 3, 50):
            hits = scan.ask(text, top).hits
            for session in through:
                told = session.ask(text, top).hits
                assert [hit.image for hit in told] == [hit.image for hit in hits]
                assert [hit.rescored for hit in told] == [hit.rescored for hit in hits]
    assert len(list((cache / "search/indexes").iterdir())) == 2
