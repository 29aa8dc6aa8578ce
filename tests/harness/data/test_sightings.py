"""What images of drawn people show, held against how they are drawn."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from harness.data.catalogue import find_declaration, locate
from harness.data.declaration import Declaration, Located
from harness.data.loading import load_split
from harness.data.paperdolls import build
from harness.data.paperdolls.drawing.shots import visible_facts
from harness.data.paperdolls.looks import CROWDDOLLS, PAPERDOLLS, Look, Sizes
from harness.data.schema import Split
from harness.data.sightings import read_sightings
from harness.errors import HarnessError

FEW = Sizes(train=1, val=1, test=9, images=(2, 5), captions=1)


@pytest.mark.parametrize("look", [PAPERDOLLS, CROWDDOLLS], ids=lambda look: look.name)
def test_a_sighting_is_what_was_drawn(
    look: Look, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Of every image, bags that were put down and bodies cut off included."""
    drawn: list[dict[str, str]] = []

    def note(person: Any, shot: Any, *others: Any) -> Image.Image:
        seen = visible_facts(person, shot)
        drawn.append({name: value for name, value in person.facts().items() if name in seen})
        return Image.new("RGB", (1, 1))

    monkeypatch.setattr(build, "draw", note)
    photos = list(build.photographs("test", look.seed, FEW, look))
    facts = {photo.person_id: photo.person.facts() for photo in photos}
    (tmp_path / "people.json").write_text(json.dumps(facts), encoding="utf-8")
    located = Located(Declaration("d", "D"), {"test": (tmp_path / "test.parquet",)}, "f")
    rows = np.arange(len(photos))
    people = np.array([photo.person_id for photo in photos])
    ids = tuple(photo.image_id for photo in photos)
    split = Split("test", lambda row: b"", ids, ("",) * len(ids), rows, people)
    assert read_sightings(located, split) == drawn
    assert any(one != facts[person] for one, person in zip(drawn, people.tolist(), strict=True))


def test_what_is_not_drawn_so_has_no_sightings(small_dolls: Path) -> None:
    """Without its people, with others, or with images of other names: it is not known."""
    located = locate(find_declaration(str(small_dolls)))
    split = load_split(located, "test")
    assert len(read_sightings(located, split)) == len(split.image_ids)
    others = replace(split, image_ids=tuple(f"x{name}" for name in split.image_ids))
    shifted = replace(split, person_of_image=np.roll(split.person_of_image, 4))
    elsewhere = replace(located, files={"test": (small_dolls / "no/test.parquet",)})
    for where, what in ((located, others), (located, shifted), (elsewhere, split)):
        with pytest.raises(HarnessError, match="is no dataset of drawn people"):
            read_sightings(where, what)
