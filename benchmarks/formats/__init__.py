"""Which models can be packed: every example trained, packed, loaded, asked and timed, and a page of what came of it."""
