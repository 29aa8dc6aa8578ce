"""Hashes of code that were found before, each with all that was looked at to find it.

To read what code computes takes seconds, and nearly all of it is what it was. So a hash is kept in
the cache, with the modules that were looked for and what was there, to the byte. It counts again
where everything is as it was; what has changed anywhere is read anew.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import sys
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness import paths
from harness.files import write_json
from harness.sources.modules import Found, Module, Roots, bare_imports, bytes_hash

HERE = "."  # stands for the folder of a plugin, whose own name tells where it lies
Names = Collection[str]


@dataclass(frozen=True)
class Question:
    """What is asked of the code below the roots, and where the answer is kept."""

    roots: Roots
    file: Path


def ask(roots: Roots, start: Iterable[tuple[Module, str]], scope: Iterable[Names]) -> Question:
    """Return the question what names of modules compute, followed as sets of dotted names say.

    It is the same wherever the code lies, and another where the modules themselves have changed.
    """
    asked = sorted((_told(one.name, roots), name, bytes_hash([one.path])) for one, name in start)
    told = [sorted(_told(name, roots) for name in names) for names in scope]
    reads = bytes_hash(sorted(Path(__file__).parent.glob("*.py")))
    text = json.dumps([asked, told, sorted(dict(roots.packages)), reads, sys.version_info[:2]])
    key = hashlib.sha256(text.encode()).hexdigest()[:24]
    return Question(roots, paths.cache_folder() / "codes" / f"{key}.json")


def recall(question: Question) -> str | None:
    """Return the hash that was found before, where all that was looked at is what it was."""
    try:
        kept = json.loads(question.file.read_text(encoding="utf-8"))
        hashed, modules, bare = str(kept["hash"]), dict(kept["modules"]), dict(kept["bare"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    found = Found(question.roots)
    with contextlib.suppress(OSError):  # whoever reads it anew will say what is wrong
        for name, was in modules.items():
            module = found.find(_named(name, question.roots))
            if _describe(module, in_full=was is not None and ":" in was) != was:
                return None
        return hashed if _find_bare(bare, question.roots) == bare else None
    return None


def remember(
    question: Question,
    hashed: str,
    found: Mapping[str, Module | None],
    read: Mapping[Module, bytes],
) -> None:
    """Keep a hash, with the modules that were looked for and the files that were read for it.

    It is not kept where one of the files is by now another: nobody knows which was read.
    """
    roots = question.roots
    here = {name: module for name, module in found.items() if _may_be_found(name, roots)}
    bare = {name for module in read if module.folder for name in bare_imports(module)}
    with contextlib.suppress(OSError):  # it is read anew then
        if any(module.path.read_bytes() != content for module, content in read.items()):
            return
        seen = {
            _told(name, roots): _describe(module, in_full=module in read)
            for name, module in here.items()
        }
        kept: dict[str, Any] = {"hash": hashed, "modules": seen, "bare": _find_bare(bare, roots)}
        write_json(question.file, kept)


def _may_be_found(name: str, roots: Roots) -> bool:
    """Tell whether a name may be that of a module below the roots: others are never there."""
    own = [roots.folder.name] if roots.folder else []
    return name.partition(".")[0] in {*own, *dict(roots.packages)}


def _describe(module: Module | None, in_full: bool) -> str | None:
    """Return the file that a module is, with a hash of it where it was read."""
    if module is None:
        return None
    name = module.path.name
    return f"{name}:{hashlib.sha256(module.path.read_bytes()).hexdigest()}" if in_full else name


def _find_bare(names: Iterable[str], roots: Roots) -> dict[str, str | None]:
    """Return what bare names stand for in the folder of a plugin, if they are from there."""
    folder = roots.folder
    found = {name: folder.find(name) if folder else None for name in sorted(names)}
    return {name: _told(of, roots) if of else None for name, of in found.items()}


def _told(name: str, roots: Roots) -> str:
    """Return a dotted name without what tells where a plugin lies."""
    top, dot, rest = name.partition(".")
    return f"{HERE}{dot}{rest}" if roots.folder and top == roots.folder.name else name


def _named(name: str, roots: Roots) -> str:
    """Return the dotted name of what is told."""
    if not roots.folder or not name.startswith(HERE):
        return name
    return f"{roots.folder.name}{name.removeprefix(HERE)}"
