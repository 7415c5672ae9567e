"""The rate limiter: how often a service may be called, and what happens to calls beyond that."""
