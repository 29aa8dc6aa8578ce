"""Suite x datasets x methods x variants x seeds -> runs, each with its keys. No torch here."""

from harness.plan.choices import (
    Choice,
    choose,
    variants_at,
)
from harness.plan.planning import (
    evaluated_on,
    plan,
)
from harness.plan.suites import (
    Suite,
    list_suites,
    read_suite,
)

__all__ = [
    "Choice",
    "Suite",
    "choose",
    "evaluated_on",
    "list_suites",
    "plan",
    "read_suite",
    "variants_at",
]
