"""Shelf: where a service runs. Each unit renders the files of one target, or deploys to it."""
