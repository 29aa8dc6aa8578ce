from pathlib import Path

from harness.execution.local import encoder_packages
from harness.registry import find_plugins


def test_libraries_of_encoders_are_imported_where_a_method_does(toy: Path) -> None:
    """A method that brings its own layers does not wait for them; one that stands on them finds
    them in memory."""
    [own] = (plugin for plugin in find_plugins([toy]) if plugin.module.path == toy)
    bundled = [plugin for plugin in find_plugins() if plugin.module.name == "methods.irra"]
    assert encoder_packages([own]) == []
    assert "open_clip" in encoder_packages([own, *bundled])
