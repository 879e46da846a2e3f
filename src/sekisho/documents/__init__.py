"""Shelf: what people read before and after a model goes live."""
