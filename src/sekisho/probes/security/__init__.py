"""Shelf: what is measured of the safety of the service and of the project, one measurement a file."""
