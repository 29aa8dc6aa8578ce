"""Ablation tables of a method's paper, beside what their rows score here."""
