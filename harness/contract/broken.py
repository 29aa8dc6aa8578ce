"""What a check raises."""

from __future__ import annotations


class Broken(Exception):
    """A method does not keep to the contract; the message says in what."""

    def __init__(self, told: str, advice: str = "") -> None:
        """`advice` is what to do, where the check's own does not fit."""
        super().__init__(told)
        self.advice = advice
