"""A bundle as a pull request to a dataset of the Hugging Face hub, by the hub's own library.

https://huggingface.co/docs/hub/repositories-pull-requests-discussions
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.data.hub import explain
from harness.errors import HarnessError
from harness.publishing.git import show_address, without_passwords
from harness.submission.offer import FOLDER, Offer, Offered

if TYPE_CHECKING:
    from huggingface_hub import HfApi

KIND = "dataset"  # of the repository that holds bundles


def submit(offer: Offer, repository: str) -> Offered:
    """Ask the keepers of a dataset of the hub to take a bundle, unless it is there or was asked.

    Raises:
        HarnessError: the hub refuses or cannot be reached.
    """
    try:
        return _submit(offer, repository)
    except HarnessError:
        raise
    except Exception as error:  # of the hub, of HTTP or of its threads: they have no common base
        raise HarnessError(
            f"The bundle could not be sent to {show_address(repository)}: "
            f"{without_passwords(explain(error), repository)}. `hf auth login` "
            "signs in, with a token that may write; `--repository` names a dataset of the hub."
        ) from error


def _submit(offer: Offer, repository: str) -> Offered:
    from huggingface_hub import CommitOperationAdd, HfApi

    hub = HfApi()
    if there := _find(hub, offer, repository):
        return Offered(f"It is there already, as {there}: nothing was sent.")
    if asked := _find_request(hub, offer, repository):
        return Offered("It was asked for before: nothing was sent.", asked)
    made = hub.create_commit(
        repository, [CommitOperationAdd(offer.path, offer.file)], repo_type=KIND,
        commit_message=_title(offer), commit_description=offer.body, create_pr=True,
    )  # fmt: skip
    return Offered(f"Sent to the dataset {repository}.", str(made.pr_url or ""))


def _title(offer: Offer) -> str:
    """Return a title that is of this very bundle: by it a request is found again."""
    return f"{offer.title} ({offer.branch})"


def _find(hub: HfApi, offer: Offer, repository: str) -> str:
    """Return the name under which a bundle is taken already, if it is."""
    name = offer.path.rpartition("-")[2]  # ends in what only this bundle has
    files = hub.list_repo_files(repository, repo_type=KIND)
    return next(
        (file for file in files if file.startswith(f"{FOLDER}/") and file.endswith(f"-{name}")), ""
    )


def _find_request(hub: HfApi, offer: Offer, repository: str) -> str:
    """Return the address of the open request for a bundle, if there is one."""
    for one in hub.get_repo_discussions(repository, repo_type=KIND):
        if one.is_pull_request and one.status in ("open", "draft") and one.title == _title(offer):
            return str(one.url)
    return ""
