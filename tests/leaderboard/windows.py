"""The windows that pages are looked at in, light and dark."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

import playwright.sync_api as playwright
import pytest

RARE = pytest.mark.exhaustive


def windows(wide: int, phone: int = 390, rare: bool = False) -> pytest.MarkDecorator:
    """Parametrize a test by `width` and `dark`: each of them once in every run of the tests.

    Of a test that looks long at every page the phone is `rare`.
    """
    return pytest.mark.parametrize(
        ("width", "dark"),
        [
            pytest.param(wide, False, id=f"light-{wide}"),
            pytest.param(phone, True, id=f"dark-{phone}", marks=RARE if rare else ()),
            pytest.param(wide, True, id=f"dark-{wide}", marks=RARE),
            pytest.param(phone, False, id=f"light-{phone}", marks=RARE),
        ],
    )


class Windows:
    """Windows of a browser, handed on from test to test.

    To open one takes Chromium three times as long as to show a page in it, and our pages leave
    nothing in it: they store nothing.
    """

    def __init__(self, browser: playwright.Browser) -> None:
        self._browser = browser
        self._idle: defaultdict[bool, list[playwright.Page]] = defaultdict(list)

    @contextmanager
    def lend(self, width: int, dark: bool, scripts: bool) -> Iterator[playwright.Page]:
        """Lend a blank window that is offline; one without `scripts` runs none."""
        page = self._idle[scripts].pop() if self._idle[scripts] else self._open(scripts)
        page.set_viewport_size({"width": width, "height": 900})
        scheme = "dark" if dark else "light"
        page.emulate_media(media="null", color_scheme=scheme, forced_colors="none")
        yield page
        try:
            page.goto("about:blank")
        except playwright.Error:  # it crashed, or the test closed it
            page.context.close()
        else:
            self._idle[scripts].append(page)

    def _open(self, scripts: bool) -> playwright.Page:
        return self._browser.new_context(offline=True, java_script_enabled=scripts).new_page()
