"""Measurements of what a service needs and how much it bears."""
