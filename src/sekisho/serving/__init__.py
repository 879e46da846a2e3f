"""Answering over a wire."""
