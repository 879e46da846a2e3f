"""The books: evidence, predictions and their outcomes."""
