"""The page of what papers report: every figure by method, drift between papers, and a timeline."""

from leaderboard.literature.page import FILE, make_files, method_address

__all__ = ["FILE", "make_files", "method_address"]
