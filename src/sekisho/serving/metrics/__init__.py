"""Counting: cells that all workers share, and the text that Prometheus reads."""
