from pathlib import Path

from harness import sources
from harness.sources import Module, Roots


def write(folder: Path, **files: str) -> Roots:
    """Write modules into a plugin folder and return roots that find them."""
    for name, text in files.items():
        (folder / f"{name}.py").write_text(text, encoding="utf-8")
    return Roots(folders=(folder,))


def code(folder: Path, text: str) -> str:
    """Hash one module's content."""
    roots = write(folder, method=text)
    return sources.content_hash([Module("method", roots.folders[0] / "method.py")])


def test_comments_docstrings_and_layout_do_not_count(tmp_path: Path) -> None:
    """A module that computes the same has the same hash."""
    plain = code(tmp_path, "def f(x):\n    return x + 1\n")
    told = code(
        tmp_path, '"""Doc."""\n\n\ndef f( x ):  # why\n    """Add one."""\n    return x+1\n'
    )
    assert plain == told


def test_a_changed_line_counts(tmp_path: Path) -> None:
    """A module that computes something else has another hash."""
    assert code(tmp_path, "x = 1\n") != code(tmp_path, "x = 2\n")


def test_declarations_and_the_decorator_do_not_count(tmp_path: Path) -> None:
    """A new ablation row, recipe or title repeats no run: they reach the key as resolved values."""
    before = (
        "@register('a', title='A')\nclass A(M):\n    ablations = {}\n    def f(self): return 1\n"
    )
    after = (
        "@register('a', title='B')\nclass A(M):\n    ablations: dict = {'T': {'x': {}}}\n"
        "    recipes = {'tiny': 1}\n    def f(self): return 1\n"
    )
    assert code(tmp_path, before) == code(tmp_path, after)


def test_the_closure_follows_imports_inside_the_roots_only(tmp_path: Path) -> None:
    """Blocks a method imports, however indirectly, are found; other packages are not."""
    roots = write(
        tmp_path,
        method="import json\nfrom block import thing\n",
        block="def f():\n    import deep\n",
        deep="",
        stranger="",
    )
    found = sources.closure([Module("method", tmp_path / "method.py")], roots)
    assert [module.name for module in found] == ["block", "deep", "method"]


def test_relative_imports_are_resolved(tmp_path: Path) -> None:
    """`from .block import x` and `from . import y` find the modules of the package."""
    package = tmp_path / "package"
    package.mkdir()
    for name, text in {
        "__init__": "",
        "a": "from .b import x\nfrom . import c",
        "b": "",
        "c": "",
    }.items():
        (package / f"{name}.py").write_text(text, encoding="utf-8")
    roots = Roots(packages=(("package", package),))
    found = sources.closure([Module("package.a", package / "a.py")], roots)
    assert [module.name for module in found] == ["package", "package.a", "package.b", "package.c"]


def test_the_engine_stands_on_nothing_that_only_shows_or_plans() -> None:
    """Editing the command line, the registry or the drawing code repeats no run."""
    from harness import plan

    roots = Roots()
    start = [module for name in plan.ENGINE if (module := roots.find(name))]
    names = {module.name for module in sources.closure(start, roots)}
    assert {"harness.training", "harness.metrics", "harness.data.pixels"} <= names
    outside = {"harness.cli", "harness.terminal", "harness.registry", "harness.plan"}
    assert not names & outside
    assert not any(name.startswith("harness.data.paperdolls") for name in names)
