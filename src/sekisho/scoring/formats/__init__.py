"""The formats of tables that are scored: CSV, JSON Lines, Parquet, Arrow."""
