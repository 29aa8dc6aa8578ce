"""Puts a page that reports have written where people read it: a folder, a branch, a Space."""
