"""What a method needs from elsewhere: named, told with its size, and fetched beforehand.

`HF_ENDPOINT`, `HF_HOME`, `HF_TOKEN`, `HF_HUB_OFFLINE` and `TORCH_HOME` work as everywhere. What is
whole is not asked for again, and a file whose connection was cut goes on where it was.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatch
from functools import partial
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from harness.data.declaration import Declaration
from harness.data.hub import arguments_of, download, explain
from harness.errors import HarnessError
from harness.files import UNFINISHED
from harness.progress import Show

PATIENCE = 30.0  # seconds without an answer
PIECE = 2**20  # bytes read at a time
NOT_SATISFIABLE = 416  # the HTTP status where nothing is left to send
PARTIAL = 206


@dataclass(frozen=True)
class HubFiles:
    """Files of a model on the Hugging Face hub."""

    repository: str
    needed: tuple[tuple[str, ...], ...]  # of the names of each the first that is there
    besides: tuple[str, ...] = ()  # names or patterns of others, as far as there are any
    revision: str = "main"

    @property
    def name(self) -> str:
        return self.repository

    def is_here(self) -> bool:
        """Tell whether what is needed is in the cache; asks nobody."""
        from huggingface_hub import try_to_load_from_cache

        def is_cached(file: str) -> bool:
            found = try_to_load_from_cache(self.repository, file, revision=self.revision)
            return isinstance(found, str)

        return all(any(map(is_cached, names)) for names in self.needed)

    def size(self) -> int | None:
        """Return the bytes that would be fetched; None where nobody tells."""
        try:
            return sum(file.file_size or 0 for file in self._chosen() if file.will_download)
        except Exception:  # of the hub or of HTTP; fetching tells more
            return None

    def fetch(self, show: Show) -> None:
        """Fetch what is not here yet, with the progress bars of the hub's client.

        Raises:
            HarnessError: it cannot be had; the message says why.
        """
        from huggingface_hub import snapshot_download

        try:
            names = [file.filename for file in self._chosen()]
            snapshot_download(self.repository, revision=self.revision, allow_patterns=names)
        except HarnessError:
            raise
        except Exception as error:  # of the hub, of HTTP or of the disk: they have no common base
            raise HarnessError(_cannot(self.name, explain(error))) from error

    def _chosen(self) -> list[Any]:
        """Return what the hub tells of the files: those needed, and others that there are."""
        from huggingface_hub import snapshot_download

        patterns = [*self.besides, *(name for names in self.needed for name in names)]
        listed = snapshot_download(
            self.repository, revision=self.revision, allow_patterns=patterns, dry_run=True
        )
        there = {file.filename: file for file in listed}
        chosen = [name for name in there if any(fnmatch(name, one) for one in self.besides)]
        for names in self.needed:
            found = next((name for name in names if name in there), None)
            if found is None:
                raise HarnessError(f"{self.repository} on the hub has no {' and no '.join(names)}.")
            chosen.append(found)
        return [there[name] for name in dict.fromkeys(chosen)]


@dataclass(frozen=True)
class HubDataset:
    """The Parquet files of a dataset on the Hugging Face hub, at its commit."""

    name: str  # of the repository
    revision: str | None
    declaration: Declaration = field(compare=False, repr=False)

    def is_here(self) -> bool:
        """Tell whether some of it is in the cache; whether all is, the hub alone tells."""
        from huggingface_hub import snapshot_download

        try:
            snapshot_download(**arguments_of(self.declaration), local_files_only=True)
        except Exception:  # of the cache: it is not there, or there is no commit
            return False
        return True

    def size(self) -> int | None:
        """Return the bytes that would be fetched; None where nobody tells."""
        from huggingface_hub import snapshot_download

        try:
            listed = snapshot_download(**arguments_of(self.declaration), dry_run=True)
        except Exception:  # of the hub or of HTTP; fetching tells more
            return None
        return sum(file.file_size or 0 for file in listed if file.will_download)

    def fetch(self, show: Show) -> None:
        """Fetch what is not here yet, with the progress bars of the hub's client.

        Raises:
            HarnessError: it cannot be had; the message says why.
        """
        download(self.declaration)


def of_dataset(declaration: Declaration) -> HubDataset:
    """Return what a dataset of the hub fetches."""
    return HubDataset(str(declaration.hub), declaration.revision, declaration)


@dataclass(frozen=True)
class WebFile:
    """A file that its authors keep somewhere."""

    url: str
    folder: Path  # where libraries look for it

    @property
    def name(self) -> str:
        return self.url.rpartition("/")[2]

    @property
    def _file(self) -> Path:
        return self.folder / self.name

    def is_here(self) -> bool:
        """Tell whether the file is here; under its name it is whole."""
        return self._file.is_file()

    def size(self) -> int | None:
        """Return the bytes that would be fetched; None where nobody tells."""
        if _is_offline():
            return None
        try:
            with urlopen(Request(self.url, method="HEAD"), timeout=PATIENCE) as answer:
                length = answer.headers["Content-Length"]
        except OSError:
            return None
        return int(length) if length else None

    def fetch(self, show: Show) -> None:
        """Fetch the file, or what is left of it. Raises HarnessError."""
        if _is_offline():
            raise HarnessError(_cannot(self.name, "HF_HUB_OFFLINE is set"))
        part = self._file.with_name(f"{self.name}{UNFINISHED}")
        part.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._go_on(part, show)
        except (OSError, ValueError, HTTPException) as error:
            raise HarnessError(_cannot(self.name, str(error) or type(error).__name__)) from error
        part.replace(self._file)

    def _go_on(self, part: Path, show: Show) -> None:
        """Append to what is there. Raises OSError, where the connection was cut too."""
        done = part.stat().st_size if part.is_file() else 0
        asked = Request(self.url, headers={"Range": f"bytes={done}-"} if done else {})
        try:
            answer = urlopen(asked, timeout=PATIENCE)
        except HTTPError as error:
            if error.code != NOT_SATISFIABLE:
                raise
            part.unlink()  # of another file than is there now
            return self._go_on(part, show)
        with answer:
            goes_on = answer.status == PARTIAL
            length = int(answer.headers["Content-Length"] or 0)
            _write(answer, part, done if goes_on else 0, length, partial(show, self.name))
        return None


def _write(
    answer: Any, part: Path, done: int, length: int, show: Callable[[int, int], None]
) -> None:
    """Write an answer of a length behind what is done. Raises OSError: it ended too early."""
    total = done + length
    with open(part, "ab" if done else "wb") as out:
        while piece := answer.read(PIECE):
            out.write(piece)
            show(out.tell(), max(total, out.tell()))
        written = out.tell()
    if written < total:
        raise OSError(f"the connection ended after {written} of {total} bytes; call again to go on")


def _is_offline() -> bool:
    from huggingface_hub.constants import is_offline_mode

    return bool(is_offline_mode())


def torch_hub() -> Path:
    """Return where torch keeps files that it is told to fetch."""
    home = os.environ.get("TORCH_HOME") or Path(
        os.environ.get("XDG_CACHE_HOME", "~/.cache"), "torch"
    )
    return Path(home).expanduser() / "hub" / "checkpoints"


def missing(downloads: Iterable[Any]) -> list[Any]:
    """Return what is not here, each once."""
    return [one for one in dict.fromkeys(downloads) if not one.is_here()]


def names_of(downloads: Sequence[Any]) -> str:
    """Return the names of downloads in one line."""
    return ", ".join(one.name for one in downloads)


def _cannot(name: str, reason: str) -> str:
    told = " ".join(reason.split()).rstrip(".")
    return (
        f"{name} is not here and cannot be fetched: {told}. Call `harness fetch` where there is a "
        "network, without HF_HUB_OFFLINE; where it is gated or private, sign in with `hf auth "
        "login`."
    )
