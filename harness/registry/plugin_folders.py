"""Importing the files of `--plugins`: each folder is a package of its own, whatever others hold.

Its files import each other by their bare names, as scripts do, or as the package that they are. So
two folders may both have a `helper.py`, and one may have a `json.py`: each sees its own files, and
they are the ones that `harness.sources` follows.
"""

from __future__ import annotations

import builtins
import importlib
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

from harness.registry.registration import METHODS
from harness.sources import Folder, Module

_OPEN: dict[str, Folder] = {}  # by name
_EXECUTED: dict[str, tuple[str, bytes]] = {}  # by module: its file, and what that held


def load(module: Module, folder: Folder) -> None:
    """Import a plugin's file unless it was: anew where a file of its folder has changed since."""
    _OPEN[folder.name] = folder
    if _FINDER not in sys.meta_path:
        sys.meta_path.insert(0, _FINDER)
    _forget_changed(folder)
    if module.name in sys.modules:
        return
    if module.package != module.name:
        importlib.import_module(module.package)
    elif module.name == folder.name:
        importlib.import_module(module.name)
        return
    _execute(_of_file(module.name, str(module.path)))


def _forget_changed(folder: Folder) -> None:
    """Forget all that was imported from a folder of which a file is no longer what it was."""
    own = {name: told for name, told in _EXECUTED.items() if _top(name) == folder.name}
    if all(_bytes(file) == content for file, content in own.values()):
        return
    for name in [name for name in (*sys.modules, *METHODS) if _top(name) == folder.name]:
        for known in (sys.modules, METHODS, _EXECUTED):
            known.pop(name, None)


def _execute(spec: ModuleSpec) -> None:
    module = sys.modules[spec.name] = module_from_spec(spec)
    try:
        assert spec.loader is not None
        spec.loader.exec_module(module)
    except BaseException:
        sys.modules.pop(spec.name, None)
        raise
    package, _, own = spec.name.rpartition(".")
    setattr(sys.modules[package], own, module)  # as importing it by its name does


class _Finder(MetaPathFinder):
    """Finds what lies in the folders of plugins, by the names that it has there."""

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if _top(name) not in _OPEN:
            return None
        if path is None:
            return _of_folder(name, _OPEN[name].path)
        spec = PathFinder.find_spec(name, path, target)
        if spec and isinstance(spec.loader, SourceFileLoader):
            spec.loader = _Loader(name, spec.loader.path)
        return spec


_FINDER = _Finder()


class _Loader(SourceFileLoader):
    """Executes a file as it is, never from a bytecode cache, with the imports of its folder."""

    def get_code(self, fullname: str) -> CodeType:
        content = self.get_data(self.path)
        _EXECUTED[fullname] = (str(self.path), content)
        return self.source_to_code(content, self.path)

    def exec_module(self, module: ModuleType) -> None:
        METHODS.pop(module.__name__, None)  # what it registers, it registers anew
        own = _imports_of(_OPEN[_top(module.__name__)])
        module.__dict__["__builtins__"] = {**vars(builtins), "__import__": own}
        super().exec_module(module)


def _of_folder(name: str, folder: Path) -> ModuleSpec:
    inside = folder / "__init__.py"
    spec = _of_file(name, str(inside)) if inside.is_file() else ModuleSpec(name, None)
    spec.submodule_search_locations = [str(folder)]
    return spec


def _of_file(name: str, file: str) -> ModuleSpec:
    spec = spec_from_file_location(name, file, loader=_Loader(name, file))
    assert spec is not None
    return spec


def _imports_of(folder: Folder) -> Callable[..., ModuleType]:
    """Return what `import` does in the files of a folder."""
    known: dict[str, str | None] = {}

    def import_module(
        name: str,
        globals: Mapping[str, Any] | None = None,
        locals: Mapping[str, Any] | None = None,
        fromlist: Sequence[str] | None = (),
        level: int = 0,
    ) -> ModuleType:
        top, dot, rest = name.partition(".")
        if not level and top not in known:
            known[top] = folder.find(top)
        own = None if level else known[top]
        if own is None:
            return builtins.__import__(name, globals, locals, fromlist or (), level)
        if fromlist:
            return builtins.__import__(f"{own}{dot}{rest}", globals, locals, fromlist)
        importlib.import_module(f"{own}{dot}{rest}")
        return sys.modules[own]

    return import_module


def _top(name: str) -> str:
    return name.partition(".")[0]


def _bytes(file: str) -> bytes | None:
    try:
        return Path(file).read_bytes()
    except OSError:
        return None
