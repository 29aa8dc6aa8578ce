"""Pull requests of GitHub, by its REST API.

https://docs.github.com/en/rest/pulls/pulls. Who asks is told by ``GH_TOKEN`` or ``GITHUB_TOKEN``,
as GitHub's own tools read them, else by what git itself would push with; nothing is stored.
"""

from __future__ import annotations

import json
import os
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from harness.errors import HarnessError
from harness.printable import printable
from harness.publishing.git import GitError, call_git
from harness.submission.offer import Offer, Offered

API = "https://api.github.com"  # another one in the variable that GitHub Actions sets
TIMEOUT = 30  # seconds
TOKENS = ("GH_TOKEN", "GITHUB_TOKEN")


@dataclass(frozen=True)
class Repository:
    """A repository on GitHub."""

    owner: str
    name: str

    @property
    def path(self) -> str:
        """What its addresses hold."""
        return f"{self.owner}/{self.name}"


def open_pull_request(
    offer: Offer, board: Repository, source: Repository, base: str, told: str
) -> Offered:
    """Ask a board to take a branch, unless that was asked already.

    Without a token the page is told on which it is asked for by hand.

    Args:
        source: the repository that holds the branch.
        base: the branch to take it into, where GitHub is not asked which that is.
        told: what was done before.

    Raises:
        HarnessError: GitHub refuses or cannot be reached; the message says where to go on by hand.
    """
    api = os.environ.get("GITHUB_API_URL", API).rstrip("/")
    head = f"{source.owner}:{offer.branch}"
    by_hand = (
        f"https://github.com/{board.path}/compare/{base}...{source.owner}:{source.name}:"
        f"{offer.branch}?expand=1"
    )
    token = find_token(api)
    if token is None:
        advice = "No token was found (GH_TOKEN, or git's own): open the pull request there."
        return Offered(told, by_hand, advice)
    try:
        return _ask(f"{api}/repos/{board.path}", token, offer, head, told)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise HarnessError(
            f"{told} The pull request could not be opened: {_explain(error)}. Open it by hand: "
            f"{by_hand}"
        ) from error


def find_token(api: str) -> str | None:
    """Return the token to call an API with; what git keeps for github.com goes to no other."""
    for name in TOKENS:
        if token := os.environ.get(name):
            return token
    if api != API:
        return None
    environment = {**os.environ, "GIT_TERMINAL_PROMPT": "0", "GIT_ASKPASS": "", "SSH_ASKPASS": ""}
    try:
        found = call_git(
            "-c", "core.askPass=", "credential", "fill",
            given="protocol=https\nhost=github.com\n\n", environment=environment,
        )  # fmt: skip
    except (GitError, HarnessError):
        return None
    values = dict(line.partition("=")[::2] for line in found.splitlines())
    return values.get("password") or None


def _ask(url: str, token: str, offer: Offer, head: str, told: str) -> Offered:
    asked = urllib.parse.urlencode({"head": head, "state": "open"})
    known = _call(f"{url}/pulls?{asked}", token)
    if known:
        return Offered(f"{told} It was asked for before.", str(known[0]["html_url"]))
    base = str(_call(url, token)["default_branch"])
    request = {"title": offer.title, "body": offer.body, "head": head, "base": base}
    made = _call(f"{url}/pulls", token, request)
    return Offered(told, str(made["html_url"]))


def _call(url: str, token: str, values: Mapping[str, Any] | None = None) -> Any:
    """Return what the API answers, to what is sent where something is."""
    request = urllib.request.Request(
        url,
        data=None if values is None else json.dumps(values).encode(),
        headers={
            "Accept": "application/vnd.github+json",
            "Authorization": f"Bearer {token}",
            "Content-Type": "application/json",
            "X-GitHub-Api-Version": "2022-11-28",
        },
    )
    with urllib.request.urlopen(request, timeout=TIMEOUT) as answer:
        return json.load(answer)


def _explain(error: Exception) -> str:
    """Say in one line what GitHub answered, or that it did not."""
    if not isinstance(error, urllib.error.HTTPError):
        return printable(str(getattr(error, "reason", "") or error), 300) or type(error).__name__
    try:
        said = str(json.load(error)["message"])
    except (ValueError, KeyError, TypeError, OSError):
        said = str(error.reason)
    means = {
        401: ", the token is not valid",
        403: ", the token may not",
        404: ", or you may not see it",
    }
    return f"GitHub says {error.code}, {printable(said, 200)}{means.get(error.code, '')}"
