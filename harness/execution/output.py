"""What a run prints, kept within bounds whatever it prints."""

from __future__ import annotations

from pathlib import Path

from harness import results
from harness.results.checksums import LOG

HEAD = 1_000_000  # bytes of a log that are kept from its beginning
TAIL = 64_000  # and from its end
SHOWN = 8_000  # characters of a dead run's output that its record keeps


class Output:
    """Takes up the bytes that a run prints and writes them to its folder's log."""

    def __init__(self, path: Path) -> None:
        """`path` is the run's folder, in place or not."""
        self._path = path
        self._size = 0
        self._waiting = b""  # until there is a folder
        self._tail = b""

    def add(self, data: bytes) -> None:
        """Take up what was printed next."""
        head = data[: max(0, HEAD - self._size)]
        self._size += len(data)
        self._tail = (self._tail + data)[-TAIL:]
        self._waiting = self._append(self._waiting + head)

    def close(self) -> None:
        """Write what is left."""
        if self._size > HEAD:
            left_out = max(0, self._size - HEAD - TAIL)
            end = self._tail[-(self._size - HEAD) :]
            self._waiting += b"\n... %d bytes left out ...\n" % left_out + end
        self._append(self._waiting)

    @property
    def end(self) -> str:
        """The last of what was printed, as text."""
        return self._tail.decode("utf-8", errors="replace")[-SHOWN:]

    @property
    def last_line(self) -> str:
        """The last line that is not empty; empty where there is none."""
        lines = [line for line in self.end.splitlines() if line.strip()]
        return lines[-1].strip() if lines else ""

    def _append(self, data: bytes) -> bytes:
        """Append to the log and return what could not be written."""
        work = results.working_folder(self._path)
        try:
            folder = work if work.is_dir() else self._path
            if not data or not folder.is_dir():
                return data
            with open(folder / LOG, "ab") as file:
                file.write(data)
        except FileNotFoundError:
            return data  # the folder was just put in its place
        except OSError:
            return b""  # a full or closed disk stops the run, not its watcher
        return b""
