"""What of a statement computes something, and which names of its module it reads."""

from __future__ import annotations

import ast
import contextlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Protocol

# What a class or a decorator declares for listings and plans. The values that matter for a run
# reach its key through the resolved config and recipe, so editing a table repeats nothing else.
DECLARATIONS = frozenset({"ablations", "evaluations", "recipes"})
REGISTRY = "harness.registry"  # whose decorators name what they register, and change nothing
# What is said of a method there, which runs nothing when it is imported.
SAID = frozenset({f"{REGISTRY}.ExtraData", f"{REGISTRY}.Paper"})
# Tests of what a module does not do when it is imported for a run.
NOT_RUN = {"TYPE_CHECKING", "typing.TYPE_CHECKING", "__name__ == '__main__'"}
# Decorators that do nothing but return what stands for the function or the class.
PURE = {
    "abstractmethod", "cache", "cached_property", "classmethod", "contextmanager", "dataclass",
    "inference_mode", "lru_cache", "no_grad", "njit", "overload", "property",
    "runtime_checkable", "staticmethod", "wraps",
}  # fmt: skip

Chain = tuple[str, ...]  # a name, and the attributes that are read of it
Imports = Mapping[str, Sequence[str]]  # name -> the dotted names that it may stand for


class Followed(Protocol):
    """What can be told of a dotted name: how much of it is a module's, and whether it counts."""

    def depth(self, names: Sequence[str]) -> int:
        """Return how many of the names are those of a module."""
        ...

    def leaves_out(self, dotted: str) -> bool:
        """Tell whether it belongs to what decides no figure."""
        ...


def computes(statement: ast.stmt) -> bool:
    """Tell whether a statement is more than an import, a text, or for those who read it.

    So are types and `__all__`: what a star imports is told by the names that are read of it.
    """
    if isinstance(statement, ast.Assign) and ast.unparse(statement.targets[0]) == "__all__":
        return False
    if isinstance(statement, ast.If) and not statement.orelse:
        return ast.unparse(statement.test) not in NOT_RUN
    return not isinstance(statement, ast.Import | ast.ImportFrom) and not _is_text(statement)


def runs_on_import(statement: ast.stmt, imports: Imports) -> bool:
    """Tell whether a statement may do more than give a name a value.

    That is any but plain definitions, and assignments to names of what calls nothing.
    """
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return not all(_is_pure(one, imports) for one in statement.decorator_list)
    if not isinstance(statement, ast.Assign | ast.AnnAssign):
        return True
    targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
    names_only = all(isinstance(target, ast.Name | ast.Tuple) for target in targets)
    return not names_only or any(isinstance(node, ast.Call) for node in ast.walk(statement))


def is_said(statement: ast.stmt, imports: Imports) -> bool:
    """Tell whether a statement gives a name to what is said of a method, alone or in a dict."""
    if not isinstance(statement, ast.Assign | ast.AnnAssign) or statement.value is None:
        return False
    held = statement.value.values if isinstance(statement.value, ast.Dict) else [statement.value]
    calls = [one for one in held if isinstance(one, ast.Call)]
    others = all(isinstance(one, ast.Call | ast.Subscript | ast.Name) for one in held)
    return bool(calls) and others and all(_called(one.func, imports) <= SAID for one in calls)


class Syntax(ast.NodeTransformer):
    """Drops what computes nothing, and notes the names of the module that are read."""

    def __init__(self, imports: Imports, followed: Followed) -> None:
        self.reads: list[Chain] = []  # in the order of reading
        self._imports = imports
        self._followed = followed
        self._locals: list[set[str]] = []
        self._fields: set[int] = set()  # the annotated names of classes

    def generic_visit(self, node: ast.AST) -> ast.AST:
        body = getattr(node, "body", None)
        if isinstance(body, list):
            body[:] = [item for item in body if not _is_text(item)] or [ast.Pass()]
        return super().generic_visit(node)

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        if node.bases:
            node.body = [item for item in node.body if not _declares(item)] or [ast.Pass()]
        node.decorator_list = [one for one in node.decorator_list if not self._registers(one)]
        self._fields |= {id(item) for item in node.body if isinstance(item, ast.AnnAssign)}
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
        """Keep the types of fields, by which their values are built, and no others."""
        if id(node) in self._fields:
            return self.generic_visit(node)
        if node.value is None:
            return ast.Pass()
        plain: ast.AST = self.visit(ast.Assign([node.target], node.value))
        return plain

    def visit_Import(self, node: ast.Import) -> ast.AST:
        names = [alias.name for alias in node.names]
        return ast.Pass() if all(self._followed.depth(name.split(".")) for name in names) else node

    def visit_ImportFrom(self, node: ast.ImportFrom) -> ast.AST:
        bound = [alias.asname or alias.name for alias in node.names]
        targets = [target for name in bound for target in self._imports.get(name, ())]
        followed = all(self._followed.depth(target.split(".")) for target in targets)
        return ast.Pass() if targets and followed else node

    def visit_Raise(self, node: ast.Raise) -> ast.AST:
        """Keep what an error holds but for its words."""
        node.cause = None
        if node.exc:
            node.exc = _Wordless().visit(node.exc)
        return self.generic_visit(node)

    def visit_Assert(self, node: ast.Assert) -> ast.AST:
        node.msg = None
        return self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> ast.AST:
        """What is handed to a function that decides no figure decides none."""
        targets = self._targets(self._chain(node.func))
        names = any(isinstance(inner, ast.NamedExpr) for inner in ast.walk(node))
        if targets and not names and all(map(self._followed.leaves_out, targets)):
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
        self.reads.append(chain)
        return ast.Name("|".join(map(self._own_name, self._targets(chain))), ast.Load())

    def _own_name(self, target: str) -> str:
        names = target.split(".")
        return ".".join(names[self._followed.depth(names) :])

    def _chain(self, node: ast.expr) -> Chain:
        """Return the names of `a.b.c`, where `a` is a name of the module; of others nothing."""
        if isinstance(node, ast.Attribute):
            inner = self._chain(node.value)
            return (*inner, node.attr) if inner else ()
        if not isinstance(node, ast.Name) or any(node.id in own for own in self._locals):
            return ()
        return (node.id,)

    def _targets(self, chain: Chain) -> list[str]:
        """Return the dotted names that a chain may stand for."""
        bound = self._imports.get(chain[0], [chain[0]]) if chain else ()
        return [".".join([target, *chain[1:]]) for target in bound]

    def _registers(self, node: ast.expr) -> bool:
        called = node.func if isinstance(node, ast.Call) else node
        return any(target.startswith(REGISTRY) for target in self._targets(self._chain(called)))


class _Wordless(ast.NodeTransformer):
    """Takes the texts out of an expression."""

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        return ast.Constant("") if isinstance(node.value, str) else node

    def visit_JoinedStr(self, node: ast.JoinedStr) -> ast.AST:
        return ast.Constant("")

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        """Take texts that are put together for one."""
        self.generic_visit(node)
        both = (node.left, node.right)
        words = all(isinstance(one, ast.Constant) and one.value == "" for one in both)
        return ast.Constant("") if words else node


def dump(node: object) -> str:
    """Return the syntax of a node as text, the same whichever version of Python reads it."""
    if isinstance(node, list):
        return f"[{' '.join(map(dump, node))}]"
    if not isinstance(node, ast.AST):
        return repr(node)
    fields = [
        f"{name}={dump(value)}"
        for name, value in ast.iter_fields(node)
        if name not in _SILENT and value is not None and value != []
    ]
    return f"{type(node).__name__}({' '.join(fields)})"


_SILENT = {"ctx", "kind", "type_comment", "type_ignores"}  # fields
_Comprehension = ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp


def _is_text(node: ast.stmt) -> bool:
    """Tell whether a statement is a docstring, or another text that goes nowhere."""
    value = getattr(node, "value", None) if isinstance(node, ast.Expr) else None
    return isinstance(value, ast.Constant) and isinstance(value.value, str)


def _declares(node: ast.stmt) -> bool:
    targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
    return any(isinstance(target, ast.Name) and target.id in DECLARATIONS for target in targets)


def _is_pure(decorator: ast.expr, imports: Imports) -> bool:
    called = decorator.func if isinstance(decorator, ast.Call) else decorator
    names = ast.unparse(called).split(".")
    targets = imports.get(names[0], ())
    return names[-1] in PURE or any(target.startswith(REGISTRY) for target in targets)


def _called(function: ast.expr, imports: Imports) -> set[str]:
    """Return the dotted names that a called function may have."""
    first, *others = ast.unparse(function).split(".")
    return {".".join([target, *others]) for target in imports.get(first, [first])}


def _local_names(arguments: ast.arguments, body: Iterable[ast.AST]) -> set[str]:
    """Return the names that belong to a function; those that it imports do not."""
    nodes = [*_own_nodes(body)]
    outer = {name for n in nodes if isinstance(n, ast.Global | ast.Nonlocal) for name in n.names}
    own = {node.arg for node in ast.iter_child_nodes(arguments) if isinstance(node, ast.arg)}
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
