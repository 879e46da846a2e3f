"""Tables as bodies and answers: CSV, JSON Lines, Arrow, Parquet. Whatever expands is measured before it does."""
