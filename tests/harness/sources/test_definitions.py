from pathlib import Path

import pytest

from harness.sources import (
    WHOLE,
    Definition,
    Module,
    Roots,
    Scope,
    find_definitions,
    hash_definitions,
)

LEFT_OUT = frozenset({"words"})


def code(folder: Path, **files: str) -> str:
    """Hash what `start` of the module `method` computes, among modules that lie side by side."""
    folder.mkdir(exist_ok=True)
    for file in folder.glob("*.py"):
        file.unlink()
    for name, text in files.items():
        (folder / f"{name}.py").write_text(text, encoding="utf-8")
    start = Definition(Module("method", folder / "method.py"), "start")
    return hash_definitions([start], Scope(Roots(folders=(folder,)), LEFT_OUT))


START = "from block import scale\nN = 2\n\ndef start(x):\n    return scale(x) + N\n"
BLOCK = "def scale(x):\n    return x * 2\n"

SAME = {
    "comments, docstrings and layout": {
        "method": f'"""Doc."""\n{START}',
        "block": 'def scale( x ): # why\n    """Doc."""\n    return x*2',
    },
    "annotations": {"method": START.replace("(x):", "(x: int) -> int:"), "block": BLOCK},
    "a function that nobody reads": {
        "method": f"{START}\ndef other():\n    return 1\n",
        "block": BLOCK,
    },
    "a module with another name": {"method": START.replace("block", "part"), "part": BLOCK},
    "a function that has moved here": {"method": BLOCK + START.partition("\n")[2]},
    "a function of a module with a name": {
        "method": "import block\nN = 2\n\ndef start(x):\n    return block.scale(x) + N\n",
        "block": BLOCK,
    },
    "a function under another name": {
        "method": START.replace("import scale", "import scale as s").replace("scale(x)", "s(x)"),
        "block": BLOCK,
    },
    "a name that another module hands on": {
        "method": START,
        "block": "from deep import scale",
        "deep": BLOCK,
    },
    "a star": {"method": START.replace("import scale", "import *"), "block": BLOCK},
}


@pytest.mark.parametrize("files", SAME.values(), ids=SAME)
def test_what_computes_the_same_has_one_hash(tmp_path: Path, files: dict[str, str]) -> None:
    """Nothing counts but what is computed: neither how it is written nor where it lies."""
    assert code(tmp_path, **files) == code(tmp_path, method=START, block=BLOCK)


OTHER = {
    "a changed line": {"method": START.replace("N = 2", "N = 3"), "block": BLOCK},
    "a changed line of what is read": {"method": START, "block": BLOCK.replace("2", "3")},
    "another function of the same name": {
        "method": START.replace("block", "other"),
        "other": "def scale(x):\n    return x\n",
    },
    "a statement that runs on import": {"method": START, "block": f"{BLOCK}scale.cache = 1\n"},
    "another default": {"method": START.replace("start(x)", "start(x=1)"), "block": BLOCK},
    "another decorator": {"method": START.replace("def s", "@print\ndef s"), "block": BLOCK},
    "another library": {
        "method": f"import numpy as scale\n{START}",
        "block": BLOCK,
    },
}


@pytest.mark.parametrize("files", OTHER.values(), ids=OTHER)
def test_what_computes_something_else_has_another_hash(
    tmp_path: Path, files: dict[str, str]
) -> None:
    """Each way of computing something else shows."""
    assert code(tmp_path, **files) != code(tmp_path, method=START, block=BLOCK)


def test_two_functions_of_one_name_that_change_places_show(tmp_path: Path) -> None:
    """What is read by whom counts, not only what is read."""
    text = "import one, two\n\ndef start(x):\n    return first(x) - second(x)\n\n"
    text += "def first(x):\n    return one.f(x)\n\ndef second(x):\n    return two.f(x)\n"
    changed = text.replace("one.f", "three.f").replace("two.f", "one.f").replace("three", "two")
    parts = {"one": "def f(x):\n    return 1\n", "two": "def f(x):\n    return 2\n"}
    assert code(tmp_path, method=text, **parts) != code(tmp_path, method=changed, **parts)


MESSAGES = """
from words import say, unknown

def start(x):
    assert x, "is needed"
    say("{}", x)
    if x < 0:
        raise ValueError(f"{{x}} is negative")
    if x > 9:
        raise unknown("{}")
    return x
"""


def test_words_do_not_count(tmp_path: Path) -> None:
    """What an error says, and what is handed to a module that decides nothing, is free."""
    before = code(tmp_path, method=MESSAGES.format("a", "b"), words="def say(*x): ...")
    after = code(tmp_path, method=MESSAGES.format("c", "d"), words="def say(*y): print(y)")
    other = code(tmp_path, method=MESSAGES.format("a", "b").replace("> 9", "> 8"), words="")
    assert before == after != other


def test_a_local_name_is_no_reading_of_a_module(tmp_path: Path) -> None:
    """An argument or a variable that is called as an import hides it, within its function."""
    text = "import block\n\ndef start(block):\n    return [block for block in block]\n"
    assert code(tmp_path, method=text, block="A = 1\n") == code(tmp_path, method=text, block="")
    text = "import block\n\ndef start(block=block.A):\n    return block\n"
    one, other = (code(tmp_path, method=text, block=f"A = {n}\n") for n in (1, 2))
    assert one != other


def test_a_module_that_is_handed_on_counts_as_a_whole(tmp_path: Path) -> None:
    """What is done with it cannot be read."""
    text = "import block\n\ndef start(name):\n    return getattr(block, name)\n"
    assert code(tmp_path, method=text, block="A = 1\n") != code(
        tmp_path, method=text, block="A = 2\n"
    )


def test_circles_end(tmp_path: Path) -> None:
    """Modules and functions that read each other are read once."""
    text = "import block\n\ndef start(x):\n    return block.back(x)\n"
    block = "import method\n\ndef back(x):\n    return x and method.start(x - {})\n"
    one, other = (code(tmp_path, method=text, block=block.format(n)) for n in (1, 2))
    assert one != other


def test_declarations_and_the_decorator_do_not_count(tmp_path: Path) -> None:
    """A new ablation row, recipe or title repeats no run: they reach the key as resolved values."""
    before = (
        "@register('a', title='A')\nclass start(M):\n    ablations = {}\n"
        "    def f(self): return 1\n"
    )
    after = (
        "@register('a', title='B')\nclass start(M):\n    ablations: dict = {'T': {'x': {}}}\n"
        "    recipes = {'tiny': 1}\n    def f(self): return 1\n"
    )
    assert code(tmp_path, method=before) == code(tmp_path, method=after)


def test_fields_of_a_class_count_with_their_types(tmp_path: Path) -> None:
    """By the type of a field its value is built."""
    text = "class start:\n    a: {} = 1\n"
    one, other = (code(tmp_path, method=text.format(kind)) for kind in ("int", "float"))
    assert one != other


def test_all_that_a_module_holds_can_be_hashed(tmp_path: Path) -> None:
    """Also what it imports only to have it imported."""

    def whole(text: str, block: str) -> str:
        code(tmp_path, method=f"{text}def start(): ...\n", block=block)
        start = [Definition(Module("method", tmp_path / "method.py"), WHOLE)]
        return hash_definitions(start, Scope(Roots(folders=(tmp_path,))))

    assert whole("import block\n", "A = 1\n") != whole("import block\n", "A = 2\n")
    assert whole("from block import A\n", "A = 1\n") != whole("from block import A\n", "A = 2\n")
    assert whole("from block import A\n", "B = 1\n") == whole("from block import A\n", "B = 2\n")


def test_what_is_not_there_is_said(tmp_path: Path) -> None:
    """A start that has been renamed is an error, not a key without it."""
    with pytest.raises(KeyError, match="defines no 'start'"):
        code(tmp_path, method="def begin(): ...\n")
    with pytest.raises(KeyError, match=r"no module harness\.nothing"):
        find_definitions([("harness.nothing", "start")], Roots())


def test_names_that_share_a_statement_are_each_read(tmp_path: Path) -> None:
    """Of `A, B = one(), two()` each name stands for the whole, whichever is read first."""
    text = "A, B = one({}), 2\n\ndef one(x):\n    return x\n\ndef start():\n    return {}\n"
    hashes = {code(tmp_path, method=text.format(n, name)) for n in (1, 2) for name in "AB"}
    assert len(hashes) == 4
    both = [code(tmp_path, method=text.format(1, sums)) for sums in ("A + B", "A + B", "B + A")]
    assert both[0] == both[1] != both[2]
