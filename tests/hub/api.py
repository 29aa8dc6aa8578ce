"""What `huggingface_hub` asks of the Hugging Face hub, answered from memory.

What is in a repository of a dataset, a model or a Space, its files with ranges, and commits with
LFS objects. A request becomes a reply here; `server` puts both on the wire.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from email.message import Message
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

Files = dict[str, bytes]  # content by path

OWNER = "hf_owner"  # a token that may read and write everything
STRANGER = "hf_stranger"  # the token of someone who was given nothing

ATTRIBUTES = {".gitattributes": b"*.parquet filter=lfs\n"}
STATIC = {  # what the hub puts into a new static Space
    "README.md": b"---\ntitle: Something\nsdk: static\n---\n",
    "index.html": b"<h1>Welcome to your static Space!</h1>",
    "style.css": b"body { padding: 2rem; }",
}


@dataclass
class PullRequest:
    """Changes that somebody asks for."""

    title: str
    body: str
    changes: Files
    status: str = "open"


@dataclass
class Repository:
    """The commits of a dataset, a model or a Space, the newest last, and who may read it."""

    private: bool = False
    gated: bool = False
    sdk: str | None = None  # of a Space
    commits: dict[str, Files] = field(default_factory=dict)
    requests: list[PullRequest] = field(default_factory=list)

    @property
    def head(self) -> str:
        """The commit that main names."""
        return list(self.commits)[-1]

    def commit(self, changes: Mapping[str, bytes], removed: Iterable[str] = ()) -> str:
        """Add a commit and return its hash."""
        before = self.commits[self.head] if self.commits else {}
        kept = {path: before[path] for path in before if path not in set(removed)}
        files = {**kept, **changes}
        content = [len(self.commits), *((path, of_git(files[path])) for path in sorted(files))]
        name = hashlib.sha1(json.dumps(content).encode()).hexdigest()
        self.commits[name] = files
        return name

    def files(self, revision: str) -> tuple[str, Files]:
        """Return the commit that a revision names, and its files."""
        commit = self.head if revision == "main" else revision
        if commit not in self.commits:
            raise Refused(404, "RevisionNotFound", f"Invalid rev id: {revision}")
        return commit, self.commits[commit]


@dataclass(frozen=True)
class Request:
    """What was asked."""

    method: str
    path: str
    headers: Message  # found in any case
    body: bytes

    @property
    def token(self) -> str | None:
        """Who asked."""
        return self.headers.get("Authorization", "").removeprefix("Bearer ") or None

    @property
    def host(self) -> str:
        """Where this hub is."""
        return f"http://{self.headers['Host']}"


@dataclass(frozen=True)
class Reply:
    """What is answered."""

    content: bytes = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


class Refused(Exception):
    """An answer that is an error, with the hub's code and words for it."""

    def __init__(self, status: int, code: str, words: str) -> None:
        super().__init__(status, code, words)
        told = {"X-Error-Code": code, "X-Error-Message": words}
        content = json.dumps({"error": words}).encode()
        self.reply = Reply(content, status, {name: text for name, text in told.items() if text})


@dataclass
class Repositories:
    """All that the hub holds."""

    by_name: dict[str, Repository] = field(default_factory=dict)
    renamed: dict[str, str] = field(default_factory=dict)  # old name -> new name
    objects: Files = field(default_factory=dict)  # LFS content by SHA-256
    takes_objects: bool = True  # or refuses them, as a storage whose permission ran out
    page_size: int = 1000  # files of a tree that one answer lists
    before: Callable[[Request], object] = lambda request: None  # called before each answer

    def add(
        self,
        name: str,
        files: Mapping[str, bytes],
        private: bool = False,
        gated: bool = False,
        sdk: str | None = None,
    ) -> str:
        """Add a repository with files and return its commit."""
        self.by_name[name] = Repository(private, gated, sdk)
        return self.by_name[name].commit(files)

    def find(self, name: str, token: str | None) -> Repository:
        """Return a repository that a token may know of."""
        if token not in (None, OWNER, STRANGER):
            raise Refused(401, "", "Invalid credentials in Authorization header")
        repository = self.by_name.get(name)
        if repository is None or (repository.private and token != OWNER):
            raise Refused(404 if token else 401, "RepoNotFound", "Repository not found")
        return repository

    def answer(self, request: Request) -> Reply:
        """Return the reply of the route that a request takes."""
        self.before(request)
        path = unquote(urlsplit(request.path).path)
        for methods, pattern, reply in ROUTES:
            match = re.fullmatch(pattern, path)
            if match is None or request.method not in methods.split():
                continue
            name = match.groupdict().get("name", "")
            if new := self.renamed.get(name):
                return Reply(status=307, headers={"Location": request.path.replace(name, new, 1)})
            try:
                return reply(self, request, **match.groupdict())
            except Refused as refused:
                return refused.reply
        return Reply(status=404)


def of_git(content: bytes) -> str:
    """Return the hash by which git names a file's content."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


def of_lfs(content: bytes) -> str:
    """Return the hash by which LFS names a file's content."""
    return hashlib.sha256(content).hexdigest()


def is_large(path: str) -> bool:
    """Tell whether a file goes to LFS."""
    return path.endswith((".parquet", ".safetensors", ".bin"))


def oid(path: str, content: bytes) -> str:
    """Return the hash by which the hub names a file's content."""
    return of_lfs(content) if is_large(path) else of_git(content)


def _json(value: Any) -> Reply:
    return Reply(json.dumps(value).encode(), headers={"Content-Type": "application/json"})


def _info(hub: Repositories, request: Request, name: str, revision: str | None) -> Reply:
    repository = hub.find(name, request.token)
    commit, files = repository.files(revision or "main")
    about = {"id": name, "sha": commit, "private": repository.private, "gated": repository.gated}
    if repository.sdk:
        about["sdk"] = repository.sdk
    return _json({**about, "siblings": [{"rfilename": path} for path in files]})


def _tree(hub: Repositories, request: Request, name: str, revision: str) -> Reply:
    _, files = hub.find(name, request.token).files(revision)
    rows: list[dict[str, Any]] = [
        {"type": "file", "path": path, "oid": of_git(content), "size": len(content)}
        for path, content in files.items()
    ]
    for row in rows:
        if is_large(row["path"]):
            large = {"oid": of_lfs(files[row["path"]]), "size": row["size"], "pointerSize": 130}
            row["lfs"] = large
    asked = parse_qs(urlsplit(request.path).query)
    start = int(asked.get("cursor", ["0"])[0])
    end = start + hub.page_size
    reply = _json(rows[start:end])
    if end >= len(rows):
        return reply
    following = f"{request.host}{urlsplit(request.path).path}?recursive=true&cursor={end}"
    return Reply(reply.content, headers={**reply.headers, "Link": f'<{following}>; rel="next"'})


def _commits(hub: Repositories, request: Request, name: str, revision: str) -> Reply:
    repository = hub.find(name, request.token)
    repository.files(revision)
    about = {"title": "A commit", "message": "", "authors": [], "date": "2025-01-01T00:00:00.000Z"}
    return _json([{"id": commit, **about} for commit in reversed(repository.commits)])


def _resolve(hub: Repositories, request: Request, name: str, revision: str, path: str) -> Reply:
    repository = hub.find(name, request.token)
    if repository.gated and request.token != OWNER:
        words = f"Access to {name} is restricted."
        raise Refused(403 if request.token else 401, "GatedRepo", words)
    commit, files = repository.files(revision)
    if path not in files:
        raise Refused(404, "EntryNotFound", f"Entry not found: {path}")
    content = files[path]
    headers = {"ETag": f'"{oid(path, content)}"', "X-Repo-Commit": commit}
    if not (wanted := re.fullmatch(r"bytes=(\d+)-", request.headers.get("Range", ""))):
        return Reply(content, headers=headers)
    start = int(wanted[1])
    if start >= len(content):
        return Reply(status=416)
    part = f"bytes {start}-{len(content) - 1}/{len(content)}"
    return Reply(content[start:], 206, {**headers, "Content-Range": part})


def _create(hub: Repositories, request: Request) -> Reply:
    told = json.loads(request.body)
    name = f"{told['organization']}/{told['name']}"
    if request.token != OWNER:
        words = f"You don't have the rights to create a {told['type']} under {told['organization']}"
        raise Refused(403 if request.token else 401, "", words)
    place = {"url": f"{request.host}/{told['type']}s/{name}"}
    if name in hub.by_name:
        return Reply(json.dumps(place).encode(), 409)
    private, sdk = told.get("visibility") == "private", told.get("sdk")
    files = {**ATTRIBUTES, **(STATIC if sdk == "static" else {})}
    hub.add(name, files, private=private, sdk=sdk)
    return _json(place)


def _check_card(hub: Repositories, request: Request) -> Reply:
    return _json({"errors": [], "warnings": []})


def _preupload(hub: Repositories, request: Request, name: str, revision: str) -> Reply:
    _, there = hub.find(name, request.token).files(revision)
    asked = [of["path"] for of in json.loads(request.body)["files"]]
    rows = [
        {
            "path": path,
            "uploadMode": "lfs" if is_large(path) else "regular",
            "shouldIgnore": False,
            "oid": oid(path, there[path]) if path in there else None,
        }
        for path in asked
    ]
    return _json({"files": rows})


def _batch(hub: Repositories, request: Request, name: str) -> Reply:
    if request.token != OWNER:
        raise Refused(403, "", "You don't have the rights to write")
    rows = json.loads(request.body)["objects"]
    for row in rows:
        if row["oid"] not in hub.objects:
            row["actions"] = {"upload": {"href": f"{request.host}/objects/{row['oid']}"}}
    return _json({"transfer": "basic", "objects": rows})


def _store(hub: Repositories, request: Request, name_of_object: str) -> Reply:
    if not hub.takes_objects:
        raise Refused(403, "", "Request has expired")
    if of_lfs(request.body) != name_of_object:
        raise Refused(400, "", "The content is not what was announced")
    hub.objects[name_of_object] = request.body
    return Reply()


def _commit(hub: Repositories, request: Request, name: str, revision: str) -> Reply:
    is_request = parse_qs(urlsplit(request.path).query).get("create_pr") == ["1"]
    if request.token not in ((OWNER, STRANGER) if is_request else (OWNER,)):
        raise Refused(403 if request.token else 401, "", "You don't have the rights to write")
    changes: Files = {}
    removed: set[str] = set()
    header: dict[str, Any] = {}
    for line in request.body.splitlines():
        operation = json.loads(line)
        told = operation["value"]
        if operation["key"] == "header":
            header = told
            if told.get("parentCommit", hub.by_name[name].head) != hub.by_name[name].head:
                raise Refused(412, "", "A commit has happened since. Please refresh and try again.")
        elif operation["key"] == "file":
            changes[told["path"]] = base64.b64decode(told["content"])
        elif operation["key"] == "lfsFile":
            changes[told["path"]] = hub.objects[told["oid"]]
        elif operation["key"] == "deletedFile":
            removed.add(told["path"])
    kind = urlsplit(request.path).path.split("/")[2]
    if is_request:
        requests = hub.by_name[name].requests
        requests.append(PullRequest(header["summary"], header["description"], changes))
        place = f"{request.host}/{kind}/{name}"
        return _json(
            {
                "commitUrl": f"{place}/commit/{hub.by_name[name].head}",
                "commitOid": hub.by_name[name].head,
                "pullRequestUrl": f"{place}/discussions/{len(requests)}",
            }
        )
    commit = hub.by_name[name].commit(changes, removed)
    place = f"{request.host}/{kind}/{name}/commit/{commit}"
    return _json({"commitUrl": place, "commitOid": commit})


def _discussions(hub: Repositories, request: Request, name: str) -> Reply:
    kind = urlsplit(request.path).path.split("/")[2].removesuffix("s")
    rows = [
        {
            "num": number,
            "title": one.title,
            "status": one.status,
            "isPullRequest": True,
            "createdAt": "2025-01-01T00:00:00.000Z",
            "author": {"name": "somebody"},
            "repo": {"name": name, "type": kind},
        }
        for number, one in enumerate(hub.find(name, request.token).requests, start=1)
    ]
    return _json({"count": len(rows), "start": 0, "discussions": rows})


KIND = "(?:datasets|models|spaces)"
NAME = r"(?P<name>[^/]+/[^/]+?)"
REVISION = r"(?P<revision>[^/]+)"
ROUTES: tuple[tuple[str, str, Callable[..., Reply]], ...] = (
    ("GET", rf"/api/{KIND}/{NAME}(?:/revision/{REVISION})?", _info),
    ("GET", rf"/api/{KIND}/{NAME}/tree/{REVISION}", _tree),
    ("GET", rf"/api/{KIND}/{NAME}/commits/{REVISION}", _commits),
    ("GET HEAD", rf"(?:/datasets|/spaces)?/{NAME}/resolve/{REVISION}/(?P<path>.+)", _resolve),
    ("GET", rf"/api/{KIND}/{NAME}/discussions", _discussions),
    ("POST", r"/api/repos/create", _create),
    ("POST", r"/api/validate-yaml", _check_card),
    ("POST", rf"/api/{KIND}/{NAME}/preupload/{REVISION}", _preupload),
    ("POST", rf"/{KIND}/{NAME}\.git/info/lfs/objects/batch", _batch),
    ("PUT", r"/objects/(?P<name_of_object>[0-9a-f]{64})", _store),
    ("POST", rf"/api/{KIND}/{NAME}/commit/{REVISION}", _commit),
)
