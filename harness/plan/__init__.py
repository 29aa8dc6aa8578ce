"""Suite x datasets x methods x variants x seeds -> runs, each with its keys. No torch here."""

from harness.plan.planning import (
    Choice,
    Suite,
    choose,
    evaluated_on,
    list_suites,
    plan,
    read_suite,
    variants_at,
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
