"""Search: documents in one SQLite file, the index of them by tantivy, and the REST protocol of OpenSearch before both."""
