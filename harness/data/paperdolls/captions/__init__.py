"""Writes captions of what an image shows: words, phrases and sentences."""
