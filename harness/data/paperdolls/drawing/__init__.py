"""Draws one image of a person: place, body, clothes and what is carried."""
