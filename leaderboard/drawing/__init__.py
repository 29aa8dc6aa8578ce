"""Plots as plain data: axes, dots, whiskers."""
