"""The artifact: an immutable folder that holds a model in a safe format, known by its digest."""
