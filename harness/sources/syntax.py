"""What of a statement computes something, and which names of its module it reads."""

from __future__ import annotations

import ast
import contextlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Protocol

# What a class or a decorator declares for listings and plans. The values that matter for a run
# reach its key through the resolved config and recipe, so editing a table repeats nothing else.
DECLARATIONS = frozenset({"ablations", "evaluations", "recipes"})
DECORATOR = "register"

Chain = tuple[str, ...]  # a name, and the attributes that are read of it


class Followed(Protocol):
    """What can be told of a dotted name: how much of it is a module's, and whether it counts."""

    def depth(self, names: list[str]) -> int:
        """Return how many of the names are those of a module."""
        ...

    def leaves_out(self, dotted: str) -> bool:
        """Tell whether it belongs to what decides no figure."""
        ...


def computes(statement: ast.stmt) -> bool:
    """Tell whether a statement is more than an import, a text, or for those who read types."""
    if isinstance(statement, ast.Import | ast.ImportFrom):
        return False
    if isinstance(statement, ast.If):
        names = {node.id for node in ast.walk(statement.test) if isinstance(node, ast.Name)}
        return not names & {"TYPE_CHECKING", "__name__"}
    return not _is_text(statement)


class Syntax(ast.NodeTransformer):
    """Drops what computes nothing, and notes the names of the module that are read."""

    def __init__(self, imports: Mapping[str, Sequence[str]], followed: Followed) -> None:
        self.reads: set[Chain] = set()
        self._imports = imports
        self._followed = followed
        self._locals: list[set[str]] = []

    def generic_visit(self, node: ast.AST) -> ast.AST:
        body = getattr(node, "body", None)
        if isinstance(body, list):
            body[:] = [item for item in body if not _is_text(item)] or [ast.Pass()]
        return super().generic_visit(node)

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        node.body = [item for item in node.body if not _declares(item)] or [ast.Pass()]
        node.decorator_list = [one for one in node.decorator_list if not _registers(one)]
        return self.generic_visit(node)

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> ast.AST:
        own = _local_names(node.args, node.body)
        node.decorator_list = [self.visit(one) for one in node.decorator_list]
        node.args, node.returns = self.visit(node.args), None
        with self._within(own):
            node.body = [self.visit(one) for one in node.body if not _is_text(one)] or [ast.Pass()]
        return node

    visit_AsyncFunctionDef = visit_FunctionDef

    def visit_Lambda(self, node: ast.Lambda) -> ast.AST:
        own = _local_names(node.args, [node.body])
        node.args = self.visit(node.args)
        with self._within(own):
            node.body = self.visit(node.body)
        return node

    def visit_ListComp(self, node: _Comprehension) -> ast.AST:
        node.generators[0].iter = self.visit(node.generators[0].iter)
        with self._within(stored_names(one.target for one in node.generators)):
            return self.generic_visit(node)

    visit_SetComp = visit_DictComp = visit_GeneratorExp = visit_ListComp

    @contextlib.contextmanager
    def _within(self, names: set[str]) -> Iterator[None]:
        self._locals.append(names)
        yield
        self._locals.pop()

    def visit_arg(self, node: ast.arg) -> ast.AST:
        node.annotation = None
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
        if self._locals:  # of a class it says what the fields of a config hold
            node.annotation = ast.Constant(None)
        return self.generic_visit(node)

    def visit_Raise(self, node: ast.Raise) -> ast.AST:
        if isinstance(node.exc, ast.Call):
            node.exc = node.exc.func
        node.cause = None
        return self.generic_visit(node)

    def visit_Assert(self, node: ast.Assert) -> ast.AST:
        node.msg = None
        return self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> ast.AST:
        """What is handed to a function that decides no figure decides none."""
        chain = self._chain(node.func)
        if chain and self._followed.leaves_out(".".join(self._target(chain))):
            node.args, node.keywords = [], []
        return self.generic_visit(node)

    def visit_Name(self, node: ast.Name) -> ast.AST:
        return self._visit_chain(node)

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        return self._visit_chain(node) if self._chain(node) else self.generic_visit(node)

    def _visit_chain(self, node: ast.Name | ast.Attribute) -> ast.AST:
        """Note what is read; leave the name that it has where it is defined, but not where."""
        chain = self._chain(node)
        if not chain or not isinstance(node.ctx, ast.Load):
            return node
        self.reads.add(chain)
        target = self._target(chain)
        return ast.Constant(".".join(target[self._followed.depth(target) :]))

    def _chain(self, node: ast.expr) -> Chain:
        """Return the names of `a.b.c`, where `a` is a name of the module; of others nothing."""
        if isinstance(node, ast.Attribute):
            inner = self._chain(node.value)
            return (*inner, node.attr) if inner else ()
        if not isinstance(node, ast.Name) or any(node.id in own for own in self._locals):
            return ()
        return (node.id,)

    def _target(self, chain: Chain) -> list[str]:
        first = self._imports.get(chain[0], [chain[0]])[0]
        return [*first.split("."), *chain[1:]]


_Comprehension = ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp


def _is_text(node: ast.stmt) -> bool:
    """Tell whether a statement is a docstring, or another text that goes nowhere."""
    value = getattr(node, "value", None) if isinstance(node, ast.Expr) else None
    return isinstance(value, ast.Constant) and isinstance(value.value, str)


def _declares(node: ast.stmt) -> bool:
    targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
    return any(isinstance(target, ast.Name) and target.id in DECLARATIONS for target in targets)


def _registers(node: ast.expr) -> bool:
    called = node.func if isinstance(node, ast.Call) else node
    return DECORATOR in (getattr(called, "id", None), getattr(called, "attr", None))


def _local_names(arguments: ast.arguments, body: Iterable[ast.AST]) -> set[str]:
    """Return the names that belong to a function; those that it imports do not."""
    nodes = [*_own_nodes(body)]
    outer = {name for n in nodes if isinstance(n, ast.Global | ast.Nonlocal) for name in n.names}
    own = {node.arg for node in ast.walk(arguments) if isinstance(node, ast.arg)}
    return (own | _names_stored_by(nodes)) - outer


def stored_names(nodes: Iterable[ast.AST]) -> set[str]:
    """Return the names that nodes of one scope, with those below them, give a value."""
    return _names_stored_by(_own_nodes(nodes))


def _names_stored_by(nodes: Iterable[ast.AST]) -> set[str]:
    found = set()
    for node in nodes:
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.add(node.id)
        elif isinstance(node, _NAMED):
            found.add(node.name)
    return found


def _own_nodes(nodes: Iterable[ast.AST]) -> Iterator[ast.AST]:
    """Yield the nodes of one scope: those within functions, classes and the like are theirs."""
    waiting = [*nodes]
    while waiting:
        node = waiting.pop()
        yield node
        if not isinstance(node, _INNER):
            waiting += ast.iter_child_nodes(node)


_NAMED = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
_INNER = (*_NAMED, ast.Lambda, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
