"""The boxes of the section quality."""
