"""Suite x datasets x methods x variants x seeds -> runs, each with its keys. No torch here."""

from harness.plan.choices import (
    Choice,
    choose,
    variants_at,
)
from harness.plan.grid import (
    cross,
    read_grid,
)
from harness.plan.planning import (
    Point,
    evaluated_among,
    evaluated_on,
    plan,
    plan_grid,
    probe,
)
from harness.plan.suites import (
    Suite,
    list_suites,
    read_suite,
)

__all__ = [
    "Choice",
    "Point",
    "Suite",
    "choose",
    "cross",
    "evaluated_among",
    "evaluated_on",
    "list_suites",
    "plan",
    "plan_grid",
    "probe",
    "read_grid",
    "read_suite",
    "variants_at",
]
