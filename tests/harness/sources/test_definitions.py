from pathlib import Path

import pytest

from harness.sources import (
    WHOLE,
    Definition,
    Folder,
    Module,
    Roots,
    Scope,
    find_definitions,
    hash_definitions,
)

LEFT_OUT = frozenset({"plugin.words"})


def method_of(folder: Path) -> Module:
    """Return the module `method` of a folder of plugins."""
    return Module("plugin.method", folder / "method.py", Folder("plugin", folder))


def code(folder: Path, **files: str) -> str:
    """Hash what `start` of the module `method` computes, among modules that lie side by side."""
    folder.mkdir(exist_ok=True)
    for file in folder.glob("*.py"):
        file.unlink()
    for name, text in files.items():
        (folder / f"{name}.py").write_text(text, encoding="utf-8")
    start = Definition(method_of(folder), "start")
    return hash_definitions([start], Scope(Roots(folder=Folder("plugin", folder)), LEFT_OUT))


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


DECLARED = """
from harness.registry import register

@register("a", title="{title}")
class start(M):
    ablations = {rows}
    def f(self): return 1
"""


def test_declarations_and_the_decorator_do_not_count(tmp_path: Path) -> None:
    """A new ablation row, recipe or title repeats no run: they reach the key as resolved values."""
    before, after = DECLARED.format(title="A", rows={}), DECLARED.format(title="B", rows={"T": {}})
    assert code(tmp_path, method=before) == code(tmp_path, method=after)
    elsewhere = [text.replace("harness.registry", "mine") for text in (before, after)]
    one, other = (code(tmp_path, method=text) for text in elsewhere)
    assert one != other


def test_fields_of_a_class_count_with_their_types(tmp_path: Path) -> None:
    """By the type of a field its value is built."""
    text = "class start:\n    a: {} = 1\n"
    one, other = (code(tmp_path, method=text.format(kind)) for kind in ("int", "float"))
    assert one != other


def test_all_that_a_module_holds_can_be_hashed(tmp_path: Path) -> None:
    """Also what it imports only to have it imported."""

    def whole(text: str, block: str) -> str:
        code(tmp_path, method=f"{text}def start(): ...\n", block=block)
        start = [Definition(method_of(tmp_path), WHOLE)]
        return hash_definitions(start, Scope(Roots(folder=Folder("plugin", tmp_path))))

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


# Modules whose import does something: `start` of the module `method` reads `lib` or `pk`.
EFFECTS = {
    "a loop": {"lib": "D = {}\nfor k in range(3): D[k] = k * %s\n"},
    "a branch": {"lib": "D = {}\nif D is not None: extra = D['x'] = %s\n"},
    "a call that is given a name": {"lib": "D = []\n_ = D.append(%s)\n"},
    "two targets": {"lib": "D = {}\nold = D['x'] = %s\n"},
    "a decorator": {"lib": "D = {}\n@D.setdefault('x')\ndef f(): return %s\n"},
    "a dispatch": {"lib": "D = dispatch()\n@D.register(str)\ndef _(x): return %s\n"},
    "an import": {"lib": "import side\nD = {}\n", "side": "import lib\nlib.D['x'] = %s\n"},
    "a dotted import": {"lib": "import side.deep\nD = {}\n", "side": "X = call(%s)\n"},
    "another than for types": {"lib": "if TYPE_CHECKING:\n    D = 1\nelse:\n    D = %s\n"},
}


@pytest.mark.parametrize("files", EFFECTS.values(), ids=EFFECTS)
def test_what_an_import_does_shows(tmp_path: Path, files: dict[str, str]) -> None:
    """Registries that are filled on the way are not missed."""
    reading = "from lib import D\n\ndef start():\n    return D\n"
    one, other = (
        code(
            tmp_path,
            method=reading,
            **{name: text.replace("%s", n) for name, text in files.items()},
        )
        for n in "12"
    )
    assert one != other


PAIRS = {
    "places": ("one.f(a) - two.f(b)", "two.f(a) - one.f(b)"),
    "arguments": ("pair(one, two)", "pair(two, one)"),
    "further down": ("one.g(a) - two.g(b)", "two.g(a) - one.g(b)"),
    "a name and a text": ("pair(len, a)", "pair('len', a)"),
    "what an error holds": ("fail(ValueError(a, 1))", "fail(ValueError(a, 2))"),
}


@pytest.mark.parametrize(("first", "second"), PAIRS.values(), ids=PAIRS)
def test_functions_of_one_name_are_told_apart(tmp_path: Path, first: str, second: str) -> None:
    """Which of them is read where counts, also where they differ only in what they read."""
    parts = {
        name: f"def f(x):\n    return {n}\n\ndef g(x):\n    return f(x)\n"
        for n, name in enumerate(("one", "two"))
    }
    text = "import one, two\n\ndef start(a, b):\n    return {}\n"
    hashes = {code(tmp_path, method=text.format(body), **parts) for body in (first, second)}
    assert len(hashes) == 2


CIRCLES = {
    "modules that are named": {
        "method": "import a\n\ndef start(n):\n    return getattr(a, n)\n",
        "a": "import b\n",
        "b": "import a\n",
    },
    "stars": {
        "method": "from a import *\n\ndef start(x):\n    return len(x)\n",
        "a": "from b import *\n",
        "b": "from a import *\n",
    },
    "functions that hand on": {
        "method": "from a import f\n\ndef start(x):\n    return f(x)\n",
        "a": "def f(x):\n    from b import f\n    return f(x)\n",
        "b": "def f(x):\n    from a import f\n    return f(x)\n",
    },
    "types": {
        "method": "import a\n\ndef start(x: a.T):\n    return x\n",
        "a": "if TYPE_CHECKING:\n    import method\nT = 1\n",
    },
}


@pytest.mark.parametrize("files", CIRCLES.values(), ids=CIRCLES)
def test_imports_in_circles_end(tmp_path: Path, files: dict[str, str]) -> None:
    """However modules import each other, there is a hash, of the part and of the whole."""
    assert code(tmp_path, **files)
    start = [Definition(method_of(tmp_path), WHOLE)]
    assert hash_definitions(start, Scope(Roots(folder=Folder("plugin", tmp_path))))


def test_code_that_cannot_be_read_counts_as_it_is(tmp_path: Path) -> None:
    """A file with an error, or nested too deeply, is no error of planning."""
    reading = (
        "def start():\n    try:\n        from lib import x\n"
        "    except SyntaxError:\n        x = 1\n"
    )
    one, other = (code(tmp_path, method=reading, lib=f"print '{n}'") for n in "12")
    assert one != other
    deep = "def start(d):\n    return d" + ".a({})" * 400 + "\n"
    one, other = (code(tmp_path, method=deep.replace("{}", n)) for n in "12")
    assert one != other


def test_a_package_says_what_its_modules_are_called(tmp_path: Path) -> None:
    """A function that a package gives the name of one of its modules is read, and so is that."""
    text = "from pk import mask\n\ndef start(x):\n    return mask(x)\n"
    (tmp_path / "pk").mkdir()
    (tmp_path / "pk" / "mask.py").write_text("A = 1\n")
    hashes = set()
    for n in (1, 2):
        (tmp_path / "pk" / "__init__.py").write_text(f"def mask(x):\n    return {n}\n")
        hashes.add(code(tmp_path, method=text))
    assert len(hashes) == 2


def test_a_lambda_in_a_default_hides_nothing(tmp_path: Path) -> None:
    """Its arguments are its own, not the function's."""
    text = START.replace("start(x)", "start(x, key=lambda scale: scale)")
    one, other = (code(tmp_path, method=text, block=BLOCK.replace("2", n)) for n in "23")
    assert one != other
