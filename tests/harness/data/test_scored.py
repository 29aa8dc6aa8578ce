"""What is only trained on, with the val and test splits of another dataset."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.data.auditing.examination import examine
from harness.data.catalogue import find_declaration, locate
from harness.data.importing.benchmarks import read_layout
from harness.data.importing.layouts import APART
from harness.data.importing.records import count_records
from harness.data.importing.scored import take_scored
from harness.data.importing.write import Source, write_dataset
from harness.data.loading import load_split
from harness.errors import HarnessError

from .test_forms import COUNTS, CUHK, lay, rows, small, write

PAIRS = 4
MALS = small("mals", (PAIRS, PAIRS, PAIRS))
SOURCE = Source("mals", "MALS", licensed=True)


@pytest.fixture
def testable(tmp_path: Path) -> Path:
    """Return an imported dataset with all splits."""
    raw = lay(tmp_path / "cuhk", rows())
    write(raw / "reid_raw.json", rows())
    out = tmp_path / "data" / "bench"
    write_dataset(read_layout(CUHK, raw), out, Source("cuhk-pedes", "CUHK-PEDES", True))
    return out


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    """Return a folder of pairs that name nobody."""
    values = [
        {"image": f"gene_crop/{n}.png", "caption": f"A man {n}.", "image_id": f"c_{n}"}
        for n in range(PAIRS)
    ]
    raw = lay(tmp_path / "pairs", [{"file_path": one["image"]} for one in values], images="")
    write(raw / "gene_attrs" / "g_c_attrs.json", values)
    return raw


def test_pairs_are_scored_on_a_benchmark(testable: Path, pairs: Path, tmp_path: Path) -> None:
    """Val and test load beside them; the card says whose they are; a second call is idle."""
    records = read_layout(MALS, pairs)
    out = tmp_path / "data" / "mals"
    scored = take_scored(testable, records)
    assert write_dataset(records, out, SOURCE, scored=scored)
    assert not write_dataset(records, out, SOURCE, scored=scored)
    located = locate(find_declaration(str(out)))
    theirs = locate(find_declaration(str(testable)))
    for split in ("val", "test"):
        mine, other = load_split(located, split), load_split(theirs, split)
        assert (mine.captions, mine.image_ids) == (other.captions, other.image_ids)
        assert mine.person_of_image.tolist() == other.person_of_image.tolist()
    assert load_split(located, "train").person_of_image.min() == APART
    assert json.loads((out / "import.json").read_text("utf-8"))["counts"] == {
        "train": [PAIRS] * 3, "val": list(COUNTS["val"]), "test": list(COUNTS["test"]),
    }  # fmt: skip
    card = (out / "README.md").read_text("utf-8")
    assert "Its val and test splits are those of bench, under its licence." in card
    assert "  - split: test\n    path: test-*.parquet\n" in card
    with pytest.raises(HarnessError, match="is there already and holds something else"):
        write_dataset(records, out, SOURCE)


def test_alone_they_are_audited_and_not_run(
    pairs: Path, tmp_path: Path, harness: Callable[..., Any]
) -> None:
    """The audit says what they are; a run says what is missing, and how to add it."""
    records = read_layout(MALS, pairs)
    out = tmp_path / "data" / "mals"
    write_dataset(records, out, SOURCE)
    with pytest.raises(
        HarnessError, match=r"no Parquet file for val, test .* --score-on` adds val"
    ):
        locate(find_declaration(str(out)))
    found = examine(locate(find_declaration(str(out)), needed=()))
    assert found["verdict"]["status"] == "to train on"
    assert found["verdict"]["reason"] == (
        "it has a train split alone, so nothing can be scored on it; it has 4 people, 4 images and "
        "4 captions, MALS 1,510,330, 1,510,330 and 1,510,330"
    )
    assert harness("data", "audit", out).returncode == 0


def test_who_learns_from_identities_is_refused(
    testable: Path, pairs: Path, tmp_path: Path, harness: Callable[..., Any]
) -> None:
    """Images that name nobody teach it nothing; pairs are enough for others."""
    records = read_layout(MALS, pairs)
    out = tmp_path / "data" / "mals"
    write_dataset(records, out, SOURCE, scored=take_scored(testable, records))
    call = "run", "--dataset", out, "--seeds", "0", "--dry-run"
    refused = harness(*call, "clip-itc", "irra")
    assert refused.returncode == 2
    assert "names nobody on its training images: irra cannot be trained" in " ".join(
        refused.stderr.split()
    )
    assert harness(*call, "clip-itc").returncode == 0


def test_what_cannot_be_scored_on_is_refused(testable: Path, pairs: Path) -> None:
    """A folder without val, people of both, and what has splits of its own."""
    records = read_layout(MALS, pairs)
    own = read_layout(CUHK, testable.parent.parent / "cuhk")
    with pytest.raises(HarnessError, match="a train split alone; here there is test and val"):
        take_scored(testable, own)
    training = [one for one in own if one.split == "train"]
    assert count_records(training)["train"] == COUNTS["train"]
    others = [one for one in own if one.split == "test"]
    clashing = [replace(one, split="train") for one in others]
    with pytest.raises(HarnessError, match="both have a person 4: splits may share nobody"):
        take_scored(testable, clashing)
    for file in testable.glob("val-*.parquet"):
        file.unlink()
    with pytest.raises(HarnessError, match="has no val split: --score-on takes val"):
        take_scored(testable, records)
