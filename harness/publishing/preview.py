"""A page on this machine alone, over HTTP, until Ctrl-C."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socket import socket
from typing import Any

from harness.errors import HarnessError

HOST = "127.0.0.1"


class _Requests(SimpleHTTPRequestHandler):
    """Sends the files of a folder, in silence."""

    def log_message(self, *_: object) -> None:
        pass

    def end_headers(self) -> None:
        # The next preview may show other pages at the same address.
        self.send_header("Cache-Control", "no-store")
        super().end_headers()


class _Server(ThreadingHTTPServer):
    """Ends with its process, whoever is still connected."""

    daemon_threads = True

    def handle_error(self, request: socket | tuple[bytes, socket], client_address: Any) -> None:
        if not isinstance(sys.exception(), ConnectionError):  # a reader who is gone is no error
            super().handle_error(request, client_address)


def serve(folder: Path, port: int, tell: Callable[[str], None]) -> None:
    """Show the files of a folder until Ctrl-C; the address is told once it answers.

    Args:
        port: 0 is a free one.

    Raises:
        HarnessError: the port is taken or may not be used.
    """
    try:
        server = _Server((HOST, port), partial(_Requests, directory=str(folder)))
    except (OSError, OverflowError) as error:
        raise HarnessError(
            f"--port {port}: {error}. Without --port, a free one is taken."
        ) from error
    with server:
        tell(f"http://{HOST}:{server.server_address[1]}/")
        try:
            server.serve_forever(poll_interval=0.1)
        except KeyboardInterrupt:
            return
