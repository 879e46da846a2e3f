"""The boxes of the section monitoring."""
