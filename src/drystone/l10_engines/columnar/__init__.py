"""Tables by columns: reading Parquet with DuckDB."""
