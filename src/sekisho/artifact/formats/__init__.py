"""Shelf: the formats that a model can be kept in, and the runtimes that answer from them."""
