"""Shelf: where a model can come from: a file, a folder of somebody else's, an MLflow run."""
