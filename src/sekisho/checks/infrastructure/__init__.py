"""The boxes of the section infrastructure."""
