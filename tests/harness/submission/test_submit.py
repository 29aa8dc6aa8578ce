"""Bundles offered to boards: bare repositories, GitHub's API and a hub, all on this machine."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import typer

from harness.cli import app
from harness.data.catalogue import find_declaration, locate
from harness.errors import HarnessError
from harness.files import hash_file
from harness.submission.branches import find_address, submit
from harness.submission.offer import Offer, make_offer
from harness.submission.pull_requests import API, find_token

from ...hub.api import OWNER, STRANGER
from ...hub.caller import Caller
from ...hub.server import Hub
from ..publishing.remotes import Remote, run_git
from .github_api import TOKEN, GitHub

pytestmark = pytest.mark.usefixtures("alone")

BOARD = {"README.md": "A board.\n", "withdrawn.csv": "file,date,reason\n"}
SUBMIT = """
import json, sys
from pathlib import Path

from harness.errors import HarnessError
from harness.submission.hub_requests import submit
from harness.submission.offer import Offer

values = json.loads(sys.argv[1])
try:
    done = submit(Offer(Path(values.pop("file")), **values), sys.argv[2])
    print(done.told, done.address)
except HarnessError as error:
    print(error)
"""


@pytest.fixture(scope="session")
def offer(bundle: Path, small_dolls: Path) -> Offer:
    """A bundle that was verified."""
    return make_offer(bundle, (), [locate(find_declaration(str(small_dolls)))])


@pytest.fixture
def board(remote: Remote) -> Remote:
    """A board with a first commit."""
    remote.add(BOARD, "main")
    remote.git("symbolic-ref", "HEAD", "refs/heads/main")
    return remote


@pytest.fixture
def fork(board: Remote, tmp_path: Path) -> Remote:
    """Somebody's own copy of the board."""
    shutil.copytree(board.path, tmp_path / "fork.git")
    return Remote(tmp_path / "fork.git")


@pytest.fixture
def github(
    board: Remote, fork: Remote, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[GitHub]:
    """GitHub on this machine: lab/board and someone/board are the two repositories."""
    for name, place in {"lab": board, "someone": fork}.items():
        address = f"https://github.com/{name}/board.git"
        run_git(tmp_path, "config", "--global", f"url.{place.path}.insteadOf", address)
    with GitHub("lab/board") as server:
        monkeypatch.setenv("GITHUB_API_URL", server.url)
        monkeypatch.setenv("GH_TOKEN", TOKEN)
        yield server


# What is offered.


def test_an_offer_tells_what_it_holds(offer: Offer, bundle: Path) -> None:
    """Its names are of this very bundle; its words are a table of figures, and who sends it."""
    short = hash_file(bundle)[:12]
    assert offer.branch == f"submission-{short}"
    assert offer.path.startswith("submissions/")
    assert offer.path.endswith(f"-{short}.zip")
    assert offer.body.startswith("By A lab, someone\\@example.org.\n")
    assert "| glance | trained | " in offer.body
    assert "\n" not in offer.title


def test_a_bundle_that_a_board_would_refuse_is_not_sent(
    unpacked: Path, tmp_path: Path, harness: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    """A figure that does not follow from its ranks, a file of text, a file that is not there."""
    [record, *_] = sorted(unpacked.glob("*/*/*/*/*/run.json"))
    values = json.loads(record.read_text("utf-8"))
    values["metrics"]["r1"] = 99.0
    record.write_text(json.dumps(values), encoding="utf-8")
    file = Path(shutil.make_archive(str(tmp_path / "changed"), "zip", unpacked))
    with pytest.raises(HarnessError, match=r"changed\.zip would be refused: .* Nothing was sent\."):
        make_offer(file)
    (tmp_path / "text.zip").write_text("<script>")
    with pytest.raises(HarnessError, match=r"text\.zip would be refused: it is no"):
        make_offer(tmp_path / "text.zip")
    done = harness("submit", tmp_path / "none.zip", "--repository", "lab/board")
    assert done.returncode == 2
    assert "There is no file" in done.stderr


# Branches.


def test_a_bundle_becomes_a_branch(offer: Offer, board: Remote) -> None:
    """One commit on what is there, which adds the bundle byte by byte and stores nothing else."""
    done = submit(offer, str(board.path))
    assert done.told == f"Pushed to the branch {offer.branch} of {board.path}."
    assert done.advice == "Ask its keepers to take the branch."
    changes = board.git("diff", "--name-status", "main", offer.branch)
    assert changes == f"A\t{offer.path}\n"
    blob = board.git("rev-parse", f"{offer.branch}:{offer.path}").strip()
    assert blob == board.git("hash-object", str(offer.file)).strip()
    assert board.git("log", "-1", "--format=%an: %s", offer.branch) == f"Somebody: {offer.title}\n"


def test_nothing_is_sent_twice(offer: Offer, board: Remote) -> None:
    """A branch that is there stays, and what was taken under any name is told."""
    submit(offer, str(board.path))
    before = board.git("for-each-ref")
    told = submit(offer, str(board.path)).told
    assert told == f"It was pushed before, to the branch {offer.branch} of {board.path}."
    assert board.git("for-each-ref") == before
    tree = board.git("rev-parse", offer.branch).strip()
    board.git("update-ref", "refs/heads/main", tree)
    board.git("branch", "-D", offer.branch)
    assert submit(offer, str(board.path)).told == (
        f"It is there already, as {offer.path} of main: nothing was sent."
    )
    assert offer.branch not in board.git("for-each-ref")


def test_a_branch_of_something_else_is_not_written_over(offer: Offer, board: Remote) -> None:
    """Its name is of the bundle, so somebody put something else there."""
    board.add({"other.txt": "x"}, offer.branch)
    before = board.git("rev-parse", offer.branch)
    with pytest.raises(HarnessError, match=r"There is a branch submission-.* with something else"):
        submit(offer, str(board.path))
    assert board.git("rev-parse", offer.branch) == before


def test_what_cannot_be_pushed_to_is_told(offer: Offer, board: Remote, remote: Remote) -> None:
    """A repository without a commit, none at all, and one that lets nobody push."""
    board.hook("#!/bin/sh\necho not you >&2\nexit 1\n")
    with pytest.raises(HarnessError, match=r"may not push the bundle: .* fork it.*--from OWNER/N"):
        submit(offer, str(board.path))
    with pytest.raises(HarnessError, match="there is no such folder"):
        submit(offer, "nowhere")
    shutil.rmtree(board.path)
    run_git(board.path.parent, "init", "--quiet", "--bare", board.path.name)
    with pytest.raises(HarnessError, match="has no commit yet: `harness new-board FOLDER` writes"):
        submit(offer, str(board.path))
    shutil.rmtree(board.path / "objects")
    with pytest.raises(HarnessError, match=r"git cannot read .*remote\.git: .*`git ls-remote"):
        submit(offer, str(board.path))


def test_a_board_without_its_default_branch_is_told(offer: Offer, board: Remote) -> None:
    """What HEAD names and which branches there are; also where it is at a commit alone."""
    board.git("symbolic-ref", "HEAD", "refs/heads/gone")
    for address in (str(board.path), f"file://{board.path}"):
        with pytest.raises(HarnessError) as told:
            submit(offer, address)
        assert str(told.value).startswith(
            f"HEAD of {address} names the branch gone, which is not there. There are: main."
        )
    tip = board.git("rev-parse", "main").strip()
    (board.path / "HEAD").write_text(f"{tip}\n")
    with pytest.raises(HarnessError, match=r"names a commit and no branch\. There are: main\."):
        submit(offer, str(board.path))


def test_an_address_is_looked_at_before_a_bundle(
    board: Remote, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A wrong path, an empty repository and a missing git are told before anything is verified."""
    (tmp_path / "text.zip").write_text("no bundle")
    call = typer.main.get_command(app)

    def told(repository: object) -> str:
        with pytest.raises(HarnessError) as raised:
            call(
                ["submit", str(tmp_path / "text.zip"), "--repository", str(repository)],
                standalone_mode=False,
            )
        return str(raised.value)

    assert "there is no such folder" in told("nowhere")
    run_git(tmp_path, "init", "--quiet", "--bare", "empty.git")
    assert "has no commit yet" in told(tmp_path / "empty.git")
    assert "would be refused: it is no" in told(board.path)
    monkeypatch.setenv("PATH", "")
    assert "git is not installed" in told(board.path)


def test_an_empty_name_is_no_repository(offer: Offer, board: Remote) -> None:
    """It is not the folder we are in, neither as the board nor as a fork."""
    for named in (("", None), (" ", None), (str(board.path), "")):
        with pytest.raises(HarnessError, match="is empty: name a folder or an address"):
            submit(offer, *named)


@pytest.mark.parametrize(
    "address",
    [
        "https://me:pa@S3CRET@host.invalid/b.git",
        "https://me:pa/S3CRET@host.invalid/b.git",
        "https://me:pa S3CRET@host.invalid/b.git",
        "https://me:pa\nS3CRET@host.invalid/b.git",
        "me:S3CRET@host.invalid:x/b.git",
        "https://host.invalid/b.git?token=S3CRET",
        "S3CRET@nowhere",
    ],
)
def test_a_password_is_not_printed(
    address: str, offer: Offer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where git cannot read the board, the address is told without what belongs to its user."""
    monkeypatch.setenv("GIT_SSH_COMMAND", "false")
    with pytest.raises(HarnessError, match=r"git cannot read .*host|there is no such") as told:
        submit(offer, address)
    assert "S3CRET" not in str(told.value)


def test_a_password_goes_to_no_page(offer: Offer, board: Remote, tmp_path: Path) -> None:
    """Neither to what was done nor to the page on which a pull request is opened."""
    address = "https://me:S3CRET@github.com/lab/board?token=S3CRET"
    run_git(tmp_path, "config", "--global", f"url.{board.path}.insteadOf", address)
    done = submit(offer, address)
    assert "S3CRET" not in f"{done}"
    assert done.address.startswith("https://github.com/lab/board/compare/main...lab:board:")


@pytest.mark.parametrize(
    ("named", "address"),
    [
        ("lab/board", "https://github.com/lab/board.git"),
        ("https://user:secret@example.org/b.git", "https://user:secret@example.org/b.git"),
        ("git@github.com:lab/board.git", "git@github.com:lab/board.git"),
    ],
)
def test_a_repository_is_named_as_elsewhere(named: str, address: str) -> None:
    """OWNER/NAME is GitHub's; addresses stay what they are."""
    assert find_address(named) == address


# Pull requests of GitHub.


def test_a_pull_request_is_opened_once(
    offer: Offer, bundle: Path, github: GitHub, board: Remote,
    harness: Callable[..., subprocess.CompletedProcess[str]],
) -> None:  # fmt: skip
    """By the command, with who, what and figures; called again it is told."""
    call = "submit", bundle, "--repository", "lab/board"
    told = harness(*call, "--dry-run")
    assert told.returncode == 0, told.stderr
    assert told.stdout == f"{offer.path}: {offer.title}\n\n{offer.body}\n"
    assert "submission-" not in board.git("for-each-ref")
    first, second = harness(*call), harness(*call)
    assert first.returncode == second.returncode == 0, first.stderr + second.stderr
    assert first.stdout == second.stdout == "https://github.com/lab/board/pull/1\n"
    assert "It was asked for before." in " ".join(second.stderr.split())
    assert github.pulls == [
        {
            "title": offer.title, "body": offer.body, "head": f"lab:{offer.branch}", "base": "main",
            "state": "open", "html_url": "https://github.com/lab/board/pull/1",
        }
    ]  # fmt: skip


def test_from_a_fork(offer: Offer, github: GitHub, board: Remote, fork: Remote) -> None:
    """The branch is pushed to the fork alone, and the board is asked."""
    done = submit(offer, "lab/board", "someone/board")
    assert done.address == "https://github.com/lab/board/pull/1"
    assert github.pulls[0]["head"] == f"someone:{offer.branch}"
    assert offer.branch in fork.git("for-each-ref")
    assert offer.branch not in board.git("for-each-ref")


def test_without_a_token_the_page_is_told(
    offer: Offer, github: GitHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is asked of the API."""
    monkeypatch.delenv("GH_TOKEN")
    done = submit(offer, "lab/board", "someone/board")
    assert done.address == (
        f"https://github.com/lab/board/compare/main...someone:board:{offer.branch}?expand=1"
    )
    assert done.advice.startswith("No token was found")
    assert github.asked == []


@pytest.mark.parametrize(
    ("token", "answer", "message"),
    [
        ("gh_stranger", None, "GitHub says 401, Bad credentials, the token is not valid"),
        (TOKEN, b"<html>", "could not be opened: Expecting value"),
        (TOKEN, b'{"message": "x"}', "could not be opened: "),
    ],
)
def test_what_github_refuses_is_told(
    token: str, answer: bytes | None, message: str, offer: Offer, github: GitHub,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """With the page on which to go on by hand, and never with the token."""
    monkeypatch.setenv("GH_TOKEN", token)
    github.answers = answer
    with pytest.raises(HarnessError, match=f"{message}.* by hand: https://github.com/lab") as told:
        submit(offer, "lab/board")
    assert token not in str(told.value)


def test_a_token_of_git_goes_to_github_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not to whatever address a variable names."""
    for name in ("GH_TOKEN", "GITHUB_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    assert find_token(API) is None
    helper = "!f() { echo username=me; echo password=gh_mine; }; f"
    run_git(tmp_path, "config", "--global", "credential.helper", helper)
    assert find_token(API) == "gh_mine"
    assert find_token("http://127.0.0.1:1") is None
    monkeypatch.setenv("GITHUB_TOKEN", "gh_other")
    assert find_token(API) == "gh_other"


# Pull requests of the Hugging Face hub.


@pytest.fixture
def hub() -> Iterator[Hub]:
    """A hub with a board."""
    with Hub() as server:
        server.repositories.add("lab/board", {"README.md": b"A board."})
        yield server


def test_the_hub_is_asked_once(offer: Offer, hub: Hub, tmp_path: Path) -> None:
    """By who may read alone; what was taken is told; who is not signed in is told how."""
    (tmp_path / "machine").mkdir()
    machine = Caller(hub, tmp_path / "machine")
    told = json.dumps({**vars(offer), "file": str(offer.file)})

    def send(token: str | None, repository: str = "lab/board") -> str:
        signed = {"HF_TOKEN": token} if token else {}
        done = machine.call("-c", SUBMIT, told, repository, **signed)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    place = f"{hub.url}/datasets/lab/board/discussions/1"
    assert send(STRANGER) == f"Sent to the dataset lab/board. {place}"
    [request] = hub.repositories.by_name["lab/board"].requests
    assert request.changes == {offer.path: offer.file.read_bytes()}
    assert (request.title, request.body) == (f"{offer.title} ({offer.branch})", offer.body)
    assert send(STRANGER) == f"It was asked for before: nothing was sent. {place}"
    hub.repositories.by_name["lab/board"].commit(request.changes)
    request.status = "merged"
    assert send(OWNER) == f"It is there already, as {offer.path}: nothing was sent."
    assert "`hf auth login` signs in" in send(OWNER, "lab/other")


def test_a_fork_is_for_github(
    bundle: Path, harness: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    """On the hub everybody may ask."""
    done = harness(
        "submit", bundle, "--repository", "lab/board", "--to", "huggingface", "--from", "me/board"
    )
    assert done.returncode == 2
    assert "--from is for github" in done.stderr
