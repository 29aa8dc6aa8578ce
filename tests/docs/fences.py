"""The code blocks of a page, and the `harness` commands in them."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer.main
from markdown_it import MarkdownIt
from markdown_it.token import Token

from harness.cli import app

NOT_RUN = re.compile(r"<!--\s*not run:\s*(.+?)\s*-->")
NAMED = re.compile(r"`([\w./-]+\.\w+)`:\s*$")  # the end of the paragraph before a file's block
OPERATORS = set("&|;()<>")


class WrongCommand(Exception):
    """The command line would refuse it."""


@dataclass(frozen=True)
class Fence:
    """One block between fences."""

    line: int  # of its first fence, from 1
    language: str  # of a directive its name in braces
    text: str
    reason: str = ""  # why it is not run; empty where it is
    file: str = ""  # what the page calls it, where it is a file

    @property
    def is_directive(self) -> bool:
        """Whether it is MyST's, so that building the site checks it."""
        return self.language.startswith("{")

    @property
    def method(self) -> str:
        """The name that it registers a method under; empty where it does not."""
        found = re.search(r'^@register\("([^"]+)"', self.text, re.MULTILINE)
        return found[1] if found and self.language == "python" else ""


def read_fences(page: Path) -> list[Fence]:
    """Return the blocks of a Markdown page in their order."""
    tokens = MarkdownIt().parse(page.read_text(encoding="utf-8"))
    return [_fence(tokens, place) for place, one in enumerate(tokens) if one.type == "fence"]


def _fence(tokens: list[Token], place: int) -> Fence:
    token = tokens[place]
    assert token.map is not None
    before = tokens[place - 1] if place else None
    marked = NOT_RUN.search(before.content) if before and before.type == "html_block" else None
    return Fence(
        line=token.map[0] + 1,
        language=(token.info.split() or [""])[0],
        text=token.content,
        reason=marked[1] if marked else "",
        file=_name(tokens[:place]),
    )


def _name(before: list[Token]) -> str:
    """Return the file's name with which the paragraph right before a block ends."""
    if len(before) < 3 or before[-1].type != "paragraph_close":
        return ""
    found = NAMED.search(before[-2].content)
    return found[1] if found else ""


def harness_commands(text: str) -> Iterator[list[str]]:
    """Yield the arguments of each `harness` command in lines for a shell."""
    for line in text.replace("\\\n", " ").splitlines():
        lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
        lexer.whitespace_split = True
        command: list[str] = []
        for word in [*lexer, ";"]:
            if set(word) <= OPERATORS:
                if command[:1] == ["harness"]:
                    yield command[1:]
                command = []
            elif command or not re.match(r"\w+=", word):  # VARIABLE=value before a command
                command.append(word)


def parse_command(arguments: list[str]) -> None:
    """Read arguments as the command line does, without executing the command.

    Raises:
        WrongCommand: a command or an option does not exist, or a value does not fit.
    """
    command: Any = typer.main.get_command(app)
    name, rest = "harness", list(arguments)
    while hasattr(command, "commands"):
        name, *rest = rest or [""]
        if name not in command.commands:
            raise WrongCommand(f"{name!r} is none of {', '.join(command.commands)}")
        command = command.commands[name]
    try:
        command.make_context(name, rest)
    except Exception as error:  # of click, or of the copy that typer brings: no common base
        raise WrongCommand(str(error)) from error
