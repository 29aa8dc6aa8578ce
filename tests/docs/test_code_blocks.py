"""What the pages tell to do, done as it is written.

The blocks of a page run in their order in one temporary folder, shell blocks by ``bash -e``. Two
things differ from a reader's machine. The drawn datasets lie in the cache already and are small,
with 12, 6 and 8 people to train, choose and test on, which makes runs cheap; and a link to the
checkout's ``docs`` is in the folder. A block that cannot run here has a comment right before it,
``<!-- not run: the reason -->``; of its `harness` commands the words and options are checked.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ..command_line import CommandLine
from .fences import Fence, WrongCommand, harness_commands, parse_command, read_fences
from .pages import PAGES, ROOT, Desk, title

RUN = {"sh", "python", "yaml", "toml"}  # languages
FENCES = {page: read_fences(page) for page in PAGES}
EACH = pytest.mark.parametrize("page", PAGES, ids=title)
RUNNING = [
    # The first page is run in every run of the tests, the others by `tox -e full`.
    pytest.param(page, marks=() if title(page) == "README.md" else pytest.mark.exhaustive)
    for page in PAGES
    if any(not fence.reason and fence.language in RUN for fence in FENCES[page])
]


def unclear(fence: Fence) -> bool:
    """Tell whether a block neither runs nor says why not."""
    return not fence.reason and not fence.is_directive and fence.language not in RUN


@EACH
def test_every_block_runs_or_says_why_not(page: Path) -> None:
    """A block has a language that is run here, is a directive of the site, or gives a reason."""
    assert not [f"{title(page)}, line {fence.line}" for fence in FENCES[page] if unclear(fence)]


@EACH
def test_every_command_could_be_run(page: Path) -> None:
    """The commands of all blocks for a shell exist, with their options and kinds of values."""
    for fence in FENCES[page]:
        for arguments in harness_commands(fence.text) if fence.language == "sh" else ():
            try:
                parse_command(arguments)
            except WrongCommand as error:
                pytest.fail(f"{title(page)}, line {fence.line}: {' '.join(arguments)}: {error}")


@EACH
def test_every_method_of_a_page_keeps_to_the_contract(
    page: Path, harness: CommandLine, tmp_path: Path
) -> None:
    """What a reader copies into a file is a method that `harness check` passes."""
    for fence in FENCES[page]:
        if fence.method:
            file = tmp_path / f"{fence.method}.py"
            file.write_text(fence.text, encoding="utf-8")
            done = harness("check", fence.method, "--plugins", file)
            assert done.returncode == 0, done.stdout


@pytest.mark.timeout(900)  # on a busy machine
@pytest.mark.parametrize("page", RUNNING, ids=title)
def test_every_block_of_a_page_runs(page: Path, desk: Desk) -> None:
    """Each block that is not marked ends well: programs, commands, suites and entry points."""
    for fence in FENCES[page]:
        if not fence.reason and fence.language in RUN:
            desk.run(title(page), fence)


def test_the_transcript_is_of_the_commands_that_its_page_tells() -> None:
    """What `docs/transcript.py` wrote holds each command of the page, in order, and its seconds."""
    page = ROOT / "docs" / "transcript.md"
    [commands, *_] = FENCES[page]
    said = page.with_suffix(".txt").read_text(encoding="utf-8")
    ran = re.findall(r"^\$ (.*?) +# \d+ s$", said, re.MULTILINE)
    assert ran == commands.text.splitlines()


MARKED = """
```sh
harness list methods
```

<!-- not run: needs a cluster -->
```sh
harness run --all --executor slurm  # jobs
pip install x && A=1 harness rnu | harness list methods --jsn; harness data audit "my data"
```

`mine.yaml`:

```yaml
a: 1
```

```console
$ ls
```
"""


def test_blocks_are_told_apart(tmp_path: Path) -> None:
    """Marks, names of files and languages are read, and only the last block here is unclear."""
    page = tmp_path / "page.md"
    page.write_text(MARKED, encoding="utf-8")
    fences = read_fences(page)
    assert [fence.language for fence in fences] == ["sh", "sh", "yaml", "console"]
    assert [fence.reason for fence in fences] == ["", "needs a cluster", "", ""]
    assert [fence.file for fence in fences] == ["", "", "mine.yaml", ""]
    assert [unclear(fence) for fence in fences] == [False, False, False, True]
    assert [*harness_commands(fences[1].text)] == [
        ["run", "--all", "--executor", "slurm"],
        ["rnu"],
        ["list", "methods", "--jsn"],
        ["data", "audit", "my data"],
    ]


@pytest.mark.parametrize(
    "line",
    ["rnu", "run --al", "run --jobs many", "list method", "list methods --jsn", "run a --set"],
)
def test_a_wrong_command_is_found(line: str) -> None:
    """A misspelt command or option, a value of another kind and a missing one are refused."""
    with pytest.raises(WrongCommand):
        parse_command(line.split())


def test_a_block_that_fails_fails_the_test(desk: Desk) -> None:
    """The message names page, line and what was said."""
    with pytest.raises(AssertionError, match=r"page\.md, line 7: status 2\n[^$]*irar"):
        desk.run("page.md", Fence(line=7, language="sh", text="harness run irar\necho on"))
