"""Runs text-to-image person retrieval methods under one protocol, and records what they score."""
