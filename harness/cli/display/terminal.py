"""What the command line shows: tables, progress bars, messages. Results go to standard output."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich import markup
from rich.console import Console
from rich.table import Column, Table

from harness.printable import printable_lines
from harness.progress import Show

if TYPE_CHECKING:
    from rich.progress import TaskID


console = Console(emoji=False)
messages = Console(stderr=True, emoji=False)


def escape(text: str) -> str:
    """Return text of whatever origin so that it is shown as it is: no markup, no control codes."""
    return markup.escape(printable_lines(text))


def note(text: str) -> None:
    """Say something to the user, beside the results."""
    messages.print(escape(text), highlight=False, soft_wrap=True)


def fail(text: str) -> None:
    """Say what went wrong."""
    messages.print(f"[red]Error:[/red] {escape(text)}", highlight=False, soft_wrap=True)


@contextmanager
def steps() -> Iterator[Show]:
    """Show a progress bar for each thing that is done; yields a function of (what, done, all)."""
    from rich.progress import Progress

    with Progress(console=messages) as progress:
        tasks: dict[str, TaskID] = {}

        def update(what: str, done: int, total: int) -> None:
            name = what.partition(",")[0]
            task = tasks.get(name)
            if task is None:
                task = tasks[name] = progress.add_task(what, total=total)
            progress.update(task, description=escape(what), completed=done, total=total)

        yield update


def print_table(
    headers: Sequence[str], rows: Sequence[Sequence[str]], title: str | None = None
) -> None:
    """Print rows of text under headers."""
    columns = [Column(header, overflow="fold") for header in headers]
    table = Table(*columns, title=title, title_justify="left", box=None, pad_edge=False)
    for row in rows:
        table.add_row(*(escape(cell) for cell in row))
    console.print(table, highlight=False)


def write_duration(seconds: float) -> str:
    """Write a time as people say it: 45 s, 12 min, 3 h 05 min."""
    minutes = round(seconds / 60)
    if seconds < 59.5:
        return f"{seconds:.0f} s"
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02} min"


def write_size(size: float) -> str:
    """Write bytes as people say them: 3 MB, 1.9 GB."""
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.0f} MB"


def write_runs(count: int, shipped: int) -> str:
    """Write how many runs a figure is of, and how many of them came with the project."""
    if not shipped:
        return str(count)
    return f"{count} shipped" if shipped == count else f"{count}, {shipped} shipped"
