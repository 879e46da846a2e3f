"""Running the model for several callers at once, without making anybody wait for it."""
