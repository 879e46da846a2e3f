"""Shelf: the ways of asking over HTTP."""
