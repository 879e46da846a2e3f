"""Shelf: the statistics of drift, and the detector that judges by them."""
