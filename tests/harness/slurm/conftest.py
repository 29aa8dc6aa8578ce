"""Commands that are started and watched, as tests of the execution on one machine have them."""

from ..execution.conftest import start, start_once, toy_source

__all__ = ["start", "start_once", "toy_source"]
