"""Runs with a stage on another dataset, and with companions, from their plan to their figures."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest

from harness import plan, registry
from harness.data.catalogue import find_declaration, locate
from harness.data.importing.companion_files import add_companion
from harness.data.importing.layouts import APART
from harness.data.loading import load_split
from harness.plan.spec import RunSpec
from harness.run.execute import execute
from harness.run.options import Options

ONE_STAGE = "(Stage(epochs=2, learning_rate=0.01, batch_size=16),)"
NOTES = """
    def begin_epoch(self, run):
        train = run.train
        texts = train.companion("shouted") if run.stage == 0 else []
        told = train.captions, [*texts], train.person_of_image is None
        with open("SEEN", "a") as seen:
            print(json.dumps(told), file=seen)
"""


@pytest.fixture
def pretraining(small_dolls: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Half of the training images as a dataset of its own that names nobody, with a companion."""
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "crowd"
    folder.mkdir()
    table = pyarrow.parquet.read_table(small_dolls / "train.parquet").slice(0, 24)
    place = table.column_names.index("person_id")
    people = pyarrow.array(range(APART, APART + len(table)))
    pyarrow.parquet.write_table(
        table.set_column(place, "person_id", people), folder / "train.parquet"
    )
    located = locate(find_declaration(str(folder)), needed=("train",))
    split = load_split(located, "train")
    rows = [
        {
            "image_id": split.image_ids[image],
            "caption": caption % 2,
            "text": split.captions[caption].upper(),
        }
        for caption, image in enumerate(split.image_of_caption.tolist())
    ]
    file = tmp_path / "shouted.jsonl"
    file.write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")
    add_companion(located, file, "shouted", "str.upper")
    return folder


def planned(dolls: Path, plugin: Path) -> RunSpec:
    """Plan the run of the toy."""
    suite = plan.Suite("demo", "Demo", "tiny", (0,), ())
    choices = plan.choose(["toy"], registry.list_methods([plugin]), "tiny", False)
    located = locate(find_declaration(str(dolls)))
    settings = {"supervision": "identity", "companions": ["shouted"]}
    (spec,) = plan.plan(suite, [located], choices, (0,), settings)
    return spec


def test_a_run_trains_a_stage_on_another_dataset(
    small_dolls: Path, pretraining: Path, toy: Path, toy_source: str, tmp_path: Path
) -> None:
    """With its companions and without people that it does not name; then on its own."""
    stages = f"Stage(epochs=1, learning_rate=0.01, batch_size=16, data={str(pretraining)!r})"
    own = "Stage(epochs=1, learning_rate=0.01, batch_size=16)"
    seen = tmp_path / "seen.jsonl"
    source = toy_source.replace(ONE_STAGE, f"({stages}, {own})").replace(
        "    def encode_images", NOTES.replace("SEEN", str(seen)) + "\n    def encode_images"
    )
    toy.write_text(f"import json\n{source}", encoding="utf-8")
    spec = planned(small_dolls, toy)
    record = execute(spec, Options(tmp_path, "cpu"), lambda update: None)
    assert record.error is None
    first, second = map(json.loads, seen.read_text(encoding="utf-8").splitlines())
    captions, texts, hides_people = first
    assert texts == [[caption.upper()] for caption in captions]
    assert (len(captions), hides_people) == (48, True)
    assert (len(second[0]), second[2]) == (96, False)
    assert record.data["counts"]["train"]["images"] == 48
    assert record.images_per_second > 0
