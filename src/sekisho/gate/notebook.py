"""Judging a project from a notebook: ``sekisho.check()`` shows the verdicts as a table."""

from __future__ import annotations
