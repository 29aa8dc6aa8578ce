"""What code computes, as a hash: the same wherever the code lies and however its files are cut.

Code is followed by definition, not by file. From where a run starts, every function, class and
name that is read is followed through the imports, and what nobody reads does not count. Nor do
comments, docstrings, annotations of functions, the words of an error and the names of modules. So
a file can be renamed, and a function moved to another one, and every stored run stays current.

All is found by reading, never by importing, so that planning needs no torch. Not seen is what code
asks for by a name that it computes (`getattr`, `importlib`) or executes as text.
"""

from __future__ import annotations

import ast
import copy
import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from harness.sources.known import Question, ask, recall, remember
from harness.sources.modules import (
    Found,
    Module,
    Roots,
    absolute_name,
    called_imports,
    imported_names,
    names_in_all,
)
from harness.sources.syntax import (
    Chain,
    Followed,
    Imports,
    Syntax,
    computes,
    dump,
    is_said,
    runs_on_import,
    stored_names,
)

WHOLE = "*"  # everything that a module defines and imports
LOOSE = ""  # what a module does when it is imported, beside giving names to what it defines
ROUNDS = 6  # how far apart two uses of functions with one name may be told from each other


@dataclass(frozen=True)
class Definition:
    """A name at the top of a module, `WHOLE` or `LOOSE`."""

    module: Module
    name: str


@dataclass(frozen=True)
class Scope:
    """What is followed: code below the roots, but for modules that decide no figure."""

    roots: Roots
    # Dotted names; a package stands for all that is in it. What is handed to the first counts as
    # little as they do; of the others only what they do is not followed.
    left_out: frozenset[str] = frozenset()
    not_followed: frozenset[str] = frozenset()
    # Packages whose modules do nothing to each other when they are imported.
    quiet: frozenset[str] = frozenset({"harness"})

    def leaves_out(self, dotted: str) -> bool:
        """Tell whether a dotted name belongs to what decides no figure."""
        return _is_among(dotted, self.left_out)

    def follows(self, dotted: str) -> bool:
        """Tell whether a module of that name is followed."""
        return not _is_among(dotted, self.left_out | self.not_followed)

    def ask(self, start: Iterable[Definition]) -> Question:
        """Return the question what definitions compute."""
        scope = (self.left_out, self.not_followed, self.quiet)
        return ask(self.roots, ((one.module, one.name) for one in start), scope)


def _is_among(dotted: str, names: frozenset[str]) -> bool:
    parts = dotted.split(".")
    return any(".".join(parts[: end + 1]) in names for end in range(len(parts)))


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
        self._found = Found(scope.roots)
        self._outlines: dict[Module, _Outline] = {}
        self._defined: dict[Definition, _Defined] = {}
        self._near: dict[Definition, list[Definition]] = {}

    def hash(self, start: Iterable[Definition]) -> str:
        """Hash what definitions compute, with all that they read.

        That a module holds them is no part of it: what it holds may lie elsewhere.

        Raises:
            KeyError: a definition of `start` does not exist.
        """
        start = list(start)
        question = self._scope.ask(start)
        known = recall(question)
        if known is None:
            known = self.read_anew(start)
            read = {module: outline.source for module, outline in self._outlines.items()}
            if self._scope.ask(start) == question:  # nobody has edited it meanwhile
                remember(question, known, self._found.modules, read)
        return known

    def read_anew(self, start: Iterable[Definition]) -> str:
        """Hash what definitions compute, whatever was found before."""
        found = self.reach(start)
        codes = {one: self._read(one).code for one in found}
        for _ in range(ROUNDS):  # each looks one step further at what reads what
            codes = {
                one: _hash(" ".join([code, *(codes[near] for near in self._read_by(one))]))
                for one, code in codes.items()
            }
        computing = {code for one, code in codes.items() if one.name != WHOLE}
        return _hash("\n".join(sorted(computing)))

    def reach(self, start: Iterable[Definition]) -> set[Definition]:
        """Return what definitions read, directly or not, and what runs before, themselves included.

        Raises:
            KeyError: a definition of `start` does not exist.
        """
        found: set[Definition] = set()
        waiting = [self._require(definition) for definition in start]
        while waiting:
            definition = waiting.pop()
            if definition not in found:
                found.add(definition)
                waiting += [*self._read_by(definition), *self._run_before(definition.module)]
        return found

    def depth(self, names: Sequence[str]) -> int:
        """Return how many names of a dotted one are those of a module."""
        ends = range(len(names), 0, -1)
        return next((end for end in ends if self._found.find(".".join(names[:end]))), 0)

    def leaves_out(self, dotted: str) -> bool:
        """Tell whether a dotted name belongs to what decides no figure."""
        return self._scope.leaves_out(dotted)

    def _follow(self, dotted: str) -> Module | None:
        return self._found.find(dotted) if self._scope.follows(dotted) else None

    def _outline(self, module: Module) -> _Outline:
        if module not in self._outlines:
            self._outlines[module] = _read_outline(module)
        return self._outlines[module]

    def _require(self, definition: Definition) -> Definition:
        module, name = definition.module, definition.name
        if name != WHOLE and name not in self._outline(module).definitions:
            raise KeyError(f"{module.name} defines no {name!r}")
        return definition

    def _read(self, definition: Definition) -> _Defined:
        if definition not in self._defined:
            outline = self._outline(definition.module)
            self._defined[definition] = _read_statements(
                outline.definitions.get(definition.name, ()), outline, self
            )
        return self._defined[definition]

    def _read_by(self, definition: Definition) -> list[Definition]:
        """Return the definitions that one reads, in the order in which it reads them."""
        if definition not in self._near:
            module = definition.module
            if definition.name == WHOLE:
                found = self._held(module)
            else:
                chains = self._read(definition).reads
                found = [one for chain in chains for one in self._resolve(module, chain, set())]
            self._near[definition] = found
        return self._near[definition]

    def _held(self, module: Module) -> list[Definition]:
        """Return all that a module defines and imports."""
        outline = self._outline(module)
        own = [Definition(module, name) for name in outline.definitions]
        read = {chain[0] for one in own for chain in self._read(one).reads}
        found = [*own]
        for name, targets in outline.imports.items():
            for target in targets:  # one that nobody reads is imported for what it does
                names = target.split(".")
                found += [
                    one
                    for one in self._resolve_import(names, set())
                    if name not in read or one.name != WHOLE
                ]
        return found

    def _run_before(self, module: Module) -> Iterator[Definition]:
        """Yield what runs when a module is imported: of it, its packages, and what it imports.

        The harness's own imports are left aside: else what draws its data would be in every key.
        """
        parts = module.name.split(".")
        packages = [".".join(parts[:end]) for end in range(1, len(parts))]
        holders = [module, *filter(None, map(self._follow, packages))]
        imported = (
            () if _is_among(module.name, self._scope.quiet) else self._outline(module).imported
        )
        for name in imported:
            names = name.split(".")
            prefixes = [".".join(names[: end + 1]) for end in range(len(names))]
            holders += filter(None, map(self._follow, prefixes))
        yield from (Definition(holder, LOOSE) for holder in holders)
        called = filter(None, map(self._follow, self._outline(module).called))
        yield from (Definition(holder, WHOLE) for holder in called)  # who knows what is read of it

    def _resolve(
        self, module: Module, chain: Chain, seen: set[tuple[Module, Chain]]
    ) -> Iterator[Definition]:
        """Yield what a name of a module, or an attribute of it, stands for, if it is followed."""
        if (module, chain) in seen:
            return
        seen.add((module, chain))
        outline = self._outline(module)
        if chain[0] in outline.definitions:
            yield Definition(module, chain[0])
        for target in outline.imports.get(chain[0], ()):
            yield from self._resolve_import([*target.split("."), *chain[1:]], seen)
        for target in outline.imports.get(WHOLE, ()):  # from target import *
            if held := self._follow(target):
                yield from self._resolve(held, chain, seen)

    def _resolve_import(
        self, names: list[str], seen: set[tuple[Module, Chain]]
    ) -> Iterator[Definition]:
        """Yield what a dotted name stands for; of a module as such all that it holds."""
        for end in range(len(names), 0, -1):
            module = self._follow(".".join(names[:end]))
            if module and end < len(names):
                yield from self._resolve(module, tuple(names[end:]), seen)
            elif module:
                yield Definition(module, WHOLE)
                package = self._follow(".".join(names[:-1]))  # may hold a name like its module's
                if package and names[-1] in self._outline(package).definitions:
                    yield Definition(package, names[-1])
            if module:
                return


@dataclass(frozen=True)
class _Defined:
    """A definition as it is written: a hash of its syntax, and the names that it reads."""

    code: str
    reads: Sequence[Chain]


@dataclass(frozen=True)
class _Outline:
    """What a module defines and imports, by name."""

    source: bytes
    definitions: Mapping[str, Sequence[ast.stmt]]
    imports: Imports
    imported: Sequence[str]  # dotted names of what may be modules
    called: Sequence[str] = ()  # of them, those that a call imports


def _read_outline(module: Module) -> _Outline:
    source = module.path.read_bytes()
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError):  # importing it will say what is wrong
        return _Outline(source, {LOOSE: [ast.Expr(ast.Constant(_hash(repr(source))))]}, {}, [])
    imports = _read_imports(tree, module)
    statements: dict[str, list[ast.stmt]] = defaultdict(list)
    for statement in tree.body:
        if not computes(statement) or is_said(statement, imports):
            continue
        names = stored_names([statement])
        if runs_on_import(statement, imports):
            names.add(LOOSE)
        first, *others = sorted(names)
        for name in others:
            statements[name].append(copy.deepcopy(statement))  # reading one takes it apart
        statements[first].append(statement)
    statements.setdefault(LOOSE, [])
    imported = list(dict.fromkeys(imported_names(module)))
    return _Outline(source, dict(statements), imports, imported, list(called_imports(module)))


def _read_statements(
    statements: Sequence[ast.stmt], outline: _Outline, followed: Followed
) -> _Defined:
    """Read statements; of those that are nested too deeply, take the file as it is."""
    syntax = Syntax(outline.imports, followed)
    try:
        code = [dump(syntax.visit(one)) for one in statements]
    except RecursionError:
        everything = [(name,) for name in (*outline.definitions, *outline.imports)]
        return _Defined(_hash(repr(outline.source)), everything)
    return _Defined(_hash("\n".join(code)), syntax.reads)


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _read_imports(tree: ast.Module, module: Module) -> dict[str, list[str]]:
    """Return the dotted names that each imported name of a module stands for."""
    found: dict[str, list[str]] = defaultdict(list)
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                bound = alias.asname or alias.name.partition(".")[0]
                found[bound].append(module.resolve(alias.name if alias.asname else bound))
        elif isinstance(node, ast.ImportFrom):
            base = absolute_name(node, module)
            for alias in node.names:
                target = base if alias.name == WHOLE else f"{base}.{alias.name}"
                found[alias.asname or alias.name].append(target)
    if module.package == module.name:
        for name in names_in_all(module.path.read_bytes()):
            found[name].append(f"{module.name}.{name}")  # a module of the package, for a star
    return dict(found)
