"""Shelf: what the model's files are, and what is written about them."""
