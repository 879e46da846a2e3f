"""Shelf: how good the model is, for whom, and on what."""
