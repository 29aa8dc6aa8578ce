"""The method and a batch, for tests that leave them as they are."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from methods.laip import Laip, Masked, Pairs

from .scenes import PHRASE_ROWS, Phrase, encoded, find_out, masked_of, method


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Let torch use one thread: more only wait for each other on what is this small."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def model() -> Laip:
    """The method, for tests that leave it as it is."""
    return method()


@pytest.fixture(scope="session")
def scene(model: Laip) -> Pairs:
    """A batch of eight phrases; the word of eight pieces is masked in one."""
    x = encoded(model, seed=3)
    assert x.phrases.row.tolist() == PHRASE_ROWS
    counts = x.phrases.chosen.sum(dim=1).tolist()
    assert max(counts) > 7  # a word of several pieces
    assert not x.phrases.chosen[:, 0].any()
    return x


@pytest.fixture(scope="session")
def masked(model: Laip, scene: Pairs) -> Masked:
    """Its phrases, fused with their images."""
    return masked_of(model, scene)


@pytest.fixture(scope="session")
def reference(model: Laip, scene: Pairs) -> list[Phrase]:
    """What the reference finds out about the phrases."""
    return [find_out(model, scene, number) for number in range(len(PHRASE_ROWS))]
