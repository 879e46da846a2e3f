"""Shelf: what is measured of the inference service, one measurement a file."""
