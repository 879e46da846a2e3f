"""Families of models, one a file: each says what it is called and which examples belong to it."""
