"""Shelf: what probes measure with: tables, the artifact, the running service."""
