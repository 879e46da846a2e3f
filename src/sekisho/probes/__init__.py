"""Shelf: one measurement a file."""
