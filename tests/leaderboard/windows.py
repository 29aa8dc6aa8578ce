"""The windows that pages are looked at in, light and dark."""

from __future__ import annotations

import pytest

RARE = pytest.mark.exhaustive


def windows(wide: int, phone: int = 390) -> pytest.MarkDecorator:
    """Parametrize a test by `width` and `dark`: each of them once in every run of the tests."""
    return pytest.mark.parametrize(
        ("width", "dark"),
        [
            pytest.param(wide, False, id=f"light-{wide}"),
            pytest.param(phone, True, id=f"dark-{phone}"),
            pytest.param(wide, True, id=f"dark-{wide}", marks=RARE),
            pytest.param(phone, False, id=f"light-{phone}", marks=RARE),
        ],
    )
