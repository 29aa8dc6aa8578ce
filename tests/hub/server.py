"""A Hugging Face hub on this machine, over HTTP, whose connections can be cut."""

from __future__ import annotations

import socket
import struct
import threading
from contextlib import suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from .api import Reply, Repositories, Request


@dataclass(frozen=True)
class Cut:
    """Where the next file that is long enough ends too early."""

    after: int  # bytes
    reset: bool = False  # whether the connection is torn down, not closed


class Hub(ThreadingHTTPServer):
    """Repositories, and what was asked about them; serves as a context manager."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Connection)
        self.repositories = Repositories()
        self.cuts: list[Cut] = []
        self.asked: list[tuple[Request, Reply]] = []

    @property
    def url(self) -> str:
        """What HF_ENDPOINT has to be."""
        return f"http://127.0.0.1:{self.server_address[1]}"

    def __enter__(self) -> Hub:
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Refuse connections from now on."""
        self.shutdown()
        self.server_close()

    def requests(self, method: str, part: str) -> list[Request]:
        """Return what was asked with a method, of paths with a part."""
        return [one for one, _ in self.asked if one.method == method and part in one.path]

    def next_cut(self, size: int) -> Cut | None:
        """Take the next cut, where a file is longer than what it leaves."""
        fits = bool(self.cuts) and self.cuts[0].after < size
        return self.cuts.pop(0) if fits else None


class _Connection(BaseHTTPRequestHandler):
    """Reads requests and writes replies, whole or cut."""

    protocol_version = "HTTP/1.1"
    server: Hub

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        request = Request(self.command, self.path, self.headers, body)
        reply = self.server.repositories.answer(request)
        self.server.asked.append((request, reply))
        self.send_response(reply.status)
        self.send_header("Content-Length", str(len(reply.content)))
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self._write(reply)

    do_HEAD = do_POST = do_PUT = do_GET

    def _write(self, reply: Reply) -> None:
        cut = self.server.next_cut(len(reply.content)) if "ETag" in reply.headers else None
        with suppress(ConnectionError):  # the other side may be gone
            self.wfile.write(reply.content[: cut.after] if cut else reply.content)
        self.close_connection |= cut is not None
        if cut and cut.reset:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            socket.close(self.connection.detach())
