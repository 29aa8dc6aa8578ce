"""Each folder of plugins sees its own files, and the key of a run holds them."""

import subprocess
from collections.abc import Callable, Mapping
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

import pytest

from harness import registry
from harness.plan.keys import code_of
from harness.results import load_runs

from ...some import some

Call = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def write(tmp_path: Path, toy_source: str) -> Callable[..., Path]:
    """Write a plugin whose title is `TITLE` of what a line imports, with files beside it."""

    def write(file: str, line: str, **others: str) -> Path:
        place = tmp_path / file
        place.parent.mkdir(parents=True, exist_ok=True)
        name = place.stem.lower() if place.stem != "__init__" else place.parent.name
        text = toy_source.replace('"toy"', f'"{name}"').replace('title="Toy"', "title=TITLE")
        future, rest = "from __future__ import annotations\n", text
        assert "title=TITLE" in text
        place.write_text(f"{future}{line}\n{rest.replace(future, '')}", encoding="utf-8")
        for other, content in others.items():
            beside = place.parent / f"{other}.py"
            beside.parent.mkdir(parents=True, exist_ok=True)
            beside.write_text(content, encoding="utf-8")
        return place

    return write


def titles(*paths: Path) -> dict[str, str]:
    """Return the titles of what plugins register, and the errors of those that fail."""
    return {
        listing.name: listing.description["title"] if listing.description else str(listing.error)
        for listing in registry.list_methods(paths)
        if listing.plugin.module.folder
    }


def code(path: Path, name: str) -> str:
    """Return what the weights of a plugin's runs stand on."""
    return code_of(registry.find_method(name, registry.list_methods([path])).plugin).weights


def test_two_folders_have_helpers_of_one_name(write: Callable[..., Path]) -> None:
    """Named together or alone, in either order, each plugin has the helper beside it."""
    one = write("a/one.py", "from helper import TITLE", helper="TITLE = 'of a'").parent
    two = write("b/two.py", "import helper; TITLE = helper.TITLE", helper="TITLE = 'of b'").parent
    assert titles(one, two) == titles(two, one) == {"one": "of a", "two": "of b"}
    assert titles(two) == {"two": "of b"}


@pytest.mark.parametrize("name", some(["json", "colorsys", "torchvision", "scipy", "clip"]))
def test_a_file_comes_before_what_is_installed(write: Callable[..., Path], name: str) -> None:
    """The standard library's modules and those of packages have no precedence, nor are replaced."""
    before = __import__("json")
    plugin = write("a/one.py", f"from {name} import TITLE", **{name: "TITLE = 'own'"})
    assert titles(plugin) == {"one": "own"}
    assert __import__("json") is before
    hashed = code(plugin, "one")
    plugin.with_name(f"{name}.py").write_text("TITLE = 'other'", encoding="utf-8")
    assert code(plugin, "one") != hashed


def test_a_folder_of_data_does_not_hide_a_package(write: Callable[..., Path]) -> None:
    """Beside `datasets/`, which is no package, `import datasets` is what is installed."""
    line = "import datasets\nTITLE = datasets.Dataset.__name__"
    plugin = write("a/one.py", line, **{"datasets/download": "TITLE = 'own'"})
    assert titles(plugin) == {"one": "Dataset"}


def test_a_folder_without_init_can_hold_parts(write: Callable[..., Path]) -> None:
    """As in Python, where nothing that is installed has its name."""
    plugin = write("a/one.py", "from parts.words import TITLE", **{"parts/words": "TITLE = 'own'"})
    assert titles(plugin) == {"one": "own"}


@pytest.mark.parametrize(
    "line",
    some(
        [
            "from .helper import TITLE",
            "from . import helper\nTITLE = helper.TITLE",
            "from mine.helper import TITLE",
            "import mine.helper\nTITLE = mine.helper.TITLE",
            "import mine.helper as h\nTITLE = h.TITLE",
            "from .deep.inner import TITLE",
            "from helper import TITLE",
        ]
    ),
)
def test_a_package_imports_as_packages_do(write: Callable[..., Path], line: str) -> None:
    """Relatively, by its own name, or as if it were a folder; its key holds what it imports."""
    plugin = write(
        "mine/one.py",
        line,
        __init__="",
        helper="TITLE = 'own'",
        **{"deep/__init__": "", "deep/inner": "from ..helper import TITLE"},
    )
    (plugin.parent / "__init__.py").write_text("STATE = 1\n", encoding="utf-8")
    assert titles(plugin) == titles(plugin.parent) == {"one": "own"}
    hashed = code(plugin, "one")
    plugin.with_name("helper.py").write_text("TITLE = 'other'", encoding="utf-8")
    assert code(plugin, "one") != hashed
    assert titles(plugin) == {"one": "other"}


def test_packages_in_a_folder_are_plugins(write: Callable[..., Path]) -> None:
    """`--plugins FOLDER` finds a package that registers beside files that do."""
    folder = write("all/one.py", "from helper import TITLE", helper="TITLE = 'outer'").parent
    write("all/two/__init__.py", "from .helper import TITLE", helper="TITLE = 'inner'")
    assert titles(folder) == {"one": "outer", "two": "inner"}


def test_what_is_named_twice_is_one_plugin(write: Callable[..., Path]) -> None:
    """A folder and a file in it are no duplicate."""
    plugin = write("a/one.py", "TITLE = 'once'")
    assert titles(plugin.parent, plugin, plugin) == {"one": "once"}


def test_a_changed_helper_is_imported_anew(write: Callable[..., Path]) -> None:
    """In one process too, and however soon after: no bytecode of the older text is taken."""
    plugin = write("a/one.py", "from helper import TITLE", helper="TITLE = 'one'")
    for title in ("one", "two", "six"):
        plugin.with_name("helper.py").write_text(f"TITLE = '{title}'", encoding="utf-8")
        assert titles(plugin) == {"one": title}
    assert not (plugin.parent / "__pycache__").exists()


def test_a_key_does_not_depend_on_where_a_folder_lies(write: Callable[..., Path]) -> None:
    """A folder that has moved has the runs that it had."""
    plugin = write("a/one.py", "from helper import TITLE", helper="TITLE = 'one'")
    hashed = code(plugin, "one")
    moved = plugin.parent.rename(plugin.parents[1] / "b") / plugin.name
    assert code(moved, "one") == hashed


def test_runs_see_their_own_files_whenever_they_import(
    write: Callable[..., Path], harness: Call, small_dolls: Path, tmp_path: Path
) -> None:
    """Two plugins whose helpers have one name train side by side, one importing it as it does."""
    for folder, name, width in (("a", "one", 3), ("b", "two", 5)):
        plugin = write(f"{folder}/{name}.py", "TITLE = 'Late'", helper=f"WIDTH = {width}")
        text = plugin.read_text(encoding="utf-8")
        late = "    def training_losses(self, batch, run):\n        import helper\n"
        late += f"        assert helper.WIDTH == {width}, helper\n"
        assert "    def training_losses(self, batch, run):\n" in text
        text = text.replace("    def training_losses(self, batch, run):\n", late)
        plugin.write_text(text, encoding="utf-8")
    done = harness(
        "run", "one", "two", "--plugins", tmp_path / "a", "--plugins", tmp_path / "b",
        "--dataset", small_dolls, "--seeds", "0", "--no-report",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


class TestDataFiles:
    """A method declares what it reads beside its code."""

    @staticmethod
    def declared(write: Callable[..., Path], reads: str) -> Path:
        """Write a plugin that declares a data file."""
        plugin = write("a/one.py", "TITLE = 'Reads'")
        text = plugin.read_text(encoding="utf-8")
        text = text.replace("    recipes = ", f"    reads = {reads}\n    recipes = ", 1)
        plugin.write_text(text, encoding="utf-8")
        return plugin

    def test_their_content_is_in_the_key(self, write: Callable[..., Path]) -> None:
        """Another content is another method; another file beside it is none."""
        plugin = self.declared(write, '("synonyms.json",)')
        synonyms = plugin.with_name("synonyms.json")
        synonyms.write_text("{}", encoding="utf-8")
        hashed = code(plugin, "one")
        synonyms.with_name("notes.json").write_text("{}", encoding="utf-8")
        assert code(plugin, "one") == hashed
        synonyms.write_text('{"coat": "jacket"}', encoding="utf-8")
        assert code(plugin, "one") != hashed

    def test_one_that_is_missing_is_named(self, write: Callable[..., Path]) -> None:
        """The listing says which, and where it was looked for."""
        plugin = self.declared(write, '("synonyms.json",)')
        assert "reads names 'synonyms.json': there is no " in titles(plugin)["one"]

    def test_names_are_written_out(self, write: Callable[..., Path]) -> None:
        """What cannot be read without an import is refused, with what to write."""
        plugin = self.declared(write, 'tuple(f"{n}.json" for n in ["synonyms"])')
        plugin.with_name("synonyms.json").write_text("{}", encoding="utf-8")
        assert "write its names out" in titles(plugin)["one"]


class TestWhatIsImportedIsHashed:
    """Whatever way a file comes in, another content of it is another key."""

    WAYS: Mapping[str, tuple[str, str]] = {
        "a folder without init": ("from parts.words import TITLE", "parts/words.py"),
        "folders in a folder": ("import far.deep.words as w\nTITLE = w.TITLE", "far/deep/words.py"),
        "a star": ("from starred import *\nTITLE = words.TITLE", "starred/words.py"),
        "the package of a module": (
            "import conf.values\nTITLE = conf.TITLE",
            "conf/__init__.py",
        ),
        "a call": ('TITLE = __import__("words").TITLE', "words.py"),
    }

    @pytest.mark.parametrize(("line", "file"), WAYS.values(), ids=WAYS)
    @pytest.mark.parametrize("inside", [True, False], ids=["in its folder", "elsewhere"])
    def test_another_content_is_another_key(
        self,
        write: Callable[..., Path],
        monkeypatch: pytest.MonkeyPatch,
        tmp_path: Path,
        line: str,
        file: str,
        inside: bool,
    ) -> None:
        """And another description, wherever the command is given."""
        plugin = write(
            "a/one.py",
            line,
            **{
                "starred/__init__": '__all__ = ["words"]',
                "conf/__init__": "TITLE = 'one'",
                "conf/values": "",
            },
        )
        changing = plugin.parent / file
        changing.parent.mkdir(parents=True, exist_ok=True)
        changing.write_text("TITLE = 'one'", encoding="utf-8")
        (tmp_path / "parts").mkdir()
        monkeypatch.chdir(plugin.parent if inside else tmp_path)
        monkeypatch.syspath_prepend("")
        assert titles(plugin) == {"one": "one"}
        hashed = code(plugin, "one")
        changing.write_text("TITLE = 'two'", encoding="utf-8")
        assert code(plugin, "one") != hashed
        assert titles(plugin) == {"one": "two"}

    def test_the_key_is_the_same_wherever_a_command_is_given(
        self, write: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        """What else lies in the working folder has no part in it."""
        plugin = write(
            "a/one.py", "from parts.words import TITLE", **{"parts/words": "TITLE = 'own'"}
        )
        (tmp_path / "b" / "parts").mkdir(parents=True)
        (tmp_path / "b" / "parts" / "words.py").write_text("TITLE = 'b'", encoding="utf-8")
        found = set()
        for folder in (tmp_path, tmp_path / "a", tmp_path / "b"):
            monkeypatch.chdir(folder)
            monkeypatch.syspath_prepend("")
            assert titles(plugin) == {"one": "own"}
            found.add(code(plugin, "one"))
        assert len(found) == 1

    def test_what_is_compiled_is_hashed(self, write: Callable[..., Path], tmp_path: Path) -> None:
        """It goes before a source of its name, as in Python."""
        plugin = write("a/one.py", "import fast\nTITLE = 'one'", fast="")
        compiled = plugin.with_name(f"fast{EXTENSION_SUFFIXES[0]}")
        compiled.write_bytes(b"\x7fELF one")
        [found] = [p for p in registry.find_plugins([plugin]) if p.module.path == plugin]
        hashed = code_of(found).weights
        compiled.write_bytes(b"\x7fELF two")
        assert code_of(found).weights != hashed

    def test_what_a_package_reads_is_hashed(self, write: Callable[..., Path]) -> None:
        """Data files that are declared in the `__init__.py` of what is imported."""
        declared = "class Base:\n    reads = ('data.txt',)\n"
        plugin = write(
            "a/one.py", "import pk.m\nTITLE = 'one'", **{"pk/__init__": declared, "pk/m": ""}
        )
        data = plugin.parent / "pk" / "data.txt"
        data.write_text("one", encoding="utf-8")
        hashed = code(plugin, "one")
        data.write_text("two", encoding="utf-8")
        assert code(plugin, "one") != hashed


def test_a_plugin_can_be_imported_by_name_from_its_package(write: Callable[..., Path]) -> None:
    """`import package.plugin` gives it, although it is loaded by its file."""
    plugin = write("mine/one.py", "VALUE = 1\nTITLE = 'one'", __init__="")
    (plugin.parent / "__init__.py").touch()
    other = write("mine/two.py", "import mine.one\nTITLE = 'two'\nassert mine.one.VALUE == 1")
    assert titles(plugin, other) == {"one": "one", "two": "two"}


def test_names_with_dots_are_told_apart(write: Callable[..., Path]) -> None:
    """Whether a file is named, or found in its folder."""
    one, two = write("a/one.x.py", "TITLE = 'dots'"), write("a/one_x.py", "TITLE = 'none'")
    one.write_text(one.read_text().replace('"one.x"', '"one-x"'), encoding="utf-8")
    expected = {"one-x": "dots", "one_x": "none"}
    assert titles(one, two) == titles(one.parent) == expected


def test_code_that_is_edited_while_a_run_waits_is_refused(
    write: Callable[..., Path], harness: Call, small_dolls: Path, tmp_path: Path
) -> None:
    """What is stored under a key was computed by its code; the others go on."""
    plugin = write("a/one.py", "import helper; TITLE = 'Edits'", helper="SCALE = 1.0")
    text = plugin.read_text(encoding="utf-8")
    edits = "    def training_losses(self, batch, run):\n"
    edits += f"        open({str(plugin.with_name('helper.py'))!r}, 'w').write('SCALE = 0.0')\n"
    text = text.replace("    def training_losses(self, batch, run):\n", edits)
    text = text.replace("/ 255", "/ 255 * helper.SCALE")
    plugin.write_text(text, encoding="utf-8")
    done = harness(
        "run", "one", "--plugins", plugin, "--dataset", small_dolls, "--seeds", "0,1",
        "--jobs", "1", "--no-report",
    )  # fmt: skip
    assert done.returncode == 1
    runs = {run.record.seed: run.record for run in load_runs(tmp_path / "results")}
    assert runs[0].status == "ok"
    assert "its code was changed after it was planned" in str(runs[1].error)
