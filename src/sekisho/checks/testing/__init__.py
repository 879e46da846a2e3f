"""The boxes of the section testing."""
