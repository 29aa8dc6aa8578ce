"""Finding methods: the bundled package, the entry points ``harness.methods``, and ``--plugins``.

Listing reads cached descriptions, keyed by the sources they were taken from, so that only a new or
changed plugin is imported. A plugin that fails to import is listed with its error.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness import sources
from harness.errors import HarnessError
from harness.sources import Folder, Module, find_spec

ENTRY_POINTS = "harness.methods"


@dataclass(frozen=True)
class Plugin:
    """A module that may register methods, found but not yet imported."""

    module: sources.Module
    roots: sources.Roots
    whole: bool = False  # a package: what its modules register counts as its own

    def sources(self) -> list[sources.Module]:
        """Return the modules whose code the plugin's methods run, the harness's own left out."""
        found = sources.Imports(self.roots).closure([self.module])
        return [module for module in found if module.name.split(".")[0] != "harness"]

    def own(self, modules: Iterable[Module]) -> list[Module]:
        """Return those of its sources that are the plugin itself: its module, or all of a package.

        So a method may be cut into the modules of a package and keep its key.
        """
        inner = f"{self.module.name}."
        return [one for one in modules if one == self.module or one.name.startswith(inner)]

    def content(self) -> str:
        """Hash the files that its methods stand on, as they are now."""
        return sources.files_hash(self.sources())

    def imports(self) -> set[str]:
        """Return the packages that its modules may import, here or anywhere."""
        return {name for module in self.sources() for name in sources.imported_packages(module)}


def find_plugins(paths_given: Sequence[Path] = ()) -> list[Plugin]:
    """Return every module that may register methods, without importing one."""
    found = [plugin for entry in list_entry_points() for plugin in _of_entry_point(entry)]
    for path in dict.fromkeys(given.expanduser().resolve() for given in paths_given):
        found += _of_path(path)
    return list({plugin.module.path: plugin for plugin in found}.values())


def list_entry_points() -> list[importlib.metadata.EntryPoint]:
    """Return the entry points of packages with methods, in the order of their names."""
    places = tuple((place, _changed(place)) for place in sys.path)
    return list(_read_entry_points(ENTRY_POINTS, places))


# What is installed lies in these places: it is read again once one of them has changed.
@functools.lru_cache(maxsize=1)
def _read_entry_points(
    group: str, places: tuple[tuple[str, int], ...]
) -> tuple[importlib.metadata.EntryPoint, ...]:
    found = importlib.metadata.entry_points(group=group)
    return tuple(sorted(found, key=lambda entry: entry.name))


def _changed(place: str) -> int:
    try:
        return Path(place).stat().st_mtime_ns
    except OSError:  # it is not there, or a file within an archive
        return 0


def followed_roots(folder: Folder | None = None) -> sources.Roots:
    """Return where a plugin's imports are followed: the harness, every package of methods (its
    blocks may serve others), and the plugin's own folder."""
    return sources.Roots(tuple(_followed_packages().items()), folder)


def _followed_packages() -> dict[str, Path]:
    packages = dict(sources.Roots().packages)
    for entry in list_entry_points():
        name = entry.value.partition(":")[0].partition(".")[0]
        spec = find_spec(name)
        if spec and spec.origin:
            file = Path(spec.origin)
            packages[name] = file.parent if file.name == "__init__.py" else file
    return packages


def _of_entry_point(entry: importlib.metadata.EntryPoint) -> Iterator[Plugin]:
    """Yield the modules of an entry point's package, or the one module that it names."""
    name = entry.value.partition(":")[0]
    spec = find_spec(name)
    if spec is None or spec.origin is None:
        missing = sources.Module(name, Path(name.replace(".", "/") + ".py"))
        yield Plugin(missing, sources.Roots())
        return
    file, roots = Path(spec.origin), followed_roots()
    if _may_register([file]):
        yield Plugin(sources.Module(name, file), roots)
    if file.name == "__init__.py":
        yield from _of_package(name, file.parent, roots)


def _of_package(name: str, folder: Path, roots: sources.Roots) -> Iterator[Plugin]:
    """Yield the modules directly in a package; a package among them counts as a whole."""
    packages = [place for _, place in roots.packages]
    for path in sorted(folder.iterdir()):
        inner = path / "__init__.py" if path.is_dir() else path
        if inner.suffix != ".py" or not inner.is_file() or inner == folder / "__init__.py":
            continue
        if path in packages:
            continue
        if _may_register(path.glob("*.py") if path.is_dir() else [path]):
            module = sources.Module(f"{name}.{_stem(path)}", inner, roots.folder)
            yield Plugin(module, roots, whole=path.is_dir())


def _of_path(path: Path) -> Iterator[Plugin]:
    """Yield the plugins of --plugins: a file, or what in a folder or a package registers."""
    if not path.exists():
        raise HarnessError(f"--plugins {path}: there is no such file or folder.")
    beside = path if path.is_dir() else path.parent
    folder = _folder_of_plugins(beside)
    roots = followed_roots(folder)
    name = ".".join([folder.name, *beside.relative_to(folder.path).parts])
    inside = path / "__init__.py" if path.is_dir() else path
    if path.is_file() or (inside.is_file() and _may_register([inside])):
        own = [] if inside.name == "__init__.py" else [_stem(inside)]
        yield Plugin(sources.Module(".".join([name, *own]), inside, folder), roots)
    if path.is_dir():
        yield from _of_package(name, path, roots)


def _stem(path: Path) -> str:
    """Return the name of a file as that of a module, which has no dots; no other file has it."""
    if "." not in path.stem:
        return path.stem
    mark = hashlib.sha256(path.stem.encode()).hexdigest()[:8]
    return f"{path.stem.replace('.', '_')}_{mark}"


def _folder_of_plugins(beside: Path) -> Folder:
    """Return the folder that plugins import from: where they lie, or the whole package."""
    top = beside
    while (top / "__init__.py").is_file() and (top.parent / "__init__.py").is_file():
        top = top.parent
    mark = hashlib.sha256(str(top).encode()).hexdigest()[:12]  # no other folder has this name
    shared = (name for name, place in _followed_packages().items() if place == top / name)
    return Folder(f"plugin_{mark}", top, frozenset({"harness", *shared}))


def _may_register(files: Iterable[Path]) -> bool:
    """Tell whether a file may register a method: others are not imported, whatever they are."""
    texts = [file.read_bytes() for file in files]
    return any(b"harness" in text and b"register(" in text for text in texts)
