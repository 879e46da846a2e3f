"""What stands in one cell of a book."""

from __future__ import annotations

Scalar = float | int | bool | str | None
"""A JSON value of one cell; a datetime is RFC 3339 in UTC, a null is ``None``."""
