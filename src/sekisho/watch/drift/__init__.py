"""Drift: the detector, what it stands on, and the shelf of its statistics."""
