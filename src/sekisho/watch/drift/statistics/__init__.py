"""Shelf: the statistics of drift, one a file."""
