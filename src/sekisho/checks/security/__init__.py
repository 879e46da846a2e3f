"""The boxes of the section security."""
