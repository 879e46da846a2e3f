"""The boxes of the section artifact."""
