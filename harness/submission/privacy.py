"""What of a record tells of the machine and its user rather than of the run.

Commands name paths, environments may name anything, errors quote the source tree. Of commands the
paths are cut to their last part, of environments the known entries are kept, and what failed is not
handed on. A path in any other place is refused: config, recipe and labels are part of the key.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any

ENVIRONMENT = (
    "python", "platform", "packages", "commit", "device", "deterministic", "threads", "jobs",
)  # fmt: skip
TAKES_A_PATH = ("--suite", "--dataset", "--on", "--distractors", "--plugins", "--results", "--site")

_PATH = re.compile(
    r"(?<![\w:/.])(?:~(?:[A-Za-z_][\w.-]*)?/|/[\w.@+-]+/|[A-Za-z]:[\\/](?!/)|\\\\\w)|:/(?!/)[\w.@+-]+/|file:/|^/|^~$"
)


def clean_record(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is handed on of a run's record or of a further evaluation's."""
    clean = dict(values)
    if "command" in clean:
        clean["command"] = clean_command(str(clean["command"]))
    for name in ("suite_argument", "dataset_argument"):
        if _is_path(str(clean.get(name, "")), TAKES_A_PATH[0]):
            clean[name] = _last_part(str(clean[name]))
    if isinstance(clean.get("environment"), Mapping):
        known = clean["environment"]
        clean["environment"] = {name: known[name] for name in known if name in ENVIRONMENT}
    return clean


def clean_command(command: str) -> str:
    """Cut the paths of a command to their last part; a command without any stays as it is."""
    try:
        words = shlex.split(command)
    except ValueError:
        return ""
    before = ["", *words]
    clean = [
        _last_part(word) if _is_path(word, option) else word
        for option, word in zip(before, words, strict=False)
    ]
    return command if clean == words else shlex.join(clean)


def find_paths(values: Any, place: str = "") -> Iterator[str]:
    """Yield every place in values from JSON where a path of this machine stands, with it."""
    if isinstance(values, str) and _PATH.search(values):
        yield f"{place.lstrip('.')} = {values!r}"
    elif isinstance(values, Mapping):
        for name, value in values.items():
            yield from find_paths(name, f"{place}.{name}")
            yield from find_paths(value, f"{place}.{name}")
    elif isinstance(values, list | tuple):
        for number, value in enumerate(values):
            yield from find_paths(value, f"{place}[{number}]")


def _is_path(word: str, option: str) -> bool:
    has_folders = "/" in word or "\\" in word
    return has_folders and (option in TAKES_A_PATH or bool(_PATH.match(word)))


def _last_part(word: str) -> str:
    kind = PureWindowsPath if "\\" in word else PurePosixPath
    return kind(word).name or "."
