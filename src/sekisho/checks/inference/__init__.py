"""The boxes of the section inference."""
