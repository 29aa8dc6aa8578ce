import pytest
import torch

from methods.blocks.objective import weighted


def test_terms_are_weighted_and_the_rest_is_never_called() -> None:
    """A loss without a weight costs nothing."""

    def never(x: float) -> torch.Tensor:
        raise AssertionError("called")

    found = weighted({"a": 0.5}, 3.0, a=lambda x: torch.tensor(x), b=never)
    assert found == {"a": torch.tensor(1.5)}


def test_an_unknown_loss_is_refused_with_what_exists() -> None:
    """A misspelt weight does not silently switch a loss off."""
    with pytest.raises(KeyError, match=r"no loss \['itcc'\]; there are: \['itc'\]"):
        weighted({"itcc": 1.0}, None, itc=lambda x: torch.tensor(0.0))
