"""Which source files a module stands on: found by reading, never by importing."""

from __future__ import annotations

import ast
import functools
import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

HARNESS_FOLDER = Path(__file__).parents[1]

WEIGHTS_FOLDER = "weights"  # beside a module: the files its weights come from


@dataclass(frozen=True)
class Module:
    """A source file and the dotted name it is imported under."""

    name: str
    path: Path

    @property
    def package(self) -> str:
        """The dotted name that a relative import starts from."""
        return self.name if self.path.name == "__init__.py" else self.name.rpartition(".")[0]


@dataclass(frozen=True)
class Roots:
    """Where imports are followed: named top-level packages, and loose files of plugin folders."""

    packages: tuple[tuple[str, Path], ...] = (("harness", HARNESS_FOLDER),)
    folders: tuple[Path, ...] = ()

    def find(self, dotted: str) -> Module | None:
        """Return the module of a dotted name, or None where it is not followed."""
        top, *rest = dotted.split(".")
        for base in [p for n, p in self.packages if n == top] + [f / top for f in self.folders]:
            path = base.joinpath(*rest)
            for candidate in (path.with_suffix(".py"), path / "__init__.py"):
                if candidate.is_file():
                    return Module(dotted, candidate)
        return None


def closure(start: Iterable[Module], roots: Roots) -> list[Module]:
    """Return the modules that `start` imports, directly or not, sorted by name, itself included."""
    found: dict[str, Module] = {}
    waiting = list(start)
    while waiting:
        module = waiting.pop()
        if module.name in found:
            continue
        found[module.name] = module
        waiting += [m for name in imported_names(module) if (m := roots.find(name))]
    return [found[name] for name in sorted(found)]


def imported_packages(module: Module) -> set[str]:
    """Return the packages at the top of what a module may import."""
    return {name.partition(".")[0] for name in imported_names(module)}


def bytes_hash(paths: Iterable[Path]) -> str:
    """Hash files as they are, in the order given."""
    digest = hashlib.sha256()
    for path in paths:
        digest.update(f"{path.name}\n{hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return digest.hexdigest()


def weight_files(modules: Iterable[Module]) -> list[Path]:
    """Return the files of the `weights/` folders beside the modules."""
    folders = {module.path.parent / WEIGHTS_FOLDER for module in modules}
    return sorted(file for folder in folders for file in folder.glob("*") if file.is_file())


def imported_names(module: Module) -> Iterator[str]:
    """Yield dotted names a module may import; `from a import b` yields both a and a.b."""
    for node in _import_statements(module.path.read_bytes()):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        else:
            base = absolute_name(node, module)
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names)


def absolute_name(node: ast.ImportFrom, module: Module) -> str:
    """Resolve `from ..x import y` against the module's package."""
    if not node.level:
        return node.module or ""
    parts = module.package.split(".")
    parts = parts[: len(parts) - node.level + 1]
    return ".".join([*parts, *([node.module] if node.module else [])])


@functools.cache
def _import_statements(source: bytes) -> tuple[ast.Import | ast.ImportFrom, ...]:
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return ()  # importing it will say what is wrong
    return tuple(node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom))
