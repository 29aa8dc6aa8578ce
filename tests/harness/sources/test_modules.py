from pathlib import Path

from harness import sources
from harness.sources import Folder, Module, Roots


def method_of(folder: Path) -> Module:
    """Return the module `method` of a folder of plugins."""
    return Module("plugin.method", folder / "method.py", Folder("plugin", folder))


def write(folder: Path, **files: str) -> Roots:
    """Write modules into a plugin folder and return roots that find them."""
    for name, text in files.items():
        (folder / f"{name}.py").write_text(text, encoding="utf-8")
    return Roots(folder=Folder("plugin", folder))


def test_the_closure_follows_imports_inside_the_roots_only(tmp_path: Path) -> None:
    """Blocks a method imports, however indirectly, are found; other packages are not."""
    roots = write(
        tmp_path,
        method="import json\nfrom block import thing\n",
        block="def f():\n    import deep\n",
        deep="",
        stranger="",
    )
    found = sources.Imports(roots).closure([method_of(tmp_path)])
    assert [module.name for module in found] == ["plugin.block", "plugin.deep", "plugin.method"]


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
    found = sources.Imports(roots).closure([Module("package.a", package / "a.py")])
    assert [module.name for module in found] == ["package", "package.a", "package.b", "package.c"]
