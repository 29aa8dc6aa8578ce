import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from harness.data import catalogue
from harness.data.paperdolls.looks import DATASETS, PAPERDOLLS, Sizes


def test_every_dataset_comes_from_one_place() -> None:
    """A declaration has one source; a hub dataset is pinned; only drawn people are shown freely."""
    for declaration in catalogue.read_catalogue().values():
        sources = [declaration.drawn, declaration.folder, declaration.hub]
        assert sum(source is not None for source in sources) == 1
        assert (declaration.hub is None) or declaration.revision
        assert declaration.thumbnails == (declaration.drawn is not None)
        assert declaration.licence


def test_a_drawn_dataset_is_drawn_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The second call finds the files, and the fingerprint stands for their content."""
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path))
    small = replace(PAPERDOLLS, sizes=Sizes(train=4, val=2, test=3))
    monkeypatch.setitem(DATASETS, "paperdolls", small)
    paperdolls = catalogue.read_catalogue()["paperdolls"]
    shown: list[tuple[int, int]] = []
    first = catalogue.locate(paperdolls, lambda what, done, total: shown.append((done, total)))
    assert shown[-1] == (36, 36)
    count = len(shown)
    again = catalogue.locate(paperdolls, lambda what, done, total: shown.append((done, total)))
    assert len(shown) == count
    assert again == first
    first.files["test"][0].write_bytes(first.files["val"][0].read_bytes())
    assert catalogue.locate(paperdolls).fingerprint != first.fingerprint


def test_folders_of_runs_are_found_by_absolute_paths_only(
    monkeypatch: pytest.MonkeyPatch, small_dolls: Path, tmp_path: Path
) -> None:
    """A name is no folder that happens to be called so; two folders may have one name."""
    for folder in ("a/dolls", "b/dolls", "named"):
        shutil.copytree(small_dolls, tmp_path / folder)
    monkeypatch.chdir(tmp_path)
    arguments = [str(tmp_path / "b" / "dolls"), str(tmp_path / "a" / "dolls"), "named", "", "/gone"]
    found = catalogue.find_all_here(arguments)
    own = [one for one in found if one.declaration.folder]
    folders = [str(tmp_path / name) for name in ("a/dolls", "b/dolls")]
    assert [one.declaration.argument for one in own] == folders
