"""Shelf: the ways to speak to an inference service, one protocol a file."""
