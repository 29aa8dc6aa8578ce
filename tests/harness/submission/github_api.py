"""What is asked of GitHub's REST API to open a pull request, answered from memory."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

TOKEN = "gh_owner"


class GitHub(ThreadingHTTPServer):
    """One repository with pull requests; serves as a context manager."""

    daemon_threads = True

    def __init__(self, path: str, branch: str = "main") -> None:
        super().__init__(("127.0.0.1", 0), _Request)
        self.path = path
        self.branch = branch
        self.pulls: list[dict[str, Any]] = []
        self.asked: list[tuple[str, str]] = []  # methods and paths
        self.answers: bytes | None = None  # in the place of what belongs there

    @property
    def url(self) -> str:
        """What GITHUB_API_URL has to be."""
        return f"http://127.0.0.1:{self.server_address[1]}"

    def __enter__(self) -> GitHub:
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()


class _Request(BaseHTTPRequestHandler):
    server: GitHub

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        """Tell of the repository, or list pull requests of a branch."""
        path, query = urlsplit(self.path).path, parse_qs(urlsplit(self.path).query)
        if path == f"/repos/{self.server.path}":
            self._answer(200, {"default_branch": self.server.branch})
        elif path == f"/repos/{self.server.path}/pulls":
            found = [one for one in self.server.pulls if [one["head"]] == query["head"]]
            self._answer(200, [one for one in found if [one["state"]] == query["state"]])
        else:
            self._answer(404, {"message": "Not Found"})

    def do_POST(self) -> None:
        """Open a pull request."""
        sent = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        number = len(self.server.pulls) + 1
        address = f"https://github.com/{self.server.path}/pull/{number}"
        pull = {**sent, "state": "open", "html_url": address}
        if self._may():
            self.server.pulls.append(pull)
        self._answer(201, pull)

    def _may(self) -> bool:
        return self.headers["Authorization"] == f"Bearer {TOKEN}"

    def _answer(self, status: int, values: Any) -> None:
        self.server.asked.append((self.command, self.path))
        if not self._may():
            status, values = 401, {"message": "Bad credentials"}
        content = json.dumps(values).encode()
        if self.server.answers is not None:
            content = self.server.answers
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)
