"""Shelf: how evidence is drawn, one type of fact a file."""
