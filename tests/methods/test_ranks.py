"""Two processes that train a run together do what one does, for every method that says so."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
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


# A dual encoder, and what re-scores with momentum and queues; the others are for `tox -e full`.
REPRESENTATIVES = {"irra", "laip"}


def launch(
    dataset: Path, folder: Path, count: int, chunks: int, names: Sequence[str]
) -> dict[str, Any]:
    """Run the script in so many processes and return what the first one wrote."""
    run_by_ranks(SCRIPT, [dataset, folder / "found", chunks, *names], count, folder)
    return torch.load(folder / "found", weights_only=True)  # type: ignore[no-any-return]  # untyped library


@pytest.fixture(scope="module")
def found(
    request: pytest.FixtureRequest, small_dolls: Path, tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., Any]:
    """Return what gives the steps that so many processes take, in so many chunks each, once.

    They are those of the methods that are asked about.
    """
    folder = tmp_path_factory.mktemp("ranks")
    here = [item for item in request.session.items if item.path == request.path]
    asked = {item.callspec.params["name"] for item in here if hasattr(item, "callspec")}

    @cache
    def launch_once(count: int, chunks: int) -> dict[str, Any]:
        return launch(small_dolls, folder / f"{count}-{chunks}", count, chunks, sorted(asked))

    return launch_once


@pytest.mark.xdist_group("ranks")
@pytest.mark.parametrize(
    "chunks",
    [pytest.param(1, id="at once"), pytest.param(3, id="in chunks", marks=pytest.mark.exhaustive)],
)
@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=() if name in REPRESENTATIVES else pytest.mark.exhaustive)
        for name in SPREADING
    ],
)
def test_two_processes_take_the_step_of_one(
    found: Callable[..., Any], name: str, chunks: int
) -> None:
    """Losses, gradients, banks, queues and embeddings are equal, in an uneven split of rows."""
    one, two = found(1, 1)[name], found(2, chunks)[name]
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
