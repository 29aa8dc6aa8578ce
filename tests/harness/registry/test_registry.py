import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness import registry
from harness.errors import HarnessError

Call = Callable[..., subprocess.CompletedProcess[str]]


def names(listings: list[registry.Listing]) -> list[str]:
    """Return the names that work."""
    return [listing.name for listing in listings if not listing.error]


def test_bundled_methods_are_found_without_being_asked() -> None:
    """The package behind the entry point is scanned; its blocks register nothing."""
    assert {"clip", "clip-itc", "irra"} <= set(names(registry.list_methods()))


def test_a_plugin_file_and_a_plugin_folder_are_found(toy: Path) -> None:
    """--plugins takes a file or the folder it is in."""
    assert "toy" in names(registry.list_methods([toy]))
    assert "toy" in names(registry.list_methods([toy.parent]))


def test_files_that_register_nothing_are_not_imported(toy: Path) -> None:
    """A folder of plugins may hold scripts: they are left alone."""
    (toy.parent / "script.py").write_text(
        "import atexit\natexit.register(print)\nraise SystemExit('imported')", encoding="utf-8"
    )
    assert all(not listing.error for listing in registry.list_methods([toy.parent]))


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("import no_such_package  # harness: register(", "ModuleNotFoundError"),
        ("def f(: pass  # harness: register(", "SyntaxError"),
        ("import sys; sys.exit(3)  # harness: register(", "SystemExit"),
    ],
)
def test_a_plugin_that_fails_is_listed_and_stops_nobody(toy: Path, text: str, kind: str) -> None:
    """Whatever a plugin raises at import, it is listed with its error beside the others."""
    (toy.parent / "broken.py").write_text(text, encoding="utf-8")
    listings = registry.list_methods([toy.parent])
    broken = registry.find_method("broken", listings)
    assert broken.error is not None
    assert broken.error["kind"] == kind
    assert "toy" in names(listings)


def test_a_duplicate_name_is_refused_and_the_first_stays(toy: Path) -> None:
    """The second plugin of a name is listed with an error that names both files."""
    other = toy.with_name("zebra.py")
    other.write_text(toy.read_text(encoding="utf-8"), encoding="utf-8")
    listings = [item for item in registry.list_methods([toy.parent]) if item.name == "toy"]
    assert [listing.error is None for listing in listings] == [True, False]
    assert listings[1].error is not None
    assert str(toy) in listings[1].error["message"]
    assert str(other) in listings[1].error["message"]


def test_an_unknown_name_says_what_was_meant() -> None:
    """The error offers the nearest name and lists what exists."""
    with pytest.raises(
        HarnessError, match=r"no method 'irar'. Did you mean 'irra'\? There are: .*clip"
    ):
        registry.find_method("irar", registry.list_methods())


def test_a_wrong_ablation_row_is_an_error_of_the_plugin(toy: Path, toy_source: str) -> None:
    """A row that changes a field that does not exist is refused with the field that was meant."""
    toy.write_text(toy_source.replace('{"width": 4}', '{"widht": 4}'), encoding="utf-8")
    error = registry.find_method("toy", registry.list_methods([toy])).error
    assert error is not None
    assert "'widht'; did you mean 'width'" in error["message"]


@pytest.mark.parametrize(
    ("field", "told"),
    [
        ("eps='x'", "Expected `float | null`, got `str`"),
        ("schedule_end=2.0", "Toy.recipes: schedule_end: 2.0 is more than 1"),
        ("optimizer='sgd', eps=1e-8", "Toy.recipes: eps: sgd divides by nothing"),
        ("schedule='cosin'", "Did you mean 'cosine'"),
    ],
)
def test_a_recipe_that_cannot_be_trained_is_an_error_of_the_plugin(
    toy: Path, toy_source: str, field: str, told: str
) -> None:
    """Before anything runs: by its type, and by what training refuses."""
    toy.write_text(toy_source.replace("batch_size=16", f"batch_size=16, {field}"), encoding="utf-8")
    error = registry.find_method("toy", registry.list_methods([toy])).error
    assert error is not None
    assert told in error["message"]


def test_rows_of_equal_changes_are_one_variant(toy: Path, toy_source: str) -> None:
    """Two tables that print one row train it once; the method as published comes first."""
    rows = '{"Table 1": {"narrow": {"width": 4}, "Toy": {}}, "Table 2": {"w = 4": {"width": 4}}}'
    start, end = toy_source.index("ablations = ") + 12, toy_source.index("def __init__")
    toy.write_text(toy_source[:start] + rows + "\n\n    " + toy_source[end:], encoding="utf-8")
    description = registry.find_method("toy", registry.list_methods([toy])).description
    assert description is not None
    assert [(v["label"], v["tables"]) for v in description["variants"]] == [
        ("full", [["Table 1", "Toy", 1]]),
        ("narrow", [["Table 1", "narrow", 0], ["Table 2", "w = 4", 0]]),
    ]


@pytest.mark.parametrize("label", ["Narrow", "narrow/", " narrow"])
def test_rows_that_would_share_a_folder_are_refused(toy: Path, toy_source: str, label: str) -> None:
    """They would overwrite each other's results; the message names both."""
    rows = f'{{"narrow": {{"width": 4}}, {label!r}: {{"width": 5}}, "Toy": {{}}}}'
    source = toy_source.replace('{"narrow": {"width": 4}, "Toy": {}}', rows)
    assert source != toy_source
    toy.write_text(source, encoding="utf-8")
    error = registry.find_method("toy", registry.list_methods([toy])).error
    assert error is not None
    assert f"'narrow' and {label!r} would share the folder" in error["message"]


def test_an_entry_point_of_another_distribution_is_found(
    tmp_path: Path, toy_source: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A third-party package announces its methods by the group harness.methods."""
    (tmp_path / "third_party.py").write_text(toy_source, encoding="utf-8")
    information = tmp_path / "third_party-1.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Name: third-party\nVersion: 1.0\n", encoding="utf-8")
    (information / "entry_points.txt").write_text(
        "[harness.methods]\nthird = third_party\n", encoding="utf-8"
    )
    monkeypatch.syspath_prepend(tmp_path)
    assert "toy" in {listing.name for listing in registry.list_methods()}


def test_the_listing_as_json_has_the_promised_fields(harness: Call, toy: Path) -> None:
    """`list methods --json` is a list of objects that scripts can rely on."""
    done = harness("list", "methods", "--json", "--plugins", toy)
    methods = {method["name"]: method for method in json.loads(done.stdout)}
    toy_listing = methods["toy"]
    assert toy_listing["variants"] == ["full", "narrow"]
    assert toy_listing["supervision"] == "pairs"
    assert toy_listing["recipes"] == ["tiny"]
    assert toy_listing["source"] == str(toy)
    assert toy_listing["error"] is None
    assert methods["irra"]["supervision"] == "identity"


def test_a_second_listing_imports_nothing_heavy() -> None:
    """What was described once is read from the cache: no torch, no open_clip."""
    registry.list_methods()
    script = (
        "import sys; from harness import registry; registry.list_methods();"
        "print({'torch', 'open_clip', 'transformers', 'datasets'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "set()"


NAMED = "import ExtraData, Paper, register\nfrom harness.method import Supervision"


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('title="Toy"', 'title="T\\x1b[2Joy"', "the title"),
        ('title="Toy"', f'title="{"x" * 500}"', "500 characters"),
        ('title="Toy"', 'title="Toy", paper=Paper("a\\nb")', "the paper"),
        ('title="Toy"', 'title="Toy", paper=Paper("A", "Ada")', "array"),
        ('title="Toy"', 'title="Toy", extra_data=ExtraData(("a\\x07b",))', "extra data"),
        ('title="Toy"', 'title="Toy", extra_data=ExtraData("CLIP")', "array"),
        ('title="Toy"', 'title="Toy", paper=Paper(None)', "null"),
        ('"narrow": {"width": 4}', '"narrow": {"width": 4.5}', "float"),
        ('title="Toy"', 'title="Toy", url="javascript:alert(1)"', "no address of a page"),
        (
            "width: int = 8",
            "width: int = 8; supervision: Supervision = Supervision.NONE",
            "without stages",
        ),
        ('"narrow"', '"nar\\x07row"', "the row"),
        ('"Table 1"', '"Table\\u202e 1"', "the ablation table"),
        ('"toy"', '"../../toy"', "use lower-case letters"),
    ],
)
def test_names_that_garble_a_terminal_or_leave_a_folder_are_refused(
    harness: Call, toy: Path, toy_source: str, old: str, new: str, told: str
) -> None:
    """The plugin is listed with its error, in characters that can be printed."""
    assert old in toy_source
    named = toy_source.replace("import register", NAMED)
    toy.write_text(named.replace(old, new, 1), encoding="utf-8")
    done = harness("list", "methods", "--plugins", toy)
    text = " ".join((done.stdout + done.stderr).split())
    assert told.split()[-1] in text
    assert "ValueError" in text
    assert all(letter.isprintable() or letter in "\n" for letter in done.stdout + done.stderr)


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ('paper="Ada, 2026"', "Paper(title=..., authors=[...], year=..., venue=..., url=...)"),
        (
            'extra_data={"": "CLIP"}',
            "ExtraData(weights=[...], pairs=[...], captions=[...], people=[...])",
        ),
    ],
)
def test_what_is_said_in_words_is_refused_with_what_takes_its_place(
    harness: Call, toy: Path, toy_source: str, said: str, told: str
) -> None:
    """A paper and extra data have fields; the message shows them."""
    toy.write_text(toy_source.replace('title="Toy"', f'title="Toy", {said}', 1), encoding="utf-8")
    done = harness("list", "methods", "--plugins", toy)
    # A table as wide as its window breaks a long message anywhere.
    assert "".join(told.split()) in "".join((done.stdout + done.stderr).split())
    traced = harness("check", "toy", "--plugins", toy).stderr
    assert "Traceback" in traced
    assert "During handling" not in traced  # of what is read before it: the plugin is not to blame


def test_what_a_plugin_raises_is_shown_without_control_codes(
    harness: Call, small_dolls: Path, toy: Path, toy_source: str
) -> None:
    """An error that would clear the screen is shown as text."""
    raising = toy_source.replace(
        '        return {"itc"',
        '        raise RuntimeError("\\x1b[2Jgone [red]x")\n        return {"itc"',
    )
    toy.write_text(raising, encoding="utf-8")
    done = harness(
        "run", "toy", "--plugins", toy, "--dataset", small_dolls, "--seeds", "0", "--no-report"
    )
    assert done.returncode == 1
    assert "\\x1b[2Jgone [red]x" in done.stderr
    assert "\x1b[2J" not in done.stderr


def test_a_layout_of_weights_says_all_that_it_has_to() -> None:
    """One without a table of names is refused where it is registered, not where it is read."""

    class Half(registry.WeightsLayout):
        """It says how a method starts, and nothing of names."""

        @staticmethod
        def settings(config: Any) -> Any:
            return config

    with pytest.raises(TypeError, match="Half lacks rename"):
        registry.register_weights("irra")(Half)
    assert Half not in registry.load_weights_layouts("irra")
