"""The windows that pages are looked at in, light and dark."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

import playwright.sync_api as playwright
import pytest

from leaderboard.site.folder import MARKER

RARE = pytest.mark.exhaustive
# Scripts that follow what a page is given, a width too, are done.
SETTLED = "() => new Promise((done) => requestAnimationFrame(() => setTimeout(done, 50)))"


def resize(page: playwright.Page, width: int, height: int = 900) -> None:
    """Give a page another window, and wait until its scripts have followed."""
    page.set_viewport_size({"width": width, "height": height})
    page.evaluate(SETTLED)


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


@contextmanager
def opening(windows: Windows) -> Iterator[Callable[..., playwright.Page]]:
    """Yield what opens pages, as the fixture `open_page` does; fail at the end as it does."""
    problems: list[str] = []

    def open_file(
        path: Path, width: int = 1440, dark: bool = False, scripts: bool = True, anchor: str = ""
    ) -> playwright.Page:
        site = next(folder for folder in path.resolve().parents if (folder / MARKER).is_file())
        page = lent.enter_context(windows.lend(width, dark, scripts))
        lent.enter_context(_noting(page, site, problems))
        page.goto(path.resolve().as_uri() + (f"#{anchor}" if anchor else ""))
        return page

    with ExitStack() as lent:
        yield open_file
    assert not problems, problems


@contextmanager
def _noting(page: playwright.Page, site: Path, problems: list[str]) -> Iterator[None]:
    """Note what goes wrong on a page until it is left."""
    listeners: dict[str, Callable[..., None]] = {
        "console": partial(_note_message, problems),
        "weberror": lambda raised: problems.append(f"raised: {raised.error}"),
        "request": partial(_note_request, problems, site),
    }
    for event, listener in listeners.items():
        page.context.on(event, listener)
    yield
    with suppress(playwright.Error):  # the test closed it
        page.evaluate("0")  # whatever it has told by now is heard before the answer
    for event, listener in listeners.items():
        page.context.remove_listener(event, listener)


def _note_message(problems: list[str], message: playwright.ConsoleMessage) -> None:
    if message.type == "error":
        problems.append(f"logged: {message.text} ({message.location.get('url')})")


def _note_request(problems: list[str], site: Path, request: playwright.Request) -> None:
    address = urlsplit(request.url)
    inside = Path(url2pathname(address.path)).is_relative_to(site)
    if address.scheme != "file" or address.netloc or not inside:
        problems.append(f"asked for {request.url}")
