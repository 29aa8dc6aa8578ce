"""What code computes, as a hash: the same wherever the code lies and however its files are cut.

Code is followed by definition, not by file. From where a run starts, every function, class and
name that is read is followed through the imports, and what nobody reads does not count. Nor do
comments, docstrings, annotations of functions, the words of an error and the names of modules. So
a file can be renamed, and a function moved to another one, and every stored run stays current.

All is found by reading, never by importing, so that planning needs no torch. What code asks for by
a name that it computes (`getattr`, `importlib`) is not seen.
"""

from __future__ import annotations

import ast
import copy
import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from harness.sources.modules import Module, Roots, absolute_name
from harness.sources.syntax import Chain, Syntax, computes, stored_names

WHOLE = "*"  # everything that a module defines and imports
LOOSE = ""  # the statements of a module that define nothing: they run when it is imported


@dataclass(frozen=True)
class Definition:
    """A name at the top of a module, `WHOLE` or `LOOSE`."""

    module: Module
    name: str


@dataclass(frozen=True)
class Scope:
    """What is followed: code below the roots, but for modules that decide no figure."""

    roots: Roots
    left_out: frozenset[str] = frozenset()  # dotted names; a package stands for all that is in it

    def leaves_out(self, dotted: str) -> bool:
        """Tell whether a dotted name belongs to what decides no figure."""
        parts = dotted.split(".")
        return any(".".join(parts[: end + 1]) in self.left_out for end in range(len(parts)))


def find_definitions(names: Iterable[tuple[str, str]], roots: Roots) -> list[Definition]:
    """Return definitions by the dotted names of their modules and their own.

    Raises:
        KeyError: there is no such module.
    """
    modules = {name: roots.find(name) for name, _ in names}
    if missing := [name for name, module in modules.items() if module is None]:
        raise KeyError(f"there is no module {' or '.join(missing)}")
    return [Definition(module, own) for name, own in names if (module := modules[name])]


def hash_definitions(start: Iterable[Definition], scope: Scope) -> str:
    """Hash what definitions compute, with all that they read.

    Raises:
        KeyError: a definition of `start` does not exist.
    """
    return Reading(scope).hash(start)


class Reading:
    """Modules as they are at one time, each read once, and of each what is asked for."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self._modules: dict[str, Module | None] = {}
        self._outlines: dict[Module, _Outline] = {}
        self._defined: dict[Definition, _Defined] = {}
        self._near: dict[Definition, list[Definition]] = {}

    def hash(self, start: Iterable[Definition]) -> str:
        """Hash what definitions compute, with all that they read."""
        codes = {self._describe(definition) for definition in self.reach(start)}
        return _hash("\n".join(sorted(codes)))

    def reach(self, start: Iterable[Definition]) -> set[Definition]:
        """Return what definitions read, directly or not, themselves included."""
        found: set[Definition] = set()
        waiting = [one for definition in start for one in self._expand(definition)]
        while waiting:
            definition = waiting.pop()
            if definition not in found:
                found.add(definition)
                waiting += self._neighbours(definition)
        return found

    def depth(self, names: list[str]) -> int:
        """Return how many names of a dotted one are those of a module."""
        ends = range(len(names), 0, -1)
        return next((end for end in ends if self._find(".".join(names[:end]))), 0)

    def leaves_out(self, dotted: str) -> bool:
        """Tell whether a dotted name belongs to what decides no figure."""
        return self._scope.leaves_out(dotted)

    def _describe(self, definition: Definition) -> str:
        """Return what a definition does, and what those do that it reads.

        The second tells which of two functions of one name it reads.
        """
        near = {self._read(one).code for one in self._neighbours(definition)}
        return " ".join([self._read(definition).code, *sorted(near)])

    def _find(self, dotted: str) -> Module | None:
        if dotted not in self._modules:
            self._modules[dotted] = self._scope.roots.find(dotted)
        return self._modules[dotted]

    def _follow(self, dotted: str) -> Module | None:
        return None if self._scope.leaves_out(dotted) else self._find(dotted)

    def _outline(self, module: Module) -> _Outline:
        if module not in self._outlines:
            self._outlines[module] = _read_outline(module)
        return self._outlines[module]

    def _read(self, definition: Definition) -> _Defined:
        if definition not in self._defined:
            outline = self._outline(definition.module)
            syntax = Syntax(outline.imports, self)
            statements = map(syntax.visit, outline.definitions[definition.name])
            code = [ast.dump(one, annotate_fields=False) for one in statements]
            self._defined[definition] = _Defined(_hash("\n".join(code)), frozenset(syntax.reads))
        return self._defined[definition]

    def _expand(self, definition: Definition) -> Iterator[Definition]:
        module, outline = definition.module, self._outline(definition.module)
        if definition.name != WHOLE:
            if definition.name not in outline.definitions:
                raise KeyError(f"{module.name} defines no {definition.name!r}")
            yield definition
            return
        held = [Definition(module, name) for name in outline.definitions]
        yield from held
        read = {chain[0] for one in held for chain in self._read(one).reads}
        for name, targets in outline.imports.items():
            for target in targets:  # one that nobody reads is imported for what it does
                yield from self._resolve_import(target.split("."), whole=name not in read)

    def _neighbours(self, definition: Definition) -> list[Definition]:
        """Return the definitions that one reads, and the statements that run before it does."""
        if definition not in self._near:
            module, reads = definition.module, self._read(definition).reads
            found = [one for chain in reads for one in self._resolve(module, chain)]
            self._near[definition] = [*found, *self._run_before(module)]
        return self._near[definition]

    def _run_before(self, module: Module) -> Iterator[Definition]:
        """Yield what runs when a module is imported, and the packages that it is in."""
        parts = module.name.split(".")
        for end in range(1, len(parts) + 1):
            holder = module if end == len(parts) else self._follow(".".join(parts[:end]))
            if holder and LOOSE in self._outline(holder).definitions:
                yield Definition(holder, LOOSE)

    def _resolve(self, module: Module, chain: Chain) -> Iterator[Definition]:
        """Yield what a name of a module, or an attribute of it, stands for, if it is followed."""
        outline = self._outline(module)
        if chain[0] in outline.definitions:
            yield Definition(module, chain[0])
        for target in outline.imports.get(chain[0], ()):
            yield from self._resolve_import([*target.split("."), *chain[1:]])
        for target in outline.imports.get(WHOLE, ()):  # from target import *
            if held := self._follow(target):
                yield from self._resolve(held, chain)

    def _resolve_import(self, names: list[str], whole: bool = True) -> Iterator[Definition]:
        """Yield what a dotted name stands for; of a module as such all that it holds."""
        for end in range(len(names), 0, -1):
            module = self._follow(".".join(names[:end]))
            if module and end < len(names):
                yield from self._resolve(module, tuple(names[end:]))
            elif module and whole:
                yield from self._expand(Definition(module, WHOLE))
            if module:
                return


@dataclass(frozen=True)
class _Defined:
    """A definition as it is written: a hash of its syntax, and the names that it reads."""

    code: str
    reads: frozenset[Chain]


@dataclass(frozen=True)
class _Outline:
    """What a module defines and imports, by name."""

    definitions: Mapping[str, Sequence[ast.stmt]]
    imports: Mapping[str, Sequence[str]]  # name -> dotted names


def _read_outline(module: Module) -> _Outline:
    tree = ast.parse(module.path.read_bytes())
    statements: dict[str, list[ast.stmt]] = defaultdict(list)
    for statement in filter(computes, tree.body):
        first, *others = stored_names([statement]) or {LOOSE}
        for name in others:
            statements[name].append(copy.deepcopy(statement))  # reading one takes it apart
        statements[first].append(statement)
    return _Outline(dict(statements), _read_imports(tree, module))


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _read_imports(tree: ast.Module, module: Module) -> dict[str, list[str]]:
    """Return the dotted names that each imported name of a module stands for."""
    found: dict[str, list[str]] = defaultdict(list)
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                bound = alias.asname or alias.name.partition(".")[0]
                found[bound].append(alias.name if alias.asname else bound)
        elif isinstance(node, ast.ImportFrom):
            base = absolute_name(node, module)
            for alias in node.names:
                target = base if alias.name == WHOLE else f"{base}.{alias.name}"
                found[alias.asname or alias.name].append(target)
    return dict(found)
