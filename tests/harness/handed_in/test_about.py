"""What is said of a method that is not here."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.errors import HarnessError
from harness.handed_in.about import parse_extra_data, read_about


def test_options_stand_in_the_place_of_a_file(tmp_path: Path) -> None:
    """What neither says is undisclosed, and the title is the name."""
    file = tmp_path / "about.yaml"
    file.write_text("name: theirs\nyear: 2025\nextra_data: none\n", encoding="utf-8")
    found = read_about(file, {"year": 2026, "venue": ""})
    assert (found.title, found.year, found.supervision) == ("theirs", 2026, "undisclosed")
    assert found.citation == ""
    assert found.extra_data is not None
    assert found.extra_data.seen_people == "without"
    assert read_about(None, {"name": "theirs"}).extra_data is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name: [1]", "Expected `str`, got `array` - at `$.name`"),
        ("names: theirs", "There is no field 'names'. Did you mean 'name'?"),
        ("name: theirs\nextra_data: {dogs: [MALS]}", "There is no field 'dogs'"),
        ("name: theirs\nsupervision: some", "Invalid enum value 'some'"),
        ('name: theirs\ntitle: "a\\tb"', "control characters"),
        ("name: their method", "as in 'their-method'; --title says"),
        ("name: theirs\nlink: 'javascript:alert(1)'", "is no address of a page"),
        ("- name", "has to hold name, authors"),
        ("name: [", "cannot be read"),
        ("title: theirs", "--name NAME"),
    ],
)
def test_what_cannot_be_shown_is_refused(tmp_path: Path, text: str, said: str) -> None:
    """One sentence names the field, or what was probably meant."""
    file = tmp_path / "about.yaml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(HarnessError) as caught:
        read_about(file, {})
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_extra_data_is_said_by_kind() -> None:
    """None at all, none of people, some; what is not said of people stays undisclosed."""
    assert parse_extra_data([]) is None
    assert parse_extra_data(["undisclosed"]) is None
    assert parse_extra_data(["none"]) == {"people": []}
    assert parse_extra_data(["weights=CLIP", "people=none"]) == {"weights": ["CLIP"], "people": []}
    assert parse_extra_data(["weights=CLIP"]) == {"weights": ["CLIP"]}
    assert parse_extra_data(["people=MALS", "people=LUPerson"]) == {"people": ["MALS", "LUPerson"]}
    for wrong in ("MALS", "people=", "dogs=MALS"):
        with pytest.raises(HarnessError, match="write KIND=WHAT"):
            parse_extra_data([wrong])
