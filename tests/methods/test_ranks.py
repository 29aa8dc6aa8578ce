"""Two processes that train a run together do what one does, for every method that says so."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from harness import registry

from ..processes_of_ranks import run_by_ranks

SCRIPT = Path(__file__).with_name("step_of_ranks.py")
SPREADING = [
    listing.name
    for listing in registry.list_methods()
    if listing.description and listing.description["spreads"]
]


def launch(dataset: Path, folder: Path, count: int, chunks: int = 1) -> dict[str, Any]:
    """Run the script in so many processes and return what the first one wrote."""
    run_by_ranks(SCRIPT, [dataset, folder / "found", chunks], count, folder)
    return torch.load(folder / "found", weights_only=True)  # type: ignore[no-any-return]  # untyped library


@pytest.fixture(scope="module")
def found(small_dolls: Path, tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """Return what one process gives, what two give, and what two give in chunks."""
    folder = tmp_path_factory.mktemp("ranks")
    return [
        launch(small_dolls, folder / "one", 1),
        launch(small_dolls, folder / "two", 2),
        launch(small_dolls, folder / "chunks", 2, chunks=3),
    ]


@pytest.mark.xdist_group("ranks")
@pytest.mark.parametrize("number", [1, 2], ids=["at once", "in chunks"])
@pytest.mark.parametrize("name", SPREADING)
def test_two_processes_take_the_step_of_one(
    found: list[dict[str, Any]], name: str, number: int
) -> None:
    """Losses, gradients, banks, queues and embeddings are equal, in an uneven split of rows."""
    one, two = found[0][name], found[number][name]
    assert one["losses"].keys() == two["losses"].keys()
    for loss, value in one["losses"].items():
        assert two["losses"][loss] == pytest.approx(value, rel=1e-5, abs=1e-5)
    for kind in ("gradients", "buffers"):
        used = {key: value for key, value in two[kind].items() if key in one[kind]}
        assert used.keys() == one[kind].keys()
        assert all(not value.any() for key, value in two[kind].items() if key not in used)
        for key, value in one[kind].items():
            value, other = value.double(), used[key].double()  # of bits and counts too
            scale = max(1.0, float(value.abs().max()))
            torch.testing.assert_close(other / scale, value / scale, rtol=0, atol=1e-5)
    for kind in ("images", "texts"):
        torch.testing.assert_close(one[kind], two[kind], rtol=0, atol=1e-5)


def test_every_trained_method_here_spreads() -> None:
    """What has training stages says whether processes can share a run, and all of ours can."""
    trained = {
        listing.name
        for listing in registry.list_methods()
        if listing.description and listing.description["scales"]["tiny"]["recipe"]["stages"]
    }
    assert trained == set(SPREADING)
