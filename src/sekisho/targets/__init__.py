"""Shelf: where a model runs."""
