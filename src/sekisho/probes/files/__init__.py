"""Telling what a file is from its content, without running anything in it: pickles, archives, model formats."""
