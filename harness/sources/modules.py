"""Which source files a module stands on: found by reading, never by importing."""

from __future__ import annotations

import ast
import functools
import hashlib
import importlib.util
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib.machinery import EXTENSION_SUFFIXES, ModuleSpec, PathFinder
from pathlib import Path

HARNESS_FOLDER = Path(__file__).parents[1]

SOURCE = ".py"
SUFFIXES = (*EXTENSION_SUFFIXES, SOURCE)
Stamp = tuple[str, int, int, int]  # a file's path, number on its disk, time of writing and size
WEIGHTS_FOLDER = "weights"  # beside a module: the files its weights come from


@dataclass(frozen=True)
class Folder:
    """A folder of files that import each other by their bare names, as scripts do.

    A file here comes before whatever else has its name, the standard library's modules included. A
    folder without `__init__.py` comes after what is installed, as in Python itself: `datasets/` may
    hold data.
    """

    name: str  # the dotted name of the folder itself
    path: Path
    shared: frozenset[str] = frozenset({"harness"})  # mean here what they mean everywhere

    def find(self, top: str) -> str | None:
        """Return the dotted name that a bare one stands for, or None where it is not from here."""
        if top in self.shared:
            return None
        if top == self.path.name and (self.path / "__init__.py").is_file():
            return self.name
        return f"{self.name}.{top}" if self._holds(top) else None

    def _holds(self, top: str) -> bool:
        if _file_of(self.path, [top]):
            return True
        inner = self.path / top
        has_code = any(inner.glob("*.py")) or any(inner.glob("*/*.py"))
        return has_code and not _is_installed(top)


@dataclass(frozen=True)
class Module:
    """A source file and the dotted name it is imported under."""

    name: str
    path: Path
    folder: Folder | None = None  # of its plugin: what it may import by a bare name

    @property
    def package(self) -> str:
        """The dotted name that a relative import starts from."""
        return self.name if self.path.name.startswith("__init__.") else self.name.rpartition(".")[0]

    def resolve(self, dotted: str) -> str:
        """Return what the name in an absolute import is called: a file of its plugin, or itself."""
        top, dot, rest = dotted.partition(".")
        found = self.folder.find(top) if self.folder else None
        return f"{found or top}{dot}{rest}"


@dataclass(frozen=True)
class Roots:
    """Where imports are followed: named top-level packages, and the folder of a plugin."""

    packages: tuple[tuple[str, Path], ...] = (("harness", HARNESS_FOLDER),)
    folder: Folder | None = None

    def find(self, dotted: str) -> Module | None:
        """Return the module of a dotted name, or None where it is not followed."""
        top, *rest = dotted.split(".")
        if self.folder and top == self.folder.name:
            file = _file_of(self.folder.path, rest)
            return Module(dotted, file, self.folder) if file else None
        sources = (base for name, base in self.packages if name == top)
        found = (_file_of(base, rest, (SOURCE,)) for base in sources)
        return next((Module(dotted, file) for file in found if file), None)


def _file_of(base: Path, names: Sequence[str], suffixes: Sequence[str] = SUFFIXES) -> Path | None:
    """Return the file of a module below a package's folder, or below a file that is a module.

    In Python's order: a package before a module, what is compiled before its source.
    """
    path = base.joinpath(*names)
    candidates = [path / f"__init__{suffix}" for suffix in suffixes]
    beside = [path.with_name(f"{path.name}{suffix}") for suffix in suffixes] if names else [path]
    return next((file for file in (*candidates, *beside) if file.is_file()), None)


def _is_installed(top: str) -> bool:
    """Tell whether an import finds a module or a package elsewhere; the folder where a command is
    given does not count."""
    if top in sys.stdlib_module_names:
        return True
    here = {"", ".", str(Path.cwd())}
    places = [place for place in sys.path if place not in here]
    for finder in sys.meta_path:
        spec = finder.find_spec(top, places if finder is PathFinder else None)
        if spec is not None:
            return spec.origin is not None
    return False


def find_spec(name: str) -> ModuleSpec | None:
    """Return where a module would be imported from, or None."""
    try:
        return importlib.util.find_spec(name)
    except (ImportError, ValueError):
        return None


class Found:
    """The modules of dotted names below the roots, at one time: each is looked for once."""

    def __init__(self, roots: Roots) -> None:
        self.modules: dict[str, Module | None] = {}  # all that were looked for
        self._roots = roots

    def find(self, dotted: str) -> Module | None:
        """Return the module of a dotted name, or None where it is not followed."""
        if dotted not in self.modules:
            package = self.find(dotted.rpartition(".")[0]) if "." in dotted else None
            holds_none = package is not None and package.package != package.name
            self.modules[dotted] = None if holds_none else self._roots.find(dotted)
        return self.modules[dotted]


class Imports:
    """What modules import below the roots, at one time: each is read once.

    Most of what the plugins of a folder stand on is the same, the harness above all.
    """

    def __init__(self, roots: Roots) -> None:
        self._found = Found(roots)
        self._imported: dict[Module, list[Module]] = {}
        self._data: dict[Module, list[Path]] = {}
        self._hashes: dict[Path, str] = {}

    def closure(self, start: Iterable[Module]) -> list[Module]:
        """Return the modules imported by `start`, directly or not, itself included, by name."""
        closed: dict[str, Module] = {}
        waiting = list(start)
        while waiting:
            module = waiting.pop()
            if module.name not in closed:
                closed[module.name] = module
                waiting += self._imported_by(module)
        return [closed[name] for name in sorted(closed)]

    def _imported_by(self, module: Module) -> list[Module]:
        if module not in self._imported:
            named = module.name, *imported_names(module)
            names = {prefix for name in named for prefix in _prefixes(name)}
            self._imported[module] = list(filter(None, map(self._found.find, names)))
        return self._imported[module]

    def data_files(self, modules: Iterable[Module]) -> list[Path]:
        """Return the files beside the modules that their classes name in `reads`."""
        modules = list(modules)
        for module in modules:
            if module not in self._data:
                self._data[module] = data_files([module])
        return sorted({file for module in modules for file in self._data[module]})

    def hash(self, paths: Iterable[Path]) -> str:
        """Hash files as they are, in the order given."""
        paths = list(paths)
        for path in paths:
            if path not in self._hashes:
                self._hashes[path] = bytes_hash([path])
        text = "\n".join(self._hashes[path] for path in paths)
        return hashlib.sha256(text.encode()).hexdigest()


def _prefixes(dotted: str) -> Iterator[str]:
    """Yield a dotted name after the packages that are imported before it."""
    parts = dotted.split(".")
    return (".".join(parts[: end + 1]) for end in range(len(parts)))


def imported_packages(module: Module) -> set[str]:
    """Return the packages at the top of what a module may import."""
    return {name.partition(".")[0] for name in imported_names(module)}


def bytes_hash(paths: Iterable[Path]) -> str:
    """Hash files as they are, in the order given."""
    digest = hashlib.sha256()
    for path in paths:
        digest.update(f"{path.name}\n{hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return digest.hexdigest()


def stamps(folder: Path | str) -> Iterator[Stamp]:
    """Yield the stamp of every source file below a folder.

    It is another one once a file is written, but twice within a tick of the disk's clock.
    """
    for entry in os.scandir(folder):
        if entry.is_dir(follow_symlinks=False):
            yield from stamps(entry.path)
        elif entry.name.endswith(SOURCE):
            told = entry.stat()
            yield entry.path, told.st_ino, told.st_mtime_ns, told.st_size


def weight_files(modules: Iterable[Module]) -> list[Path]:
    """Return the files of the `weights/` folders beside the modules."""
    folders = {module.path.parent / WEIGHTS_FOLDER for module in modules}
    return sorted(file for folder in folders for file in folder.glob("*") if file.is_file())


def data_files(modules: Iterable[Module]) -> list[Path]:
    """Return the files beside the modules that their classes name in `reads`."""
    named = {
        module.path.parent / name
        for module in modules
        for name in _names_in_reads(module.path.read_bytes())
    }
    return sorted(file for file in named if file.is_file())


def files_hash(modules: Sequence[Module]) -> str:
    """Hash modules and the data files that they read, to the byte."""
    return bytes_hash([*(module.path for module in modules), *data_files(modules)])


def imported_names(module: Module) -> Iterator[str]:
    """Yield dotted names a module may import; `from a import b` yields both a and a.b.

    A package's `__all__` counts as imported by it: that is what a star takes.
    """
    source = module.path.read_bytes()
    yield from _called_imports(module, source)
    if module.package == module.name:
        yield from (f"{module.name}.{name}" for name in names_in_all(source))
    for node in _import_statements(source):
        if isinstance(node, ast.Import):
            yield from (module.resolve(alias.name) for alias in node.names)
        else:
            base = absolute_name(node, module)
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names)


def bare_imports(module: Module) -> set[str]:
    """Return the first names of what a module imports as from anywhere, before they are resolved.

    A relative import names none, and neither does what `__all__` holds.
    """
    source = module.path.read_bytes()
    names = [name for name in _names_in_calls(source) if not name.startswith(".")]
    for node in _import_statements(source):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif not node.level:
            names.append(node.module or "")
    return {name.partition(".")[0] for name in names}


def called_imports(module: Module) -> Iterator[str]:
    """Yield what a module imports by a call with a name that is written out."""
    yield from _called_imports(module, module.path.read_bytes())


def _called_imports(module: Module, source: bytes) -> Iterator[str]:
    for name in _names_in_calls(source):
        dots = len(name) - len(name.lstrip("."))
        node = ast.ImportFrom(name.lstrip(".") or None, [], dots)
        yield absolute_name(node, module)


def absolute_name(node: ast.ImportFrom, module: Module) -> str:
    """Resolve `from ..x import y` against the module's package, `from x` against its plugin."""
    if not node.level:
        return module.resolve(node.module or "")
    parts = module.package.split(".")
    parts = parts[: len(parts) - node.level + 1]
    return ".".join([*parts, *([node.module] if node.module else [])])


@functools.cache
def _import_statements(source: bytes) -> tuple[ast.Import | ast.ImportFrom, ...]:
    nodes = ast.walk(_parse(source))
    return tuple(node for node in nodes if isinstance(node, ast.Import | ast.ImportFrom))


@functools.cache
def _names_in_calls(source: bytes) -> tuple[str, ...]:
    """Return the names in calls of `__import__` and of `importlib.import_module`."""
    if b"__import__" not in source and b"import_module" not in source:
        return ()
    calls = (node for node in ast.walk(_parse(source)) if isinstance(node, ast.Call) and node.args)
    return tuple(
        call.args[0].value
        for call in calls
        if ast.unparse(call.func).rpartition(".")[2] in ("__import__", "import_module")
        and isinstance(call.args[0], ast.Constant)
        and isinstance(call.args[0].value, str)
    )


@functools.cache
def names_in_all(source: bytes) -> tuple[str, ...]:
    """Return the texts that a module writes out in its `__all__`."""
    if b"__all__" not in source:
        return ()
    return _texts(one for one in _parse(source).body if "__all__" in _assigned(one))


@functools.cache
def _names_in_reads(source: bytes) -> tuple[str, ...]:
    if b"reads" not in source:
        return ()
    classes = (node for node in ast.walk(_parse(source)) if isinstance(node, ast.ClassDef))
    return _texts(
        statement for one in classes for statement in one.body if "reads" in _assigned(statement)
    )


def _texts(statements: Iterable[ast.stmt]) -> tuple[str, ...]:
    return tuple(
        element.value
        for statement in statements
        for element in ast.walk(statement)
        if isinstance(element, ast.Constant) and isinstance(element.value, str)
    )


def _assigned(statement: ast.stmt) -> list[str]:
    if isinstance(statement, ast.AugAssign):
        return [statement.target.id] if isinstance(statement.target, ast.Name) else []
    targets = statement.targets if isinstance(statement, ast.Assign) else []
    named = [statement.target] if isinstance(statement, ast.AnnAssign) else targets
    return [target.id for target in named if isinstance(target, ast.Name)]


def _parse(source: bytes) -> ast.Module:
    try:
        return ast.parse(source)
    except (SyntaxError, ValueError):
        return ast.Module([], [])  # importing it will say what is wrong
