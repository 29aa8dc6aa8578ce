"""The boundary of the two keys: what is changed in a copy of the code, and which of them moves."""

from __future__ import annotations

import ast
import importlib
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest

import methods
from harness.plan import keys
from harness.plan.features import FEATURES
from harness.registry import Plugin, find_plugins
from harness.sources import HARNESS_FOLDER, Module, Roots

from ...some import some

# What makes the weights of a run, and what makes figures of them: a change in one of these modules
# moves the key, where it is read; in any other module of the harness it moves none.
TRAINS = {
    "harness.data.colours",
    "harness.data.columns",
    "harness.data.declaration",
    "harness.data.decoding",
    "harness.data.image_kinds",
    "harness.data.loading",
    "harness.data.pixels",
    "harness.data.rows",
    "harness.data.schema",
    "harness.data.transparency",
    "harness.distributed",
    "harness.evaluation.embeddings",
    "harness.evaluation.encode",
    "harness.files",
    "harness.method",
    "harness.registry.settings",
    "harness.run.determinism",
    "harness.run.open_run",
    "harness.run.train",
    "harness.seeding",
    "harness.structures",
    "harness.training.building",
    "harness.training.checkpoints",
    "harness.training.chunks",
    "harness.training.feeding",
    "harness.training.handed",
    "harness.training.loop",
    "harness.training.optimization",
    "harness.training.sampling",
}
SCORES = {
    "harness.data.colours",
    "harness.data.columns",
    "harness.data.declaration",
    "harness.data.decoding",
    "harness.data.image_kinds",
    "harness.data.loading",
    "harness.data.pixels",
    "harness.data.rows",
    "harness.data.schema",
    "harness.data.transparency",
    "harness.distributed",
    "harness.evaluation.embeddings",
    "harness.evaluation.encode",
    "harness.evaluation.rescoring",
    "harness.evaluation.score",
    "harness.evaluation.write",
    "harness.files",
    "harness.method",
    "harness.metrics.compilation",
    "harness.metrics.counting",
    "harness.metrics.neighbours",
    "harness.metrics.scores",
    "harness.registry.settings",
    "harness.run.determinism",
    "harness.run.evaluate",
    "harness.run.open_run",
    "harness.seeding",
    "harness.structures",
    "harness.tie_order",
    "harness.training.building",
    "harness.training.checkpoints",
}
MODULES = sorted(
    ".".join(("harness", *file.relative_to(HARNESS_FOLDER).with_suffix("").parts))
    for file in HARNESS_FOLDER.rglob("*.py")
    if "templates" not in file.parts and not file.name.startswith("__")
)


class Copy:
    """A copy of the code that may be changed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        shutil.copytree(HARNESS_FOLDER, folder / "harness", ignore=shutil.ignore_patterns("__*"))
        for file in HARNESS_FOLDER.rglob("__init__.py"):
            shutil.copyfile(file, folder / "harness" / file.relative_to(HARNESS_FOLDER))
        shutil.copytree(Path(methods.__file__).parent, folder / "methods")
        packages = (("harness", folder / "harness"), ("methods", folder / "methods"))
        self.roots = Roots(packages)

    def code(self, uses: Iterable[str] = ()) -> keys.Code:
        """Return what the runs of IRRA stand on that use these features."""
        irra = Module("methods.irra", self.folder / "methods" / "irra.py")
        return keys.Codes(self.roots).of(Plugin(irra, self.roots), uses)

    def text(self, module: str) -> str:
        """Return the text of a module."""
        return self._file(module).read_text(encoding="utf-8")

    def moved(self, texts: Mapping[str, str]) -> set[str]:
        """Return which keys move where modules have other texts."""
        before, kept = self.code(), {module: self.text(module) for module in texts}
        self._write(texts)
        try:
            after = self.code()
        finally:
            self._write(kept)
        names = ("weights", "figures")
        return {name for name in names if getattr(before, name) != getattr(after, name)}

    def features_moved(self, texts: Mapping[str, str]) -> set[str]:
        """Return of which features the code moves where modules have other texts."""
        before, kept = self.code(FEATURES), {module: self.text(module) for module in texts}
        self._write(texts)
        try:
            after = self.code(FEATURES)
        finally:
            self._write(kept)
        return {name for name in FEATURES if before.features[name] != after.features[name]}

    def _write(self, texts: Mapping[str, str]) -> None:
        for module, text in texts.items():
            self._file(module).write_text(text, encoding="utf-8")

    def _file(self, module: str) -> Path:
        return self.folder.joinpath(*module.split(".")).with_suffix(".py")


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Copy:
    """A copy of the code as it is."""
    return Copy(tmp_path_factory.mktemp("code"))


@pytest.mark.parametrize(
    ("module", "old", "new", "moves"),
    [
        ("harness.run.evaluate", "trained.selected_epoch != trained.epoch", "False", {"figures"}),
        ("harness.training.building", '"weights"', '"others"', {"weights", "figures"}),
        (
            "harness.registry.settings",
            "built = msgspec.convert(values, declared)",
            "built = declared(**values)",
            {"weights", "figures"},
        ),
        ("harness.data.colours", "WHITE = (255,", "WHITE = (0,", {"weights", "figures"}),
        ("harness.data.decoding_key", "[:12]", "[:10]", set()),
        ("harness.evaluation.write", "scores.first_hit", "scores.first_hit + 1", {"figures"}),
        ("harness.training.loop", "set_to_none=True", "set_to_none=False", {"weights"}),
        (
            "methods.blocks.losses",
            "texts) / temperature",
            "texts) * temperature",
            {"weights", "figures"},
        ),
        ("harness.data.loading", "stands in", "is found in", set()),
        ("methods.clip", '"Jong Wook Kim"', '"J. W. Kim"', set()),
        ("methods.blocks.extra_data", "on 400 million images", "on images", set()),
        ("methods.blocks.extra_data", "OF_ENCODERS = {", "OF_ENCODERS = {'x': ExtraData(),", set()),
        ("harness.progress", "    steps: int", "    steps: int\n    eta: float", set()),
        ("harness.files", "def slug", "def unused():\n    return 1\n\n\ndef slug", set()),
    ],
)
def test_a_change_moves_the_keys_that_it_decides(
    copy: Copy, module: str, old: str, new: str, moves: set[str]
) -> None:
    """Silent changes of figures show; words, what is shown, and what nobody reads do not."""
    text = copy.text(module)
    assert old in text
    assert copy.moved({module: text.replace(old, new, 1)}) == moves


@pytest.mark.parametrize("module", some(sorted(TRAINS | SCORES)))
def test_what_decides_figures_moves_its_key(copy: Copy, module: str) -> None:
    """A change of all that a module defines moves the keys that it belongs to."""
    expected = {"weights"} if module in TRAINS else set()
    expected |= {"figures"} if module in SCORES else set()
    assert copy.moved({module: changed_everywhere(copy.text(module))}) == expected


def test_what_decides_none_moves_no_key(copy: Copy) -> None:
    """All other modules of the harness can be changed, and no run is repeated."""
    others = [module for module in MODULES if module not in TRAINS | SCORES]
    assert len(others) > 80
    assert not copy.moved({module: changed_everywhere(copy.text(module)) for module in others})


@pytest.mark.parametrize(
    ("feature", "module"), [(name, one) for name, modules in FEATURES.items() for one in modules]
)
def test_what_a_feature_calls_moves_the_keys_of_runs_that_use_it(
    copy: Copy, feature: str, module: str
) -> None:
    """Of those alone: that it moves no others is tested of all modules that decide no figure."""
    assert module not in TRAINS | SCORES
    assert copy.features_moved({module: changed_everywhere(copy.text(module))}) == {feature}


def test_figures_on_val_follow_what_judges_there(copy: Copy, tmp_path: Path) -> None:
    """A trial is tried again where its figures would be others, though its weights are the same."""
    changed = Copy(tmp_path)
    file = tmp_path / "harness" / "metrics" / "scores.py"
    file.write_text(changed_everywhere(file.read_text(encoding="utf-8")), encoding="utf-8")
    assert changed.code().weights == copy.code().weights
    val = [keys.hash_harness(keys.TRAINS, roots=one.roots) for one in (copy, changed)]
    assert val[0] != val[1]


def changed_everywhere(text: str) -> str:
    """Return a module of which each function and each class does something more."""
    tree = ast.parse(text)
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            node.body.append(ast.parse("changed = 1").body[0])
    return ast.unparse(tree)


def test_a_module_that_is_renamed_moves_no_key(copy: Copy, tmp_path: Path) -> None:
    """Files can be moved: what they hold is what counts."""
    renamed = Copy(tmp_path)
    (tmp_path / "harness" / "seeding.py").rename(tmp_path / "harness" / "data" / "sowing.py")
    for file in tmp_path.rglob("*.py"):
        text = file.read_text(encoding="utf-8")
        file.write_text(text.replace("harness.seeding", "harness.data.sowing"), encoding="utf-8")
    assert renamed.code() == copy.code()


METHOD = """
from harness.method import Batch, Method, Run
from harness.registry import register
LIMIT = 2
def unread() -> None:
    return 3
def scaled(x: float) -> float:
    return x * LIMIT
@register("mine", title="Mine")
class Mine(Method):
    ablations = {"Table 1": {}}
    def training_losses(self, batch: Batch, run: Run):
        return {"a": scaled(1)}
"""


def test_a_method_that_is_cut_into_a_package_keeps_its_key(tmp_path: Path) -> None:
    """Wherever its parts lie, and whatever they are called; a change of any of them shows."""
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / "mine.py").write_text(METHOD)
    package = tmp_path / "other" / "ours"
    package.mkdir(parents=True)
    head, parts = METHOD.split("LIMIT", 1)
    parts, method = parts.split("@register", 1)
    (package / "__init__.py").write_text(
        '"""A paper."""\nfrom .whole import Mine\n__all__ = ["Mine"]\n'
    )
    (package / "whole.py").write_text(f"{head}from .parts import scaled\n@register{method}")
    (package / "parts.py").write_text(f"LIMIT{parts}")
    one, other = (
        code_in(tmp_path / "one"),
        code_in(tmp_path / "other"),
    )
    assert one == other
    (package / "parts.py").write_text(f"LIMIT{parts}".replace("return 3", "return 4"))
    assert code_in(tmp_path / "other") != other


def code_in(folder: Path) -> keys.Code:
    """Return what the one method in a folder of plugins stands on."""
    (plugin,) = (one for one in find_plugins([folder]) if one.module.folder)
    return keys.code_of(plugin)


def test_every_reason_names_a_module() -> None:
    """What is left out of the keys is there, and says why it may be."""
    for name, reason in (keys.LEFT_OUT | keys.JUDGES).items():
        module, _, own = name.rpartition(".")
        assert Roots().find(name) or hasattr(importlib.import_module(module), own), name
        assert reason
