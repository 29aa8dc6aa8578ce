"""Pages in a Space, against a hub on this machine; each call in a process of its own."""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from harness.publishing.page import MANIFEST, NO_JEKYLL

from ...hub.api import ATTRIBUTES, OWNER, STATIC, STRANGER, Files, Request
from ...hub.caller import Caller
from ...hub.server import Hub
from .processes import PUBLISH, kill_group

NAME = "someone/people"
# What is asked of the hub before the commit: cut there, all is as if nothing had been begun.
EARLIER = [
    pytest.param(part, marks=pytest.mark.exhaustive)
    for part in ("/tree/", "/objects/", "/preupload/")
]
# The hub keeps what ends in .bin out of git.
ONE = {"index.html": "one", "methods/a.html": "a", "strips.bin": "1", "kept.bin": "same"}
TWO = {"index.html": "two", "strips.bin": "2", "kept.bin": "same"}
# The hub's client waits, up to 23 s, before it tries again.
SCRIPT = "import time\ntime.sleep = lambda seconds: None\n" + PUBLISH.replace(
    "{target}", "huggingface"
)


@pytest.fixture
def hub() -> Iterator[Hub]:
    """Return a hub that holds nothing yet, and lists three files at a time."""
    with Hub() as server:
        server.repositories.page_size = 3
        yield server


@pytest.fixture
def machine(hub: Hub, tmp_path: Path) -> Caller:
    """Return a machine that has never called the hub."""
    (tmp_path / "machine").mkdir()
    return Caller(hub, tmp_path / "machine")


@pytest.fixture
def publish(machine: Caller, write_page: Callable[..., Path]) -> Callable[..., str]:
    """Return a function that publishes files and returns what is told."""

    def call(files: Mapping[str, str], token: str | None = OWNER, **changes: Any) -> str:
        done = machine.call(
            "-c", SCRIPT, write_page(files), settings(**changes),
            **({"HF_TOKEN": token} if token else {}),
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    return call


def settings(**changes: Any) -> str:
    """Return how a page is published."""
    return json.dumps({"repository": NAME, "private": False, "message": "A page", **changes})


def shown(hub: Hub) -> Files:
    """Return what the Space holds, but for what goes with every page."""
    apart = {MANIFEST, NO_JEKYLL, ".gitattributes", "README.md"}
    files = hub.repositories.by_name[NAME].files("main")[1]
    return {name: content for name, content in files.items() if name not in apart}


def of(files: Mapping[str, str]) -> Files:
    """Return files as the hub has them."""
    return {name: content.encode() for name, content in files.items()}


def commits(hub: Hub) -> int:
    """Return how many commits the Space has."""
    return len(hub.repositories.by_name[NAME].commits)


def test_a_space_is_made_and_then_only_changed(hub: Hub, publish: Callable[..., str]) -> None:
    """What the hub puts into a new Space gives way; a second page sends its differences alone."""
    assert publish(ONE) == "5 new, 2 changed, 1 removed"
    space = hub.repositories.by_name[NAME]
    assert (space.sdk, space.private, commits(hub)) == ("static", False, 2)
    assert shown(hub) == of(ONE)
    readme = space.files("main")[1]["README.md"].decode()
    assert readme.startswith('---\ntitle: "people"\nsdk: static\napp_file: index.html\n')
    assert len(hub.requests("PUT", "/objects/")) == 2

    assert publish(TWO) == "0 new, 3 changed, 1 removed"
    assert (shown(hub), commits(hub)) == (of(TWO), 3)
    assert len(hub.requests("PUT", "/objects/")) == 3
    [_, second] = hub.requests("POST", "/commit/")
    lines = [json.loads(line) for line in second.body.splitlines()]
    assert {line["value"]["path"] for line in lines if line["key"] != "header"} == {
        "index.html", "strips.bin", MANIFEST, "methods/a.html",
    }  # fmt: skip


def test_a_page_that_is_there_is_not_sent_again(hub: Hub, publish: Callable[..., str]) -> None:
    """A second call uploads nothing and commits nothing; a dry run never does."""
    assert publish(ONE, dry_run=True) == "7 new, 0 changed, 0 removed"
    assert NAME not in hub.repositories.by_name
    publish(ONE)
    sent = len(hub.asked)
    assert publish(ONE) == "0 new, 0 changed, 0 removed"
    assert publish(TWO, dry_run=True) == "0 new, 3 changed, 1 removed"
    since = [request for request, _ in hub.asked[sent:] if request.method in ("POST", "PUT")]
    assert [request.path for request in since] == ["/api/repos/create"]
    assert commits(hub) == 2


def test_files_of_others_stay(hub: Hub, publish: Callable[..., str]) -> None:
    """The owner's README and files survive; what stands in the way of a page is refused."""
    publish(ONE)
    mine = {"README.md": b"---\nsdk: static\n---\nMine.\n", "notes/a.txt": b"mine"}
    space = hub.repositories.by_name[NAME]
    space.commit(mine)
    publish(TWO)
    assert space.files("main")[1].items() >= mine.items()
    assert "notes/a.txt is there already" in publish({**TWO, "notes/a.txt": "ours"})
    before = {**ATTRIBUTES, **STATIC}
    hub.repositories.add(NAME, before, sdk="static")
    hub.repositories.by_name[NAME].commit({"index.html": b"by hand"})
    assert "index.html is there already and is no page of ours" in publish(ONE)
    assert shown(hub) == {"index.html": b"by hand", "style.css": STATIC["style.css"]}


def test_a_readme_that_is_gone_comes_back(hub: Hub, publish: Callable[..., str]) -> None:
    """Without its first lines the Space would show nothing."""
    publish(ONE)
    hub.repositories.by_name[NAME].commit({}, ["README.md"])
    assert publish(ONE) == "1 new, 0 changed, 0 removed"
    assert b"sdk: static" in hub.repositories.by_name[NAME].files("main")[1]["README.md"]


def test_a_private_page_never_becomes_public(hub: Hub, publish: Callable[..., str]) -> None:
    """A new Space is private where that is asked for; one that all can see is refused."""
    publish(ONE, private=True)
    assert hub.repositories.by_name[NAME].private
    publish(TWO)
    assert hub.repositories.by_name[NAME].private
    hub.repositories.by_name[NAME].private = False
    assert "is there already and everyone can read it" in publish(ONE, private=True)
    assert shown(hub) == of(TWO)


def test_what_is_refused_is_one_message(hub: Hub, publish: Callable[..., str]) -> None:
    """No token, no right, another kind of Space, a storage that refuses, no hub: what helps."""
    assert "401 Unauthorized" in publish(ONE, token=None)
    told = publish(ONE, token=STRANGER)
    assert "don't have the rights to create a space" in told
    assert "`hf auth login` signs in, with a token that may write" in told
    hub.repositories.add(NAME, {}, sdk="gradio")
    assert "is a gradio Space, and a page needs a static one" in publish(ONE)
    hub.repositories.by_name.clear()
    hub.repositories.takes_objects = False
    assert "403 Forbidden: Request has expired" in publish(ONE)
    assert commits(hub) == 1
    hub.repositories.takes_objects = True
    publish(ONE)
    assert shown(hub) == of(ONE)
    hub.stop()
    assert "Connection refused" in publish(TWO)


def test_somebody_else_may_commit_in_between(hub: Hub, publish: Callable[..., str]) -> None:
    """A commit that is overtaken starts again from what is there then, and loses neither."""
    publish(ONE)
    others = [{"notes.txt": b"in between"}]

    def overtake(request: Request) -> None:
        if "/commit/" in request.path and others:
            hub.repositories.by_name[NAME].commit(others.pop())

    hub.repositories.before = overtake
    assert publish(TWO) == "0 new, 3 changed, 1 removed"
    assert shown(hub) == {**of(TWO), "notes.txt": b"in between"}


@dataclass
class Stop:
    """Holds up the requests whose paths have a part, until it is over."""

    part: str
    reached: threading.Event = field(default_factory=threading.Event)
    over: threading.Event = field(default_factory=threading.Event)

    def __call__(self, request: Request) -> None:
        if self.part in request.path:
            self.reached.set()
            self.over.wait(60)
            raise ConnectionAbortedError  # whoever asked is gone


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize("part", [*EARLIER, "/commit/"])
def test_a_kill_in_the_middle_of_an_upload_leaves_the_page(
    hub: Hub, machine: Caller, publish: Callable[..., str], write_page: Callable[..., Path],
    start: Callable[..., subprocess.Popen[str]], part: str,
) -> None:  # fmt: skip
    """What was published stays whole, and the next call publishes all the same."""
    publish(ONE)
    hub.repositories.before = stop = Stop(part)
    process = start(
        "-c", SCRIPT, write_page(TWO), settings(), at=machine.home,
        environment=machine.environment(HF_TOKEN=OWNER),
    )  # fmt: skip
    assert stop.reached.wait(60)
    kill_group(process)
    stop.over.set()
    assert (shown(hub), commits(hub)) == (of(ONE), 2)
    hub.repositories.before = lambda request: None
    assert publish(TWO) == "0 new, 3 changed, 1 removed"
    assert (shown(hub), commits(hub)) == (of(TWO), 3)


@pytest.mark.parametrize("part", [*EARLIER, "/commit/"])
def test_a_connection_that_is_cut_leaves_the_page(
    hub: Hub, publish: Callable[..., str], part: str
) -> None:
    """Cut for good, it is one message; the next call publishes all the same."""
    publish(ONE)
    hub.repositories.before = stop = Stop(part)
    stop.over.set()
    told = publish(TWO)
    assert f"The page could not be published to {NAME}: " in told
    assert "What was published before is whole; call again" in told
    assert (shown(hub), commits(hub)) == (of(ONE), 2)
    hub.repositories.before = lambda request: None
    publish(TWO)
    assert (shown(hub), commits(hub)) == (of(TWO), 3)
