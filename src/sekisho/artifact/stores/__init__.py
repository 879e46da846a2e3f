"""Where a registry keeps its bytes: one file a kind of store, found by what its address looks like."""
