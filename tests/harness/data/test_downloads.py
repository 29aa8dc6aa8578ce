"""What is fetched beforehand: files of the hub and of the web, from a server on this machine."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.data.downloads import WebFile, missing, torch_hub
from harness.errors import HarnessError

from ...hub.caller import Caller
from ...hub.server import Cut, Hub

CONTENT = bytes(range(256)) * 20_000
PLACE = "/someone/web/resolve/main/weights.safetensors"
# Looks, fetches and looks again, in a process whose hub is that of the test.
FETCH = """
import json, sys, time

time.sleep = lambda seconds: None  # the hub's client waits before it tries again

from harness.data.downloads import HubFiles
from harness.errors import HarnessError

needed, besides = json.loads(sys.argv[1])
files = HubFiles("someone/bert", tuple(map(tuple, needed)), tuple(besides))
told = [files.is_here(), files.size()]
try:
    files.fetch(lambda what, done, total: None)
except HarnessError as error:
    told.append(str(error))
print(json.dumps([*told, files.is_here(), files.size()]))
"""
BERT = [["config.json"], ["vocab.txt", "tokenizer.json"], ["model.safetensors", "model.bin"]]


@pytest.fixture(scope="module")
def serving() -> Iterator[Hub]:
    """A server for all tests here."""
    with Hub() as hub:
        yield hub


@pytest.fixture
def hub(serving: Hub) -> Hub:
    """The server, that nothing was asked of."""
    serving.cuts.clear()
    serving.asked.clear()
    serving.repositories.add("someone/web", {"weights.safetensors": CONTENT})
    names = ("config.json", "tokenizer.json", "README.md")
    files = {name: name.encode() for name in names}
    weights = {"model.safetensors": b"safe" * 1000, "model.bin": b"pickled" * 1000}
    serving.repositories.add("someone/bert", {**files, **weights})
    return serving


def none(what: str, done: int, total: int) -> None:
    """Show nothing."""


def test_a_file_of_the_web_is_fetched_once(hub: Hub, tmp_path: Path) -> None:
    """Its size is known before, how far it is while it comes, and then it is here."""
    file = WebFile(hub.url + PLACE, tmp_path / "folder")
    assert not file.is_here()
    assert file.size() == len(CONTENT)
    shown: list[tuple[str, int, int]] = []
    file.fetch(lambda *told: shown.append(told))
    assert shown[-1] == ("weights.safetensors", len(CONTENT), len(CONTENT))
    assert (tmp_path / "folder" / "weights.safetensors").read_bytes() == CONTENT
    assert missing([file, file]) == []


@pytest.mark.parametrize("reset", [False, True])
def test_a_file_that_is_cut_goes_on(hub: Hub, tmp_path: Path, reset: bool) -> None:
    """What came stays, under another name; the next call asks for the rest alone."""
    file = WebFile(hub.url + PLACE, tmp_path)
    hub.cuts = [Cut(after=3_000_000, reset=reset)]
    with pytest.raises(HarnessError, match=r"weights.safetensors is not here and cannot be"):
        file.fetch(none)
    assert not file.is_here()
    [part] = tmp_path.iterdir()
    came = part.stat().st_size
    file.fetch(none)
    assert [one.read_bytes() for one in tmp_path.iterdir()] == [CONTENT]
    last = hub.requests("GET", PLACE)[-1].headers["Range"]
    assert last == (f"bytes={came}-" if came else None)


def test_what_another_file_left_is_fetched_anew(hub: Hub, tmp_path: Path) -> None:
    """Of a part that is as long as the file or longer nobody knows whether it is of it."""
    file = WebFile(f"{hub.url}/someone/bert/resolve/main/config.json", tmp_path)
    (tmp_path / "config.json.unfinished").write_bytes(b"of another file")
    file.fetch(none)
    assert [one.read_bytes() for one in tmp_path.iterdir()] == [b"config.json"]


def test_without_a_network_one_message_names_the_file(tmp_path: Path) -> None:
    """Nobody answers there."""
    file = WebFile("http://127.0.0.1:9/ALBEF.pth", tmp_path)
    assert file.size() is None
    with pytest.raises(HarnessError, match=r"^ALBEF.pth is not here and cannot be fetched: .*"):
        file.fetch(none)


def test_torch_finds_its_files_where_they_are_put(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where torch.hub itself looks for them, whatever moves it."""
    import torch

    for home in ("/somewhere", ""):
        monkeypatch.setenv("TORCH_HOME", home) if home else monkeypatch.delenv("TORCH_HOME", False)
        assert str(torch_hub()) == f"{torch.hub.get_dir()}/checkpoints"
    monkeypatch.setenv("XDG_CACHE_HOME", "/caches")
    assert str(torch_hub()) == f"{torch.hub.get_dir()}/checkpoints"


def test_files_of_the_hub_are_fetched_as_needed(hub: Hub, tmp_path: Path) -> None:
    """Of each that is needed the first that is there; others as far as there are any."""
    caller = Caller(hub, tmp_path)
    wanted = json.dumps([BERT, ["README*", "merges.txt"]])
    done = caller.call("-c", FETCH, wanted)
    assert json.loads(done.stdout) == [False, 4000 + 11 + 14 + 9, True, 0]
    asked = {request.path.rpartition("/")[2] for request in hub.requests("GET", "/resolve/")}
    assert asked == {"config.json", "tokenizer.json", "model.safetensors", "README.md"}
    offline = caller.call("-c", FETCH, wanted, HF_HUB_OFFLINE="1")
    assert json.loads(offline.stdout)[0] is True


DATASET = """
import sys

from harness.data.declaration import Declaration
from harness.data.downloads import missing, of_dataset

people = Declaration("people", "People", hub="someone/people", revision=sys.argv[1])
again = Declaration("others", "People", hub="someone/people", revision=sys.argv[1])
for one in missing([of_dataset(people), of_dataset(again)]):
    print(one.name, one.size(), end=" ")
    one.fetch(lambda what, done, total: None)
print(of_dataset(people).is_here())
"""


def test_a_dataset_of_the_hub_is_fetched_at_its_commit(hub: Hub, tmp_path: Path) -> None:
    """Once, its Parquet files alone; then it needs no network."""
    files = {"test.parquet": b"some rows", "README.md": b"of them"}
    commit = hub.repositories.add("someone/people", files)
    caller = Caller(hub, tmp_path)
    assert caller.call("-c", DATASET, commit).stdout.split() == ["someone/people", "9", "True"]
    assert caller.call("-c", DATASET, commit, HF_HUB_OFFLINE="1").stdout.split() == ["True"]
    assert not hub.requests("GET", "README.md")


@pytest.mark.parametrize(
    ("variables", "needed", "words"),
    [
        ({}, [["absent.bin", "nor.this"]], "on the hub has no absent.bin and no nor.this."),
        ({"HF_HUB_OFFLINE": "1"}, BERT, "someone/bert is not here and cannot be fetched: "),
    ],
)
def test_what_the_hub_does_not_give_is_one_message(
    hub: Hub, tmp_path: Path, variables: dict[str, str], needed: list[list[str]], words: str
) -> None:
    """It names what is missing, and what to do."""
    done = Caller(hub, tmp_path).call("-c", FETCH, json.dumps([needed, []]), **variables)
    was_here, size, told, is_here, _ = json.loads(done.stdout)
    assert (was_here, size, is_here) == (False, None, False)
    assert words in told
