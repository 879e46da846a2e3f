"""The boxes of the section documentation."""
