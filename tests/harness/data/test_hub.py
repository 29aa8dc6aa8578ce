"""Hub datasets and pushes, against a hub on this machine; each call in a process of its own."""

from __future__ import annotations

import io
import json
import os
import random
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest
import yaml

from harness.data.catalogue import find_declaration, locate

from ...hub.api import OWNER, STRANGER, Files
from ...hub.caller import Caller
from ...hub.server import Cut, Hub

LOAD = """
import json, sys, time
from pathlib import Path

time.sleep = lambda seconds: None  # the hub's client waits, up to 23 s, before it tries again

from harness.data.catalogue import locate, read_declaration
from harness.errors import HarnessError

for values in json.loads(sys.argv[1]):
    try:
        print(locate(read_declaration(values, Path())).fingerprint)
    except HarnessError as error:
        print(" ".join(str(error).splitlines()))
"""
PUSH = """
import sys
from pathlib import Path

from harness.data.importing.push import push_folder
from harness.errors import HarnessError

try:
    print(push_folder(Path(sys.argv[1]), sys.argv[2], private=True))
except HarnessError as error:
    print(error)
"""
GONE = "0" * 40  # a commit that no repository has
LONG = 12_000_000  # bytes: more than the client holds back before it writes
COLUMNS = {"captions": "descriptions", "person_id": "identity", "image": "photo"}


class Machine(Caller):
    """Loads datasets from a hub and pushes to it."""

    def load(self, *datasets: Mapping[str, Any], **variables: str) -> list[str]:
        """Return the fingerprint of each dataset, or what is told in its place."""
        done = self.call("-c", LOAD, json.dumps(datasets), **variables)
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()

    def push(self, folder: Path, name: str, token: str | None = OWNER) -> str:
        """Return what is told of a push of a folder, privately."""
        done = self.call("-c", PUSH, folder, name, **({"HF_TOKEN": token} if token else {}))
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()


@pytest.fixture
def hub() -> Iterator[Hub]:
    """Return a hub that holds nothing yet."""
    with Hub() as server:
        yield server


@pytest.fixture
def machine(hub: Hub, tmp_path: Path) -> Machine:
    """Return a machine that has never called the hub."""
    return Machine(hub, tmp_path)


@pytest.fixture
def dolls(small_dolls: Path) -> Files:
    """The files of a small drawn dataset, where the hub has such."""
    return {f"data/{file.name}": file.read_bytes() for file in small_dolls.glob("*.parquet")}


@pytest.fixture
def fingerprint(small_dolls: Path) -> str:
    """What stands for the content of the small drawn dataset."""
    return locate(find_declaration(str(small_dolls))).fingerprint


def declare(name: str, revision: str) -> dict[str, Any]:
    """Return what a suite says of a dataset."""
    return {"name": name, "hub": f"someone/{name}", "revision": revision}


def with_other_columns(content: bytes) -> bytes:
    """Return a Parquet file with its columns called as in `COLUMNS`."""
    table = pyarrow.parquet.read_table(io.BytesIO(content)).replace_schema_metadata()
    written = io.BytesIO()
    names = [COLUMNS.get(name, name) for name in table.column_names]
    pyarrow.parquet.write_table(table.rename_columns(names), written)
    return written.getvalue()


@pytest.mark.exhaustive  # what is loaded, and a run on what was fetched, are not
def test_a_suite_runs_on_a_hub_dataset(hub: Hub, machine: Machine, dolls: Files) -> None:
    """What a suite declares by id, revision and columns is scored."""
    revision = hub.repositories.add(
        "someone/dolls", {path: with_other_columns(content) for path, content in dolls.items()}
    )
    done = run_clip(machine, {**declare("dolls", revision), "columns": COLUMNS})
    assert done.returncode == 0, done.stderr
    [file] = machine.home.glob("results/suite/dolls/clip/*/seed-0/run.json")
    record = json.loads(file.read_text())
    assert record["status"] == "ok"
    assert record["data"]["counts"]["test"] == {"identities": 8, "images": 32, "captions": 64}


@pytest.mark.exhaustive  # the like of the above, and of what loading tells
def test_a_suite_on_what_is_not_there_is_refused(machine: Machine) -> None:
    """In one sentence that names the repository."""
    refused = run_clip(machine, declare("unknown", "0" * 40))
    assert refused.returncode == 2
    assert "Error: Dataset 'unknown': someone/unknown is not there" in refused.stderr
    assert "Traceback" not in refused.stderr


def run_clip(machine: Machine, dataset: Mapping[str, Any]) -> subprocess.CompletedProcess[str]:
    """Run a method on a suite of one dataset."""
    suite = {"scale": "tiny", "seeds": [0, 1], "datasets": [dict(dataset)]}
    (machine.home / "suite.yaml").write_text(yaml.safe_dump(suite))
    options = ("--suite", "suite.yaml", "--seeds", "0", "--no-report", "--jobs", "1")
    known = os.environ["HARNESS_CACHE"]  # of this session: methods are described there already
    return machine.call("-m", "harness", "run", "clip", *options, HARNESS_CACHE=known)


def test_what_is_loaded_is_what_the_hub_has(
    hub: Hub, machine: Machine, dolls: Files, fingerprint: str
) -> None:
    """A dataset is found by id and revision, an older one too; the card is not fetched."""
    revision = hub.repositories.add("someone/dolls", {**dolls, "README.md": b"# Dolls"})
    hub.repositories.by_name["someone/dolls"].commit({"data/train-later.parquet": b"more"})
    assert machine.load(declare("dolls", revision)) == [fingerprint]
    assert not hub.requests("GET", "README.md")


def test_only_a_commit_is_a_revision(hub: Hub, machine: Machine, dolls: Files) -> None:
    """A branch is refused with the commit it names at present, a commit that is gone as such."""
    revision = hub.repositories.add("someone/dolls", dolls)
    branch, none, gone = machine.load(
        declare("dolls", "main"), declare("dolls", ""), declare("dolls", GONE)
    )
    assert "is pinned to 'main', which can move" in branch
    assert "is not pinned" in none
    for told in (branch, none):
        assert f"pin a revision by its commit, at present that is {revision}" in told
    assert f"has no revision {GONE} any more: its history was rewritten. Pin another one" in gone
    assert not hub.requests("GET", "/resolve/")


@pytest.mark.parametrize("token", [None, STRANGER])
def test_what_may_not_be_read_says_what_to_do(
    token: str | None, hub: Hub, machine: Machine, dolls: Files
) -> None:
    """A gated, a private and an unknown repository are a message each, signed in (403) or not."""
    revision = hub.repositories.add("someone/gated", dolls, gated=True)
    hub.repositories.add("someone/private", dolls, private=True)
    gated, private, unknown = machine.load(
        *(declare(name, revision) for name in ("gated", "private", "unknown")),
        **({"HF_TOKEN": token} if token else {}),
    )
    assert "someone/gated is gated: ask for access on its page, sign in with `hf auth" in gated
    for name, told in {"private": private, "unknown": unknown}.items():
        assert f"someone/{name} is not there, or is private. Check its name" in told
        assert "sign in with `hf auth login` or $HF_TOKEN" in told
    statuses = {reply.status for request, reply in hub.asked if "someone" in request.path}
    assert statuses - {200} == ({403, 404} if token else {401})


def test_a_token_opens_what_it_may_read(
    hub: Hub, machine: Machine, dolls: Files, fingerprint: str
) -> None:
    """A private and a gated dataset load with it, and one that is no token is told so."""
    revision = hub.repositories.add("someone/private", dolls, private=True)
    hub.repositories.add("someone/gated", dolls, gated=True)
    datasets = [declare("private", revision), declare("gated", revision)]
    for told in machine.load(*datasets, HF_TOKEN="hf_expired"):
        assert "Invalid credentials" in told
        assert "`hf auth login` renews a refused token" in told
    assert machine.load(*datasets, HF_TOKEN=OWNER) == [fingerprint] * 2


def test_a_connection_that_is_cut_goes_on(hub: Hub, machine: Machine) -> None:
    """What arrived is not asked for again, and the file is whole at the end."""
    revision = hub.repositories.add("someone/noise", noise())
    hub.cuts = [Cut(after=LONG - 1_000_000)]
    [told] = machine.load(declare("noise", revision))
    assert re.fullmatch("[0-9a-f]{64}", told)
    assert not hub.cuts
    ranges = [request.headers["Range"] for request in hub.requests("GET", "/resolve/")]
    [start] = [int(part.removeprefix("bytes=")[:-1]) for part in ranges if part]
    assert 0 < start < LONG
    assert stored(machine) == noise()


def test_a_connection_that_is_torn_down_is_one_message(hub: Hub, machine: Machine) -> None:
    """The next call fetches what is missing and nothing that is whole."""
    revision = hub.repositories.add("someone/noise", noise())
    hub.cuts = [Cut(after=LONG - 1_000_000, reset=True)]
    [told] = machine.load(declare("noise", revision))
    assert f"someone/noise at {revision} could not be fetched from the hub" in told
    assert "Files that are whole stay: call again to go on" in told
    [told] = machine.load(declare("noise", revision))
    assert re.fullmatch("[0-9a-f]{64}", told)
    fetched = [len(hub.requests("GET", f"{split}.parquet")) for split in ("train", "val", "test")]
    assert fetched == [2, 1, 1]
    assert stored(machine) == noise()


def noise() -> Files:
    """Return three files that are no dataset; the first is long."""
    draw = random.Random(0)
    sizes = {"train": LONG, "val": 1000, "test": 1000}
    return {f"{split}.parquet": draw.randbytes(size) for split, size in sizes.items()}


def stored(machine: Machine) -> Files:
    """Return the files of the one snapshot in a machine's cache."""
    [folder] = machine.home.glob("huggingface/hub/datasets--*/snapshots/*")
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def test_the_cache_needs_no_hub(
    hub: Hub, machine: Machine, dolls: Files, fingerprint: str, tmp_path: Path
) -> None:
    """What was loaded once loads offline and without a hub; elsewhere that is one message."""
    revision = hub.repositories.add("someone/dolls", dolls)
    dataset = declare("dolls", revision)
    assert machine.load(dataset) == [fingerprint]
    hub.stop()
    asked = len(hub.asked)
    assert machine.load(dataset, HF_HUB_OFFLINE="1") == [fingerprint]
    assert machine.load(dataset) == [fingerprint]
    (tmp_path / "elsewhere").mkdir()
    elsewhere = Machine(hub, tmp_path / "elsewhere")
    [offline], [alone] = elsewhere.load(dataset, HF_HUB_OFFLINE="1"), elsewhere.load(dataset)
    for told in (offline, alone):
        assert f"at {revision} is not in the cache, and the hub cannot be reached" in told
        assert "Call again with a network, and without HF_HUB_OFFLINE" in told
    assert "offline mode is enabled" in offline
    assert "refused" in alone
    assert len(hub.asked) == asked


def test_a_renamed_repository_loads(
    hub: Hub, machine: Machine, dolls: Files, fingerprint: str
) -> None:
    """The hub sends the old name on to the new one."""
    revision = hub.repositories.add("someone/dolls", dolls)
    hub.repositories.renamed["someone/puppets"] = "someone/dolls"
    assert machine.load(declare("puppets", revision)) == [fingerprint]
    assert {reply.status for request, reply in hub.asked if "puppets" in request.path} == {307}


def test_an_import_is_pushed_privately(hub: Hub, machine: Machine, tmp_path: Path) -> None:
    """The hub has the folder's bytes, a second push adds nothing, and what is told loads."""
    write_table(tmp_path / "raw")
    call = (
        "-m", "harness", "data", "import", "custom", tmp_path / "raw" / "people.csv",
        "--out", tmp_path / "people", "--push-to-hub", "someone/people", "--private",
    )  # fmt: skip
    first = machine.call(*call, HF_TOKEN=OWNER)
    assert first.returncode == 0, first.stderr
    repository = hub.repositories.by_name["someone/people"]
    assert repository.private
    files = {file.name: file.read_bytes() for file in (tmp_path / "people").iterdir()}
    assert {"README.md", "import.json"} < files.keys()
    assert repository.files("main")[1] == {".gitattributes": b"*.parquet filter=lfs\n", **files}
    assert len(hub.requests("PUT", "/objects/")) == 3

    again = machine.call(*call, HF_TOKEN=OWNER)
    assert again.returncode == 0, again.stderr
    assert len(hub.requests("PUT", "/objects/")) == 3
    assert len(hub.requests("POST", "/commit/")) == 1
    assert pushed_as(again.stderr) == pushed_as(first.stderr)

    told = machine.load(pushed_as(first.stderr), HF_TOKEN=OWNER)
    assert told == [locate(find_declaration(str(tmp_path / "people"))).fingerprint]


def write_table(folder: Path) -> None:
    """Write a table of drawn squares, a person and an image a split."""
    from PIL import Image

    folder.mkdir()
    lines = ["image,caption,person,split"]
    for person, split in enumerate(("train", "val", "test")):
        Image.new("RGB", (8, 24), (person, 0, 0)).save(folder / f"{person}.png")
        lines.append(f"{person}.png,Somebody in red.,{person},{split}")
    (folder / "people.csv").write_text("\n".join(lines))


def pushed_as(messages: str) -> dict[str, Any]:
    """Return what a push says to write into a suite."""
    [line] = re.findall(r"In a suite: (\{.*\})", messages)
    dataset: dict[str, Any] = yaml.safe_load(line)
    return dataset


def test_a_push_takes_the_place_of_another(
    hub: Hub, machine: Machine, small_dolls: Path, tmp_path: Path, fingerprint: str
) -> None:
    """Shards of an earlier import go; files that are the same are not uploaded again."""
    folder = tmp_path / "dolls"
    shutil.copytree(small_dolls, folder)
    (folder / "notes.txt").write_text("not for others")
    (folder / "train-more.parquet").write_bytes(b"an earlier shard")
    machine.push(folder, "someone/dolls")
    uploaded = len(hub.requests("PUT", "/objects/"))
    (folder / "train-more.parquet").unlink()
    told = machine.push(folder, "someone/dolls")
    assert len(hub.requests("PUT", "/objects/")) == uploaded == 4
    _, files = hub.repositories.by_name["someone/dolls"].files("main")
    assert not {"train-more.parquet", "notes.txt"} & files.keys()
    assert machine.load(pushed_as(told), HF_TOKEN=OWNER) == [fingerprint]


def test_a_push_that_is_refused_is_one_message(
    hub: Hub, machine: Machine, small_dolls: Path
) -> None:
    """Not signed in, another's name, a storage that refuses, no hub: the reason and what helps."""
    name = "someone/dolls"
    assert "401 Unauthorized" in machine.push(small_dolls, name, token=None)
    told = machine.push(small_dolls, name, token=STRANGER)
    assert "403 Forbidden: You don't have the rights to create a dataset" in told
    hub.repositories.takes_objects = False
    told = machine.push(small_dolls, name)
    assert f"{small_dolls} could not be pushed to {name}: 403 Forbidden: Request has exp" in told
    assert "`hf auth login` signs in; what was uploaded is not uploaded again" in told
    assert not hub.requests("POST", "/commit/")
    hub.stop()
    assert "Connection refused" in machine.push(small_dolls, name)


def test_a_private_push_never_becomes_public(hub: Hub, machine: Machine, small_dolls: Path) -> None:
    """A repository that is there and public is refused before anything is uploaded."""
    revision = hub.repositories.add("someone/dolls", {"README.md": b"# Dolls"})
    told = machine.push(small_dolls, "someone/dolls")
    assert "someone/dolls is there already and everyone can read it: make it private" in told
    assert hub.repositories.by_name["someone/dolls"].head == revision
    assert not hub.requests("PUT", "/objects/")
