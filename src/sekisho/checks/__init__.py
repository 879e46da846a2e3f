"""Shelf: one box a file, in the eight sections of the checklist."""
