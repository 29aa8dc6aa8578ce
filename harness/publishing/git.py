"""git as its user has set it up, on a repository of our own that is thrown away.

Nothing is read from or written to the user's repository but its settings: who may push, and how,
is often told there.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from harness.errors import HarnessError

REMOTE = "page"
NOBODY = "0" * 40
# What of the user's settings tells how to reach a repository and who commits.
SECTIONS = ("author", "committer", "credential", "gcm", "http", "protocol", "safe", "ssh",
            "transfer", "url", "user")  # fmt: skip
VALUES = ("core.askpass", "core.gitproxy", "core.sshcommand")
SCHEME = re.compile(r"(?:[\w+.-]+::)?[A-Za-z][\w+.-]*://|")  # that an address begins with, if any
SEPARATORS = re.compile(r"[@/:?#&=\s]+")
QUERY = re.compile(r"[?#]")
# What stands before the host of an address within a text, quoted as git does or not.
CREDENTIALS = re.compile(r"(?<=://)(?:[^']*@(?=[^'@\s]*')|\S*@)")
QUERIES = re.compile(r"(://[^\s'?]*)\?[^\s']*")
HIDDEN = "***"
OURS = (("gc.auto", "0"), ("maintenance.auto", "false"))  # nothing works on behind our back


class GitError(Exception):
    """What git says where it fails."""


@dataclass(frozen=True)
class Git:
    """Calls git on one bare repository, which fetches from one remote and pushes to it."""

    folder: Path
    environment: Mapping[str, str]
    address: str  # of the remote

    def __call__(self, *arguments: str, given: str | bytes = b"") -> str:
        """Return what a command prints.

        Raises:
            GitError: it fails; what git says is told in one line, without passwords.
        """
        try:
            return call_git(*arguments, given=given, environment=self.environment, at=self.folder)
        except GitError as error:
            told = without_passwords(str(error), self.address)
            raise GitError(" ".join(told.split()).rstrip(".")) from None

    def find_tip(self, branch: str) -> str | None:
        """Return the commit that refs/heads/... of the remote is at; None where it is not there."""
        lines = (line.split("\t") for line in self("ls-remote", REMOTE, branch).splitlines())
        return next((commit for commit, name in lines if name == branch), None)

    def find_branches(self) -> list[str]:
        """Return the names of the remote's branches."""
        lines = self("ls-remote", "--heads", REMOTE).splitlines()
        return [line.partition("\trefs/heads/")[2] for line in lines]

    def find_head(self) -> str:
        """Return what HEAD of the remote names, there or not; empty where it names no branch."""
        listed = self("ls-remote", "--symref", REMOTE, "HEAD").splitlines()
        # A checkout has a HEAD of each of its own remotes as well.
        told = [
            what for what, _, name in (line.partition("\t") for line in listed) if name == "HEAD"
        ]
        if told:
            return next(
                (what.removeprefix("ref: ") for what in told if what.startswith("ref: ")), ""
            )
        # Of a branch that is not there only a clone is told.
        self("clone", "--quiet", "--bare", "--single-branch", "--depth=1", self.address, "clone")
        head = (self.folder / "clone" / "HEAD").read_text(encoding="utf-8")
        return head.strip().removeprefix("ref: ")

    def fetch_tip(self, branch: str) -> str | None:
        """Fetch the last commit of the remote's branch, its folders but not its files."""
        if self.find_tip(branch) is None:
            return None
        self("fetch", "--quiet", "--depth=1", "--no-tags", "--filter=blob:none", REMOTE, branch)
        return self("rev-parse", "FETCH_HEAD").strip()

    def list_files(self, commit: str) -> dict[str, str]:
        """Return the names of contents by path; what is no plain file has none."""
        found = {}
        for line in filter(None, self("ls-tree", "-r", "-z", commit).split("\0")):
            about, _, name = line.partition("\t")
            mode, _, blob = about.split()
            found[name] = blob if mode == "100644" else ""
        return found

    def read(self, commit: str, name: str) -> bytes:
        """Return the content of a file, which is fetched."""
        return self("cat-file", "blob", f"{commit}:{name}").encode("utf-8", "surrogateescape")

    def store(self, files: Iterable[Path]) -> list[str]:
        """Store the contents of files and return their names."""
        given = "".join(f"{file}\n" for file in files)
        return self("hash-object", "-w", "--no-filters", "--stdin-paths", given=given).split()

    def commit(
        self,
        parent: str | None,
        written: Mapping[str, str],
        removed: Iterable[str],
        message: str,
    ) -> str:
        """Commit onto a parent: the contents to write by path, and the paths to remove."""
        self("read-tree", parent or "--empty")
        lines = [f"0 {NOBODY}\t{name}\0" for name in removed]
        lines += [f"100644 {blob}\t{name}\0" for name, blob in written.items()]
        self("update-index", "-z", "--index-info", given="".join(lines))
        # The contents of files that stay were never fetched.
        tree = self("write-tree", "--missing-ok").strip()
        parents = ("-p", parent) if parent else ()
        return self("commit-tree", tree, *parents, "-F", "-", given=message).strip()

    def push(self, commit: str, branch: str) -> None:
        """Make the remote's branch be at a commit, if that follows the one it is at."""
        self("push", "--quiet", REMOTE, f"{commit}:{branch}")


@contextmanager
def open_repository(address: str) -> Iterator[Git]:
    """Make an empty repository with one remote, which is gone afterwards."""
    settings = [*_user_settings(), *_who_commits(), *OURS, (f"remote.{REMOTE}.url", address)]
    with tempfile.TemporaryDirectory(prefix="harness-publish-") as folder:
        git = Git(Path(folder), _environment(settings, Path(folder)), address)
        git("init", "--quiet", "--bare", "--template=")
        yield git


def find_remote(repository: str | None) -> str:
    """Return the address of a repository that is named, else where this checkout pushes to.

    Raises:
        HarnessError: there is none.
    """
    if repository is None:
        return _origin()
    if not repository.strip():
        raise HarnessError("The name of a repository is empty: name a folder or an address.")
    if os.access(repository, os.F_OK):  # Path.exists fails with what can be no file's name
        return str(Path(repository).resolve())
    if ":" not in repository:
        raise HarnessError(
            f"--repository {show_address(repository)}: there is no such folder. Name one, or "
            "an address as in https://github.com/OWNER/NAME.git."
        )
    return repository


def call_git(
    *arguments: str,
    given: str | bytes = b"",
    environment: Mapping[str, str] | None = None,
    at: Path | None = None,
) -> str:
    """Run git and return what it prints.

    Raises:
        GitError: it fails.
        HarnessError: there is no git.
    """
    data = given.encode("utf-8", "surrogateescape") if isinstance(given, str) else given
    try:
        done = subprocess.run(
            ["git", *arguments], input=data, env=environment, cwd=at, capture_output=True,
            check=False,
        )  # fmt: skip
    except FileNotFoundError as error:
        raise HarnessError(
            "git is not installed, and what goes to a repository is pushed with it. Install it."
        ) from error
    if done.returncode:
        raise GitError(done.stderr.decode(errors="replace").strip() or f"status {done.returncode}")
    return done.stdout.decode("utf-8", "surrogateescape")


def show_address(address: str) -> str:
    """Return an address as it may be printed: nothing before its host, no query.

    A password may hold an @, a slash or a blank, so all up to the last @ goes. A path stays.
    """
    return " ".join(_part(address)[0].split())


def without_passwords(text: str, address: str) -> str:
    """Return what git says of a remote without what its address, or another one, keeps to itself.

    git and what it calls print addresses whole, and parts of those that they misread.
    """
    shown, hidden = _part(address)
    wholes = {whole for one in hidden for whole in (one, unquote(one))}
    parts = wholes.union(*(SEPARATORS.split(whole) for whole in wholes))
    longest_first = sorted({part for part in parts if part and part not in shown}, key=len)[::-1]
    if longest_first:
        found = re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, longest_first))})(?!\w)")
        pieces = [found.sub(HIDDEN, piece) for piece in text.split(address)]
        text = show_address(address).join(pieces)
    return QUERIES.sub(r"\1", CREDENTIALS.sub("", text))


def _part(address: str) -> tuple[str, tuple[str, ...]]:
    """Return what may be printed of an address, and what may not."""
    if address.startswith(("/", ".")):
        return address, ()
    begin = SCHEME.match(address)
    assert begin is not None  # it may be empty
    rest = address[begin.end() :]
    user, _, host = rest.rpartition("@")
    if QUERY.search(user):  # of a password or of a query that holds an @
        return f"{begin[0]}{HIDDEN}", (rest,)
    place, *query = QUERY.split(host, maxsplit=1)
    name, colon, password = user.partition(":")
    # What stands alone may be a token, but for the user whom everybody is by SSH.
    secret = password if colon else "" if name == "git" else name
    return f"{begin[0]}{place}", (secret, *query)


def _origin() -> str:
    """Return where the remote origin of the checkout we are in is pushed to."""
    try:
        address = call_git("remote", "get-url", "--push", "origin").strip()
        top = call_git("rev-parse", "--show-cdup").strip()
    except GitError as error:
        raise HarnessError(
            f"There is nowhere to push to: {error}. Call it in a checkout with a remote origin "
            "(`git remote add origin ADDRESS`), or name one: --repository ADDRESS."
        ) from error
    # A remote may be a path as seen from the top of the checkout.
    local = Path(top or ".") / address
    return str(local.resolve()) if local.exists() else address


def _user_settings() -> list[tuple[str, str]]:
    """Return the settings that hold where we are, of the checkout too, each once."""
    listed = call_git("config", "--list", "--includes", "-z").split("\0")
    parts = (setting.partition("\n") for setting in filter(None, listed))
    return [
        (name, value if equals else "true")
        for name, equals, value in parts
        if name.partition(".")[0] in SECTIONS or name in VALUES
    ]


def _who_commits() -> list[tuple[str, str]]:
    """Return a name to commit with, where the user has set none."""
    try:
        call_git("var", "GIT_COMMITTER_IDENT")
        call_git("var", "GIT_AUTHOR_IDENT")
    except GitError:
        return [("user.name", "harness publish"), ("user.email", "harness@localhost")]
    return []


def _environment(settings: Sequence[tuple[str, str]], folder: Path) -> dict[str, str]:
    """Return the environment for git on a repository of ours, with these settings and no others."""
    of_another = {*call_git("rev-parse", "--local-env-vars").split()}
    kept = {name: value for name, value in os.environ.items() if name not in of_another}
    counted = {"GIT_CONFIG_COUNT": str(len(settings))}
    for number, (name, value) in enumerate(settings):
        counted |= {f"GIT_CONFIG_KEY_{number}": name, f"GIT_CONFIG_VALUE_{number}": value}
    # With nobody there to ask, a question for a password would wait for ever.
    asking = {} if sys.stdin.isatty() else {"GIT_TERMINAL_PROMPT": "0"}
    return {
        **asking, **kept, **counted, "GIT_DIR": str(folder), "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
    }  # fmt: skip
