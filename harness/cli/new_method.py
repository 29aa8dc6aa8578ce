"""`harness new-method`: a file that trains at once, to be changed into a method of one's own."""

from __future__ import annotations

import keyword
import re
from pathlib import Path
from typing import Annotated

import typer

from harness.errors import HarnessError

TEMPLATES = Path(__file__).parents[1] / "contract" / "template"


def new_method(
    name: Annotated[str, typer.Argument(help="Lower case: mine, or my-method.", metavar="NAME")],
    third_party: Annotated[
        bool,
        typer.Option("--third-party", help="A package of its own, with an entry point and a test."),
    ] = False,
) -> None:
    """Write a method that trains at once: NAME.py here, or in methods/ of a checkout.

    Then change it: `harness check NAME` tells whether it keeps to the contract, `harness run NAME`
    ranks it beside the others.
    """
    from harness.cli.display import terminal

    values = _values(name)
    checkout = Path("methods").is_dir() and Path("harness/method.py").is_file()
    if third_party:
        written = _write_package(Path(name), values)
        steps = [f"pip install -e {name}", f"harness check {name}", f"harness run {name}"]
    else:
        file = Path("methods" if checkout else ".") / f"{values['MODULE']}.py"
        written = [_write(file, "method.py", values)]
        option = "" if checkout else f" --plugins {file}"
        steps = [f"harness check {name}{option}", f"harness run {name}{option}"]
    terminal.note(f"Written: {', '.join(map(str, written))}. Next:")
    for step in steps:
        terminal.console.print(f"  {step}", highlight=False)


def _values(name: str) -> dict[str, str]:
    """Return what takes the place of the templates' words."""
    from harness import registry

    if not re.fullmatch(r"[a-z][a-z0-9]*(?:[-_][a-z0-9]+)*", name) or keyword.iskeyword(name):
        raise HarnessError(f"{name!r} is no name of a method: write mine, or my-method.")
    taken = {listing.name: listing for listing in registry.list_methods()}
    if name in taken:
        raise HarnessError(
            f"There is a method {name!r} already, in {taken[name].plugin.module.path}."
        )
    words = re.split("[-_]", name)
    camel = "".join(word.capitalize() for word in words)
    return {"CLASS": camel, "TITLE": camel, "NAME": name, "MODULE": name.replace("-", "_")}


def _write_package(folder: Path, values: dict[str, str]) -> list[Path]:
    module = values["MODULE"]
    return [
        _write(folder / f"{module}.py", "method.py", values),
        _write(folder / "pyproject.toml", "package/pyproject.toml", values),
        _write(folder / "README.md", "package/README.md", values),
        _write(folder / "tests" / f"test_{module}.py", "package/test_method.py", values),
    ]


def _write(file: Path, template: str, values: dict[str, str]) -> Path:
    """Write a template with its words replaced; what is there already stays."""
    text = (TEMPLATES / template).read_text(encoding="utf-8")
    for word, value in values.items():
        text = text.replace(word, value)
    if file.exists():
        raise HarnessError(f"{file} is there already: remove it, or take another name.")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
    return file
