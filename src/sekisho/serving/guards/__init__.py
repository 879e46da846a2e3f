"""Shelf: what stands before the model on the wire."""
