"""Finding methods: the bundled package, the entry points ``harness.methods``, and ``--plugins``.

Listing reads cached descriptions, keyed by the sources they were taken from, so that only a new or
changed plugin is imported. A plugin that fails to import is listed with its error.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import importlib.metadata
import importlib.util
import json
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from harness import paths, sources
from harness.errors import HarnessError, unknown
from harness.files import slug, write_json
from harness.progress import Show
from harness.sources import WHOLE, Scope, find_definitions, hash_definitions

if TYPE_CHECKING:
    from harness.data.schema import Split
    from harness.method import Method

    M = TypeVar("M", bound=type[Method])

ENTRY_POINTS = "harness.methods"
CACHE_VERSION = 1

# (folder or None for where it ships, seed, show(what, done, in all)) -> the files written
Pretraining = Callable[[Path | None, int, Show], list[Path]]
# (split, scale) -> as many captions as the split has
QueryTransform = Callable[["Split", str], Sequence[str]]


@dataclass(frozen=True)
class Registration:
    """A method class with what its decorator says of it."""

    name: str
    method: type[Method]
    title: str
    paper: str
    url: str


@dataclass(frozen=True)
class Plugin:
    """A module that may register methods, found but not yet imported."""

    module: sources.Module
    roots: sources.Roots
    whole: bool = False  # a package: what its modules register counts as its own

    def sources(self) -> list[sources.Module]:
        """Return the modules whose code the plugin's methods run, the harness's own left out."""
        found = sources.closure([self.module], self.roots)
        return [module for module in found if module.name.split(".")[0] != "harness"]

    def imports(self) -> set[str]:
        """Return the packages that its modules may import, here or anywhere."""
        return {name for module in self.sources() for name in sources.imported_packages(module)}


@dataclass(frozen=True)
class Listing:
    """One line of `harness list methods`: a description, or the error that took its place."""

    name: str
    plugin: Plugin
    description: dict[str, Any] | None
    error: dict[str, str] | None = None  # kind, message, traceback


_registrations: dict[str, dict[str, Registration]] = {}  # by the module that registers
_pretraining: dict[str, Pretraining] = {}
_queries: dict[str, QueryTransform] = {}


def register(name: str, *, title: str, paper: str = "", url: str = "") -> Callable[[M], M]:
    """Register a method class under a name: lower case, as on the command line.

    `title` is what tables print, `paper` a citation, `url` where it can be read.
    """
    if slug(name) != name or name != name.lower() or ":" in name:
        raise ValueError(f"method name {name!r}: use lower-case letters, digits, '-' and '_'")

    def decorate(method: M) -> M:
        in_module = _registrations.setdefault(method.__module__, {})
        if name in in_module:
            raise ValueError(f"method {name!r} is registered twice; names must be unique")
        in_module[name] = Registration(name, method, title, paper, url)
        return method

    return decorate


def register_pretraining(name: str) -> Callable[[Pretraining], Pretraining]:
    """Register a function that makes the weights of an encoder that ships with the project."""

    def decorate(function: Pretraining) -> Pretraining:
        _pretraining[name] = function
        return function

    return decorate


def register_queries(name: str) -> Callable[[QueryTransform], QueryTransform]:
    """Register a function that changes the captions of a split, for `harness run --queries`."""

    def decorate(function: QueryTransform) -> QueryTransform:
        _queries[name] = function
        return function

    return decorate


def find_plugins(paths_given: Sequence[Path] = ()) -> list[Plugin]:
    """Return every module that may register methods, without importing one."""
    found = [plugin for entry in _entry_points() for plugin in _of_entry_point(entry)]
    for path in paths_given:
        found += _of_path(path.expanduser().resolve())
    return found


def list_methods(paths_given: Sequence[Path] = ()) -> list[Listing]:
    """Return every registered method, and every plugin that fails, in the order of names.

    Where two plugins register one name the first keeps it; the second is listed with an error.
    """
    listings: list[Listing] = []
    taken: dict[str, Path] = {}
    for plugin in find_plugins(paths_given):
        for listing in _describe(plugin):
            if listing.name in taken and not listing.error:
                listing = _duplicate(listing, taken[listing.name])
            taken.setdefault(listing.name, plugin.module.path)
            listings.append(listing)
    return sorted(listings, key=lambda listing: (listing.name, listing.error is not None))


def find_method(name: str, listings: Iterable[Listing]) -> Listing:
    """Return the listing of a name; raise with what was probably meant."""
    by_name: dict[str, Listing] = {}
    for listing in listings:
        by_name.setdefault(listing.name, listing)
    if name not in by_name:
        raise unknown("method", name, by_name)
    return by_name[name]


def load_method(name: str, plugin: Plugin) -> Registration:
    """Import the plugin of a method and return its registration."""
    registrations = _import(plugin)
    if name not in registrations:
        raise unknown("method", name, registrations)
    return registrations[name]


def load_pretraining(name: str) -> Pretraining:
    """Import the bundled pre-trainings and return one."""
    _import_parts("pretraining")
    if name not in _pretraining:
        raise unknown("encoder", name, _pretraining)
    return _pretraining[name]


def load_queries(name: str) -> QueryTransform:
    """Import the bundled query transforms and return one."""
    _import_parts("queries")
    if name not in _queries:
        raise unknown("query transform", name, _queries)
    return _queries[name]


def queries_hash() -> str:
    """Hash the code and the weights that the bundled query transforms stand on."""
    roots = _roots()
    start = find_definitions([(part, WHOLE) for part in _parts("queries")], roots)
    modules = sources.closure((one.module for one in start), roots)
    weights = sources.bytes_hash(sources.weight_files(modules))
    return f"{hash_definitions(start, Scope(roots))} {weights}"


def _parts(name: str) -> list[str]:
    """Return the modules of that name in the packages of methods."""
    packages = (entry.value.partition(":")[0] for entry in _entry_points())
    return [f"{package}.{name}" for package in packages if _find_spec(f"{package}.{name}")]


def _import_parts(name: str) -> None:
    from harness.compatibility import mend_torchvision

    mend_torchvision()
    for module in _parts(name):
        importlib.import_module(module)


def _entry_points() -> list[importlib.metadata.EntryPoint]:
    return sorted(importlib.metadata.entry_points(group=ENTRY_POINTS), key=lambda entry: entry.name)


def _roots(folders: tuple[Path, ...] = ()) -> sources.Roots:
    """Return where a plugin's imports are followed: the harness, every package of methods (its
    blocks may serve others), and the plugin's own folder."""
    packages = dict(sources.Roots().packages)
    for entry in _entry_points():
        name = entry.value.partition(":")[0].partition(".")[0]
        spec = _find_spec(name)
        if spec and spec.origin:
            file = Path(spec.origin)
            packages[name] = file.parent if file.name == "__init__.py" else file
    return sources.Roots(tuple(packages.items()), folders)


def _find_spec(name: str) -> ModuleSpec | None:
    try:
        return importlib.util.find_spec(name)
    except (ImportError, ValueError):
        return None


def _of_entry_point(entry: importlib.metadata.EntryPoint) -> Iterator[Plugin]:
    """Yield the modules of an entry point's package, or the one module that it names."""
    name = entry.value.partition(":")[0]
    spec = _find_spec(name)
    if spec is None or spec.origin is None:
        missing = sources.Module(name, Path(name.replace(".", "/") + ".py"))
        yield Plugin(missing, sources.Roots())
        return
    file, roots = Path(spec.origin), _roots()
    if _may_register([file]):
        yield Plugin(sources.Module(name, file), roots)
    if file.name == "__init__.py":
        yield from _of_package(name, file.parent, roots)


def _of_package(name: str, folder: Path, roots: sources.Roots) -> Iterator[Plugin]:
    """Yield the modules directly in a package; a package among them counts as a whole."""
    for path in sorted(folder.iterdir()):
        inner = path / "__init__.py" if path.is_dir() else path
        if inner.suffix != ".py" or not inner.is_file() or inner == folder / "__init__.py":
            continue
        if _may_register(path.glob("*.py") if path.is_dir() else [path]):
            module = sources.Module(f"{name}.{path.stem}", inner)
            yield Plugin(module, roots, whole=path.is_dir())


def _of_path(path: Path) -> Iterator[Plugin]:
    """Yield the plugin files of --plugins: one file, or each file of a folder that registers."""
    if not path.exists():
        raise HarnessError(f"--plugins {path}: there is no such file or folder.")
    files = [path] if path.is_file() else sorted(path.glob("*.py"))
    folder = path if path.is_dir() else path.parent
    roots = _roots((folder,))
    for file in files:
        if path.is_file() or _may_register([file]):
            yield Plugin(sources.Module(file.stem, file), roots)


def _may_register(files: Iterable[Path]) -> bool:
    """Tell whether a file may register a method: others are not imported, whatever they are."""
    texts = [file.read_bytes() for file in files]
    return any(b"harness" in text and b"register(" in text for text in texts)


def _describe(plugin: Plugin) -> list[Listing]:
    """Return the cached descriptions of a plugin's methods, importing it where there are none."""
    cached = _cache_file(plugin)
    try:
        descriptions = json.loads(cached.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        try:
            descriptions = _describe_by_import(plugin)
        except BaseException as error:  # a plugin may raise anything, SystemExit too
            if isinstance(error, KeyboardInterrupt):
                raise
            return [
                Listing(plugin.module.name.rpartition(".")[2], plugin, None, describe_error(error))
            ]
        with contextlib.suppress(OSError):  # without a cache it is only slower
            write_json(cached, descriptions)
    return [Listing(description["name"], plugin, description) for description in descriptions]


def _describe_by_import(plugin: Plugin) -> list[dict[str, Any]]:
    from harness.registry.description import describe

    found = [describe(registration) for registration in _import(plugin).values()]
    return json.loads(json.dumps(found))  # type: ignore[no-any-return]  # what the cache will give


def _cache_file(plugin: Plugin) -> Path:
    files = [module.path for module in sources.closure([plugin.module], plugin.roots)]
    contract = [
        sources.HARNESS_FOLDER / name
        for name in ("method.py", "registry/description.py", "rerank.py")
    ]
    text = f"{CACHE_VERSION} {sys.version_info[:2]} {sources.bytes_hash([*files, *contract])}"
    key = hashlib.sha256(text.encode()).hexdigest()[:24]
    return paths.cache_folder() / "registry" / f"{key}.json"


def _import(plugin: Plugin) -> dict[str, Registration]:
    """Import a plugin's module and return what it registered."""
    from harness.compatibility import mend_torchvision

    mend_torchvision()
    name = _import_name(plugin)
    if name not in sys.modules:
        _registrations.pop(name, None)
        _load(plugin)
    found = dict(_registrations.get(name, {}))
    for module, registrations in _registrations.items():
        if plugin.whole and module.startswith(f"{name}."):
            found |= registrations
    return found


def _load(plugin: Plugin) -> Any:
    name = _import_name(plugin)
    if not plugin.roots.folders:
        return importlib.import_module(name)
    for folder in plugin.roots.folders:
        if str(folder) not in sys.path:
            sys.path.append(str(folder))  # so that a plugin can import the files beside it
    spec = importlib.util.spec_from_file_location(name, plugin.module.path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{plugin.module.path} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _import_name(plugin: Plugin) -> str:
    """A loose file is imported under a name of its own, so that clip.py does not hide a package."""
    if not plugin.roots.folders:
        return plugin.module.name
    content = sources.bytes_hash([plugin.module.path])
    mark = hashlib.sha256(f"{plugin.module.path} {content}".encode()).hexdigest()[:8]
    return f"plugin_{plugin.module.name}_{mark}"


def _duplicate(listing: Listing, first: Path) -> Listing:
    message = (
        f"method {listing.name!r} is already registered by {first}; "
        f"rename the one in {listing.plugin.module.path}"
    )
    return Listing(
        listing.name, listing.plugin, None, {"kind": "DuplicateName", "message": message}
    )


def describe_error(error: BaseException) -> dict[str, str]:
    """Return kind, message and traceback of an error as a record holds them."""
    lines = traceback.format_exception(error)
    kind = type(error).__name__
    return {"kind": kind, "message": str(error) or kind, "traceback": "".join(lines)}
