"""Shelf: what is measured of metrics and drift detection, one measurement a file."""
