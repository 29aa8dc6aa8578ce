"""A trained run as others use it."""
