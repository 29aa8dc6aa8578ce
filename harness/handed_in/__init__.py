"""Figures from files that others made: features, a matrix of similarities, or a run of TREC's."""
