"""Whether what was measured agrees with what papers report."""

from leaderboard.agreement.finding import find_agreement, find_agreements

__all__ = ["find_agreement", "find_agreements"]
