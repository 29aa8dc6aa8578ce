from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.sources import Definition, Folder, Module, Reading, Roots, Scope, hash_definitions

from .test_definitions import OTHER, SAME

METHOD = """
import block
import inner.deep
from block import scale

def start(x):
    return scale(x) + block.N + inner.deep.N + inner.more.N
"""
FILES = {
    "method.py": METHOD,
    "block.py": "N = 1\n\ndef scale(x):\n    return x * 2\n",
    "inner/__init__.py": "",
    "inner/deep.py": "N = 2\n",
}


def write(folder: Path, files: dict[str, str] | dict[str, str | None]) -> None:
    """Write files below a folder; those that are None are taken away."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True) if text is None else path.write_text(text, encoding="utf-8")


def ask(folder: Path) -> str:
    """Hash what `start` of `method.py` computes."""
    place = Folder(f"plugin_{len(str(folder))}", folder)
    module = Module(f"{place.name}.method", folder / "method.py", place)
    return hash_definitions([Definition(module, "start")], Scope(Roots(folder=place)))


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """What is read anew, in a cache of its own."""
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    found: list[str] = []
    reads = Reading.read_anew

    def noted(self: Reading, start: list[Definition]) -> str:
        found.append(start[0].name)
        return reads(self, start)

    monkeypatch.setattr(Reading, "read_anew", noted)
    return found


def test_code_that_is_as_it_was_is_not_read_again(read: list[str], tmp_path: Path) -> None:
    """Neither where it lies nor in another folder, under whose name it is another plugin's."""
    write(tmp_path / "plugins", FILES)
    first = ask(tmp_path / "plugins")
    shutil.copytree(tmp_path / "plugins", tmp_path / "elsewhere")
    assert ask(tmp_path / "plugins") == first
    assert ask(tmp_path / "elsewhere") == first
    assert read == ["start"]


@pytest.mark.parametrize(
    "change",
    [
        {"method.py": METHOD.replace("+ block.N", "- block.N")},
        {"block.py": FILES["block.py"].replace("x * 2", "x * 3")},
        {"inner/deep.py": "N = 3\n"},
        {"inner/__init__.py": "print('imported')\n"},
        {"inner/more.py": "N = 4\n"},  # which was not there
        {"inner/deep.py": None},
        {"inner/deep.py": None, "inner/deep/__init__.py": "N = 5\n"},
        {"block.py": None, "block/__init__.py": "N = 6\n\ndef scale(x):\n    return x\n"},
    ],
    ids=str,
)
def test_whatever_changes_is_read(
    read: list[str], tmp_path: Path, change: dict[str, str | None]
) -> None:
    """What was read, what was looked for and not found, and what is there in its place."""
    write(tmp_path, FILES)
    before = ask(tmp_path)
    write(tmp_path, change)
    after = ask(tmp_path)
    assert read == ["start", "start"]
    assert after != before
    write(tmp_path, FILES)
    assert after == fresh(tmp_path, change)


def fresh(folder: Path, change: dict[str, str | None]) -> str:
    """Hash changed files where nothing is known."""
    shutil.rmtree(folder / "cache")
    write(folder, {**FILES, **change})
    return ask(folder)


def test_a_name_that_is_found_here_by_now_is_read(read: list[str], tmp_path: Path) -> None:
    """What was imported from elsewhere comes from the folder once a file there has its name."""
    write(tmp_path, {"method.py": "import json\n\ndef start(x):\n    return json.dumps(x)\n"})
    before = ask(tmp_path)
    write(tmp_path, {"json.py": "def dumps(x):\n    return 7\n"})
    assert ask(tmp_path) != before
    assert len(read) == 2


def test_in_turns_each_is_what_it_is_alone(read: list[str], tmp_path: Path) -> None:
    """Files that compute the same or another thing, one after the other in the same place."""
    everything = [*SAME.values(), *OTHER.values()]
    turns = [*everything, *everything]
    folder = tmp_path / "plugins"

    def each(alone: bool) -> Iterator[str]:
        for files in turns:
            shutil.rmtree(folder, ignore_errors=True)
            write(folder, {f"{name}.py": text for name, text in files.items()})
            if alone:
                shutil.rmtree(tmp_path / "cache", ignore_errors=True)
            yield ask(folder)

    in_turns = list(each(alone=False))
    known = len(turns) - len(read)
    assert known > len(everything) / 2
    assert list(each(alone=True)) == in_turns


@pytest.mark.parametrize(
    "damage", ["", "{", "[]", "null", '{"hash": 1}', '{"hash": "x", "modules": [], "bare": 3}']
)
def test_what_is_damaged_is_read_anew(read: list[str], tmp_path: Path, damage: str) -> None:
    """A file that is cut, empty or holds something else stops nothing."""
    write(tmp_path / "plugins", FILES)
    first = ask(tmp_path / "plugins")
    [file] = (tmp_path / "cache").rglob("*.json")
    file.write_text(damage)
    assert ask(tmp_path / "plugins") == first
    assert len(read) == 2


def test_a_cache_that_cannot_be_written_is_none(read: list[str], tmp_path: Path) -> None:
    """It is only slower."""
    (tmp_path / "cache").write_text("no folder")
    write(tmp_path / "plugins", FILES)
    assert ask(tmp_path / "plugins") == ask(tmp_path / "plugins")
    assert len(read) == 2


@pytest.mark.parametrize("file", ["method.py", "block.py"])
def test_what_is_edited_while_it_is_read_is_not_kept(
    tmp_path: Path, file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody knows of which content the hash is: the next one asks anew."""
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    write(tmp_path, FILES)
    reads = Reading._outline

    def edit(self: Reading, module: Module) -> Any:
        outline = reads(self, module)
        if module.path.name == file:
            write(tmp_path, {file: f"{FILES[file]}\n# edited\n"})
        return outline

    monkeypatch.setattr(Reading, "_outline", edit)
    ask(tmp_path)
    assert not list((tmp_path / "cache").rglob("*.json"))
