"""Asking a trained method for people: a text, and the images of a folder that fit it best.

What needs no torch is apart from what does: the images of a folder are found, read and decoded
while torch and the method are still being imported.
"""
