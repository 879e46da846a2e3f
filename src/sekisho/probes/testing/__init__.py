"""Measurements of how a project was tested."""
