"""`harness search`: a trained method used on images of one's own."""

from __future__ import annotations

import importlib.metadata
import json
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.options import Plugins, Results
from harness.errors import HarnessError
from harness.printable import printable

if TYPE_CHECKING:
    from harness.search.hits import Answer, Asked, PageWriter
    from harness.search.session import Session

PAGES = "harness.search_pages"
PAGE = Path("search.html")
NAMED = 5  # files that are named where they are passed over
MANY = 100_000  # images for which an index is worth its name


def search(
    texts: Annotated[
        list[str] | None,
        typer.Argument(help="Descriptions; without one, they are read line by line."),
    ] = None,
    run: Annotated[
        str | None,
        typer.Option(
            help="A method (irra), a variant (irra:+SDM) or the folder of a run; by default the "
            "best that has its weights."
        ),
    ] = None,
    gallery: Annotated[
        Path | None,
        typer.Option(help="A folder of images; by default the test images of the run's dataset."),
    ] = None,
    follow_links: Annotated[
        bool, typer.Option("--follow-links", help="Search behind links in the gallery, too.")
    ] = False,
    index: Annotated[
        str | None,
        typer.Option(
            help="Look through an index of faiss: hnsw or ivf, which may miss an image, or flat. "
            "By default every image is compared."
        ),
    ] = None,
    top: Annotated[int, typer.Option(min=1, help="How many images to show.")] = 10,
    out: Annotated[
        Path | None, typer.Option(help="The page to write: search.html, with --json none.")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON, an object a line for each text.")
    ] = False,
    results: Results = Path("results"),
    plugins: Plugins = None,
) -> None:
    """Find people in a folder of images by description, with a method that was trained here.

    Images are encoded once: a later search reads only what is new. Several texts, or lines of
    standard input up to an empty one, are answered by one process. Nothing is trained or changed.

    Example: **harness search "a man in a red jacket" --gallery photos**

    Example: **harness search --gallery photos --index hnsw**
    """
    # Read when torch is imported: its threads spin while they wait, which slows those that decode.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    from harness.cli.display import terminal
    from harness.indexes import refuse_unknown, require_faiss
    from harness.search.session import open_session

    given = [_cleaned(text) for text in texts or []]
    if not all(given):
        raise HarnessError("A text is empty: say whom to look for.")
    if index is not None:
        refuse_unknown(index)
        require_faiss()
    asked = results, run, gallery, plugins or []
    with terminal.steps() as show:
        session = open_session(*asked, show, follow_links, index or "")
    _introduce(session)
    page = out or (None if as_json else PAGE)
    if given:
        answers = [session.ask(text, top) for text in given]
        for answer in answers:
            _show(session, answer, as_json)
        _write_page(session, answers, page)
        _say_page(page)
    elif _converse(session, top, page, as_json):
        raise typer.Exit(1)


def _converse(session: Session, top: int, page: Path | None, as_json: bool) -> int:
    """Answer line by line; return how many could not be answered."""
    from harness.cli.display import terminal

    answers: list[Answer] = []
    failed = 0
    for text in _lines():
        try:
            answers.append(session.ask(text, top))
        except HarnessError as error:
            terminal.fail(str(error))
            failed += 1
            continue
        _show(session, answers[-1], as_json)
        _write_page(session, answers, page)
    if answers:
        _say_page(page)
    return failed


def _lines() -> Iterator[str]:
    """Yield lines of standard input up to an empty one; at a terminal they are asked for."""
    from harness.cli.display import terminal

    asks = sys.stdin.isatty()
    if asks:
        terminal.note("Describe a person; an empty line ends.")
    while True:
        if asks:
            terminal.messages.print("> ", end="")
        text = _cleaned(sys.stdin.buffer.readline().decode("utf-8", "replace"))
        if not text:
            return
        yield text


def _cleaned(text: str) -> str:
    """Return a text in one line, as captions are, without what is no character."""
    return " ".join(text.encode("utf-8", "replace").decode().split())


def _introduce(session: Session) -> None:
    """Say who is asked, where it looks, and what speaks against relying on it."""
    from harness.cli.display import terminal

    asked = session.asked
    terminal.note(
        f"{asked.title} ({asked.run}; mAP {asked.mean_average_precision:.2f} on the test split of "
        f"{asked.trained_on}) searches {asked.images:,} images of {asked.gallery}."
    )
    _tell_of_index(asked)
    if asked.drawn and asked.folder:
        terminal.note(
            f"It was trained on drawn people ({asked.trained_on}): what it finds among photographs "
            "says little."
        )
    if session.stale:
        terminal.note(f"The run is stale: {session.stale}. It is asked as it was trained.")
    if passed_over := session.gallery.passed_over:
        named = [f"{printable(name)} {problem}" for name, problem in passed_over[:NAMED]]
        more = [f"and {len(passed_over) - NAMED} more"] if len(passed_over) > NAMED else []
        terminal.note("\n  ".join([f"Passed over {len(passed_over)}:", *named, *more]))
    if others := session.gallery.others:
        are = "file is no image" if others == 1 else "files are no images"
        terminal.note(f"{others:,} other {are} by name.")


def _tell_of_index(asked: Asked) -> None:
    """Say what an index may miss; where there is none and it would save time, that there is one."""
    from harness.cli.display import terminal
    from harness.indexes import KINDS, has_faiss

    if asked.index:
        kind = KINDS[asked.index]
        what = "finds what comparing all would" if kind.is_exact else "may miss an image"
        terminal.note(f"It looks through an index ({kind.settings(asked.images)}), which {what}.")
    elif asked.images > MANY and has_faiss():
        terminal.note("Every image is compared with each text; --index hnsw builds an index once.")


def _show(session: Session, answer: Answer, as_json: bool) -> None:
    from harness.cli.display import terminal

    if as_json:
        asked = session.asked
        hits = [{n: v for n, v in asdict(hit).items() if n != "row"} for hit in answer.hits]
        place = str(asked.folder or asked.gallery)
        index = {"index": asked.index} if asked.index else {}
        values = {"text": answer.text, "run": asked.run, "gallery": place, **index, "hits": hits}
        print(json.dumps(values), flush=True)
        return
    rows = [(str(hit.rank), f"{hit.cosine:.3f}", printable(hit.image)) for hit in answer.hits]
    what = "file" if session.asked.folder else "image"
    terminal.console.print(terminal.escape(answer.text), highlight=False, style="bold")
    terminal.print_table(("rank", "cosine", what), rows)
    if rescored := sum(hit.rescored for hit in answer.hits):
        terminal.note(f"The first {rescored} are in the order of the method's second look.")


def _write_page(session: Session, answers: Sequence[Answer], page: Path | None) -> None:
    if page is None:
        return
    entries = importlib.metadata.entry_points(group=PAGES)
    if not entries:
        raise HarnessError("No page is installed: reinstall the package (pip install -e .).")
    for entry in entries:
        write: PageWriter = entry.load()
        try:
            write(session.asked, answers, session.gallery.thumbnail, page)
        except (ValueError, OSError) as error:
            raise HarnessError(str(error)) from error


def _say_page(page: Path | None) -> None:
    from harness.cli.display import terminal

    if page:
        terminal.note(f"Page: {page}")
