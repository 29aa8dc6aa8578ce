"""Dialogues that come with a dataset, read as ChatPedes lays them out."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest

from harness.data.catalogue import find_declaration, locate
from harness.data.declaration import Located
from harness.data.given_dialogues import FILE, read_given_dialogues, texts_after
from harness.data.loading import load_split
from harness.data.schema import Split
from harness.errors import HarnessError


def turn(question: str, answer: str) -> list[dict[str, str]]:
    """Return a question with its answer."""
    return [{"from": "gpt", "value": question}, {"from": "user", "value": answer}]


@pytest.fixture
def data(small_dolls: Path, tmp_path: Path) -> tuple[Located, Split, list[str]]:
    """A dataset in a folder of its own, its test split, and where its images come from."""
    folder = shutil.copytree(small_dolls, tmp_path / "dolls")
    located = locate(find_declaration(str(folder)))
    split = load_split(located, "test")
    table = pyarrow.parquet.read_table(folder / "test.parquet", columns=["source_path"])
    return located, split, table.column("source_path").to_pylist()


def write(located: Located, records: Any) -> None:
    """Put dialogues beside the test split."""
    file = located.files["test"][0].parent / FILE
    file.write_text(json.dumps(records), encoding="utf-8")


def test_answers_stand_in_the_place_of_captions(data: Any) -> None:
    """Chats of an image in turn, as far as they were led; an image without keeps its captions."""
    located, split, paths = data
    two = [[turn("Who?", "A man. "), turn("Shoes?", "Red.")], [turn("Who?", "A boy.")]]
    write(
        located,
        [
            {"id": 1, "file_path": paths[0], "chats": two},
            {"id": 1, "file_path": paths[2].partition("/")[2], "chats": [turn("Who?", "A lady.")]},
        ],
    )
    chats = read_given_dialogues(located, split)
    assert chats[:4] == [(("A man.", "Red."), ("A boy.",)), (), (("A lady.",),), ()]
    texts, kept = texts_after(split, chats, 1)
    assert texts[:6] == ["A man.", "A boy.", *split.captions[2:4], "A lady.", "A lady."]
    assert texts_after(split, chats, 2)[0][:2] == ["A man. Red.", "A boy."]
    assert kept == len(split.captions) - 4


@pytest.mark.parametrize(
    ("records", "told"),
    [
        ({}, "holds no list"),
        ([{"file_path": "a", "chats": []}], "record 0 is not as ChatPedes has it"),
        ([{"chats": [turn("Who?", "A man.")]}], "record 0 .*file_path"),
        ([{"file_path": "a", "chats": [turn("Who?", "")]}], "a chat without an answer"),
        ([{"file_path": "a", "chats": [[{"from": 3}]]}], "record 0"),
        ([7], "record 0"),
        ([{"file_path": "a", "chats": [turn("Who?", "A man.")]}], "no image of the test split"),
    ],
)
def test_what_is_laid_out_otherwise_is_refused(data: Any, records: Any, told: str) -> None:
    """With the file and the record."""
    located, split, _ = data
    write(located, records)
    with pytest.raises(HarnessError, match=told):
        read_given_dialogues(located, split)


def test_without_a_file_it_is_said_where_it_belongs(data: Any) -> None:
    """So is a file that is no JSON."""
    located, split, _ = data
    with pytest.raises(HarnessError, match=r"dialogues\.json cannot be read"):
        read_given_dialogues(located, split)
    (located.files["test"][0].parent / FILE).write_text("[", encoding="utf-8")
    with pytest.raises(HarnessError, match=r"dialogues\.json cannot be read"):
        read_given_dialogues(replace(located), split)
