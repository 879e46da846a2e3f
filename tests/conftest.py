"""What holds for every test: no assertion about time, so none by Hypothesis either."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("sekisho", deadline=None)
settings.load_profile("sekisho")
