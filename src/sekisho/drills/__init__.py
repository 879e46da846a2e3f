"""Drills: what goes wrong in production is done to a real service under load, and what becomes of it is measured."""
