"""Whether a method fails because it looks at people whom it is not shown."""

from __future__ import annotations

from collections.abc import Callable

from harness.contract.broken import Broken
from harness.contract.case import Case
from harness.contract.subject import Subject
from harness.method import Supervision

HANDED_NONE = "batch.person_ids, train.person_count and train.person_of_image are None"


def refuse_hidden_people(
    subject: Subject, attempt: Callable[[Case], object], error: Exception, variant: int = 0
) -> None:
    """Say so where what raised an error works once the method is shown people.

    Raises:
        Broken: it declares another supervision than IDENTITY, and works with that one.
    """
    declared = subject.supervision(variant)
    if declared is Supervision.IDENTITY:
        return
    try:
        attempt(subject.case(variant, settings={"supervision": Supervision.IDENTITY}))
    except Exception:
        return
    raise Broken(
        f"it uses person ids, and {declared.name}, which it declares, is handed none: "
        f"{HANDED_NONE} ({type(error).__name__}: {error})",
        "Do without them, or declare Supervision.IDENTITY in the config.",
    ) from error
