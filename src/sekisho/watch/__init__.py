"""Reading the book of predictions."""
