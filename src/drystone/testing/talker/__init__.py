"""A service that speaks every kind of request that may take long, for tests and measurements."""
