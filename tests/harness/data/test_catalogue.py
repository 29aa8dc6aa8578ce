import os
import subprocess
import sys
from pathlib import Path

import pytest

from harness.data import catalogue
from harness.data.declaration import Declaration
from harness.data.paperdolls import build
from harness.errors import HarnessError


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
    small = build.Sizes(train=4, val=2, test=3)
    monkeypatch.setattr(build, "Sizes", lambda: small)
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


def test_a_hub_dataset_needs_a_pinned_revision() -> None:
    """What can change under a name is no benchmark."""
    with pytest.raises(HarnessError, match="pin a revision of someone/people"):
        catalogue.locate(Declaration("people", "People", hub="someone/people"))


def test_a_hub_that_cannot_be_reached_is_one_message() -> None:
    """Without a network the error names the dataset, the hub id and the revision."""
    script = (
        "from harness.data import catalogue\n"
        "from harness.data.declaration import Declaration\n"
        "from harness.errors import HarnessError\n"
        "people = Declaration('people', 'People', hub='someone/people', revision='0' * 40)\n"
        "try:\n    catalogue.locate(people)\nexcept HarnessError as error:\n    print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "HF_HUB_OFFLINE": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert f"someone/people at {'0' * 40} could not be fetched from the hub" in done.stdout
